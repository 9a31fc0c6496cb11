"""What a reply of the next hop means for the mail: its own words, unless it speaks of us and not of the mail.

The texts are those of Amazon SES (https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-smtp.html) and of Postfix.
"""

from __future__ import annotations

import re

from sesmail.mail.outcome import Outcome

_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})\s*")
_ID = re.compile(r"(?:\bOk |queued as |\bid[= ])([!-;=?-~]{1,200})\s*\Z", re.IGNORECASE)

_LOGIN = frozenset({530, 534, 535, 538})
# The server did not understand what we said, or not then: that is between it and us.
_GRAMMAR = frozenset({500, 502, 503, 504, 555})
_OURS = re.compile(
    r"access denied: user|not authorized to perform|relay(?:ing)? (?:access )?(?:denied|not)|not permitted to relay"
    r"|configuration set|sending (?:is )?paused|authentication required|must authenticate",
    re.IGNORECASE,
)
_DAILY = re.compile(r"daily (?:message|sending) quota", re.IGNORECASE)
_TOO_FAST = re.compile(r"throttling|sending rate exceeded|too many concurrent", re.IGNORECASE)
_NOT_VERIFIED = re.compile(r"address is not verified", re.IGNORECASE)

_UNABLE = "this server cannot hand its mail on at the moment, try again later"


def accepted(text: str) -> Outcome:
    """The next hop has the message, and this is what it said."""
    found = _ID.search(text)
    return Outcome(250, "2.0.0", _STATUS.sub("", text, count=1) or "Ok", id=found[1] if found else None)


def trouble(alarm: str, status: str = "4.4.0") -> Outcome:
    """Our own configuration, or the server's, must be mended before mail can go."""
    return Outcome(451, status, _UNABLE, alarm=alarm[:500])


def broken(status: str = "4.4.2") -> Outcome:
    """The next hop could not be reached, or the conversation broke off; whether it has the message cannot be known."""
    return Outcome(451, status, "the next mail server cannot be reached at the moment, try again later")


def refusal(step: str, code: int, text: str, *, content: bool = False) -> Outcome:
    """What this reply, which is no success, means for whom it concerns. `step` is the command. A 5yz of ours is a LATER with an alarm.

    `content`: the whole message is meant by it, or any of several recipients.
    """
    if code // 100 not in (4, 5):
        return trouble(f"{step}: not a reply to that: {code} {text}", "4.5.0")
    if code in _LOGIN or code in _GRAMMAR or _OURS.search(text):
        return trouble(f"{step}: {code} {text}")
    if _DAILY.search(text):
        return Outcome(
            452, "4.5.3", "the daily quota of the next mail server is used up", wait=900, alarm=f"daily quota: {text}"[:500]
        )
    if _TOO_FAST.search(text):
        return Outcome(451, "4.7.1", "sending too fast for the next mail server, try again later")
    if step == "RCPT" and code == 552:
        # RFC 5321 section 4.5.3.1.10: this is how old servers say 452, too many recipients.
        return Outcome(452, "4.5.3", text or "too many recipients")
    return _as_said(code, text, content)


def _as_said(code: int, text: str, content: bool) -> Outcome:
    found = _STATUS.match(text)
    status = found[1] if found and int(found[1][0]) == code // 100 else _status(code, text)
    said = text[found.end() :] if found else text
    return Outcome(code, status, said or "refused by the next mail server", content=content and code // 100 == 5)


def _status(code: int, text: str) -> str:
    if _NOT_VERIFIED.search(text):
        return "5.7.1" if code >= 500 else "4.7.1"
    return {552: "5.3.4", 553: "5.1.3", 554: "5.6.0"}.get(code, f"{code // 100}.0.0")

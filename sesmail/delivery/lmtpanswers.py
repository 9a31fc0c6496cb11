"""What the replies of an LMTP server mean for the recipients they are about."""

from __future__ import annotations

import re

from sesmail.delivery.lmtpsession import Reply
from sesmail.mail.outcome import Outcome

_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|\Z)")
# The server did not understand what we said, or not then, or wants to know who we are: no fault of the mail.
_OURS = frozenset({500, 501, 502, 503, 504, 530, 534, 535, 538, 555})


def heard(step: str, reply: Reply) -> Outcome:
    """What a reply to MAIL, RCPT, DATA or, as ``END``, the message means for whom it concerns; a 5yz about our own words is a LATER with
    an alarm."""
    text = reply.text.replace("\n", " ")
    kind = reply.code // 100
    if reply.code in _OURS or kind == 3 or (kind == 2 and step != "END"):
        alarm = f"LMTP {step}: {reply.code} {text}"[:500]
        return Outcome(451, "4.5.0", "the mail store does not take this now, try again later", alarm=alarm)
    found = _STATUS.match(text)
    said = text[found.end() :] if found else text
    status = found[1] if found and int(found[1][0]) == kind else f"{kind}.0.0"
    if step == "RCPT" and reply.code == 552:
        # RFC 5321 section 4.5.3.1.10: this is how old servers say 452, too many recipients.
        return Outcome(452, "4.5.3", said or "too many recipients")
    return Outcome(reply.code, status, said or "no reason given")

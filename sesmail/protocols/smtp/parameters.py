"""What may follow an address in MAIL and RCPT (RFC 5321 section 4.1.2): SIZE, BODY and AUTH of MAIL, nothing of RCPT.

Programs of ours may also give a QUEUE_ID with MAIL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from sesmail.errors import Malformed, Refused, TooLarge

_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_VALUE = re.compile(r"[!-<>-~]+")
_DIGITS = re.compile(r"[0-9]{1,20}")
_LONGEST_ID = 300
# RFC 3461 section 4.
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")

QUEUE_ID = "XQUEUEID"
"""What a mail server before us calls the message, for it to be called the same at every try. Not in any RFC."""

Check = Callable[[str, int], None]


def check_mail(parameters: bytes, max_size: int, *, ours: bool = False) -> str | None:
    """The queue id, if one is given, which only programs of ours (`ours`) may.

    Raises TooLarge when the message is announced larger than `max_size`, Refused for what is not offered, Malformed.
    """
    return _check(parameters, _MAIL | {QUEUE_ID: _queue_id} if ours else _MAIL, max_size).get(QUEUE_ID)


def check_rcpt(parameters: bytes) -> None:
    """Raises Refused for any parameter, Malformed."""
    _check(parameters, {}, 0)


def _check(parameters: bytes, offered: Mapping[str, Check], max_size: int) -> Mapping[str, str]:
    seen: dict[str, str] = {}
    for word in parameters.decode("utf-8", "replace").split(" "):
        if not word:
            continue
        keyword, equals, value = word.partition("=")
        keyword = keyword.upper()
        if not _KEYWORD.fullmatch(keyword) or bool(equals) != bool(_VALUE.fullmatch(value)) or keyword in seen:
            raise Malformed("misspelt parameters")
        if keyword not in offered:
            raise Refused("unknown parameter", smtp="555 5.5.4")
        seen[keyword] = value
        offered[keyword](value, max_size)
    return seen


def _size(value: str, max_size: int) -> None:
    if not _DIGITS.fullmatch(value):
        raise Malformed("SIZE is a number of octets")
    if int(value) > max_size:
        raise TooLarge(f"a message may have {max_size} octets")


def _body(value: str, _: int) -> None:
    if value.upper() == "BINARYMIME":
        # It needs CHUNKING, and SES takes lines only (RFC 3030 section 3).
        raise Refused("BODY=BINARYMIME is not offered", smtp="555 5.5.4")
    if value.upper() not in ("7BIT", "8BITMIME"):
        raise Malformed("BODY is 7BIT or 8BITMIME")


def _auth(value: str, _: int) -> None:
    # Who is said to have submitted the message first; only who has logged in is believed (RFC 4954 section 5).
    if value != "<>" and not _XTEXT.fullmatch(value):
        raise Malformed("AUTH is <> or xtext")


def _queue_id(value: str, _: int) -> None:
    if len(value) > _LONGEST_ID or not _XTEXT.fullmatch(value):
        raise Malformed(f"{QUEUE_ID} is xtext")


_MAIL: dict[str, Check] = {"SIZE": _size, "BODY": _body, "AUTH": _auth}

"""The fields that delivery puts before a message (RFC 5321 section 4.4, RFC 9228 for who it came for)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sesmail.mail.headers import field

TOP = 4096
"""Octets of a message in which such fields are looked for."""

_THERE = re.compile(rb"(?:(?:Return-Path|X-Original-To|Delivered-To): [^\r\n]*\r\n(?![ \t]))*")


def fields(sender: str, recipients: Iterable[str], top: bytes = b"") -> bytes:
    """Return-Path, then one X-Original-To for each recipient, each as the envelope had it.

    Left out is what stands at the `top` of the message already, to the letter: with its flags R and O Postfix's pipe(8) writes it there.
    """
    there = _THERE.match(top)
    found = there[0].splitlines(keepends=True) if there else []
    ours = [field(b"Return-Path", f"<{sender}>".encode())]
    ours += [field(b"X-Original-To", address.encode()) for address in recipients]
    return b"".join(one for one in ours if one not in found)

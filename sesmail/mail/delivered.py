"""The fields that delivery puts before a message (RFC 5321 section 4.4, RFC 9228 for who it came for)."""

from __future__ import annotations

from collections.abc import Iterable

from sesmail.mail.headers import field


def fields(sender: str, recipients: Iterable[str]) -> bytes:
    """Return-Path, then one X-Original-To for each recipient, each as the envelope had it."""
    to = b"".join(field(b"X-Original-To", address.encode()) for address in recipients)
    return field(b"Return-Path", f"<{sender}>".encode()) + to

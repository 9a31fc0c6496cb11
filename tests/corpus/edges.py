"""The hard cases: one message for each thing that a mail server of the past got wrong."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator

HEAD = b"From: Tom <tom@example.org>\r\nTo: ann@example.com\r\nSubject: %s\r\nDate: Sat, 21 Nov 2026 11:00:00 +0000\r\nMessage-ID: <%s@example.org>\r\n\r\n"

# What reads are cut into, by files, TLS records, sockets and HTTP clients: all multiples of the first.
CHUNK = 16384

# Keys that no SES ever wrote; those that are no UIDL as they are must get a hashed one.
ODD_KEYS = {
    "key-with-spaces": "a message with spaces.eml",
    "key-of-70": "k" * 70,
    "key-of-71": "k" * 71,
    "key-of-200": "long-" * 40,
    "key-unicode": "gr\u00fc\u00dfe-\u4f60\u597d",
    "key-emoji": "\U0001f4e7",
    "key-dots": "2026.11.21.eml",
    "key-percent": "100%25+more=x&y",
    "key-punctuation": "!#$'()*,;:@[]~",
    "key-one-character": "0",
}


def head(name: str) -> bytes:
    """An ordinary header and the blank line after it."""
    return HEAD % (name.encode(), name.encode())


def hard_cases() -> Iterator[tuple[str, bytes]]:
    """(name, bytes as stored) of every hard case."""
    for name, body in _bodies():
        yield name, head(name) + body
    yield from _whole()
    yield from _headers()
    yield from _at_boundaries()
    yield from _long_lines()
    for name in ODD_KEYS:
        yield name, head(name) + b"The key is odd, the mail is not.\r\n"


def _bodies() -> Iterator[tuple[str, bytes]]:
    yield "empty-body", b""
    yield "one-newline-body", b"\r\n"
    yield "many-newlines", b"\r\n" * 500
    yield "8-bit", (bytes(range(128, 256)) + b"\r\n") * 20
    yield "utf-8-body", "Grüße, 你好, здравствуйте, \U0001f4e7\r\n".encode() * 30
    yield "broken-utf-8-body", b"\xc3\r\n\xff\xfe\xe4\xbd\r\n\xed\xa0\x80\r\n"
    yield "no-final-newline", b"first\r\nlast, and no newline"
    yield "no-final-newline-dot", b"first\r\n."
    yield "no-final-newline-dots", b"first\r\n..."
    yield "cr-at-end", b"first\r\nlast\r"
    yield "crlf-cr-at-end", b"first\r\n\r"
    yield "crcrlf-at-end", b"first\r\nlast\r\r\n"
    yield "lone-dot", b"before\r\n.\r\nafter\r\n"
    yield "lone-dots-many", b".\r\n" * 5000
    yield "lone-dot-first", b".\r\nafter\r\n"
    yield "lone-dot-last", b"before\r\n.\r\n"
    yield "lone-dot-twice", b"\r\n.\r\n\r\n.\r\n"
    yield "dot-lines", b"".join(b"." * n + b" text\r\n" for n in range(1, 80)) * 3
    yield "dot-command", b".\r\nDELE 1\r\nQUIT\r\n.\r\n-ERR no\r\n+OK yes\r\n"
    yield "dot-after-lone-cr", b"x\r.\r\n\r.\r\n.\r.\r\n"
    yield "dot-after-bare-lf", b"x\n.\n.\n..\ny\n"
    yield "lone-cr", b"one\rtwo\rthree\r\nfour\rfive\r\n"
    yield "lone-cr-only", b"one\rtwo\rthree\r"
    yield "lone-cr-runs", b"\r\r\r\r\n\r\r\nx\r\r\r\n"
    yield "bare-lf", b"one\ntwo\n\nthree\n"
    yield "bare-lf-no-final-newline", b"one\ntwo"
    yield "mixed-newlines", b"crlf\r\nlf\ncr\rlfcr\n\rcrcrlf\r\r\nend"
    yield "nul", b"before\0after\r\n\0\r\n\0\0\0\r\nend\0\r\n"
    yield "nul-run", b"\0" * 1000 + b"\r\n"
    yield "control-characters", bytes(c for c in range(32) if c not in (10, 13)) + b"\x7f\r\n"
    yield "ctrl-z", b"before\r\n\x1a\r\nafter\r\n"
    yield "from-lines", b"From the start\r\n>From quoted\r\nFrom a@b Sat Nov 21 11:00:00 2026\r\n"
    yield "trailing-blanks", b"space \r\ntab\t\r\n \r\n\t\r\n\r\n\r\n"
    yield "telnet-iac", b"\xff\xff\xf4\xff\xfd\x06\r\n"


def _whole() -> Iterator[tuple[str, bytes]]:
    """Messages whose beginning matters too."""
    yield "headers-only", head("headers-only")[:-2]
    yield "headers-only-no-newline", b"Subject: headers-only-no-newline"
    yield "headers-only-blank-line", head("headers-only-blank-line")
    yield "bare-lf-whole", (head("bare-lf-whole") + b"body\r\n.\r\nend\r\n").replace(b"\r\n", b"\n")
    yield "bare-lf-whole-no-final-newline", (head("bare-lf-whole-nofinal") + b"body").replace(b"\r\n", b"\n")
    yield "first-line-dot", b".\r\nSubject: first-line-dot\r\n\r\nbody\r\n"
    yield "first-line-begins-with-dot", b".Subject: first-line-begins-with-dot\r\n\r\nbody\r\n"
    yield "first-line-dots", b"...\r\n"
    yield "only-a-dot", b"."
    yield "only-a-dot-line", b".\r\n"
    yield "only-lf", b"\n"
    yield "only-crlf", b"\r\n"
    yield "only-cr", b"\r"
    yield "one-letter", b"x"
    yield "no-headers", b"This is text and no header at all.\r\nReally.\r\n"
    yield "blank-line-first", b"\r\nThe header is empty.\r\n"
    yield "mbox-from-first", b"From tom@example.org Sat Nov 21 11:00:00 2026\r\n" + head("mbox-from-first") + b"body\r\n"
    yield "utf-8-bom", b"\xef\xbb\xbf" + head("utf-8-bom") + b"body\r\n"


def _headers() -> Iterator[tuple[str, bytes]]:
    body = b"\r\nbody\r\n"
    yield "header-utf-8", "Subject: Grüße aus 北京\r\nFrom: Jörg Müller <joerg@example.org>\r\n".encode() + body
    yield (
        "header-windows-1252",
        "Subject: Grüße \u2013 „Café“ 5 €\r\nFrom: Jörg <joerg@example.org>\r\n".encode("cp1252") + body,
    )
    yield "header-encoded-words", b"Subject: =?utf-8?b?R3LDvMOfZQ==?= =?windows-1252?q?caf=E9_=80?=\r\n" + body
    yield "header-folded", b"Subject: one\r\n two\r\n\tthree\r\n  four\r\nX-Empty:\r\n" + body
    yield "header-folded-blank", b"Subject: one\r\n \r\n two\r\n" + body
    yield "header-no-colon", b"Subject: x\r\nthis is no header\r\nX-After: y\r\n" + body
    yield "header-lone-cr", b"Subject: x\ry\r\nX-Cr: \r\n" + body
    yield "header-nul", b"Subject: x\0y\r\n" + body
    yield "header-very-many", b"".join(b"X-Number-%d: %d\r\n" % (n, n * n) for n in range(4000)) + body
    yield "header-received-chain", b"".join(map(_received, range(150))) + b"Subject: far travelled\r\n" + body
    yield "header-long-subject", b"Subject: " + b"word " * 180 + b"end\r\n" + body
    yield "header-dot", b".X-Dot: 1\r\nSubject: dots\r\n.\r\n" + body
    yield "header-status", b"Status: RO\r\nX-Mozilla-Status: 0001\r\nSubject: status\r\n" + body
    yield "header-return-path-empty", b"Return-Path: <>\r\nSubject: bounce\r\n" + body


def _received(number: int) -> bytes:
    return (
        b"Received: from relay%d.example.net (relay%d.example.net [192.0.2.%d])\r\n"
        b"        by relay%d.example.net with ESMTPS id %040d\r\n"
        b"        for <ann@example.com>; Sat, 21 Nov 2026 11:00:%02d +0000 (UTC)\r\n"
    ) % (number, number, number % 256, number + 1, number, number % 60)


def _at_boundaries() -> Iterator[tuple[str, bytes]]:
    """A newline and a dot laid across every multiple of 16384 (so of 32768, 65536 and 262144), shifted by -3 to +3."""
    patterns = {"crlf-dot": b"\r\n.x", "lone-dot": b"\r\n.\r\n", "lf-dot": b"\n.x", "crcrlf-dot": b"\r\r\n."}
    for label, pattern in patterns.items():
        for shift in range(-3, 4):
            name = f"boundary-{label}{shift:+d}"
            yield name, straddling(head(name), pattern, shift, 40 if label == "crlf-dot" else 17)
    yield "boundary-end-at-chunk", _padded(head("boundary-end-at-chunk"), CHUNK - 2) + b"\r\n"
    yield "boundary-end-dot-at-chunk", _padded(head("boundary-end-dot-at-chunk"), CHUNK - 3) + b"\r\n."
    yield "boundary-cr-at-chunk-end", _padded(head("boundary-cr-at-chunk-end"), CHUNK - 1) + b"\r"
    yield "boundary-head-end", _padded(b"Subject: x\r\nX-Long: ", CHUNK - 2) + b"\r\n\r\n.\r\nbody\r\n"


def straddling(start: bytes, pattern: bytes, shift: int, count: int) -> bytes:
    """`start`, then lines of text, with `pattern` beginning at each of the first `count` multiples of 16384 plus `shift`."""
    out = start
    for multiple in range(1, count + 1):
        out = _padded(out, multiple * CHUNK + shift)
        out += pattern
    return out + b" end\r\n"


def _padded(start: bytes, length: int) -> bytes:
    """`start` made exactly `length` octets long with lines of text, the last one without its newline."""
    line = b"It was a bright cold day in November, and the clocks were striking thirteen\r\n"
    missing = length - len(start)
    whole = max(0, missing // len(line) - 1)
    return start + line * whole + b"x" * (missing - whole * len(line))


def _long_lines() -> Iterator[tuple[str, bytes]]:
    for length in (998, 999, 2046, 2047, 4096, 8190, 8191, 8192, 16382, 16383, 16384, 65536, 1_000_000, 1_048_574, 1_048_575):
        yield f"line-of-{length}", head(f"line-of-{length}") + b"y" * length + b"\r\nnext\r\n"
    yield "line-of-2046-with-dot", head("line-of-2046-with-dot") + b"." + b"z" * 2045 + b"\r\n"
    yield "line-of-10-mb", head("line-of-10-mb") + b"0123456789abcdef" * 655_360 + b"\r\n"
    yield "line-in-header-of-5000", b"X-Long: " + b"q" * 4990 + b"\r\nSubject: long\r\n\r\nbody\r\n"
    yield "attachment-of-30-mb", _attachment()


def _attachment() -> bytes:
    coded = base64.encodebytes(random.Random("attachment").randbytes(22_000_000)).replace(b"\n", b"\r\n")
    start = head("attachment-of-30-mb")[:-2] + b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b30"\r\n\r\n'
    return (
        start
        + (
            b"--b30\r\nContent-Type: text/plain\r\n\r\nSee attached.\r\n--b30\r\nContent-Type: application/octet-stream\r\n"
            b"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=film.bin\r\n\r\n"
        )
        + coded
        + b"\r\n--b30--\r\n"
    )

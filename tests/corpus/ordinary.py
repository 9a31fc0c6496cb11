"""Mail as people and programs send it, as SES writes it into a bucket: CRLF, with the headers that SES prepends."""

from __future__ import annotations

import base64
import quopri
from collections.abc import Callable
from random import Random

_VOCABULARY = (
    "invoice meeting tomorrow please find attached regards order shipped number thanks question about server "
    "backup failed weekly report Zürich café naïve München 東京 привет résumé €20 harbour train ticket garden"
)
_WORDS = _VOCABULARY.split()
_PEOPLE = ("tom", "ann", "joerg.mueller", "postmaster", "no-reply", "list-bounces+42", "o'brien")
_HOSTS = ("example.org", "mail.example.net", "shop.example", "xn--mnchen-3ya.example")


def mails(choice: Random, count: int) -> dict[str, bytes]:
    """`count` mails named ``ordinary-0000`` and so on, of one to some dozens of kilobytes."""
    shapes: tuple[Callable[[Random], bytes], ...] = (
        _plain,
        _plain,
        _quoted,
        _html,
        _alternative,
        _with_file,
        _forwarded,
        _report,
    )
    out = {}
    for number in range(count):
        name = f"ordinary-{number:04}"
        out[name] = _ses_head(choice) + _head(choice, name) + shapes[number % len(shapes)](choice)
    return out


def crlf(text: str, charset: str = "utf-8") -> bytes:
    return text.replace("\n", "\r\n").encode(charset, "replace")


def _ses_head(choice: Random) -> bytes:
    """What SES puts before a message that it received."""
    queue = choice.randbytes(20).hex()
    receipt = base64.b64encode(choice.randbytes(700)).decode()
    person, host = choice.choice(_PEOPLE), choice.choice(_HOSTS)
    return crlf(
        f"Return-Path: <{person}@{host}>\n"
        f"Received: from {host} ({host} [192.0.2.{choice.randrange(256)}])\n"
        f" by inbound-smtp.eu-west-1.amazonaws.com with SMTP id {queue}\n"
        f" for ann@example.com;\n Sat, 21 Nov 2026 11:{choice.randrange(60):02}:00 +0000 (UTC)\n"
        "X-SES-Spam-Verdict: PASS\nX-SES-Virus-Verdict: PASS\n"
        f"Received-SPF: pass (spfCheck: domain of {host} designates 192.0.2.1 as permitted sender) client-ip=192.0.2.1;\n"
        f"Authentication-Results: amazonses.com;\n spf=pass (spfCheck: domain of {host});\n dkim=pass header.i=@{host};\n"
        f"X-SES-RECEIPT: {receipt}\n"
        f"X-SES-DKIM-SIGNATURE: a=rsa-sha256; q=dns/txt; b={base64.b64encode(choice.randbytes(128)).decode()}; c=simple/simple;\n"
    )


def _head(choice: Random, name: str) -> bytes:
    subject = " ".join(choice.choices(_WORDS, k=choice.randrange(1, 9)))
    coded = "=?utf-8?b?" + base64.b64encode(subject.encode()[:39]).decode() + "?="
    return crlf(
        f"From: {choice.choice(_PEOPLE)}@{choice.choice(_HOSTS)}\nTo: ann@example.com\nSubject: {coded}\n"
        f"Date: Sat, 21 Nov 2026 11:00:00 +0000\nMessage-ID: <{name}.{choice.randrange(10**9)}@example.org>\nMIME-Version: 1.0\n"
    )


def _prose(choice: Random) -> str:
    lines = [" ".join(choice.choices(_WORDS, k=choice.randrange(0, 12))) for _ in range(choice.randrange(1, 60))]
    if choice.random() < 0.3:
        lines.insert(choice.randrange(len(lines)), "." * choice.randrange(1, 4))
    return "\n".join(lines) + "\n"


def _plain(choice: Random) -> bytes:
    charset = choice.choice(("utf-8", "windows-1252", "iso-8859-1", "koi8-r"))
    top = f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: 8bit\n\n"
    return crlf(top) + crlf(_prose(choice), charset)


def _quoted(choice: Random) -> bytes:
    top = crlf("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n")
    return top + quopri.encodestring(_prose(choice).encode()).replace(b"\n", b"\r\n")


def _html(choice: Random) -> bytes:
    body = "".join(f"<p style='margin:0'>{line}</p>\n" for line in _prose(choice).splitlines())
    return crlf(
        f"Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n<html><body>\n{body}</body></html>\n"
    )


def _alternative(choice: Random) -> bytes:
    return _multipart(choice, "alternative", [_plain(choice), _html(choice)])


def _with_file(choice: Random) -> bytes:
    coded = base64.encodebytes(choice.randbytes(choice.randrange(1000, 30000))).decode()
    part = (
        "Content-Type: application/pdf; name=invoice.pdf\nContent-Transfer-Encoding: base64\n"
        f"Content-Disposition: attachment; filename=invoice.pdf\n\n{coded}"
    )
    return _multipart(choice, "mixed", [_alternative(choice), crlf(part)])


def _forwarded(choice: Random) -> bytes:
    inner = _head(choice, "inner") + (_forwarded(choice) if choice.random() < 0.4 else _with_file(choice))
    return _multipart(choice, "mixed", [_plain(choice), b"Content-Type: message/rfc822\r\n\r\n" + inner])


def _report(choice: Random) -> bytes:
    status = "Reporting-MTA: dns; mx.example.org\n\nFinal-Recipient: rfc822; gone@example.org\nAction: failed\nStatus: 5.1.1\n"
    parts = [_plain(choice), crlf("Content-Type: message/delivery-status\n\n" + status)]
    returned = b"Content-Type: message/rfc822\r\n\r\n" + _head(choice, "returned") + _quoted(choice)
    return _multipart(choice, "report; report-type=delivery-status", [*parts, returned])


def _multipart(choice: Random, kind: str, parts: list[bytes]) -> bytes:
    boundary = b"=_" + choice.randbytes(12).hex().encode()
    top = b"Content-Type: multipart/" + kind.encode() + b'; boundary="' + boundary + b'"\r\n\r\n'
    return top + b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"

"""One conversation with a next hop: smtplib's, with every wait bounded, alone and in sum, and every reply too."""

from __future__ import annotations

import base64
import smtplib
import socket
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from sesmail.mail.outcome import Outcome
from sesmail.relay.smtpreplies import broken, refusal, trouble

_LONGEST_LINE = 4096
_MOST_LINES = 100
_READ = 65536
GOOD_BYE = 2.0
"""Seconds to wait for the answer to QUIT."""


@dataclass(frozen=True)
class SmtpSettings:
    """The next hop, and how to speak to it.

    `tls` is ``implicit``, ``starttls`` or ``none``; with TLS its certificate must be good for `host`, vouched for by `ca_file` or else by
    what the machine trusts. `hostname` is what we call ourselves. `timeout`: seconds for any one answer; `patience`: for one attempt.
    """

    host: str
    port: int = 587
    tls: str = "starttls"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    hostname: str = "localhost"
    timeout: float = 60
    patience: float = 300
    most: int = 50


class Stopped(Exception):
    """Nothing more can be done in this conversation, and this is what became of the mail."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reply)
        self.outcome = outcome


class Session(smtplib.SMTP):
    """Not thread-safe. Every method raises Stopped, OSError (what took too long included) or smtplib.SMTPException.

    `until` is when the attempt that uses it must be over, by `clock`.
    """

    def __init__(self, settings: SmtpSettings, context: ssl.SSLContext, clock: Callable[[], float], until: float) -> None:
        super().__init__(local_hostname=settings.hostname, timeout=settings.timeout)
        self.until = until
        self.used = 0
        self._settings = settings
        self._context = context
        self._clock = clock
        self._received = b""
        self._ahead: deque[str] = deque()

    def begin(self) -> None:
        """Connect, go over to TLS and log in, as the settings say."""
        code, text = self.connect(self._settings.host, self._settings.port)
        if code != 220:
            # Nothing was said about any mail yet, so that even a 5yz is about us.
            raise Stopped(broken("4.3.2") if code // 100 == 4 else trouble(f"greeting: {code} {said(text)}"))
        self._hello()
        if self._settings.tls == "starttls":
            self._secure()
            self._hello()
        if self._settings.username is not None:
            self._log_in(self._settings.username, self._settings.password or "")

    def ahead(self, *words: str) -> None:
        """Say all of these at once, if the server takes that (RFC 2920). Then `command`, in this order, only hears the replies."""
        if self.has_extn("pipelining") and all(map(str.isprintable, words)):
            self.send("".join(f"{one}\r\n" for one in words))
            self._ahead.extend(words)

    def hear_out(self) -> None:
        """The replies to what was said ahead are of no interest any more."""
        while self._ahead:
            self.command(self._ahead[0])

    def command(self, words: str) -> tuple[int, str]:
        """Say this and hear the reply. A 421 is the end (RFC 5321 section 3.8)."""
        if self._ahead:
            self._ahead.popleft()
        else:
            self.putcmd(words)
        return self.answer(words.partition(" ")[0])

    def answer(self, step: str) -> tuple[int, str]:
        """Hear the reply to this."""
        code, text = self.getreply()
        if code == 421:
            raise Stopped(refusal(step, code, said(text)))
        return code, said(text)

    def leave(self, until: float) -> None:
        """Say good-bye, hear the answer until then, and close."""
        self.until = until
        try:
            self.docmd("QUIT")
        except (OSError, smtplib.SMTPException):
            pass
        finally:
            self.close()

    def send(self, s: str | bytes) -> None:  # type: ignore[override]
        """Send all of it in time; smtplib's own would count the time anew for each packet under TLS."""
        data = s.encode("ascii") if isinstance(s, str) else s
        view = memoryview(data)
        while view:
            view = view[self._waiting().send(view[:_READ]) :]

    def getreply(self) -> tuple[int, bytes]:
        """A reply's code and its lines, joined."""
        lines: list[bytes] = []
        while True:
            line = self._line()
            if not line[:3].isdigit() or len(lines) == _MOST_LINES:
                raise smtplib.SMTPServerDisconnected("not a reply of SMTP")
            lines.append(line[4:].strip())
            if line[3:4] != b"-":
                return int(line[:3]), b"\n".join(lines)

    def _line(self) -> bytes:
        while b"\n" not in self._received:
            if len(self._received) > _LONGEST_LINE:
                raise smtplib.SMTPServerDisconnected("a reply without end")
            piece = self._waiting().recv(_READ)
            if not piece:
                raise smtplib.SMTPServerDisconnected("the server closed the connection")
            self._received += piece
        line, _, self._received = self._received.partition(b"\n")
        return line

    def _waiting(self) -> socket.socket:
        """The socket, with what is left of the time as its timeout."""
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("the connection is closed")
        left = self.until - self._clock()
        if left <= 0:
            raise TimeoutError("no time left for this attempt")
        timeout = min(left, self._settings.timeout)
        # Setting it costs a call of the kernel each time.
        if timeout != self.sock.gettimeout():
            self.sock.settimeout(timeout)
        return self.sock

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        left = max(self.until - self._clock(), 0.001)
        made = socket.create_connection((host, port), min(left, timeout))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._wrapped(made) if self._settings.tls == "implicit" else made

    def _hello(self) -> None:
        code, text = self.ehlo()
        if code != 250:
            raise Stopped(refusal("EHLO", code, said(text)) if code // 100 == 4 else trouble(f"EHLO: {code} {said(text)}"))

    def _secure(self) -> None:
        if not self.has_extn("starttls"):
            raise Stopped(trouble("STARTTLS: the server does not offer it"))
        code, text = self.command("STARTTLS")
        if code != 220:
            raise Stopped(refusal("STARTTLS", code, text) if code // 100 == 4 else trouble(f"STARTTLS: {code} {text}"))
        if self._received:
            # Said before there was TLS, by whoever is in between.
            raise Stopped(trouble("STARTTLS: the server goes on without TLS"))
        self.sock = self._wrapped(self._waiting())

    def _wrapped(self, plain: socket.socket) -> socket.socket:
        try:
            return self._context.wrap_socket(plain, server_hostname=self._settings.host)
        except ssl.SSLCertVerificationError as error:
            plain.close()
            raise Stopped(trouble(f"certificate: {error.verify_message}", "4.7.5")) from None
        except BaseException:
            plain.close()
            raise

    def _log_in(self, username: str, password: str) -> None:
        offered = self.esmtp_features.get("auth", "").upper().split()
        if "PLAIN" in offered:
            code, text = self.command(f"AUTH PLAIN {_base64(f'{chr(0)}{username}{chr(0)}{password}')}")
        elif "LOGIN" in offered:
            code, text = self.command(f"AUTH LOGIN {_base64(username)}")
            if code == 334:
                code, text = self.command(_base64(password))
        else:
            raise Stopped(trouble("AUTH: the server offers neither PLAIN nor LOGIN"))
        if code != 235:
            raise Stopped(refusal("AUTH", code, text) if code // 100 == 4 else trouble(f"AUTH: {code} {text}", "4.7.8"))


def said(text: bytes) -> str:
    """The text of a reply as one line."""
    return text.decode("utf-8", "replace").replace("\n", " ")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()

"""One conversation with an LMTP server (RFC 2033): every reply bounded, every wait bounded, alone and in sum."""

from __future__ import annotations

import re
import select
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # A command that is to start at once uses this without TLS.
    import ssl

LONGEST_LINE = 4096
MOST_LINES = 100

_READ = 65536
_GOOD_BYE = 2.0
_REPLY = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)


@dataclass(frozen=True)
class LmtpSettings:
    """The server, and how to speak to it.

    `host` begins with ``/`` for a Unix socket; `port` then means nothing. `tls` is ``implicit``, ``starttls`` or ``none``; with TLS the
    certificate must be good for `host`, or else `server_name`, vouched for by `ca_file` or else by what the machine trusts. `hostname` is
    what we call ourselves. `timeout`: seconds for any one step; `patience`: for one message. `most`: recipients in one transaction.
    Raises ValueError for TLS over a Unix socket without a `server_name`.
    """

    host: str
    port: int = 24
    tls: str = "none"
    ca_file: str | None = None
    server_name: str | None = None
    hostname: str = "localhost"
    timeout: float = 60
    patience: float = 300
    most: int = 100

    def __post_init__(self) -> None:
        if self.tls != "none" and self.host.startswith("/") and not self.server_name:
            raise ValueError("for TLS over a Unix socket the name in the certificate must be given")


class Broken(Exception):
    """The conversation cannot go on: the server closed it, said good-bye, or does not speak LMTP."""


@dataclass(frozen=True)
class Reply:
    """A whole reply, its lines joined to one."""

    code: int
    text: str


class Conversation:
    """Not thread-safe. Every method raises Broken or OSError, which includes what took too long.

    `until` is when the message that uses it must be done, by `clock`.
    """

    def __init__(
        self, settings: LmtpSettings, context: ssl.SSLContext | None, clock: Callable[[], float], until: float
    ) -> None:
        self.until = until
        self.used = 0
        self.features: dict[str, str] = {}
        self._settings = settings
        self._context = context
        self._clock = clock
        self._received = b""
        self._socket = self._connected()

    def begin(self) -> None:
        """Hear the greeting, go over to TLS as the settings say, and introduce ourselves. `features` has then what is offered, the
        keywords in upper case."""
        if self._settings.tls == "implicit":
            self._secure()
        self._expect(220, self.answer())
        self._hello()
        if self._settings.tls == "starttls":
            self._expect(220, self.command("STARTTLS"))
            self._secure()
            self._hello()

    def command(self, words: str) -> Reply:
        """Say this and hear the reply."""
        if self._received:
            raise Broken(f"said without being asked: {_shown(self._received)}")
        self.send(words.encode("ascii") + b"\r\n")
        return self.answer()

    def send(self, data: bytes) -> None:
        """Send all of it; each piece has the time of a step."""
        view = memoryview(data)
        while view:
            view = view[self._waiting(self._clock() + self._settings.timeout).send(view[:_READ]) :]

    def answer(self) -> Reply:
        """Hear a reply within the time of one step. A 421 is the end."""
        by = self._clock() + self._settings.timeout
        lines: list[bytes] = []
        code = b""
        while True:
            found = _REPLY.fullmatch(line := self._line(by))
            if found is None or len(lines) == MOST_LINES or found[1] != (code or found[1]):
                raise Broken(f"not a reply: {_shown(line)}")
            code = found[1]
            lines.append((found[3] or b"").strip())
            if found[2] != b"-":
                return _reply(int(code), lines)

    @property
    def quiet(self) -> bool:
        """Whether the server has said nothing more than it was asked, and has not closed the connection."""
        return not (self._received or self._has_more())

    def _has_more(self) -> bool:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def leave(self) -> None:
        """Say good-bye, without waiting for long, and close."""
        self.until = self._clock() + _GOOD_BYE
        try:
            self.command("QUIT")
        except (OSError, Broken):
            pass
        finally:
            self.close()

    def close(self) -> None:
        """May be called more than once."""
        self._socket.close()

    def _connected(self) -> socket.socket:
        timeout = self._left(self._clock() + self._settings.timeout)
        if not self._settings.host.startswith("/"):
            made = socket.create_connection((self._settings.host, self._settings.port), timeout)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return made
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.settimeout(timeout)
            made.connect(self._settings.host)
        except BaseException:
            made.close()
            raise
        return made

    def _hello(self) -> None:
        reply = self._expect(250, self.command(f"LHLO {self._settings.hostname}"))
        lines = [line.partition(" ") for line in reply.text.split("\n")[1:]]
        self.features = {keyword.upper(): rest.strip() for keyword, _, rest in lines}

    def _expect(self, code: int, reply: Reply) -> Reply:
        if reply.code != code:
            raise Broken(f"{reply.code} {reply.text} instead of {code}")
        return reply

    def _secure(self) -> None:
        if self._received:
            # Said before there was TLS, by whoever is in between.
            raise Broken("the server goes on without TLS")
        if self._context is None:
            raise ValueError("TLS without a context")
        plain = self._waiting(self._clock() + self._settings.timeout)
        self._socket = self._context.wrap_socket(plain, server_hostname=self._settings.server_name or self._settings.host)

    def _line(self, by: float) -> bytes:
        while b"\n" not in self._received:
            if len(self._received) > LONGEST_LINE:
                raise Broken("a reply without end")
            piece = self._waiting(by).recv(_READ)
            if not piece:
                raise Broken("the server closed the connection")
            self._received += piece
        line, _, self._received = self._received.partition(b"\n")
        if len(line) > LONGEST_LINE:
            raise Broken("a reply without end")
        return line.removesuffix(b"\r")

    def _waiting(self, by: float) -> socket.socket:
        """The socket, with what is left of the time as its timeout."""
        self._socket.settimeout(self._left(by))
        return self._socket

    def _left(self, by: float) -> float:
        left = min(by, self.until) - self._clock()
        if left <= 0:
            raise TimeoutError("no time left")
        return left


def _reply(code: int, lines: list[bytes]) -> Reply:
    reply = Reply(code, "\n".join(_shown(line) for line in lines))
    if code == 421:
        raise Broken(f"421 {reply.text}")
    return reply


def _shown(line: bytes) -> str:
    return line[:LONGEST_LINE].decode("utf-8", "replace")

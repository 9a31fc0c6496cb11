"""One round of the fuzz: a few clients at once, whatever they do, and all that must hold afterwards."""

from __future__ import annotations

import random
import ssl
from collections import Counter
from dataclasses import dataclass

from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOFactory

from sesmail.protocols.limits import Connections
from sesmail.protocols.pop3.factory import POP3Factory
from sesmail.protocols.pop3.policy import Policy
from sesmail.protocols.session import LoginSession
from tests.proof.answers import Wrong, statuses
from tests.proof.shaky import USERS, ShakyPost, Watched, mails, marker, on_the_wire
from tests.proof.talk import cut, talk
from tests.proof.wires import Clear, Secure, Turns, Wire, turned_by_hand

POLICY = Policy(plaintext="always", strike_delay=0.5)
# What may wait in one session: commands up to the limit and one read behind it, answers up to two pieces of a message under TLS.
INPUT = POLICY.pipeline + 128 * 1024
OUTPUT = 1024 * 1024
_STLS = b"+OK begin TLS\r\n"


@dataclass(frozen=True)
class Keys:
    """Both sides of TLS."""

    server: IOpenSSLServerConnectionCreator
    client: ssl.SSLContext


class Caller:
    """One client: says what it has to say in its own time, reads or does not, and goes when it likes."""

    def __init__(self, chance: random.Random, user: int, wire: Wire, keys: Keys, *, implicit: bool) -> None:
        self.user = user
        self.wire = wire
        self.heard = bytearray()
        self.said = bytearray()
        self._chance = chance
        self._keys = keys
        self._side: Clear = Secure(keys.client) if implicit and chance.random() < 0.95 else Clear()
        self._knows_tls = not implicit and chance.random() < 0.9
        self._deaf = False
        said = talk(chance, user)
        self._pieces = cut(chance, said)
        if self._knows_tls:
            self._pieces = [part for piece in self._pieces for part in _apart(piece)]
        self._waits = 0
        self._eager = chance.choice((0.02, 0.2, 0.7, 1.0))
        self._leaves = chance.choice((0.0, 0.0, 0.02, 0.1))

    @property
    def has_more(self) -> bool:
        return not self.wire.disconnected and bool(self._pieces or self._side.out)

    def act(self) -> None:
        """A step: say something, read something, or go."""
        if self._chance.random() < self._leaves:
            self._go()
            return
        if self._chance.random() < self._eager:
            self.read(self._chance.choice((1, 40, 1500, 1 << 20)))
        if self._waits:
            self.read(1 << 20)
            self._waits -= 1
        elif self._pieces and not self._side.out:
            piece = self._pieces.pop(0)
            self._waits = 30 if self._knows_tls and piece.upper().endswith(b"STLS\r\n") else 0
            self.said += piece
            self._side.say(piece)
        self._send()

    def finish(self) -> None:
        """All is said: go, or stay to listen, or stay and not even that."""
        self._pieces.clear()
        if self._chance.random() < 0.5:
            self._go()
        else:
            self._deaf = self._chance.random() < 0.3

    def turn(self) -> None:
        """What a client that has nothing to say does as time passes."""
        self.wire.flush()
        if not self._deaf:
            self.read(1 << 20)
            self._send()

    def read(self, octets: int) -> None:
        data = bytes(self.wire.on_its_way[:octets])
        del self.wire.on_its_way[:octets]
        self.wire.flush()
        if not data:
            return
        self.heard += self._side.hear(data)
        if isinstance(self._side, Secure):
            if self._side.over:
                self._side.bye()
        elif self.heard.endswith(_STLS):
            self._waits = 0
            self._side = Secure(self._keys.client) if self._knows_tls else Dumb()

    def _send(self) -> None:
        taken = self.wire.receive(bytes(self._side.out))
        del self._side.out[:taken]
        self.wire.flush()

    def _go(self) -> None:
        if self._chance.random() < 0.3:
            self._side.bye()
            self._send()
        self.wire.drop(clean=self._chance.random() < 0.5)


class Dumb(Clear):
    """Goes on in the clear where TLS was agreed upon, and understands nothing any more."""

    def hear(self, data: bytes) -> bytes:
        return b""


class Round:
    """Number `number` of the fuzz with this seed: the same seed and number give the same round."""

    def __init__(self, seed: str, number: int, keys: Keys) -> None:
        self.chance = chance = random.Random(f"{seed} {number}")
        self.clock = Turns()
        self.post = ShakyPost(chance, self.clock, chance.choice((0.0, 0.0, 0.05, 0.3)))
        implicit = chance.random() < 0.15
        offered = keys.server if implicit or chance.random() < 0.7 else None
        self.factory = POP3Factory(
            self.post.portal, POLICY, Connections(10, 10), tls=offered, implicit=implicit, clock=self.clock
        )
        self.callers: list[Caller] = []
        self.sessions: list[LoginSession] = []
        with turned_by_hand(self.clock):
            wrapped = TLSMemoryBIOFactory(keys.server, False, self.factory) if implicit else self.factory
        self._wrapped, self._keys, self._implicit = wrapped, keys, implicit

    def run(self) -> Counter[str]:
        """All of it. Returns what happened, by name. Raises what must not be."""
        with turned_by_hand(self.clock):
            for _ in range(self.chance.randint(1, 4)):
                self._call()
            while talking := [caller for caller in self.callers if caller.has_more]:
                self.chance.choice(talking).act()
                self.clock.advance(self.chance.choice((0, 0, 0, 0, 0, 0.01, 0.5)))
                self._check_bounds()
            for _ in range(self.chance.choice((0, 0, 5, 60))):
                self._turn()
                self.clock.advance(1)
            for caller in self.callers:
                caller.finish()
            self.clock.run_out(self._turn)
            self._turn()
        return self._check()

    def _call(self) -> None:
        wire = Wire(self.clock, self.chance.choice(("127.0.0.1", "192.0.2.1")))
        known = set(self.factory.sessions)
        protocol = self._wrapped.buildProtocol(None)
        wire.protocol = protocol
        wire.startReading()
        protocol.makeConnection(wire)
        (session,) = self.factory.sessions - known
        assert isinstance(session, LoginSession)
        self.sessions.append(session)
        self.callers.append(Caller(self.chance, self.chance.choice(USERS), wire, self._keys, implicit=self._implicit))

    def _turn(self) -> None:
        for caller in self.callers:
            caller.turn()

    def _check_bounds(self) -> None:
        for session, caller in zip(self.sessions, self.callers, strict=True):
            if len(session._inlet) > INPUT or caller.wire.held > OUTPUT:
                raise Wrong(f"{len(session._inlet)} octets of commands and {caller.wire.held} of answers wait")

    def _check(self) -> Counter[str]:
        post = self.post
        _equal(self.factory.sessions, set(), "sessions that never end")
        _equal([caller.wire.disconnected for caller in self.callers], [True] * len(self.callers), "connections left open")
        _equal(post.logouts, len(post.opened), "logouts for as many logins")
        _equal(post.lock.holders, {}, "locks that nobody frees")
        _equal(post.budget.held, 0, "octets read ahead and never given back")
        _equal([body for body in post.store.bodies if not body.closed], [], "messages left open")
        happened = Counter(sessions=len(self.callers), logins=len(post.opened))
        for session, caller in zip(self.sessions, self.callers, strict=True):
            happened += _check_heard(caller)
            maildrop = post.opened.get(session)
            if maildrop is not None and isinstance(caller._side, Dumb):
                raise Wrong("what was said in the clear was obeyed under TLS")
            if maildrop is not None:
                happened["removed"] += self._check_removed(caller, maildrop)
        asked = {key for maildrop in post.opened.values() for key in _asked(maildrop)}
        gone = {key for user in USERS for key in mails(user)} - set(post.store.objects)
        _equal(gone - asked, set(), "messages that vanished by themselves")
        return happened

    def _check_removed(self, caller: Caller, maildrop: Watched) -> int:
        _equal(maildrop.user, caller.user, "whose maildrop it is")
        lines = [line.rstrip(b"\r").partition(b" ") for line in bytes(caller.said).split(b"\n")]
        named = {int(rest) for verb, _, rest in lines if verb.upper() == b"DELE" and rest.strip().isdigit()}
        if maildrop.asked and b"QUIT" not in {verb.upper().strip() for verb, _, _ in lines}:
            raise Wrong("removed without QUIT")
        _equal({index + 1 for index in maildrop.asked} - named, set(), "removed, but never marked")
        if caller.heard.endswith(b"+OK bye\r\n"):
            _equal(_asked(maildrop) & set(self.post.store.objects), set(), "said to be removed, but still there")
        return len(maildrop.asked)


def _asked(maildrop: Watched) -> set[str]:
    return {f"mail/{maildrop.user}/{maildrop.listed[index].decode()}" for index in maildrop.asked}


def _check_heard(caller: Caller) -> Counter[str]:
    heard = bytes(caller.heard)
    for other in USERS:
        if other != caller.user and marker(other) in heard:
            raise Wrong("a client heard of another's mail")
    found = statuses(heard, on_the_wire(caller.user))
    if found and found[0] != b"+OK POP3 ready\r\n":
        raise Wrong(f"an odd greeting: {found[0]!r}")
    counted = Counter(answers=len(found), refusals=sum(status.startswith(b"-ERR") for status in found))
    counted["messages"] = sum(status.endswith(b" octets\r\n") for status in found)
    counted["under TLS"] = int(isinstance(caller._side, Secure) and bool(found))
    return counted


def _equal(found: object, wanted: object, what: str) -> None:
    if found != wanted:
        raise Wrong(f"{what}: {found}, should be {wanted}")


def _apart(piece: bytes) -> list[bytes]:
    """STLS ends a piece: who means it waits for the answer."""
    parts = piece.split(b"STLS\r\n")
    return [part for part in [*(part + b"STLS\r\n" for part in parts[:-1]), parts[-1]] if part]

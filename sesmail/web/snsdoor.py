"""The door through which SNS brings notices over HTTPS. It is open to everybody, so nothing said here is believed before it is proved.

https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html and sns-message-delivery-retries.html: SNS gives
up on an answer after 15 seconds, tries again after a 5xx, and never after a 4xx.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from sesmail.aws.sns import Message, Type, read
from sesmail.errors import Busy, Limited, MailError, TooLarge, Unavailable
from sesmail.log import line
from sesmail.web.answers import Answer, Head
from sesmail.web.once import Done, UnderWay

_log = logging.getLogger(__name__)

LONGEST = 1 << 19
"""Octets of the longest body: SNS takes messages of 256 KiB, and JSON within JSON may double that."""
PATIENCE = 12.0
"""Seconds after which an answer is given, whatever it is: SNS waits 15 for one."""
REMEMBERED = 10_000
# SNS brings a message as soon as it has it, and waits longer than this before it brings it again.
_FIRST_TRY = 10.0

_OK = Answer(200)
_LATER = Answer(503)
_BUG = Answer(500)
_METHODS = ("GET", "HEAD", "POST")
_TEMPORARY = (Unavailable, Limited, Busy)


@dataclass(frozen=True)
class Login:
    """What SNS must say in its header Authorization, and never hears back."""

    username: str
    password: str

    def fits(self, header: str | None) -> bool:
        """True for the header with this login, in a time that tells nothing about how wrong it is."""
        scheme, _, given = (header or "").partition(" ")
        expected = base64.b64encode(f"{self.username}:{self.password}".encode())
        same = hmac.compare_digest(_digest(given.strip().encode("latin-1")), _digest(expected))
        return same and scheme.lower() == "basic"


class SnsDoor:
    """Answers SNS with 200 when what it brought is done, and only then.

    `check(message, peer)` returns when the message is SNS's own. `take(text, again)` does what a notice asks for and returns when that
    is done for good; `again` when it may have been tried before. `confirm(message)` confirms a subscription. All raise errors of
    sesmail.errors. Of one message only one is under way, whatever comes meanwhile; what is not done within `patience` seconds goes on,
    and its answer waits for the repeat. Without a `login` everybody may try. Nothing is kept here but the ids of the last messages
    that are done. `now` gives seconds since 1970.
    """

    def __init__(
        self,
        take: Callable[[str, bool], Awaitable[None]],
        check: Callable[[Message, str], Awaitable[None]],
        confirm: Callable[[Message], Awaitable[None]],
        *,
        clock: IReactorTime,
        now: Callable[[], float],
        login: Login | None = None,
        path: str = "/",
        longest: int = LONGEST,
        patience: float = PATIENCE,
    ) -> None:
        self.longest = longest
        self._take = take
        self._check = check
        self._confirm = confirm
        self._clock = clock
        self._now = now
        self._login = login
        self._path = path
        self._patience = patience
        self._under_way = UnderWay()
        self._done = Done(REMEMBERED)

    def refusal(self, head: Head) -> Answer | None:
        """Where, how and who: what shows before the body."""
        if head.path != self._path:
            return Answer(404)
        if head.method not in _METHODS:
            return Answer(405, (("Allow", ", ".join(_METHODS)),))
        if self._login is None or self._login.fits(head.header("Authorization")):
            return None
        # SNS comes without at first. A wrong one costs its sender the connection.
        guessed = head.headers.hasHeader("Authorization")
        if guessed:
            _log.warning("%s", line("sns", answer=401, peer=head.peer, why="wrong user name or password"))
        return Answer(401, (("WWW-Authenticate", 'Basic realm="sns"'),), close=guessed)

    async def answer(self, head: Head, body: bytes) -> Answer:
        if head.method != "POST":
            return _OK
        try:
            message = read(body, head.header("x-amz-sns-message-type"))
        except MailError as error:
            why = "raw delivery, which is not signed" if head.headers.hasHeader("x-amz-sns-rawdelivery") else error.public
            _log.warning("%s", line("sns", answer=400, peer=head.peer, why=why))
            return Answer(413 if isinstance(error, TooLarge) else 400)
        return await self._in_time(_Delivery(message, head.peer, self._clock.seconds()))

    async def _in_time(self, delivery: _Delivery) -> Answer:
        answered: Deferred[Answer] = Deferred()
        late = self._clock.callLater(self._patience, answered.callback, _LATER)

        def over(answer: Answer) -> None:
            delivery.told(answer, self._clock.seconds())
            if late.active():
                late.cancel()
                answered.callback(answer)

        Deferred.fromCoroutine(self._answer(delivery)).addCallback(over)
        answer = await answered
        if answer is _LATER and not delivery.over:
            delivery.late(self._patience)
        return answer

    async def _answer(self, delivery: _Delivery) -> Answer:
        message = delivery.message
        try:
            await self._check(message, delivery.peer)
        except Exception as error:
            return delivery.failed(error, Answer(403))
        key = (message.topic, message.id)
        if key in self._done:
            delivery.why = "done before"
            return _OK
        try:
            await self._under_way.do(key, partial(self._carry_out, message, key))
        except Exception as error:
            # What SNS signed for one of our topics is not thrown away because it is not understood: SNS keeps it for an
            # hour, and then the dead-letter queue does, where there is one.
            return delivery.failed(error, _BUG)
        return _OK

    async def _carry_out(self, message: Message, key: tuple[str, str]) -> None:
        if message.type is Type.NOTIFICATION:
            await self._take(message.text, self._now() - message.at > _FIRST_TRY)
        elif message.type is Type.SUBSCRIPTION:
            await self._confirm(message)
        self._done.add(key)


class _Delivery:
    """One message that came, for the log."""

    def __init__(self, message: Message, peer: str, began: float) -> None:
        self.message = message
        self.peer = peer
        self.why: str | None = None
        self.over = False
        self._began = began

    def failed(self, error: Exception, otherwise: Answer) -> Answer:
        """The answer for an error: 503 for what may work later, 500 for our own bugs, and `otherwise` for what SNS is told."""
        if not isinstance(error, MailError):
            _log.error("a message of SNS met a bug", exc_info=error)
            self.why = "a bug"
            return _BUG
        self.why = str(error)
        return _LATER if isinstance(error, _TEMPORARY) else otherwise

    def told(self, answer: Answer, now: float) -> None:
        """The end: one line."""
        self.over = True
        unsubscribed = answer is _OK and self.message.type is Type.UNSUBSCRIPTION
        if unsubscribed:
            self.why = "somebody unsubscribes this door: no more notices of this topic will come"
        level = logging.INFO if answer is _OK and not unsubscribed else logging.WARNING
        _log.log(level, "%s", self._line(answer.code, f"{now - self._began:.3f}"))

    def late(self, patience: float) -> None:
        """SNS was told to come again while the work goes on."""
        self.why = "not done yet, the work goes on"
        _log.info("%s", self._line(503, f"{patience:.3f}"))
        self.why = "answered 503 meanwhile"

    def _line(self, code: int, seconds: str) -> str:
        message = self.message
        return line(
            "sns",
            answer=code,
            type=message.type.value,
            id=message.id,
            topic=message.topic,
            peer=self.peer,
            seconds=seconds,
            why=self.why,
        )


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()

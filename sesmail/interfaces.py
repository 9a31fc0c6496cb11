"""Where rooms that must not know each other meet: shared values, and the shapes of what one hands to another.

Nothing here imports Twisted. `async` methods are awaited on the reactor by the daemon; whoever implements one may
hand back coroutines that await Deferreds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol, TypeAlias

from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome


@dataclass(frozen=True)
class Keys:
    """One set of explicit AWS credentials."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


NO_STORE = "none"
"""Stands for a store's url where there is none: mailboxes in it are empty by definition."""


@dataclass(frozen=True)
class StorePlace:
    """Which store, and as whom: everything that must be equal for two mailboxes to share a client.

    `url` is ``s3://bucket``, ``file:///directory``, or NO_STORE. Without `keys` the usual AWS chain is asked (environment, profile,
    container, instance role); `role` is then assumed with what was found. What is written there S3 is to encrypt by `encryption`
    (``sse-s3``, ``sse-kms``), with this key of KMS.
    """

    url: str
    region: str | None = None
    endpoint: str | None = None
    addressing: str = "auto"
    owner: str | None = None
    keys: Keys | None = None
    profile: str | None = None
    role: str | None = None
    external_id: str | None = field(default=None, repr=False)
    encryption: str | None = None
    encryption_key: str | None = None


@dataclass(frozen=True)
class Place:
    """Where one mailbox lies: a store and a literal key prefix in it (usually ending in ``/``).

    `also` names further prefixes whose mail belongs to the same mailbox (folders that were made in another case).
    `nested`: keys in sub-folders are mail too. `sealed`: its mail is thought to be sealed, as long as nothing else is known.
    `mixed_case`: the last folder of `prefix` is a name, and folders beside it that spell that name in another case are to be found
    and put into `also` when the mailbox is opened.
    """

    store: StorePlace
    prefix: str
    nested: bool = False
    also: tuple[str, ...] = ()
    mixed_case: bool = False
    sealed: bool = False


DEMO = Place(StorePlace("demo:"), "")
"""The mailbox with one built-in message, which every login finds anew."""


@dataclass(frozen=True)
class Account:
    """Who has logged in.

    `name` is canonical (case folded, with the domain where there is one). `address` comes only from a verified source;
    without one the account may not send. `place` is None for a login whose mailbox is empty by definition.
    """

    name: str
    address: str | None
    place: Place | None


class Client(Protocol):
    """The peer of one session, as cred's `mind`: what a throttle and a lock may ask of it. Never blocks, never raises."""

    @property
    def peer(self) -> str:
        """The peer's address without a port (behind a trusted proxy the real one); ``unix`` where there is none."""

    @property
    def protocol(self) -> str:
        """``pop3`` or ``pop3s`` and so on, for the log."""

    def quiet_for(self) -> float:
        """Seconds since the last command ended or the last octet moved; 0.0 while a command runs or waits."""

    def has_marks(self) -> bool:
        """True once the session has marked a message as deleted and not taken it back."""


class Body(Protocol):
    """One open message: its bytes as stored, once, in order."""

    @property
    def size(self) -> int:
        """Octets as stored."""

    @property
    def whole(self) -> bool:
        """True when everything is in memory already, so that the next `read` gives all of it."""

    async def read(self) -> bytes:
        """The next piece, ``b""`` after the last one.

        Raises Unavailable when the store broke off or the bytes do not match what it promised: then what was read so far
        must not be passed off as the message.
        """

    def close(self) -> None:
        """Give up what is still open. May be called at any time and more than once."""


class Maildrop(Protocol):
    """One session's frozen view of a mailbox: numbers, sizes and UIDLs do not change while it lives.

    Messages are counted from 0. Opening one that was removed by somebody else raises NoSuchMessage; removing one is success.
    """

    def __len__(self) -> int: ...

    def octets(self, index: int) -> int:
        """Octets of the CRLF form, exact for mail stored in that form and for mail that was read before."""

    def uidl(self, index: int) -> bytes:
        """The unique id: 1-70 octets of 0x21-0x7E (RFC 1939 section 7), unlike any other in this maildrop."""

    async def open(self, index: int, *, head: bool = False, skip: frozenset[int] | set[int] = frozenset()) -> Body:
        """The message's bytes as stored; the caller closes the body.

        `head`: only the beginning is likely to be read (TOP), so fetch little at first. `skip`: do not read ahead for these.
        Raises NoSuchMessage, Unavailable.
        """

    def learn(self, index: int, octets: int) -> None:
        """The whole message went out in `octets` octets; sessions opened from now on will say so. This one does not change."""

    def expired(self) -> Sequence[int]:
        """Messages past the configured retention (RFC 2449 section 6.7), which QUIT removes with the marked ones."""

    async def remove(self, indexes: Sequence[int]) -> Sequence[int]:
        """Remove these from the store; returns those that are still there. What is not returned is durably gone.

        Raises Unavailable when the store could not be asked at all: then nothing is gone.
        """

    async def close(self) -> None:
        """Release the lock and everything held. May be called more than once."""


@dataclass(frozen=True)
class Hop:
    """How a message came in: what its Received field says (RFC 5321 section 4.4).

    `helo` is what the client calls itself, unverified; `protocol` a name of RFC 3848 such as ``ESMTPSA``; `tls` the version and
    cipher, if any. `queue_id`: see Envelope; only a program of ours says it.
    """

    peer: str
    helo: str
    protocol: str
    tls: str | None = None
    queue_id: str | None = None


class Letter(Protocol):
    """One message on its way in, between DATA and the answer to its final dot."""

    async def write(self, piece: bytes) -> None:
        """The next octets: dots removed, every line end CRLF. Returns when more may come.

        Raises a MailError when the message will not be taken. The caller then calls `discard`, reads on to the real end of the data,
        and answers with that error.
        """

    async def finish(self) -> Outcome:
        """All octets were written. Returns the answer to the client: with a 250 the message is durable or already with its next hop.

        Raises a MailError when it is refused; then nothing of it stays. When the client leaves meanwhile, what is durable stays so.
        """

    async def discard(self) -> None:
        """Nothing more comes and nothing stays. May be called more than once, and after `finish`, when it does nothing."""


class Submission(Protocol):
    """What one logged-in client may send: the avatar of a submission session. Addresses come as `mail.address` writes them."""

    async def sender(self, address: str) -> None:
        """May the account send as this address (``""`` is the null sender)? Raises Refused, Limited, Unavailable."""

    async def recipient(self, address: str, count: int) -> None:
        """May it be sent there, as one more after `count` recipients? Raises Refused, NoSuchMailbox, Limited, Unavailable."""

    async def begin(self, sender: str, recipients: Sequence[str], hop: Hop) -> Letter:
        """DATA was said. Raises Unavailable, Limited (a full disk is ``452 4.3.1``)."""


class Parcel(Protocol):
    """One message on its way in by LMTP, between DATA and the answers to its final dot."""

    async def write(self, piece: bytes) -> None:
        """See Letter."""

    async def finish(self) -> Mapping[str, Outcome]:
        """All octets were written. Returns an outcome for each recipient; for whom it is ACCEPTED it is durable, or with its next hop.

        Raises a MailError when nobody has it; then nothing of it stays. When the client leaves meanwhile, what is delivered stays so.
        """

    async def discard(self) -> None:
        """See Letter."""


class Reception(Protocol):
    """What a mail server that delivers here is told. Addresses come as `mail.address` writes them."""

    async def sender(self, address: str) -> None:
        """Is mail of this sender (``""`` is the null sender) taken? Raises Refused, Limited, Unavailable."""

    async def recipient(self, address: str, count: int) -> None:
        """Is mail for this address taken, as one more after `count` recipients? Raises NoSuchMailbox, Refused, Unavailable."""

    async def begin(self, sender: str, recipients: Sequence[str], hop: Hop) -> Parcel:
        """DATA was said; nobody is in `recipients` twice. Raises Unavailable, Limited (a full disk is ``452 4.3.1``)."""


Deliver: TypeAlias = Callable[[Envelope, BinaryIO], Mapping[str, Outcome]]
"""Bring a message to the mailboxes of this system: blocking, an outcome for each recipient, what is accepted is durable."""

Send: TypeAlias = Callable[[Envelope, BinaryIO], str]
"""Accept a message for others: blocking, durable on return; returns its queue id. Raises Unavailable and Limited."""

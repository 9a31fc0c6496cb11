"""What a logged-in client sends, from MAIL FROM to the answer to its final dot: checked, made complete, durable, handed on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import ParamSpec, Protocol, TypeVar
from weakref import WeakSet

from sesmail import log
from sesmail.errors import Refused, TooLarge, Unavailable
from sesmail.interfaces import Account, Hop
from sesmail.mail import headers
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome
from sesmail.relay.heading import Heading
from sesmail.relay.opendraft import OpenDraft
from sesmail.relay.policy import Policy, own_address
from sesmail.relay.spool import Spool

P = ParamSpec("P")
T = TypeVar("T")

LONGEST_HEADER = 256 * 1024
# What all letters together may keep in memory, headers apart. A letter has its share, within these bounds: what is not more goes to
# the disk in one call of a worker, larger messages go in pieces.
ALL_PIECES = 2 * 1024 * 1024
LEAST_PIECE = 16 * 1024
MOST_PIECE = 128 * 1024

# Make the first attempt with a message of the spool, and say how it ended; None when the client need not wait any longer.
Attempt = Callable[[str], Awaitable[Outcome | None]]


class Run(Protocol):
    """Run a blocking function in a worker and await what it returns. Raises Unavailable when there is no room."""

    def __call__(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]: ...


@dataclass(frozen=True)
class Settings:
    """What the configuration says about messages. `hostname` is our own name."""

    hostname: str
    check_header: bool = True
    hide_client: bool = False
    allow_ses_headers: bool = False


class Submissions:
    """Gives each session what it submits with. `now` is Unix time, `unique` what no other Message-ID has before its @."""

    def __init__(
        self,
        policy: Policy,
        spool: Spool,
        run: Run,
        attempt: Attempt,
        settings: Settings,
        *,
        now: Callable[[], float],
        unique: Callable[[], str],
    ) -> None:
        self.policy = policy
        self.spool = spool
        self.run = run
        self.attempt = attempt
        self.settings = settings
        self.now = now
        self.unique = unique
        self.letters: WeakSet[IncomingLetter] = WeakSet()
        """Those that are coming in."""

    @property
    def piece(self) -> int:
        """Octets of one letter's share."""
        return max(LEAST_PIECE, min(MOST_PIECE, ALL_PIECES // max(1, len(self.letters))))

    def of(self, account: Account) -> AccountSubmission:
        """For a session of this account."""
        return AccountSubmission(self, account)


class AccountSubmission:
    """See interfaces.Submission."""

    def __init__(self, shared: Submissions, account: Account) -> None:
        self._shared = shared
        self._account = account

    async def sender(self, address: str) -> None:
        """See Submission. The null sender needs an address of the account's own, under which its mail goes out."""
        if address:
            await self._shared.policy.check_sender(self._account, address)
        elif not own_address(self._account):
            raise Refused("this account has no address of its own", smtp="553 5.7.1")

    async def recipient(self, address: str, count: int) -> None:
        """See Submission."""
        await self._shared.policy.check_recipient(self._account, address, count)

    async def begin(self, sender: str, recipients: Sequence[str], hop: Hop) -> IncomingLetter:
        """See Submission. Nothing is on the disk before the first octets of the message have come."""
        own = own_address(self._account)
        self._shared.policy.spend(self._account, len(recipients))
        # A report goes to the mailbox of whoever sent it, under whatever address that was.
        returns = (own or sender) if sender else ""
        envelope = Envelope(sender or own, tuple(recipients), returns, self._account.name)
        return IncomingLetter(self._shared, self._account, envelope, hop)


class IncomingLetter:
    """See interfaces.Letter. In memory are the header, then its share of what all may keep."""

    def __init__(self, shared: Submissions, account: Account, envelope: Envelope, hop: Hop) -> None:
        self._shared = shared
        self._account = account
        self._envelope = envelope
        self._hop = hop
        self._head: bytearray | None = bytearray()
        self._searched = 0
        self._wanted = b"\r\n"
        self._waiting: list[bytes] = []
        self._octets = 0
        self._message_id: bytes = b""
        self._draft = OpenDraft(lambda: shared.spool.begin(envelope), self._received)
        shared.letters.add(self)

    async def write(self, piece: bytes) -> None:
        """See Letter. Raises TooLarge for a header of more than LONGEST_HEADER octets, Refused and Malformed for what is in it."""
        if self._head is None:
            self._keep(piece)
        else:
            self._head += piece
            await self._look_for_end(self._head)
        if self._octets >= self._shared.piece:
            await self._shared.run(self._draft.write, self._taken())

    async def finish(self) -> Outcome:
        """See Letter."""
        if self._head is not None:
            # A message may end within its header (RFC 5322 section 2.1).
            await self._begin_body(bytes(self._head), len(self._head))
        id = await self._shared.run(self._draft.commit, self._taken())
        self._shared.letters.discard(self)
        log.fate(
            "accepted",
            id=id,
            account=self._account.name,
            sender=self._envelope.sender,
            recipients=len(self._envelope.recipients),
            octets=self._draft.octets,
            message_id=self._message_id,
        )
        return await self._shared.attempt(id) or Outcome(250, "2.0.0", f"Ok queued as {id}", id=id)

    async def discard(self) -> None:
        """See Letter."""
        self._head, self._waiting = None, []
        self._shared.letters.discard(self)
        if not self._draft.give_up():
            return
        try:
            await self._shared.run(self._draft.discard)
        except Unavailable:
            # Without a worker it is done here: else its file would stay open.
            self._draft.discard()

    async def _look_for_end(self, head: bytearray) -> None:
        # Only what is new is searched, however small the pieces are: for the end of the first line, which tells whether there is a
        # header, then for the blank line.
        start = max(0, self._searched - 3)
        self._searched = len(head)
        if head.find(self._wanted, start) >= 0:
            self._wanted = b"\r\n\r\n"
            end = headers.end_of_header(bytes(head))
            if end is not None and end <= LONGEST_HEADER:
                await self._begin_body(bytes(head), end)
                return
        if len(head) > LONGEST_HEADER:
            raise TooLarge(f"the header of the message has more than {LONGEST_HEADER} octets", smtp="552 5.3.4")

    async def _begin_body(self, data: bytes, end: int) -> None:
        settings = self._shared.settings
        heading = Heading.read(data[:end])
        if settings.check_header:
            for author in heading.authors():
                await self._shared.policy.check_sender(self._account, author)
        self._head = None
        self._keep(heading.edited(self._missing(heading), steering=settings.allow_ses_headers))
        self._keep(data[end:])

    def _missing(self, heading: Heading) -> list[bytes]:
        """Fields that every message has to have (RFC 6409 section 8)."""
        shared, new = self._shared, []
        message_id = heading.value(b"message-id")
        if heading.value(b"date") is None:
            new.append(headers.field(b"Date", headers.date(shared.now())))
        if heading.value(b"from") is None:
            new.append(headers.field(b"From", self._envelope.sender.encode("ascii")))
        if message_id is None:
            message_id = headers.message_id(shared.unique(), shared.settings.hostname)
            new.append(headers.field(b"Message-ID", message_id))
        self._message_id = message_id
        return new

    def _keep(self, piece: bytes) -> None:
        self._waiting.append(piece)
        self._octets += len(piece)

    def _taken(self) -> bytes:
        data, self._waiting, self._octets = b"".join(self._waiting), [], 0
        return data

    def _received(self, id: str) -> bytes:
        shared = self._shared
        return headers.received(
            self._hop, by=shared.settings.hostname, id=id, now=shared.now(), hide_client=shared.settings.hide_client
        )

"""From the notice of a message to the message in the mailboxes of all its recipients, whatever fails on the way."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace

from sesmail.aws import stamp
from sesmail.aws.receipt import Notice, Verdict, Verdicts
from sesmail.delivery.agent import Agents
from sesmail.delivery.boxes import Boxes, StoreOf
from sesmail.delivery.claims import Claims, Served
from sesmail.delivery.copy import StoredMessage
from sesmail.delivery.counts import Counts
from sesmail.delivery.guess import Guessed, guessed, without_strangers
from sesmail.delivery.held import Held
from sesmail.delivery.heldrecord import HeldRecord
from sesmail.delivery.inbox import RECORDS, Inbox, checked_id
from sesmail.delivery.journey import Journey, Sorted, Source
from sesmail.delivery.message import Arrival
from sesmail.delivery.original import Original
from sesmail.delivery.plan import Plan
from sesmail.delivery.routing import Routing
from sesmail.delivery.uses import Count, nobody_counts
from sesmail.errors import MailError, Malformed, NoSuchMessage
from sesmail.storage.sealedform import CannotOpen
from sesmail.storage.store import look
from sesmail.storage.together import Deletions

log = logging.getLogger(__name__)


class Sorter:
    """Plain blocking code. May be asked about several messages at a time; a second thread at one message hears Busy.

    `delete` removes a key of the inbox's store, durably on return, and raises Unavailable; without one, Deletions does.
    What is counted is how messages ended, as Sorted has it, and ``later`` for each try that must come again. `count` hears of each recipient
    once, at the try at which the message first came to him: twice where a gateway dies before it has written that down or has deleted the
    original, or two of them have the message at a time; and never where it dies just afterwards, or where the message lay in his mailbox
    already because it was for somebody else.
    """

    def __init__(
        self,
        inbox: Inbox,
        routing: Routing,
        agents: Agents,
        store_of: StoreOf,
        *,
        delete: Callable[[str], None] | None = None,
        counts: Counts | None = None,
        count: Count = nobody_counts,
    ) -> None:
        self.counts = counts or Counts()
        self._inbox = inbox
        self._routing = routing
        self._boxes = Boxes(inbox, store_of)
        self._journey = Journey(inbox, agents, delete or Deletions(inbox.store).delete, count)
        self._held = Held(inbox)
        self._claims = Claims()
        self._served = Served()

    def sort(self, notice: Notice, *, again: bool = False) -> Sorted:
        """Bring the message to everybody it is for; durable on return. `again`: it may have been tried before, as far as the caller knows.

        Raises Unavailable, Limited and Busy when it must come again, and Malformed for a notice of another bucket, or of a key where
        nothing comes in.
        """
        if not self._is_ours(notice):
            self.counts.add(Sorted.IGNORED.value)
            return Sorted.IGNORED
        return self._claimed(notice.message_id, lambda failed: self._sort(notice, again or failed))

    def retry(self, id: str, *, anyway: bool = False) -> Sorted:
        """Route the recipients for whom the message is held once more; `anyway`: whatever SES found in it. Raises NoSuchMessage where none
        is held, Malformed for what is no id, and as `sort` does."""
        checked_id(id)
        return self._claimed(id, lambda _: self._retry(id, anyway))

    def _claimed(self, id: str, work: Callable[[bool], Sorted]) -> Sorted:
        try:
            with self._claims.of(id) as failed:
                end = work(failed)
        except (NoSuchMessage, Malformed):
            raise
        except Exception:
            self.counts.add("later")
            raise
        self.counts.add(end.value)
        if end is Sorted.SWEPT:
            log.info("message %s: it waits for its notice", id)
        return end

    def _is_ours(self, notice: Notice) -> bool:
        if notice.bucket != self._inbox.bucket:
            raise Malformed(f"a notice of a message in the bucket {notice.bucket}: mail comes in to {self._inbox.bucket}")
        if self._inbox.is_incoming(notice.key):
            return True
        if notice.recipients is not None:
            raise Malformed(f"a notice of a message at {notice.key!r}: mail comes in behind {self._inbox.prefix!r}")
        # S3 tells of every object, also of those that we wrote.
        return False

    def _sort(self, notice: Notice, again: bool) -> Sorted:
        try:
            with closing(self._inbox.original(notice.key)) as original:
                known = self._known(notice, original)
                end = self._bring(Source.INCOMING, original, known, again=again)
        except NoSuchMessage:
            end = Sorted.GONE if notice.recipients is None else self._late(notice)
            if again and end is Sorted.GONE:
                self._tidy(notice.message_id)
        if end is Sorted.GONE:
            people = ", ".join(notice.recipients or ())[:1000]
            log.info("message %s was done before%s", notice.message_id, f", to={people}" if people else "")
        if notice.recipients is not None:
            self._compare(notice.message_id, notice.recipients, end)
        return end

    def _compare(self, id: str, recipients: Sequence[str], end: Sorted) -> None:
        if end is not Sorted.GONE:
            self._served.add(id, recipients)
        elif missing := self._served.missing(id, recipients):
            # Each rule of SES has a notice of its own, and knows only its own recipients.
            log.error(
                "message %s was gone before a notice told that it is for %s too: two receipt rules write to one place,"
                " give each its own prefix",
                id,
                ", ".join(missing)[:1000],
            )

    def _known(self, notice: Notice, original: Original) -> Guessed:
        if notice.recipients is not None:
            return Guessed(_arrival(notice, notice.recipients))
        try:
            head = original.beginning(stamp.HEADER_OCTETS)
        except CannotOpen as error:
            log.warning("message %s cannot be opened: %s", notice.message_id, error)
            head = b""
        return guessed(notice, stamp.read(head, notice.message_id), self._inbox)

    def _late(self, notice: Notice) -> Sorted:
        """The original is gone: done, or brought to those who were guessed."""
        known = Guessed(_arrival(notice, notice.recipients or ()))
        try:
            return self._bring_from(Source.SWEPT, self._inbox.swept + notice.message_id, known)
        except NoSuchMessage:
            record = self._held.known(notice.message_id)
        if record is None or not record.guessed:
            return Sorted.GONE
        try:
            return self._bring_from(Source.HELD, self._held.key(notice.message_id), known)
        except NoSuchMessage:
            return Sorted.GONE

    def _retry(self, id: str, anyway: bool) -> Sorted:
        key = self._held.key(id)
        record = self._held.known(id)
        with closing(self._inbox.original(key)) as original:
            if record is None or (record.guessed and not record.recipients):
                received = record.received if record else self._held.entry(id).since
                known = self._known(Notice(id, self._inbox.bucket, key, received), original)
            else:
                known = Guessed(_of_record(id, record))
            return self._bring(Source.HELD, original, known, again=True, trusted=anyway)

    def _tidy(self, id: str) -> None:
        """Remove what is written about a message that is nowhere: the last try did not hear that it had come to its end."""
        store = self._inbox.store
        try:
            if all(look(store, prefix + id) is None for prefix in (self._inbox.swept, self._inbox.held)):
                store.delete([self._inbox.progress + id, RECORDS + id])
        except MailError as error:
            log.warning("message %s: what is written about it cannot be removed: %s", id, error)

    def _bring_from(self, source: Source, key: str, known: Guessed) -> Sorted:
        with closing(self._inbox.original(key)) as original:
            return self._bring(source, original, known, again=True)

    def _bring(self, source: Source, original: Original, known: Guessed, *, again: bool, trusted: bool = False) -> Sorted:
        plan = self._plan(known, trusted)
        message = StoredMessage(original, known.arrival, self._boxes)
        return self._journey.go(source, original.key, message, plan, again=again)

    def _plan(self, known: Guessed, trusted: bool) -> Plan:
        arrival = known.arrival
        if not arrival.recipients:
            return Plan(())
        verdicts = _overlooked(arrival.verdicts) if trusted else arrival.verdicts
        return without_strangers(self._routing.plan(arrival.sender, arrival.recipients, verdicts), known.perhaps)


def _arrival(notice: Notice, recipients: tuple[str, ...]) -> Arrival:
    return Arrival(notice.message_id, notice.sender or "", recipients, notice.received, notice.verdicts, notice.unreadable)


def _of_record(id: str, record: HeldRecord) -> Arrival:
    people = tuple(record.recipients)
    return Arrival(id, record.sender, people, record.received, record.verdicts, record.unreadable, record.guessed)


def _overlooked(verdicts: Verdicts) -> Verdicts:
    """Nothing bad was found. Whether the sender may be answered stays as it is."""
    return replace(verdicts, spam=Verdict.PASS, virus=Verdict.PASS, dmarc_policy=None)

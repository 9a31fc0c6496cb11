"""Tells a sender that a recipient did not get the message: a report (RFC 3464) into his own mailbox, and nowhere else."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping

from sesmail.errors import MailError
from sesmail.interfaces import Deliver
from sesmail.mail import dsn
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome, Verdict
from sesmail.relay import accounts
from sesmail.relay.message import Message
from sesmail.relay.spool import Spool

log = logging.getLogger(__name__)

_HEAD = 64 * 1024


class Bounces:
    """Reports have the null sender (RFC 5321 section 4.5.5), so there is none about a report, and none for a message that says
    that nothing is to be returned."""

    def __init__(self, spool: Spool, deliver: Deliver, hostname: str) -> None:
        self._spool = spool
        self._deliver = deliver
        self._hostname = hostname

    def send(self, message: Message, failures: Mapping[str, Outcome]) -> None:
        """Report these failures; the recipients count as returned once the report is durable, in the mailbox or in the spool.

        Never raises: where the report could not be made durable the recipients stay as they were.
        """
        told = "nobody, as nothing is returned to a null sender"
        if message.envelope.returns:
            try:
                told = self._reported(message, failures)
            except MailError as error:
                log.error("message %s: its report must wait: %s", message.id, error)
                return
        message.state.returned.update(failures)
        accounts.returned(message, failures, report=told)

    def _reported(self, message: Message, failures: Mapping[str, Outcome]) -> str:
        envelope = Envelope("", (message.envelope.returns,))
        report = self._report(message, failures)
        if self._delivered(envelope, report):
            return message.envelope.returns
        draft = self._spool.begin(envelope, attempt=False, report=True)
        try:
            draft.write(report)
            draft.commit()
        finally:
            draft.discard()
        return f"{message.envelope.returns}, by message {draft.id}"

    def _report(self, message: Message, failures: Mapping[str, Outcome]) -> bytes:
        # Made of what is recorded alone: after a crash it is the same again, and a mailbox that has it takes no second one.
        id = f"{message.id}.{message.state.ended}"
        return dsn.report(
            message.envelope,
            failures,
            message.head(_HEAD),
            reporting_mta=self._hostname,
            now=message.state.at,
            boundary=f"=_{id}",
            message_id=f"<{id}@{self._hostname}>",
            arrived=message.record.arrived,
        )

    def _delivered(self, envelope: Envelope, report: bytes) -> bool:
        try:
            outcomes = self._deliver(envelope, io.BytesIO(report))
        except Exception:
            log.exception("a report cannot be delivered now")
            return False
        return all(
            recipient in outcomes and outcomes[recipient].verdict is Verdict.ACCEPTED for recipient in envelope.recipients
        )

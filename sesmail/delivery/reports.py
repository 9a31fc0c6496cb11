"""What SES tells of mail that was sent reaches its author: a bounce or a reject as a report (RFC 3464), a complaint in words."""

from __future__ import annotations

import hashlib
import io
import logging
import re
from collections.abc import Callable, Collection, Container, Mapping

from sesmail.aws.feedback import Feedback, Kind, Recipient
from sesmail.aws.suppression import Cause
from sesmail.errors import Unavailable
from sesmail.interfaces import Deliver
from sesmail.log import fate
from sesmail.mail import dsn
from sesmail.mail.complaint import complaint
from sesmail.mail.envelope import Envelope
from sesmail.mail.headers import field
from sesmail.mail.outcome import Outcome, Verdict

log = logging.getLogger(__name__)

_FAILURES = frozenset({Kind.BOUNCE, Kind.REJECT})
_SAID = re.compile(
    r"(?:smtp;\s*)?(?:([45]\d\d)(?:[ -]|\Z))?\s*(?:([45]\.\d{1,3}\.\d{1,3})(?=\s|\Z))?\s*(.*)", re.ASCII | re.DOTALL
)
_CODES = {"4": 450, "5": 550}
_FATES = {Kind.BOUNCE: "returned", Kind.REJECT: "returned", Kind.COMPLAINT: "complained"}


class Reports:
    """Puts what is to be known of mail from here into its author's mailbox, which is that of the envelope's sender.

    `domains` (lower case) are ours. `deliver` brings reports where mail for people here goes. `report`: whether there are any; none goes to
    addresses in `silent`: such as the one that mail is forwarded from, for its reports could be forwarded and bounce without end.
    `suppress`, if any, is `aws.suppression.Suppression.put`: for who complained, and for addresses that are wrong for good.
    `hostname` is what we call ourselves. Thread-safe, as what it is given is.
    """

    def __init__(
        self,
        deliver: Deliver,
        *,
        hostname: str,
        domains: Container[str],
        report: bool = True,
        silent: Collection[str] = (),
        suppress: Callable[[str, Cause], Outcome] | None = None,
    ) -> None:
        self._deliver = deliver
        self._hostname = hostname
        self._domains = domains
        self._report = report
        self._silent = frozenset(address.lower() for address in silent)
        self._suppress = suppress

    def take(self, feedback: Feedback) -> None:
        """Do what is to be done about it; durable on return. What SES tells again makes no second report: each is made of what SES says
        alone, and a mailbox that has it takes it once. Raises Unavailable: then it has to come again."""
        if feedback.kind is Kind.DELAY:
            log.info("message %s to %s is late: %s", feedback.message_id, _named(feedback), feedback.detail)
        if feedback.kind not in _FATES:
            return
        ours = feedback.sender.rpartition("@")[2] in self._domains
        if ours and self._suppress is not None:
            self._suppressed(feedback, self._suppress)
        self._tell(feedback, self._told(feedback) if ours else "nobody, as it was not sent from here")

    def _suppressed(self, feedback: Feedback, suppress: Callable[[str, Cause], Outcome]) -> None:
        if feedback.kind is not Kind.COMPLAINT and not (feedback.kind is Kind.BOUNCE and feedback.permanent):
            return
        for recipient in feedback.recipients:
            outcome = suppress(recipient.address, "COMPLAINT" if feedback.kind is Kind.COMPLAINT else "BOUNCE")
            if outcome.verdict is Verdict.LATER and outcome.alarm is None:
                # Before there is a report: its reader may have deleted it when this comes again.
                raise Unavailable(cause=f"the suppression list: {outcome.reply}")
            if outcome.verdict is not Verdict.ACCEPTED:
                log.error("%s is not on the suppression list: %s", recipient.address, outcome.alarm or outcome.reply)

    def _told(self, feedback: Feedback) -> str:
        """Whom the log names as told, and why nobody was."""
        if not self._report or not feedback.recipients:
            return "nobody, as there is no report"
        sender = feedback.sender.lower()
        if sender.startswith("mailer-daemon@") or sender in self._silent:
            return "nobody, as nothing is returned to this sender"
        outcomes = self._deliver(Envelope("", (feedback.sender,)), io.BytesIO(self._written(feedback)))
        outcome = outcomes.get(feedback.sender)
        if outcome is None or outcome.verdict is Verdict.LATER:
            raise Unavailable(cause=f"a report cannot be delivered: {outcome.reply if outcome else 'no outcome'}")
        return feedback.sender if outcome.verdict is Verdict.ACCEPTED else f"nobody: {outcome.reply}"

    def _written(self, feedback: Feedback) -> bytes:
        key, head = _key(feedback), _head(feedback)
        message_id = f"<{key}@{self._hostname}>"
        if feedback.kind is Kind.COMPLAINT:
            return complaint(
                feedback.sender,
                [recipient.address for recipient in feedback.recipients],
                head,
                kind=feedback.detail,
                hostname=self._hostname,
                now=feedback.at,
                sent=feedback.sent,
                message_id=message_id,
            )
        failures = _failures(feedback)
        return dsn.report(
            Envelope(feedback.sender, tuple(failures), feedback.sender),
            failures,
            head,
            reporting_mta=self._hostname,
            now=feedback.at,
            boundary=f"=_{key}",
            message_id=message_id,
            arrived=feedback.sent,
        )

    def _tell(self, feedback: Feedback, told: str) -> None:
        failures = _failures(feedback) if feedback.kind in _FAILURES else {}
        for recipient in feedback.recipients:
            said = failures[recipient.address].reply if failures else feedback.detail
            fate(
                _FATES[feedback.kind],
                id=feedback.message_id,
                sender=feedback.sender,
                to=recipient.address,
                reply=said,
                told=told,
            )


def _failures(feedback: Feedback) -> Mapping[str, Outcome]:
    return {recipient.address: _outcome(recipient, feedback) for recipient in feedback.recipients}


def _outcome(recipient: Recipient, feedback: Feedback) -> Outcome:
    """In the other server's words, as far as they make sense: code and status begin alike."""
    found = _SAID.fullmatch(recipient.diagnostic)
    code, in_words, text = found.groups("") if found else ("", "", "")
    usual = "5.0.0" if feedback.permanent or feedback.kind is Kind.REJECT else "4.0.0"
    status = next((one for one in (recipient.status, in_words) if one[:1] in _CODES), usual)
    number = int(code) if code[:1] == status[0] else _CODES[status[0]]
    return Outcome(number, status, text or f"{feedback.kind.value.lower()}, {feedback.detail or 'no reason given'}")


def _head(feedback: Feedback) -> bytes:
    known = [field(name.encode("ascii"), value.encode("ascii")) for name, value in feedback.header]
    return b"".join([*known, field(b"X-SES-Message-ID", feedback.message_id.encode("ascii")), b"\r\n"])


def _key(feedback: Feedback) -> str:
    # A reject has no id of its own.
    parts = (feedback.kind.value, feedback.message_id, feedback.id, _named(feedback))
    return hashlib.blake2b("\0".join(parts).encode("utf-8"), digest_size=16).hexdigest()


def _named(feedback: Feedback) -> str:
    return ",".join(recipient.address for recipient in feedback.recipients)

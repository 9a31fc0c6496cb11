"""The courier that goes through the API of Amazon SES, version 2.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from sesmail.alarms import Alarms
from sesmail.aws.failures import EXPECTED, outcome
from sesmail.errors import Unavailable
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome, Verdict
from sesmail.relay.pace import Quota
from sesmail.relay.split import carry

log = logging.getLogger(__name__)

# One attempt may take so long before it leaves the remaining recipients to the next one.
_PATIENCE = 120.0
# A request holds a message about five times over while it is made. Larger ones are made one after the other.
_LARGE = 2 * 1024 * 1024
_TURN = 60.0

_NO_SENDER = Outcome(550, "5.1.7", "Amazon SES takes no mail without a sender")
_BUSY = Outcome(451, "4.3.2", "other large messages go first, try again later")


@dataclass(frozen=True)
class SesSettings:
    """What every message is sent with. `tags` are pairs of name and value; `source_arn` is the identity that sending authorization
    was given for."""

    configuration_set: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    source_arn: str | None = None

    def parameters(self) -> dict[str, Any]:
        """Those of SendEmail."""
        given: dict[str, Any] = {}
        if self.configuration_set:
            given["ConfigurationSetName"] = self.configuration_set
        if self.tags:
            given["EmailTags"] = [{"Name": name, "Value": value} for name, value in self.tags]
        if self.source_arn:
            # One for the header's From, one for where bounces go.
            given["FromEmailAddressIdentityArn"] = self.source_arn
            given["FeedbackForwardingEmailAddressIdentityArn"] = self.source_arn
        return given


class SesCourier:
    """See Courier. `client` gives a boto3 client for ``sesv2`` that repeats no request, or raises Unavailable."""

    def __init__(
        self, client: Callable[[], Any], settings: SesSettings = SesSettings(), *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._parameters = settings.parameters()
        self._clock = clock
        self._alarms = Alarms(clock)
        self._large = threading.Lock()

    def send(self, envelope: Envelope, message: BinaryIO) -> Mapping[str, Outcome]:
        """See Courier. The message is in memory while it is sent."""
        if not envelope.sender:
            return dict.fromkeys(envelope.recipients, _NO_SENDER)
        data = message.read()
        if len(data) < _LARGE:
            return self._send(envelope, data)
        if not self._large.acquire(timeout=_TURN):
            return dict.fromkeys(envelope.recipients, _BUSY)
        try:
            return self._send(envelope, data)
        finally:
            self._large.release()

    def _send(self, envelope: Envelope, data: bytes) -> dict[str, Outcome]:
        until = self._clock() + _PATIENCE

        def once(group: Sequence[str]) -> tuple[dict[str, Outcome], Outcome | None]:
            got = self._once(envelope.sender, group, data)
            # SES has no trouble that is one recipient's alone.
            return dict.fromkeys(group, got), got if got.verdict is Verdict.LATER else None

        outcomes = carry(envelope.recipients, once, late=lambda: self._clock() >= until)
        self._alarms.hear(outcomes.values())
        return outcomes

    def _once(self, sender: str, recipients: Sequence[str], data: bytes) -> Outcome:
        try:
            answer = self._client().send_email(
                # Not FromEmailAddress: SES writes that over the header's From, and the sender's name is lost.
                FeedbackForwardingEmailAddress=sender,
                # For raw mail this is the envelope alone, and in this field nobody can come to be named to others.
                Destination={"BccAddresses": list(recipients)},
                Content={"Raw": {"Data": data}},
                **self._parameters,
            )
            id = str(answer["MessageId"])
        except Exception as error:
            log.warning("SendEmail: %s: %s", type(error).__name__, str(error)[:300], exc_info=not isinstance(error, EXPECTED))
            return outcome(error)
        return Outcome(250, "2.0.0", f"Ok {id}", id=id)


def quota(client: Any) -> Quota:
    """What GetAccount says of the account, by a request that blocks. Raises Unavailable.

    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html
    """
    try:
        account = client.get_account()
        allowed = account["SendQuota"]
        per_day = float(allowed["Max24HourSend"])
        return Quota(
            per_second=float(allowed["MaxSendRate"]),
            per_day=None if per_day < 0 else per_day,
            sent_last_day=float(allowed["SentLast24Hours"]),
            enabled=bool(account["SendingEnabled"]),
        )
    except Exception as error:
        raise Unavailable(cause=f"GetAccount: {type(error).__name__}: {error}"[:300]) from error

"""The agent for users of an LMTP server."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import cast

from sesmail.alarms import Alarms
from sesmail.delivery.ends import failed, tell
from sesmail.delivery.lmtp import LmtpClient
from sesmail.delivery.message import Message
from sesmail.delivery.plan import Lmtp, Step
from sesmail.errors import NoSuchMessage
from sesmail.mail.outcome import Outcome


class LmtpAgent:
    """See Agent. All users of a message are told in one transaction, of which each has a reply of his own; the octets are the
    message's own, for the server makes its own Return-Path."""

    def __init__(self, client: LmtpClient, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._alarms = Alarms(clock)

    def deliver(self, steps: Sequence[Step], message: Message) -> Mapping[str, Outcome]:
        """See Agent."""
        users = {step.name: cast(Lmtp, step.destination).user for step in steps}
        try:
            with closing(message.open()) as file:
                replies = self._client.deliver(message.arrival.sender, list(users.values()), file)
        except NoSuchMessage:
            raise
        except Exception as error:
            return {step.name: failed(step, message, error) for step in steps}
        self._alarms.hear(replies.values())
        outcomes = {step.name: replies[users[step.name]] for step in steps}
        for step in steps:
            tell("delivered", step, message, outcomes[step.name], by="lmtp", user=users[step.name])
        return outcomes

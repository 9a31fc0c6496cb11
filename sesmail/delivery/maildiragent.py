"""The agent for Maildirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import cast

from sesmail.delivery import maildir
from sesmail.delivery.ends import failed, tell
from sesmail.delivery.message import Message
from sesmail.delivery.plan import Maildir, Step
from sesmail.delivery.prefixed import prefixed
from sesmail.errors import NoSuchMessage
from sesmail.mail.outcome import Outcome

_NEW = Outcome(250, "2.1.5", "Ok delivered")
_THERE = Outcome(250, "2.1.5", "Ok delivered before")


class MaildirAgent:
    """See Agent. Each Maildir gets a message once, however often it is tried. With `make` a Maildir that is missing is made where the
    folder above it is there; without it such mail waits, which is what mail for a disk that is not mounted should do."""

    def __init__(self, *, make: bool = False) -> None:
        self._make = make

    def deliver(self, steps: Sequence[Step], message: Message) -> Mapping[str, Outcome]:
        """See Agent."""
        return {step.name: self._try(step, message) for step in steps}

    def _try(self, step: Step, message: Message) -> Outcome:
        try:
            outcome = self._deliver(step, message)
        except NoSuchMessage:
            raise
        except Exception as error:
            return failed(step, message, error)
        tell("delivered", step, message, outcome, by="maildir")
        return outcome

    def _deliver(self, step: Step, message: Message) -> Outcome:
        arrival, path = message.arrival, cast(Maildir, step.destination).path
        with closing(message.open()) as file, prefixed(message.fields(step.recipients), file) as whole:
            new = maildir.deliver(path, arrival.id, whole, arrived=arrival.received, make=self._make)
        return _NEW if new else _THERE

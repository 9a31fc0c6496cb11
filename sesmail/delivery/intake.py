"""From an event, as a door has it, to what is done about each message and each report that it tells of."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from sesmail.aws.events import Event, events, read
from sesmail.aws.feedback import Feedback
from sesmail.aws.receipt import Incoming, Notice
from sesmail.errors import Busy, Limited, MailError, Unavailable

log = logging.getLogger(__name__)

_AGAIN = (Unavailable, Limited, Busy)


class Sort(Protocol):
    """See `Sorter.sort`."""

    def __call__(self, notice: Notice, *, again: bool) -> object: ...


class Intake:
    """`sort` is `Sorter.sort`; `told` hears what became of mail that was sent. Thread-safe, as they are."""

    def __init__(self, incoming: Incoming, sort: Sort, told: Callable[[Feedback], object]) -> None:
        self._incoming = incoming
        self._sort = sort
        self._told = told

    def take(self, body: bytes | str, *, again: bool = False) -> None:
        """Do what the body of a message of SQS or SNS asks for; all of it is done on return. `again`: it may have been tried before.

        Raises Malformed and TooLarge when it cannot be read, and then nothing of it was done; and what kept one of its events from being
        done, after all others were tried: Unavailable, Busy and Limited when it has to come again, before anything else.
        """
        self._take(read(body, self._incoming), again)

    def take_document(self, document: object, *, again: bool = False) -> None:
        """As `take`, for an event that is decoded already, as Lambda hands it over."""
        self._take(events(document, self._incoming), again)

    def _take(self, found: Sequence[Event], again: bool) -> None:
        errors = [error for event in found if (error := self._tried(event, again)) is not None]
        if errors:
            raise min(errors, key=lambda error: not isinstance(error, _AGAIN))

    def _tried(self, event: Event, again: bool) -> MailError | None:
        try:
            if isinstance(event, Feedback):
                self._told(event)
            else:
                self._sort(event, again=again)
        except MailError as error:
            return error
        except Exception as error:
            log.exception("an event failed")
            return Unavailable(cause=error)
        return None

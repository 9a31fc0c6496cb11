"""What a receipt rule of SES is answered that asks, before mail is stored, whether anybody is there.

It is asked twice. The first time CONTINUE has the mail bounced, as nobody takes it; the second time, from the rule that puts a header on
it, CONTINUE has it dropped, as everybody ignores it. STOP has it stored.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from sesmail.aws.question import Answer, Question
from sesmail.delivery.local import refusal
from sesmail.delivery.plan import Drop, Plan, Reason
from sesmail.delivery.uses import Count, nobody_counts
from sesmail.errors import MailError, Unavailable
from sesmail.log import fate, lists

log = logging.getLogger(__name__)

ENOUGH = 5.0
"""Seconds that must be left to find out about one more recipient."""


class Answering:
    """`plan` is what the sorter would do for one recipient. `mark`: the value that the second rule's header has, so that no sender can
    pretend to be there; None takes any. `closed`: mail is bounced when nothing can be found out, which is stored otherwise. `count` hears,
    at the second time, who is to have the mail or ignores it; of a question that SES repeats it hears twice. Blocking, thread-safe.
    """

    def __init__(
        self, plan: Callable[[str], Plan], *, mark: str | None = None, closed: bool = False, count: Count = nobody_counts
    ) -> None:
        self._plan = plan
        self._mark = mark
        self._closed = closed
        self._count = count

    def answer(self, asked: Question, left: Callable[[], float]) -> Answer:
        """By the recipients of the envelope alone. `left`: seconds until nobody waits any more. Never raises."""
        again = any(self._mark in (None, mark) for mark in asked.marks)
        if asked.unreadable or not asked.recipients:
            # Only the sorter can keep it for those.
            return Answer.STOP
        try:
            return self._second(asked, left) if again else self._first(asked, left)
        except MailError as error:
            log.error("message %s: it cannot be found out for whom it is: %s", asked.message_id, error)
        except Exception:
            log.exception("message %s: it cannot be found out for whom it is", asked.message_id)
        # The second time nobody would be told that mail was not taken.
        return Answer.CONTINUE if self._closed and not again else Answer.STOP

    def _first(self, asked: Question, left: Callable[[], float]) -> Answer:
        if self._any(asked.recipients, left, _takes):
            return Answer.STOP
        _tell("bounced", asked, None)
        return Answer.CONTINUE

    def _second(self, asked: Question, left: Callable[[], float]) -> Answer:
        wanted = self._any(asked.recipients, left, _does_not_ignore)
        self._count(asked.recipients)
        if wanted:
            return Answer.STOP
        _tell("dropped", asked, Reason.IGNORED)
        return Answer.CONTINUE

    def _any(self, recipients: Sequence[str], left: Callable[[], float], what: Callable[[Plan], bool]) -> bool:
        """Whether it is so of one of them. Raises what kept it from being found out, if it is so of none of the others."""
        trouble: Exception | None = None
        for recipient in recipients:
            if left() < ENOUGH:
                raise Unavailable(cause="there is no time left")
            try:
                if what(self._plan(recipient)):
                    return True
            except MailError as error:
                trouble = error
        if trouble is not None:
            raise trouble
        return False


def _takes(plan: Plan) -> bool:
    return any(refusal(step.destination) is None for step in plan.steps)


def _does_not_ignore(plan: Plan) -> bool:
    return any(not _is_ignored(step.destination) for step in plan.steps)


def _is_ignored(destination: object) -> bool:
    return isinstance(destination, Drop) and destination.reason is Reason.IGNORED


def _tell(what: str, asked: Question, reason: Reason | None) -> None:
    for to in lists(asked.recipients):
        fate(what, id=asked.message_id, to=to, reason=reason.value if reason else None, by="rule")

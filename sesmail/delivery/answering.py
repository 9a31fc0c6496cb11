"""What a receipt rule of SES is answered that asks, before mail is stored, whether anybody is there.

It is asked twice. The first time CONTINUE has the mail bounced, as nobody takes it; the second time, from the rule that puts a header on
it, CONTINUE has it dropped, as everybody ignores it. STOP has it stored.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from sesmail.aws.question import Answer, Question
from sesmail.delivery.local import refusal
from sesmail.delivery.plan import Drop, Plan, Reason
from sesmail.delivery.uses import Count, nobody_counts
from sesmail.errors import MailError
from sesmail.log import fate, lists

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

_THREADS = 4
"""As many questions may hang."""


class Answering:
    """`plan` is what the sorter would do for one recipient. `mark`: the value that the second rule's header has, so that no sender can
    pretend to be there; None takes any. `closed`: mail is bounced when nothing can be found out, which is stored otherwise. `count` hears,
    at the second time, who is to have the mail or ignores it; of a question that SES repeats it hears twice. Thread-safe.
    """

    def __init__(
        self,
        plan: Callable[[str], Plan],
        *,
        mark: str | None = None,
        closed: bool = False,
        count: Count = nobody_counts,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan = plan
        self._mark = mark
        self._closed = closed
        self._count = count
        self._now = now
        self._threads = ThreadPoolExecutor(_THREADS, "answering")

    def answer(self, asked: Question, within: float) -> Answer:
        """By the recipients of the envelope alone, within so many seconds, whatever hangs. Never raises."""
        until = self._now() + within
        again = any(self._mark in (None, mark) for mark in asked.marks)
        if asked.unreadable or not asked.recipients:
            # Only the sorter can keep it for those.
            return Answer.STOP
        try:
            wanted = self._in_time(until, self._any, asked.recipients, _does_not_ignore if again else _takes)
            if again:
                self._in_time(until, self._count, asked.recipients)
        except TimeoutError:
            log.error("message %s: for whom it is was not found out in time", asked.message_id)
        except MailError as error:
            log.error("message %s: it cannot be found out for whom it is: %s", asked.message_id, error)
        except Exception:
            log.exception("message %s: it cannot be found out for whom it is", asked.message_id)
        else:
            if not wanted:
                _tell(asked, again)
            return Answer.STOP if wanted else Answer.CONTINUE
        # The second time nobody would be told that mail was not taken.
        return Answer.CONTINUE if self._closed and not again else Answer.STOP

    def _in_time(self, until: float, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self._threads.submit(work, *args, **kwargs).result(max(0.0, until - self._now()))

    def _any(self, recipients: Sequence[str], what: Callable[[Plan], bool]) -> bool:
        """Whether it is so of one of them. Raises what kept it from being found out, if it is so of none of the others."""
        trouble: Exception | None = None
        for recipient in recipients:
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


def _tell(asked: Question, again: bool) -> None:
    reason = Reason.IGNORED.value if again else None
    for to in lists(asked.recipients):
        fate("dropped" if again else "bounced", id=asked.message_id, to=to, reason=reason, by="rule")

"""Readiness: all are asked at once, believed for a while, and none can keep the others, or whoever asks, waiting."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from sesmail.errors import Unavailable
from sesmail.service.readiness import Readiness

reactor: Any = _reactor
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


class Asked:
    """A question that counts how often it is asked, and fails as it is told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.times = 0
        self.error = error

    def __call__(self) -> None:
        self.times += 1
        if self.error is not None:
            raise self.error


class ReadinessTests(TestCase):
    def running(self, questions: Mapping[str, Callable[[], None]], *, seconds: float = 60, timeout: float = 10) -> Readiness:
        ready = Readiness(questions, reactor, seconds=seconds, timeout=timeout)
        ready.startService()
        self.addCleanup(ready.stopService)
        return ready

    async def test_what_answers_is_well_and_what_does_not_is_named(self) -> None:
        ready = self.running({"storage": Asked(), "ses": Asked(Unavailable("sending is paused"))})
        assert await ready.now() == {"storage": None, "ses": "sending is paused"}
        assert ready.needs == {"storage", "ses"}

    async def test_an_answer_is_believed_for_a_while(self) -> None:
        question = Asked()
        ready = self.running({"storage": question})
        for _ in range(3):
            await ready.now()
        assert question.times == 1

    async def test_afterwards_it_is_asked_anew(self) -> None:
        question = Asked(Unavailable("down"))
        ready = self.running({"storage": question}, seconds=0)
        assert await ready.now() == {"storage": "down"}
        question.error = None
        assert await ready.now() == {"storage": None}

    async def test_all_who_ask_at_the_same_time_cause_one_question(self) -> None:
        question = Asked()
        ready = self.running({"storage": question}, seconds=0)
        await gatherResults([Deferred.fromCoroutine(ready.now()) for _ in range(10)])
        assert question.times == 1

    async def test_questions_are_asked_at_the_same_time(self) -> None:
        both = threading.Barrier(2, timeout=30)
        ready = self.running({"storage": both.wait, "ses": both.wait})  # type: ignore[dict-item]
        assert await ready.now() == {"storage": None, "ses": None}

    async def test_one_that_hangs_keeps_nobody_waiting_and_is_not_asked_twice(self) -> None:
        go_on, begun = threading.Event(), Asked()

        def hang() -> None:
            begun()
            go_on.wait(30)

        self.addCleanup(go_on.set)
        ready = self.running({"storage": hang, "ses": Asked()}, seconds=0, timeout=0.05)
        for _ in range(3):
            assert await ready.now() == {"storage": "no answer in time", "ses": None}
        assert begun.times == 1

    async def test_no_secret_is_shown_of_an_error_and_the_code_of_aws_is(self) -> None:
        refused = ClientError({"Error": {"Code": "AccessDenied", "Message": SECRET}}, "GetAccount")
        ready = self.running({"ses": Asked(Unavailable(cause=refused)), "disk": Asked(OSError(SECRET))})
        said = await ready.now()
        assert said == {"ses": "ClientError: AccessDenied", "disk": "OSError"}

    async def test_a_change_is_logged_once_each_way(self) -> None:
        question = Asked(Unavailable("down"))
        ready = self.running({"storage": question}, seconds=0)
        with self.assertLogs("sesmail.service.readiness", logging.INFO) as logged:
            await ready.now()
            await ready.now()
            question.error = None
            await ready.now()
        assert [record.getMessage() for record in logged.records] == [
            "readiness of storage: down",
            "readiness of storage: well again",
        ]

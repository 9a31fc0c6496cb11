"""stdlib records reach Twisted's log, as they are; SIGHUP reaches the reactor."""

from __future__ import annotations

import logging
import os
import signal
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, eventAsText, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase

from sesmail.log import fate
from sesmail.service import logs
from sesmail.service.hangup import Hangup
from tests.service.tls import reactor


class LogsTest(SynchronousTestCase):
    def setUp(self) -> None:
        root, ours = logging.getLogger(), logging.getLogger("sesmail")
        before = root.handlers, root.level, ours.level
        self.events: list[Any] = []
        observer: Any = self.events.append
        globalLogPublisher.addObserver(observer)

        def restore() -> None:
            globalLogPublisher.removeObserver(observer)
            root.handlers, root.level = before[0], before[1]
            ours.setLevel(before[2])

        self.addCleanup(restore)

    def texts(self) -> list[str]:
        return [eventAsText(event, includeTimestamp=False) for event in self.events]

    def test_a_fate_is_one_line_with_its_name(self) -> None:
        logs.join("info")
        fate("login", account="tom@example.com")
        self.assertEqual(self.texts(), ["[sesmail.fate#info] login account=tom@example.com"])

    def test_a_fate_holds_braces_and_percent_signs_as_they_are(self) -> None:
        logs.join("info")
        fate("login", account="{log_level}%s")
        self.assertEqual(self.texts(), ['[sesmail.fate#info] login account="{log_level}%s"'])

    def test_fates_are_below_the_level_of_warnings(self) -> None:
        logs.join("info")
        logs.join("warning")
        fate("login", account="tom@example.com")
        self.assertEqual(self.texts(), [])

    def test_levels_are_those_of_the_record(self) -> None:
        logs.join("debug")
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
            logging.getLogger("sesmail.x").log(level, "x")
        levels = [event["log_level"] for event in self.events]
        self.assertEqual(levels, [LogLevel.debug, LogLevel.info, LogLevel.warn, LogLevel.error, LogLevel.critical])
        self.flushLoggedErrors()

    def test_what_is_below_the_level_is_not_logged(self) -> None:
        logs.join("warning")
        logging.getLogger("sesmail.x").info("x")
        self.assertEqual(self.texts(), [])

    def test_other_libraries_are_heard_from_warnings_on_at_any_level(self) -> None:
        logs.join("debug")
        logging.getLogger("botocore.auth").debug("StringToSign: ...")
        logging.getLogger("urllib3").warning("retrying")
        self.assertEqual(self.texts(), ["[urllib3#warn] retrying"])

    def test_braces_and_percent_signs_are_text(self) -> None:
        logs.join("info")
        logging.getLogger("sesmail.x").info("%s", "{log_level} %s {nothing}")
        self.assertEqual(self.texts(), ["[sesmail.x#info] {log_level} %s {nothing}"])

    def test_an_exception_comes_with_its_traceback(self) -> None:
        logs.join("info")
        try:
            raise ZeroDivisionError("by us")
        except ZeroDivisionError:
            logging.getLogger("sesmail.x").exception("bug")
        self.assertIn("test_service_logs.py", self.texts()[0])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_joining_again_does_not_log_twice(self) -> None:
        logs.join("info")
        logs.join("info")
        logging.getLogger("sesmail.x").info("once")
        self.assertEqual(len(self.events), 1)


class HangupTest(TestCase):
    async def test_a_hangup_calls_reload_in_the_reactor(self) -> None:
        called: Deferred[None] = Deferred()
        hangup = Hangup(reactor, lambda: called.callback(None))
        before = signal.getsignal(signal.SIGHUP)
        hangup.startService()
        os.kill(os.getpid(), signal.SIGHUP)
        await called
        hangup.stopService()
        self.assertEqual(signal.getsignal(signal.SIGHUP), before)

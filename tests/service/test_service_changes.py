"""What of a changed configuration is taken on at once."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from sesmail.config.load import from_text
from sesmail.config.table import Config
from sesmail.service.changes import change
from sesmail.service.logins import LAST_LOGINS, Closing

SUBMISSION = "[{endpoint: 'tcp:2587', tls: starttls}]"
MONITOR = "[{endpoint: 'tcp:9925'}]"


def config(text: str) -> Config:
    return from_text(text, "test", {"HOME": "/nowhere"})


@pytest.mark.parametrize(
    ("before", "after", "taken", "left"),
    [
        ("", "", (), ()),
        ("", "log: {level: debug, format: json}", ("log.level", "log.format"), ()),
        ("", "auth: {passwd_cache: 1, throttle_wait: 1}", ("auth.passwd_cache",), ("auth.throttle_wait",)),
        ("", "pop3: {listeners: [], strikes: 7}", ("pop3.listeners",), ("pop3.strikes",)),
        ("submission: {listeners: []}", f"submission: {{listeners: {SUBMISSION}}}", (), ("submission.listeners",)),
        ("", f"submission: {{listeners: {SUBMISSION}}}", ("submission.listeners",), ()),
        ("", "submission: {listeners: []}", ("submission.listeners",), ()),
        ("", f"monitor: {{listeners: {MONITOR}}}", ("monitor.listeners",), ()),
        (f"monitor: {{listeners: {MONITOR}}}", "monitor: {listeners: []}", ("monitor.listeners",), ()),
        (
            "",
            "monitor: {clients: [10.0.0.0/8], ready_seconds: 1, ready_timeout: 1}",
            ("monitor.clients", "monitor.ready_seconds", "monitor.ready_timeout"),
            (),
        ),
    ],
)
def test_options_are_taken_on_or_left(before: str, after: str, taken: tuple[str, ...], left: tuple[str, ...]) -> None:
    old, new = config(before), config(after)
    found = change(old, new)
    assert (found.taken, found.left) == (taken, left)
    assert found.config.pop3.strikes == old.pop3.strikes
    assert found.config.log == new.log
    # What was left is told again by the next reload, until the restart.
    assert change(found.config, new).left == left
    assert change(found.config, new).taken == ()


class Closed:
    """A checker that knows when it was closed."""

    credentialInterfaces = ()
    times = 0

    def close(self) -> None:
        self.times += 1


class ReplacedCheckersTest(SynchronousTestCase):
    def test_a_replaced_checker_is_closed_when_its_last_login_is_over(self) -> None:
        clock, old, new = Clock(), Closed(), Closed()
        closing = Closing([old], clock)  # type: ignore[list-item]
        closing.startService()
        closing.replace([new])  # type: ignore[list-item]
        clock.advance(LAST_LOGINS - 1)
        self.assertEqual(old.times, 0)
        clock.advance(1)
        self.assertEqual((old.times, new.times), (1, 0))
        closing.stopService()
        self.assertEqual((old.times, new.times), (1, 1))

    def test_a_stop_closes_all_that_are_left_once(self) -> None:
        clock, old, new = Clock(), Closed(), Closed()
        closing = Closing([old], clock)  # type: ignore[list-item]
        closing.startService()
        closing.replace([new])  # type: ignore[list-item]
        closing.stopService()
        clock.advance(LAST_LOGINS)
        self.assertEqual((old.times, new.times), (1, 1))
        self.assertEqual(clock.getDelayedCalls(), [])

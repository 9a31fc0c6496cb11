"""Coroutines of Twisted's, for commands that have nothing else to do."""

from __future__ import annotations

import sys
from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure


def outcome_of(reactor: Any, coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run the reactor until it is done; once in the life of a process. Returns its result or raises what it raised; leaves by SystemExit when
    it was interrupted."""
    outcome: list[Any] = []

    def begin() -> None:
        Deferred.fromCoroutine(coroutine).addBoth(outcome.append).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    if not outcome:
        coroutine.close()
        sys.exit("interrupted")
    if isinstance(outcome[0], Failure):
        outcome[0].raiseException()
    return outcome[0]

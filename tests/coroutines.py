"""Trial before Twisted 22.8 does not await an `async def` test: it passes whatever it says. Here it is awaited."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from twisted.internet import defer
from twisted.trial import _asynctest
from twisted.trial.unittest import TestCase


class _Awaiting:
    """twisted.internet.defer as trial sees it, and trial alone: what is tested must get by with what is installed."""

    def __getattr__(self, name: str) -> Any:
        return getattr(defer, name)

    @staticmethod
    def maybeDeferred(function: Callable[..., Any], *args: Any, **keywords: Any) -> defer.Deferred[Any]:
        return defer.maybeDeferred(_called, function, *args, **keywords)


def _called(function: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
    result = function(*args, **keywords)
    return defer.Deferred.fromCoroutine(result) if inspect.iscoroutine(result) else result


def await_tests() -> None:
    """Have trial await coroutines of tests, setUp, tearDown and cleanups. Newer Twisted does, and nothing changes there."""
    _asynctest.__dict__["defer"] = _Awaiting()
    add = TestCase.addCleanup

    def addCleanup(self: TestCase, function: Callable[..., Any], *args: Any, **keywords: Any) -> None:
        add(self, _called, function, *args, **keywords)

    TestCase.addCleanup = addCleanup  # type: ignore[method-assign, assignment]

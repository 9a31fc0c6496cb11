"""Trial before Twisted 22.8 does not await an `async def` test: it passes whatever it says. Here it is awaited."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from twisted.internet import defer
from twisted.trial import _asynctest, util


class _Awaiting:
    """twisted.internet.defer as trial sees it, and trial alone: what is tested must get by with what is installed."""

    def __getattr__(self, name: str) -> Any:
        return getattr(defer, name)

    @staticmethod
    def maybeDeferred(function: Callable[..., Any], *args: Any, **keywords: Any) -> defer.Deferred[Any]:
        def started() -> Any:
            result = function(*args, **keywords)
            return defer.Deferred.fromCoroutine(result) if inspect.iscoroutine(result) else result

        return defer.maybeDeferred(started)


def await_tests() -> None:
    """Have trial await coroutines of tests, setUp, tearDown and cleanups. Newer Twisted does, and nothing changes there."""
    for module in (_asynctest, util):
        module.__dict__["defer"] = _Awaiting()

"""Run coroutines side by side."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any

from twisted.internet.defer import Deferred, FirstError, gatherResults


async def together(coroutines: Iterable[Coroutine[Deferred[Any], Any, Any]]) -> None:
    """Wait for all of them; the first error ends the others and is raised."""
    running = [Deferred.fromCoroutine(one) for one in coroutines]
    try:
        await gatherResults(running, consumeErrors=True)
    except FirstError as error:
        error.subFailure.raiseException()
    finally:
        for one in running:
            one.cancel()

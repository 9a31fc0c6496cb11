"""The door for monitoring: ``/metrics``, ``/healthz`` and ``/readyz``, of which ``/readyz/NAME`` asks about one thing alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TypeAlias

from sesmail.counters import Snapshot
from sesmail.web.answers import Answer, Head
from sesmail.web.exposition import exposed
from sesmail.web.problems import problem, told

READY = "/readyz"
_METHODS = ("GET", "HEAD")
_KEPT = ("Cache-Control", "no-store")
_NOTHING = problem(404, "there is /metrics, /healthz and /readyz")
_STRANGER = problem(403, "figures are for this machine and for the networks of monitor.clients")
_ABSENT = problem(
    501,
    "prometheus-client is not installed: apt install python3-prometheus-client, or pip install 'sesmail[metrics]', and restart",
)

Ready: TypeAlias = Callable[[], Awaitable[Mapping[str, str | None]]]
"""What is wrong with each thing that is needed, in words without secrets; None where nothing is."""


class MonitorDoor:
    """Answers from `figures`, or says what to install where that is None, and from `ready` about the things in `needs`.

    Whether it is ready, and what of it, everybody hears; figures and reasons only whom `trusts` knows by his address.
    """

    longest = 0

    def __init__(
        self,
        figures: Callable[[], Snapshot] | None,
        ready: Ready,
        needs: Collection[str],
        trusts: Callable[[str], bool],
    ) -> None:
        self._figures = figures
        self._ready = ready
        self._trusts = trusts
        self._needs = needs
        self._paths = {"/metrics", "/healthz", READY, *(f"{READY}/{name}" for name in needs)}

    def refusal(self, head: Head) -> Answer | None:
        if head.path not in self._paths:
            return _NOTHING
        if head.method not in _METHODS:
            return problem(405, "", (("Allow", ", ".join(_METHODS)),))
        return None

    async def answer(self, head: Head, body: bytes) -> Answer:
        if head.path == "/metrics":
            return self._metrics(head)
        if head.path == "/healthz":
            # Said by the reactor, which is all there is to know.
            return Answer(200, (_KEPT,))
        return await self._readiness(head)

    def _metrics(self, head: Head) -> Answer:
        if not self._trusts(head.peer):
            return _STRANGER
        if self._figures is None:
            return _ABSENT
        content_type, content = exposed(self._figures(), head.header("Accept") or "")
        return Answer(200, (("Content-Type", content_type), _KEPT), body=content)

    async def _readiness(self, head: Head) -> Answer:
        said = await self._ready()
        asked = head.path.removeprefix(READY).lstrip("/")
        wrong = {name: reason for name, reason in said.items() if asked in ("", name)}
        code = 503 if any(wrong.values()) else 200
        shown = {name: reason or "ok" if self._trusts(head.peer) else _bare(reason) for name, reason in wrong.items()}
        return told(code, {"ready": code == 200, **shown}, (_KEPT,))


def _bare(reason: str | None) -> str:
    return "ok" if reason is None else "wrong"

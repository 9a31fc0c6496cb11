"""How the log is written to the standard output: as text or as JSON, for people, programs and the journal."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from twisted.application.service import MultiService
from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText, formatEvent
from zope.interface import implementer

from sesmail.log import cut

# sd-daemon(3): what the journal takes for the priority of a line that begins with it.
_PRIORITIES = {LogLevel.critical: 2, LogLevel.error: 3, LogLevel.warn: 4, LogLevel.info: 6, LogLevel.debug: 7}
ERROR = f"<{_PRIORITIES[LogLevel.error]}>"
_PLAIN = (bool, int, float)


@implementer(ILogObserver)
class Output:
    """Writes events to `file`, each as one write. `format` may be changed at any time.

    ``text`` is what twistd writes: a time, then the logger and the level in brackets, and what was said; more lines of it are indented.
    ``json`` is an object a line: `time`, `level` and `logger`, with `text` (and `traceback`), or with `fate` and the fields of one. In
    the `journal` every line begins with its priority and has no time, which the journal knows.
    """

    def __init__(self, file: TextIO, format: str, *, journal: bool) -> None:
        self.format = format
        self._file = file
        self._encoding = file.encoding or "ascii"
        self._journal = journal

    def __call__(self, event: LogEvent) -> None:
        text = _as_json(event) if self.format == "json" else _as_text(event, timed=not self._journal)
        if not text:
            return
        if self._journal:
            mark = f"<{_PRIORITIES.get(event.get('log_level'), 6)}>"
            # The journal takes each line for an entry.
            text = "\n".join(mark + line for line in text.split("\n"))
        try:
            self._file.write(text.encode(self._encoding, "backslashreplace").decode(self._encoding) + "\n")
            self._file.flush()
        except (OSError, ValueError):
            # Whoever read it is gone. There is nobody left to tell, and mail must go on.
            return


class Written(MultiService):
    """What twistd logs goes to `output` where it is in its application, or where twistd wants it without one."""

    def __init__(self, output: Output | None) -> None:
        super().__init__()
        self._output = output

    def setServiceParent(self, parent: Any) -> None:
        if self._output is not None:
            # twistd asks the application for it before it begins to log.
            parent.setComponent(ILogObserver, self._output)
        super().setServiceParent(parent)


def is_journal(file: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether what is written there goes to the journal: systemd.exec(5), JOURNAL_STREAM."""
    try:
        found = os.fstat(file.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def _as_text(event: LogEvent, *, timed: bool) -> str:
    # A line break in what was said must not begin a line that looks like another event.
    return eventAsText(event, includeTimestamp=timed).rstrip("\n").replace("\n", "\n\t")


def _as_json(event: LogEvent) -> str:
    level, when = event.get("log_level"), event.get("log_time")
    made: dict[str, Any] = {
        "time": datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds") if when is not None else None,
        "level": level.name if level is not None else "info",
        "logger": event.get("log_namespace", "-"),
    }
    fate = event.get("fate")
    made.update(_fields(fate) if fate is not None else _said(event))
    return json.dumps(made)


def _fields(fate: Mapping[str, object]) -> dict[str, object]:
    return {name: value if isinstance(value, _PLAIN) else cut(value) for name, value in fate.items()}


def _said(event: LogEvent) -> dict[str, object]:
    failure = event.get("log_failure")
    said = formatEvent(event)
    return {"text": said} if failure is None else {"text": said, "traceback": failure.getTraceback()}

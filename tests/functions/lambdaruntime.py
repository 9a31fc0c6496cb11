"""The other side of a function: what Lambda's Python runtime does, run with ``python -I -S -B lambdaruntime.py TASK LIBRARIES HANDLER``.

TASK is the unpacked zip, LIBRARIES the folder with what Lambda has beside the standard library. Each line of standard input is an event
as JSON; each gets a line of JSON on standard output. Logs go to standard error.
"""

from __future__ import annotations

import importlib
import json
import logging
import re
import sys
import time
import traceback
from pathlib import Path
from typing import Any


class Context:
    """What Lambda tells of the call."""

    function_name = "sort"
    aws_request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def log_as_lambda_does() -> None:
    """One handler, at the root, whose level stays what Python makes it."""
    shown = logging.StreamHandler(sys.stderr)
    shown.setFormatter(logging.Formatter("[%(levelname)s]\t%(message)s"))
    logging.getLogger().addHandler(shown)


def called(handler: str, event: object) -> dict[str, Any]:
    """What the caller hears; the module is loaded at the first call, and stays."""
    module, _, name = handler.rpartition(".")
    try:
        result = getattr(importlib.import_module(module), name)(event, Context())
        return {"result": json.loads(json.dumps(result))}
    except Exception as error:
        trace = traceback.format_tb(error.__traceback__)[1:]
        said = {"errorType": type(error).__name__, "errorMessage": str(error), "stackTrace": trace}
        print(f"[ERROR] {said['errorType']}: {said['errorMessage']}\n", *trace, file=sys.stderr, flush=True)
        return {"error": said}


def peak() -> int:
    """Octets of memory that this process had at most. (What getrusage says begins with what the process had that started this one.)"""
    found = re.search(r"^VmHWM:\s*(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def main(task: str, libraries: str, handler: str) -> None:
    sys.path[:0] = [task, libraries]
    log_as_lambda_does()
    for line in sys.stdin:
        began = time.perf_counter()
        answer = called(handler, json.loads(line))
        answer["seconds"] = time.perf_counter() - began
        answer["peak"] = peak()
        answer["modules"] = sorted({name.partition(".")[0] for name in sys.modules})
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

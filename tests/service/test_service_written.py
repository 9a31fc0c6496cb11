"""The log as the standard output has it: as text, as JSON, and with priorities for the journal."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import LogLevel
from twisted.python.failure import Failure

from sesmail.service.written import Output, is_journal
from tests.servers.gateway import running
from tests.servers.ports import free_port

HOSTILE = 'x" y\n2026-01-01T00:00:00+0000 [sesmail.fate#info] login user=root\x1b[2J{0}%s'


def event(text: str, level: LogLevel = LogLevel.info, **more: Any) -> dict[str, Any]:
    return {
        "log_namespace": "sesmail.x",
        "log_level": level,
        "log_system": f"sesmail.x#{level.name}",
        "log_time": 1760000000.25,
        "log_format": "{text}",
        "text": text,
        **more,
    }


def written(format: str, *events: dict[str, Any], journal: bool = False) -> list[str]:
    file = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    output = Output(file, format, journal=journal)
    for one in events:
        output(one)
    return file.buffer.getvalue().decode().splitlines()


def failure() -> Failure:
    try:
        raise ZeroDivisionError("by us")
    except ZeroDivisionError:
        return Failure()


def test_text_begins_with_the_time_the_logger_and_the_level() -> None:
    (line,) = written("text", event("hello {0} %s"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} \[sesmail\.x#info\] hello \{0\} %s", line)


@pytest.mark.parametrize("journal", [False, True])
def test_what_is_said_begins_no_line_of_its_own(journal: bool) -> None:
    lines = written("text", event(HOSTILE), journal=journal)
    assert len(lines) == 2
    assert lines[1].removeprefix("<6>").startswith("\t2026")


@pytest.mark.parametrize("journal", [False, True])
def test_json_is_an_object_a_line_whatever_was_said(journal: bool) -> None:
    (line,) = written("json", event(HOSTILE), journal=journal)
    assert line.startswith("<6>") is journal
    made = json.loads(line.removeprefix("<6>"))
    assert made == {"time": "2025-10-09T08:53:20.250+00:00", "level": "info", "logger": "sesmail.x", "text": HOSTILE}
    assert line.isascii()


def test_json_has_the_fields_of_a_fate_by_their_names() -> None:
    fields = {"fate": "login", "user": HOSTILE, "octets": 17, "long": "x" * 300, "raw": b"\xff\x00"}
    (line,) = written("json", event("", fate=fields))
    made = json.loads(line)
    assert "text" not in made
    assert (made["fate"], made["user"], made["octets"]) == ("login", HOSTILE, 17)
    assert made["long"] == "x" * 200
    assert made["raw"] == "\\xff\0"


def test_the_journal_is_told_the_priority_of_each_line_and_no_time() -> None:
    for level, number in (
        (LogLevel.critical, 2),
        (LogLevel.error, 3),
        (LogLevel.warn, 4),
        (LogLevel.info, 6),
        (LogLevel.debug, 7),
    ):
        assert written("text", event("x", level), journal=True) == [f"<{number}>[sesmail.x#{level.name}] x"]
    lines = written("text", event("bug", LogLevel.error, log_failure=failure()), journal=True)
    assert len(lines) > 3
    assert all(line.startswith("<3>") for line in lines)


def test_a_traceback_is_a_field_of_json() -> None:
    (line,) = written("json", event("bug", LogLevel.error, log_failure=failure()))
    made = json.loads(line)
    assert made["text"] == "bug"
    assert "ZeroDivisionError" in made["traceback"]


def test_what_cannot_be_encoded_is_written_all_the_same() -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Output(file, "text", journal=False)(event("caf\xe9 \udcff"))
    assert b"caf\\xe9 \\udcff\n" in file.buffer.getvalue()


def test_an_output_that_nobody_reads_ends_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    file = os.fdopen(writing, "w")
    Output(file, "text", journal=False)(event("x"))
    with contextlib.suppress(BrokenPipeError):
        file.close()


def test_only_the_stream_that_systemd_named_is_the_journal(tmp_path: Path) -> None:
    with (tmp_path / "one").open("w") as one, (tmp_path / "two").open("w") as two:
        found = os.fstat(one.fileno())
        environ = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        assert is_journal(one, environ)
        assert not is_journal(two, environ)
        assert not is_journal(one, {})
        assert not is_journal(io.StringIO(), environ)


def test_a_gateway_logs_json_from_its_first_line_and_changes_that_when_it_is_told(tmp_path: Path) -> None:
    listener = {"endpoint": f"tcp:{free_port()}:interface=127.0.0.1", "tls": "none"}
    config: dict[str, Any] = {"pop3": {"listeners": [listener]}, "service": {"state_dir": str(tmp_path / "state")}}
    with running({**config, "log": {"format": "json"}}) as gateway:
        before = [json.loads(line) for line in gateway.log().splitlines()]
        assert {one["logger"] for one in before} >= {"sesmail.service.listeners"}
        gateway.configure({**config, "submission": {"listeners": []}, "page": {"listeners": []}})
        gateway.signal(signal.SIGHUP)
        gateway.wait_for_log(r"(?m)^\d{4}-\S+ \[sesmail.* reloaded; changed in the configuration: log.format$")

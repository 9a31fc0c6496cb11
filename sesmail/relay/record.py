"""What the spool writes about a message: the first line of its file, and the state beside it. Both are read as strictly as foreign input."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeVar

from sesmail.errors import Malformed
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome, Verdict

FORMAT = 1
# A thousand recipients of the greatest length take a third of a megabyte.
_LONGEST_LINE = 4 * 1024 * 1024
_LONGEST_STATE = 64 * 1024 * 1024
_ID = re.compile(r"[0-9A-Za-z]{6,40}\Z")
# Milliseconds since 1970, then random: see assembly.ids.
_DATED = re.compile(r"[0-9a-f]{21}\Z")

T = TypeVar("T")


def is_id(name: str) -> bool:
    """True for what may be the id of a message here, hence a file name."""
    return _ID.match(name) is not None


def arrival(id: str) -> float | None:
    """Unix time when the message of this id came; None for an id that does not tell."""
    return int(id[:11], 16) / 1000 if _DATED.match(id) else None


@dataclass(frozen=True)
class Progress:
    """What is written over in place: octets of the message, the number of the last attempt that began, and when (whole seconds)."""

    size: int
    attempt: int
    begun: int

    def line(self) -> bytes:
        """The beginning of the first line. It always has the same length and lies in one sector, so that it is never half written."""
        return b'{"sesmail":%d,"size":%-12d,"attempt":%-6d,"begun":%-12d,' % (FORMAT, self.size, self.attempt, self.begun)


@dataclass(frozen=True)
class Record:
    """The first line: a message on its way. `arrived` is Unix time. A `report` goes to `deliver`, and is never reported on itself."""

    envelope: Envelope
    arrived: float
    report: bool
    progress: Progress

    def line(self) -> bytes:
        """The first line with its end."""
        rest = {
            "arrived": round(self.arrived, 3),
            "report": self.report,
            "sender": self.envelope.sender,
            "recipients": self.envelope.recipients,
            "returns": self.envelope.returns,
            "account": self.envelope.account,
        }
        return self.progress.line() + json.dumps(rest)[1:].encode("ascii") + b"\n"


def read_record(file: BinaryIO, size: int) -> tuple[Record, int]:
    """The record of a file of `size` octets, and where its message begins. Raises Malformed when either is not whole, OSError."""
    line = file.readline(_LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise Malformed("its first line has no end")
    record = _record(_mapping(line))
    if size - len(line) != record.progress.size:
        raise Malformed(f"it has {size - len(line)} octets instead of {record.progress.size}")
    return record, len(line)


def _record(fields: Mapping[str, Any]) -> Record:
    account = fields.get("account")
    try:
        envelope = Envelope(
            _of(str, fields, "sender"),
            tuple(_strings(_of(list, fields, "recipients"))),
            _of(str, fields, "returns"),
            None if account is None else _of(str, fields, "account"),
        )
    except ValueError as error:
        raise Malformed("its envelope is none", cause=error) from error
    progress = Progress(_count(fields, "size"), _count(fields, "attempt"), _count(fields, "begun"))
    return Record(envelope, _time(fields, "arrived"), _of(bool, fields, "report"), progress)


@dataclass
class State:
    """What became of a message so far.

    `ended` is the number of the last attempt whose end is known; if another one began after it, nobody knows whether the message
    went out. `tries` counts attempts in which something was tried, `at` is when the last one ended. `outcomes` is what was heard
    last for each recipient; `returned` are those refused ones who need no report any more.
    """

    ended: int = 0
    tries: int = 0
    at: float = 0.0
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    returned: set[str] = field(default_factory=set)

    def with_verdict(self, verdict: Verdict) -> list[str]:
        """The recipients whose last outcome was this one."""
        return [recipient for recipient, outcome in self.outcomes.items() if outcome.verdict is verdict]

    def unreturned(self) -> dict[str, Outcome]:
        """The recipients who were refused and of whom the sender has not been told."""
        refused = self.with_verdict(Verdict.REFUSED)
        return {recipient: self.outcomes[recipient] for recipient in refused if recipient not in self.returned}

    def octets(self) -> bytes:
        """As it is stored. The time when the message is due is not in it: that is the file's time of modification."""
        recipients = {name: _stored(outcome, name in self.returned) for name, outcome in self.outcomes.items()}
        fields = {"sesmail": FORMAT, "ended": self.ended, "tries": self.tries, "at": round(self.at, 3)}
        return json.dumps(fields | {"recipients": recipients}).encode("ascii") + b"\n"


def read_state(file: BinaryIO) -> State:
    """The stored state. Raises Malformed, OSError."""
    fields = _mapping(file.read(_LONGEST_STATE))
    state = State(_count(fields, "ended"), _count(fields, "tries"), _time(fields, "at"))
    for name, one in _of(dict, fields, "recipients").items():
        if not isinstance(one, dict):
            raise Malformed("a recipient's state is none")
        state.outcomes[name] = _outcome(one)
        if one.get("returned") is True:
            state.returned.add(name)
    return state


def _stored(outcome: Outcome, returned: bool) -> dict[str, object]:
    stored: dict[str, object] = {"code": outcome.code, "status": outcome.status, "text": outcome.text}
    if outcome.id is not None:
        stored["id"] = outcome.id
    if returned:
        stored["returned"] = True
    return stored


def _outcome(fields: Mapping[str, Any]) -> Outcome:
    id = None if fields.get("id") is None else _of(str, fields, "id")
    try:
        return Outcome(_count(fields, "code"), _of(str, fields, "status"), _of(str, fields, "text"), id=id)
    except ValueError as error:
        raise Malformed("an outcome is none", cause=error) from error


def _mapping(data: bytes) -> Mapping[str, Any]:
    try:
        fields = json.loads(data)
    # A deep nest of brackets ends in a RecursionError.
    except (ValueError, RecursionError) as error:
        raise Malformed("it is no JSON", cause=error) from error
    if not isinstance(fields, dict) or fields.get("sesmail") != FORMAT:
        raise Malformed(f"it is not of format {FORMAT}")
    return fields


def _of(kind: type[T], fields: Mapping[str, Any], name: str) -> T:
    value = fields.get(name)
    if not isinstance(value, kind):
        raise Malformed(f"its {name} is missing or of a wrong kind")
    return value


def _strings(values: Sequence[object]) -> list[str]:
    strings = [value for value in values if isinstance(value, str)]
    if len(strings) != len(values):
        raise Malformed("a recipient is no text")
    return strings


def _count(fields: Mapping[str, Any], name: str) -> int:
    value = fields.get(name)
    if type(value) is not int or value < 0:
        raise Malformed(f"its {name} is no number")
    return value


def _time(fields: Mapping[str, Any], name: str) -> float:
    value = fields.get(name)
    if type(value) not in (int, float) or not math.isfinite(float(value or 0)):
        raise Malformed(f"its {name} is no time")
    return float(value or 0)

"""The agent for commands: each is run once for each recipient, with the message on its standard input, and without a shell.

What a command is given and how its end is understood is what programs know from Postfix: sysexits.h, and
https://www.postfix.org/pipe.8.html
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import cast

from sesmail.alarms import Alarms
from sesmail.delivery.ends import failed, tell
from sesmail.delivery.lineends import pieces, with_lf
from sesmail.delivery.message import Message
from sesmail.delivery.plan import Pipe, Step
from sesmail.delivery.prefixed import prefixed
from sesmail.delivery.program import Ended, run
from sesmail.errors import NoSuchMessage
from sesmail.mail.outcome import Outcome, Verdict

PATH = "/usr/local/bin:/usr/bin:/bin"
"""Where a command without a slash in its name is looked for."""

_STATUS = re.compile(r"([45]\.\d{1,3}\.\d{1,3})(?:\s+|\Z)", re.ASCII)
_CANNOT_RUN = frozenset({errno.ENOENT, errno.EACCES, errno.ENOEXEC, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EPERM})
# What a shell says when there is no such program, or when it may not be run.
_NOT_RUN = frozenset({126, 127})
# sysexits.h; the two that begin with 4 are the only ones that Postfix tries again.
_STATUSES = {
    65: "5.6.0",
    67: "5.1.1",
    68: "5.1.2",
    71: "4.3.0",
    73: "5.2.0",
    74: "5.3.0",
    75: "4.3.0",
    76: "5.5.0",
    77: "5.7.0",
    78: "5.3.5",
}


class PipeAgent:
    """See Agent. ACCEPTED is a command that ended with 0 within `timeout` seconds, and nothing else is.

    A command is split into words as a shell would, and that is all: there are no variables and no redirections; ``sh -c '...'`` has them.
    It is found by PATH, runs in ``/``, and has in its environment PATH, what `environment` adds, and SENDER (empty for the null
    sender), RECIPIENT and MESSAGE_ID. The message comes with LF at the ends of lines, with `crlf` as it was stored. Of what it writes the
    first line is in the outcome; an enhanced status there, ``4.x.x`` or ``5.x.x``, counts for more than the exit status. It runs as whoever
    we are.
    """

    def __init__(
        self,
        *,
        timeout: float = 300.0,
        grace: float = 5.0,
        crlf: bool = False,
        environment: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._alarms = Alarms(clock)
        self._timeout = timeout
        self._grace = grace
        self._crlf = crlf
        self._environment = {"PATH": PATH, **(environment or {})}

    def deliver(self, steps: Sequence[Step], message: Message) -> Mapping[str, Outcome]:
        """See Agent."""
        outcomes = {step.name: self._try(step, message) for step in steps}
        self._alarms.hear(outcomes.values())
        return outcomes

    def _try(self, step: Step, message: Message) -> Outcome:
        try:
            command = shlex.split(cast(Pipe, step.destination).command)
            name = os.path.basename(command[0])[:40]
        except (ValueError, IndexError):
            return _mend("a command", "its quotes do not match")
        try:
            outcome = self._each(command, name, step, message)
        except NoSuchMessage:
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _CANNOT_RUN:
                return _mend(name, os.strerror(error.errno))
            return failed(step, message, error)
        tell("delivered", step, message, outcome, by="pipe", program=name)
        return outcome

    def _each(self, command: Sequence[str], name: str, step: Step, message: Message) -> Outcome:
        # `route` makes a step for each recipient.
        outcomes = [_outcome(name, self._run(command, recipient, message)) for recipient in step.recipients]
        return next((outcome for outcome in outcomes if outcome.verdict is not Verdict.ACCEPTED), outcomes[0])

    def _run(self, command: Sequence[str], recipient: str, message: Message) -> Ended:
        about = {"SENDER": message.arrival.sender, "RECIPIENT": recipient, "MESSAGE_ID": message.arrival.id}
        with closing(message.open()) as file, prefixed(message.fields((recipient,)), file) as whole:
            octets = pieces(whole) if self._crlf else with_lf(pieces(whole))
            return run(command, octets, self._environment | about, timeout=self._timeout, grace=self._grace)


def _outcome(name: str, ended: Ended) -> Outcome:
    said = _first_line(ended.output)
    if ended.status is None:
        return Outcome(451, "4.4.7", f"{name} took too long: {said}")
    if ended.status == 0:
        return Outcome(250, "2.0.0", f"Ok {name}: {said}")
    if ended.status < 0:
        return Outcome(451, "4.3.0", f"{name} was ended by signal {-ended.status}: {said}")
    if found := _STATUS.match(said):
        return _failure(found[1], f"{name}: {said[found.end() :]}")
    if ended.status in _NOT_RUN:
        return _mend(name, said)
    return _failure(_STATUSES.get(ended.status, "5.3.0"), f"{name}, exit status {ended.status}: {said}")


def _failure(status: str, text: str) -> Outcome:
    return Outcome(451 if status.startswith("4") else 554, status, text)


def _mend(name: str, why: str) -> Outcome:
    return Outcome(451, "4.3.5", "the command for this mail cannot be run", alarm=f"pipe: {name} cannot be run: {why}"[:500])


def _first_line(output: bytes) -> str:
    return output.lstrip().partition(b"\n")[0].strip().decode("utf-8", "replace")

"""Server processes that end with the one that started them, whatever ends that one."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

# The shell waits for its input to close, which the end of our process does, even by kill -9.
_GUARD = '"$@" </dev/null & server=$!; read -r _; kill -9 "$server" 2>/dev/null; wait'


class Guarded:
    """A running command, its output in a file. It is killed at `stop` or with this process; it gets no chance to save anything."""

    def __init__(
        self, command: Sequence[str | Path], log: Path, *, environment: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "guard", *map(str, command)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=cwd,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process whose descendants are the command's."""
        return self._shell.pid

    def stop(self) -> None:
        """Returns when it is gone. May be called more than once."""
        if self._shell.stdin is not None and not self._shell.stdin.closed:
            self._shell.stdin.close()
        self._shell.wait()

    def tail(self) -> str:
        """The last of what it wrote, for an error message."""
        return self.log.read_text(errors="replace")[-4000:]

"""Long work shows on a terminal how far it is, and nowhere else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

_ROWS = "".join(f'{{"address": "a{number}@example.com"}}\n' for number in range(50))


def imported(folder: Path, errors: int) -> str:
    """What `sesmail alias import` prints, with its errors going there."""
    (folder / "rows.json").write_text(_ROWS)
    environ = {**os.environ, "SESMAIL__SERVICE__STATE_DIR": str(folder), "TERM": "xterm"}
    command = [sys.executable, "-m", "sesmail.cli.main", "alias", "import", "rows.json"]
    return subprocess.run(
        command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=errors, text=True, timeout=60, check=True
    ).stdout


def test_a_bar_is_on_the_terminal_where_tqdm_is_installed(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        printed = imported(tmp_path, theirs)
        os.write(theirs, b"\nthe end\n")
        os.close(theirs)
        shown = b""
        while b"the end" not in shown:
            shown += terminal.read(4096)
    assert printed == "50 added, 0 changed, 0 were there already, 0 refused\n"
    assert (b" aliases" in shown) == (find_spec("tqdm") is not None)


def test_a_log_or_a_pipe_has_no_bar(tmp_path: Path) -> None:
    with (tmp_path / "errors").open("wb") as errors:
        imported(tmp_path, errors.fileno())
    assert (tmp_path / "errors").read_bytes() == b""

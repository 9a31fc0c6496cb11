"""What bash offers behind ``sesmail``, with Debian's bash-completion, is what the program takes."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sesmail.cli.main import COMMANDS
from tests.etc.completion import script
from tests.packaging.tree import ROOT

_FILE = ROOT / "etc" / "bash-completion" / "sesmail"
# The rules of readline, by hand: words up to the cursor, the function that complete names, and what it leaves behind.
_ASK = """
. /usr/share/bash-completion/bash_completion
. "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*"
# An equals sign is a word of its own to readline.
COMP_LINE=${COMP_LINE// = /=} COMP_POINT=${#COMP_LINE}
COMP_TYPE=9 COMP_KEY=9
function=$(complete -p "$1" | sed 's/.*-F \\([^ ]*\\).*/\\1/')
"$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}" 2>&1
printf '%s\\n' "${COMPREPLY[@]}"
"""


def offered(*words: str, cwd: Path | None = None) -> set[str]:
    command = ["bash", "--norc", "-c", _ASK, "bash", str(_FILE), *words]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True, timeout=30)
    return set(done.stdout.split())


def test_the_file_is_made_from_the_program_as_it_is() -> None:
    assert _FILE.read_text() == script(), "python -m tests.etc.completion > etc/bash-completion/sesmail"


def test_every_command_is_offered() -> None:
    assert offered("sesmail", "") == {command.name for command in COMMANDS}
    assert offered("sesmail", "--") == {"--help", "--version"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sesmail ch", {"check-config"}),
        ("sesmail no-such-command", set()),
        ("sesmail passwd ", {"set", "verify", "remove", "list", "hash"}),
        ("sesmail passwd --debug s", {"set"}),
        ("sesmail held retry --a", {"--all", "--anyway"}),
        ("sesmail alias list --owner retry --des", {"--destination"}),
        ("sesmail token --provider ", {"s3", "none", "demo"}),
        ("sesmail token --algorithm HS3", {"HS384"}),
        ("sesmail alias export --format ", {"csv", "json"}),
        ("sesmail alias import --owner ", set()),
        ("sesmail passwd set tom", set()),
        ("sesmail-deliver --q", {"--queue-id"}),
        ("/usr/bin/sesmail-deliver --q", {"--queue-id"}),
    ],
)
def test_what_fits_is_offered_and_nothing_else(line: str, expected: set[str]) -> None:
    words = line.split(" ")
    if words[0].startswith("/"):
        words[0] = Path(words[0]).name
    assert offered(*words) == expected


def test_values_that_are_files_are_completed_as_such(tmp_path: Path) -> None:
    (tmp_path / "mail.yaml").touch()
    (tmp_path / "main").mkdir()
    assert offered("sesmail", "check-config", "--config", "mai", cwd=tmp_path) == {"mail.yaml", "main"}
    assert offered("sesmail", "check-config", "--config", "=", "mail", cwd=tmp_path) == {"mail.yaml"}
    assert offered("sesmail", "demo", "--directory", "mai", cwd=tmp_path) == {"main"}


def test_tab_completes_at_a_prompt(tmp_path: Path) -> None:
    """As installed: found by the name of the command, in a bash that nobody told of it."""
    completions = tmp_path / "share/bash-completion/completions"
    completions.mkdir(parents=True)
    shutil.copy(_FILE, completions / "sesmail")
    (tmp_path / "rc").write_text("PS1='ready> '\n. /usr/share/bash-completion/bash_completion\n")
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "share"), "TERM": "dumb", "HISTFILE": ""}
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe("bash", ["bash", "--noprofile", "--rcfile", str(tmp_path / "rc"), "-i"], environment)
    try:
        assert "ready> " in heard(terminal, "ready> ")
        os.write(terminal, b"sesmail check\t--conf\t")
        assert "sesmail check-config --config " in heard(terminal, "--config ")
    finally:
        os.write(terminal, b"\x03exit\n")
        os.close(terminal)
        os.waitpid(child, 0)


def heard(terminal: int, part: str) -> str:
    """All up to this, or what came instead within some seconds."""
    said, deadline = "", time.monotonic() + 30
    while part not in said and time.monotonic() < deadline:
        if select.select([terminal], [], [], 1)[0]:
            said += re.sub(r"\x1b\[\S*?[a-zA-Z]|\x07", "", os.read(terminal, 4096).decode(errors="replace"))
    return said


def test_the_words_for_the_makers_of_packages_run() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.etc.completion"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == script()

"""The lines for Postfix are taken by a real one without a warning, and are those of the manuals."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging.tree import ROOT

_FOLDER = ROOT / "etc" / "postfix"
_SNIPPETS = sorted(path.name for path in _FOLDER.iterdir())


def settings(text: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+) = (.*)$", text, re.MULTILINE))


def postfix(folder: Path, main: str, master: str = "") -> Path:
    """A folder of configuration: Debian's master.cf, and as little as will do, with these lines behind it."""
    etc, queue = folder / "etc", folder / "queue"
    etc.mkdir()
    queue.mkdir(mode=0o755)
    base = f"compatibility_level = 3.6\nmaillog_file = /dev/stdout\nqueue_directory = {queue}\ndata_directory = {folder / 'data'}\n"
    (etc / "main.cf").write_text(base + "setgid_group = postdrop\nmail_owner = postfix\n" + main)
    (etc / "master.cf").write_text(Path("/usr/share/postfix/master.cf.dist").read_text() + master)
    return etc


def asked(etc: Path, *command: str) -> str:
    done = subprocess.run([*command[:1], "-c", etc, *command[1:]], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return done.stdout


def test_each_has_its_file() -> None:
    assert _SNIPPETS == ["main.cf-lmtp", "main.cf-pipe", "main.cf-smarthost", "master.cf-pipe"]


@pytest.mark.parametrize("name", ["main.cf-lmtp", "main.cf-smarthost"])
def test_postfix_takes_lines_for_main_cf(tmp_path: Path, name: str) -> None:
    text = (_FOLDER / name).read_text()
    assert settings(text).items() <= settings(asked(postfix(tmp_path, text), "postconf", "-n")).items()


def test_postfix_takes_the_pipe(tmp_path: Path) -> None:
    main, master = ((_FOLDER / name).read_text() for name in ("main.cf-pipe", "master.cf-pipe"))
    etc = postfix(tmp_path, main, master)
    assert settings(main).items() <= settings(asked(etc, "postconf", "-n")).items()
    service = asked(etc, "postconf", "-M", "sesmail/unix")
    assert " ".join(service.split()) == " ".join(re.sub(r"^#.*\n", "", master, flags=re.MULTILINE).split())


def test_a_misspelt_line_would_be_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="unused parameter"):
        asked(postfix(tmp_path, "virtual_transprot = lmtp\n"), "postconf", "-n")


@pytest.mark.parametrize("name", ["lmtp", "pipe", "smarthost"])
def test_postfix_check_finds_nothing(tmp_path: Path, name: str) -> None:
    master = _FOLDER / f"master.cf-{name}"
    etc = postfix(tmp_path, (_FOLDER / f"main.cf-{name}").read_text(), master.read_text() if master.exists() else "")
    shutil.chown(tmp_path / "etc", "root")
    tmp_path.chmod(0o755)
    done = subprocess.run(["postfix", "-c", etc, "check"], capture_output=True, text=True, check=False, timeout=60)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "sesmail" not in said
    assert "fatal" not in said


def test_the_manual_shows_the_same_lines_for_lmtp() -> None:
    manual = (ROOT / "docs" / "lmtp.rst").read_text()
    for name, value in settings((_FOLDER / "main.cf-lmtp").read_text()).items():
        assert f"    {name} = {value}\n" in manual

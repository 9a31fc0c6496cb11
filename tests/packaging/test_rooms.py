"""What the rooms may import, when they are really imported, and that the linter's contracts can be broken."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.tree import ROOT, lines, modules, setup

_WITHOUT_TWISTED = lines("importlinter:contract:twisted", "source_modules")
_WITHOUT_AWS = lines("importlinter:contract:aws", "source_modules")

# One line for each contract of setup.cfg, in a file of a room that must not have it.
_BREACHES = {
    "floors": ("sesmail/auth/names.py", "import sesmail.storage.keys"),
    "config": ("sesmail/protocols/limits.py", "import sesmail.config.load"),
    "pure": ("sesmail/mail/wire.py", "import time"),
    "twisted": ("sesmail/storage/keys.py", "from twisted.internet import reactor"),
    "read": ("sesmail/storage/keys.py", "import sesmail.storage.read.s3"),
    "aws": ("sesmail/auth/names.py", "import botocore.session"),
    "boto3": ("sesmail/storage/s3.py", "import boto3"),
    "web": ("sesmail/web/once.py", "import sesmail.protocols.limits"),
}


def import_without(forbidden: list[str], wanted: list[str]) -> str:
    """Import the `wanted` modules in a fresh interpreter where those `forbidden` cannot be; what it complains of."""
    program = "import importlib, sys\n"
    program += f"sys.modules.update(dict.fromkeys({forbidden!r}))\n"
    program += f"for name in {wanted!r}: importlib.import_module(name)"
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize("room", _WITHOUT_TWISTED)
def test_the_room_is_imported_without_twisted(room: str) -> None:
    wanted = [name for name in modules(room) if not name.startswith("sesmail.storage.read")]
    assert import_without(["twisted"], wanted) == ""


@pytest.mark.parametrize("room", _WITHOUT_AWS)
def test_the_room_is_imported_without_aws(room: str) -> None:
    assert import_without(["boto3", "botocore", "sesmail.aws"], modules(room)) == ""


def test_an_import_that_is_forbidden_is_found() -> None:
    assert "twisted" in import_without(["twisted"], ["sesmail.storage.read.s3"])


def test_the_tree_keeps_every_contract() -> None:
    assert "0 broken" in lint(ROOT)


def test_every_contract_can_be_broken(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "sesmail", tmp_path / "sesmail", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "setup.cfg", tmp_path)
    for file, line in _BREACHES.values():
        with (tmp_path / file).open("a") as source:
            source.write(f"\n{line}\n")
    said = lint(tmp_path)
    contracts = [section for section in setup().sections() if section.startswith("importlinter:contract:")]
    assert {section.rpartition(":")[2] for section in contracts} == set(_BREACHES)
    for section in contracts:
        assert f"{setup()[section]['name']} BROKEN" in said


def test_a_new_room_must_be_given_its_floor(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "sesmail", tmp_path / "sesmail", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "setup.cfg", tmp_path)
    (tmp_path / "sesmail/attic.py").write_text("")
    assert "attic" in lint(tmp_path)


def lint(directory: Path) -> str:
    """What import-linter says of the tree there."""
    command = [str(ROOT / ".venv-tools/bin/lint-imports"), "--no-cache"]
    done = subprocess.run(
        command,
        cwd=directory,
        env={"PYTHONPATH": str(directory), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr

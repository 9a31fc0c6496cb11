"""The rules of the suite itself: nothing passes by not being run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]

_SKIPPED = "import pytest\ndef test_it(): pytest.skip('no server here')"
_MARKED = "import pytest\n@pytest.mark.skipif(True, reason='no server here')\ndef test_it(): pass"
_NOT_IMPORTED = "import pytest\npytest.importorskip('no_such_module')\ndef test_it(): pass"
_TRIAL_SKIP = """
from twisted.trial.unittest import TestCase
class Tests(TestCase):
    def test_it(self): pass
    test_it.skip = 'no server here'
"""
_WRONG_IN_COROUTINE = """
from twisted.trial.unittest import TestCase
class Tests(TestCase):
    async def test_it(self): self.fail()
"""
_WRONG_IN_SET_UP = """
from twisted.trial.unittest import TestCase
class Tests(TestCase):
    async def setUp(self): self.fail()
    def test_it(self): pass
"""
_WRONG_IN_CLEANUP = """
from twisted.trial.unittest import TestCase
class Tests(TestCase):
    async def wrong(self): self.fail()
    def test_it(self): self.addCleanup(self.wrong)
"""
_NOT_AWAITED = """
import gc
async def forgotten(): pass
def test_it():
    forgotten()
    gc.collect()
"""
_ENDLESS = "import pytest\n@pytest.mark.limit(1)\ndef test_it():\n    while True: pass"
_PROOF = "import pytest\n@pytest.mark.proof\ndef test_it(): assert False"


def run(directory: Path, source: str, *arguments: str) -> str:
    """What pytest says of this test file under our rules; its exit status is at the end."""
    (directory / "test_planted.py").write_text(source)
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        _ROOT / "setup.cfg",
        f"--rootdir={directory}",
        "-p",
        "tests.conftest",
    ]
    done = subprocess.run(
        [*command, *arguments, directory / "test_planted.py"], cwd=_ROOT, capture_output=True, text=True, check=False
    )
    return f"{done.stdout}\n{done.stderr}\nexit {done.returncode}"


@pytest.mark.parametrize("source", [_SKIPPED, _MARKED, _NOT_IMPORTED, _TRIAL_SKIP])
def test_a_skipped_test_is_a_failure(tmp_path: Path, source: str) -> None:
    said = run(tmp_path, source)
    assert "skipped, which no test may be" in said
    assert not said.endswith("exit 0")


@pytest.mark.parametrize("source", [_WRONG_IN_COROUTINE, _WRONG_IN_SET_UP, _WRONG_IN_CLEANUP])
def test_coroutines_of_trial_are_awaited(tmp_path: Path, source: str) -> None:
    said = run(tmp_path, source)
    assert said.endswith("exit 1")
    assert "never awaited" not in said


def test_a_coroutine_that_nobody_awaits_is_a_failure(tmp_path: Path) -> None:
    said = run(tmp_path, _NOT_AWAITED)
    assert said.endswith("exit 1")
    assert "never awaited" in said


def test_a_test_does_not_run_for_ever(tmp_path: Path) -> None:
    said = run(tmp_path, _ENDLESS)
    assert "still running after 1 s" in said
    assert said.endswith("exit 1")


def test_proofs_run_when_they_are_asked_for(tmp_path: Path) -> None:
    assert "1 deselected" in run(tmp_path, _PROOF)
    assert run(tmp_path, _PROOF, "--proof").endswith("exit 1")


def test_a_good_test_passes(tmp_path: Path) -> None:
    assert run(tmp_path, "def test_it(): pass").endswith("exit 0")

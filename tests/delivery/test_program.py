"""A program is given a message: it ends when it ends or is made to, and nothing of it stays, whatever it does."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sesmail.delivery.program import OUTPUT_OCTETS, Ended, run
from tests.servers.ports import wait_until

_ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


def sh(script: str, message: bytes = b"", *, timeout: float = 30, grace: float = 5) -> Ended:
    return run(["sh", "-c", script], iter([message]), _ENVIRONMENT, timeout=timeout, grace=grace)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_dead(file: Path) -> None:
    """The process whose number is in this file."""
    pid = int(file.read_text())
    wait_until(lambda: not is_alive(pid), seconds=10, what=lambda: f"{pid} lives")


def children() -> set[str]:
    return set(Path(f"/proc/{os.getpid()}/task/{threading.get_native_id()}/children").read_text().split())


@pytest.fixture(autouse=True)
def _no_zombie_and_no_descriptor_stays() -> Iterator[None]:
    before = children(), set(os.listdir("/proc/self/fd"))
    yield
    assert (children(), set(os.listdir("/proc/self/fd"))) == before


def test_it_reads_the_message_and_is_heard_on_both_outputs() -> None:
    assert sh("cat; echo more >&2", b"the \xff message\n") == Ended(0, b"the \xff message\nmore\n")


def test_its_exit_status_and_its_signal_are_known() -> None:
    assert sh("exit 67").status == 67
    assert sh("kill -9 $$").status == -signal.SIGKILL


def test_a_large_message_comes_whole_though_the_program_answers_all_the_while() -> None:
    pieces = (b"%063d\n" % number for number in range(100_000))
    ended = run(["sh", "-c", "tee /dev/stderr | wc -c >&2; exit 3"], pieces, _ENVIRONMENT, timeout=60)
    assert ended.status == 3
    assert len(ended.output) == OUTPUT_OCTETS


@pytest.mark.parametrize("script", ["exec <&-; sleep 0.2", "exit 0", "head -c 1 >/dev/null"])
def test_it_need_not_read_the_message(script: str) -> None:
    assert sh(script, b"x" * 3_000_000).status == 0


def test_it_may_close_its_outputs_and_go_on() -> None:
    assert sh("exec >&- 2>&-; sleep 0.2; cat >/dev/null; exit 5", b"x" * 300_000).status == 5


def test_megabytes_of_output_are_read_and_bounded() -> None:
    ended = sh("head -c 20000000 /dev/zero; exit 4", b"x" * 3_000_000)
    assert (ended.status, ended.output) == (4, bytes(OUTPUT_OCTETS))


def test_what_it_leaves_in_the_background_is_not_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()
    assert sh(f"sleep 60 & echo $! >{tmp_path}/pid; echo done").output == b"done\n"
    assert time.monotonic() - began < 30
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_a_background_that_writes_for_ever_is_not_listened_to_for_ever(tmp_path: Path) -> None:
    assert sh(f"yes & echo $! >{tmp_path}/pid; exit 2").status == 2
    wait_until_dead(tmp_path / "pid")


@pytest.mark.parametrize("trap", ["", "trap '' TERM;", "trap 'exit 0' TERM;"])
def test_the_whole_group_is_ended_when_its_time_is_up(tmp_path: Path, trap: str) -> None:
    script = (
        f"{trap} (trap '' TERM; echo before; exec sleep 60) & echo $! >{tmp_path}/child; echo $$ >{tmp_path}/own; wait; wait"
    )
    ended = sh(script, timeout=2, grace=0.5)
    assert ended == Ended(None, b"before\n")
    for name in ("child", "own"):
        wait_until_dead(tmp_path / name)


def test_it_is_told_before_it_is_killed(tmp_path: Path) -> None:
    sh(f"trap 'echo told >{tmp_path}/told; exit 1' TERM; sleep 60 & wait", timeout=2, grace=10)
    assert (tmp_path / "told").read_text() == "told\n"


def test_a_program_that_neither_reads_nor_ends_is_ended(tmp_path: Path) -> None:
    assert sh("exec sleep 60", b"x" * 3_000_000, timeout=0.3, grace=1).status is None


def test_an_endless_talker_is_ended() -> None:
    assert sh("exec yes", timeout=0.3, grace=1).status is None


def test_a_message_that_breaks_off_is_never_taken_for_a_whole_one(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"the beginning"
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        run(["sh", "-c", f"cat >/dev/null; touch {tmp_path}/whole"], broken(), _ENVIRONMENT, timeout=30)
    assert not (tmp_path / "whole").exists()


def test_what_cannot_be_run_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        run(["no-such-program"], iter([]), _ENVIRONMENT, timeout=5)
    with pytest.raises(PermissionError):
        run(["/etc/passwd"], iter([]), _ENVIRONMENT, timeout=5)


def test_it_has_no_descriptor_nor_variable_nor_group_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SECRET_OF_OURS", "x")
    with (tmp_path / "file").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        ended = run(["sh", "-c", "ls /proc/$$/fd; env; pwd; umask"], iter([]), {**_ENVIRONMENT, "GIVEN": "yes"}, timeout=30)
    lines = ended.output.decode().split()
    assert [line for line in lines if line.isdigit() and len(line) < 4] == ["0", "1", "2"]
    assert "GIVEN=yes" in lines
    assert not [line for line in lines if "SECRET" in line]
    assert lines[-2:] == ["/", "0077"]
    assert int(sh("ps -o pgid= -p $$ 2>/dev/null || cut -d' ' -f5 /proc/$$/stat").output) != os.getpgrp()


def test_many_run_at_once() -> None:
    ends: list[Ended] = []
    threads = [threading.Thread(target=lambda: ends.append(sh("cat; exit 9", b"x" * 100_000))) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [ended.status for ended in ends] == [9] * 10


def test_children_of_others_are_left_to_them() -> None:
    other = subprocess.Popen(["sleep", "0.1"])
    assert sh("sleep 0.3; exit 1").status == 1
    assert other.wait() == 0

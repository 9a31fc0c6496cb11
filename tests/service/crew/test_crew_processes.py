"""Two workers and their parent as processes: together they are one gateway, and none of them is missed for long."""

from __future__ import annotations

import contextlib
import os
import poplib
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.ports import answers, wait_until
from tests.service.crew.crews import Crew, connections, crew
from tests.service.house import ANN, TOM


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Crew]:
    with crew(tmp_path, mailboxes={"lock_idle": 600}) as found:
        yield found


def served_by(here: Crew, session: poplib.POP3_SSL) -> int:
    """The worker at the other end."""
    port = session.sock.getsockname()[1]
    for pid in here.workers():
        if peers(pid, port):
            return pid
    raise LookupError("no worker has this connection")


def peers(pid: int, port: int) -> bool:
    """Whether the process has a connection that comes from `port`."""
    inodes = set()
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            inodes.add(os.readlink(one))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(int(row[2].split(":")[1], 16) == port and f"socket:[{row[9]}]" in inodes for row in rows)


def test_two_workers_share_the_sessions_of_one_port(here: Crew) -> None:
    sessions = [here.connected() for _ in range(40)]
    found = [connections(pid, here.gateway.ports[0]) for pid in here.workers()]
    assert sum(found) == 40
    assert min(found) >= 4
    for session in sessions:
        session.quit()


def test_a_maildrop_is_locked_in_both_workers_and_free_when_its_worker_is_killed(here: Crew) -> None:
    holder = here.pop()
    for _ in range(8):
        with pytest.raises(poplib.error_proto, match="IN-USE"):
            here.pop()
    os.kill(served_by(here, holder), signal.SIGKILL)
    wait_until(lambda: can_log_in(here), seconds=20, what=here.gateway.log)


def can_log_in(here: Crew) -> bool:
    try:
        here.pop().quit()
    except (poplib.error_proto, OSError, EOFError):
        return False
    return True


def test_a_killed_worker_is_started_again_and_the_sessions_of_the_other_go_on(here: Crew) -> None:
    before = here.workers()
    sessions = [here.connected() for _ in range(20)]
    killed = before[0]
    ours = [one for one in sessions if served_by(here, one) != killed]
    theirs = [one for one in sessions if one not in ours]
    os.kill(killed, signal.SIGKILL)
    here.gateway.wait_for_log(r"worker \d was ended by signal 9")
    here.wait_until_they_serve(3)
    assert len(set(here.workers()) - set(before)) == 1
    assert ours
    assert theirs
    for session in ours:
        assert session.capa()
    for session in theirs:
        with pytest.raises((OSError, EOFError, poplib.error_proto)):
            session.capa()


def test_who_waits_in_the_queue_of_a_killed_worker_is_served_by_the_next(here: Crew) -> None:
    workers = here.workers()
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    waiting = [socket.create_connection(("127.0.0.1", here.house.starttls), timeout=60) for _ in range(30)]
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    for connection in waiting:
        with connection:
            assert connection.recv(100).startswith(b"220 ")


def test_workers_end_when_their_parent_is_killed(here: Crew) -> None:
    workers = here.workers()
    here.pop(ANN)
    here.gateway.kill()
    wait_until(lambda: not any(runs(pid) for pid in workers), seconds=40, what=here.gateway.log)
    assert not answers(here.gateway.ports[0])


def runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_a_stop_lets_a_session_end_and_ends_all_processes(here: Crew) -> None:
    workers = here.workers()
    session = here.pop(TOM)
    here.gateway.signal(signal.SIGTERM)
    assert here.gateway.wait_until_it_ends(60) in (0, -signal.SIGTERM)
    assert not any(runs(pid) for pid in workers)
    assert "Traceback" not in here.gateway.log()
    session.close()


def test_a_stop_lets_a_transfer_come_to_its_end(tmp_path: Path) -> None:
    mail = b"Subject: big\r\n\r\n" + b"0123456789abcdef\r\n" * 1_000_000
    mailbox = tmp_path / "mail" / "mailboxes" / "example.com" / "tom"
    mailbox.mkdir(parents=True)
    (mailbox / "big").write_bytes(mail)
    with crew(tmp_path) as here:
        session = here.pop(TOM)
        session._putcmd("RETR 1")  # type: ignore[attr-defined]
        session._getresp()  # type: ignore[attr-defined]
        here.gateway.signal(signal.SIGTERM)
        wait_until(lambda: not answers(here.gateway.ports[0]), seconds=20, what=here.gateway.log)
        octets = 0
        while (line := session.file.readline()) != b".\r\n":
            assert line, "cut off"
            octets += len(line)
        assert octets == len(mail)
        assert here.gateway.wait_until_it_ends(60) in (0, -signal.SIGTERM)
        session.close()


def test_a_worker_that_is_stuck_is_killed_and_started_again(tmp_path: Path) -> None:
    with crew(tmp_path, environment={"WATCHDOG_USEC": "3000000"}) as here:
        stuck = here.workers()[0]
        os.kill(stuck, signal.SIGSTOP)
        wait_until(lambda: stuck not in here.workers(), seconds=30, what=here.gateway.log)
        here.wait_until_they_serve(3)
        assert can_log_in(here)

"""UNIX sockets of the gateway: who may connect, and what was there before."""

from __future__ import annotations

import fcntl
import grp
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import maybeDeferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from sesmail.service import unixsockets
from sesmail.service.listeners import BadEndpoint, Listener
from sesmail.service.unixsockets import UnixSockets
from tests.service.tls import EchoFactory, reactor

LEFT_BEHIND = """
import os, signal, socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen(1)
os.kill(os.getpid(), signal.SIGKILL)
"""

# As systemd starts a service: its socket is descriptor 3, and the environment says so.
BY_SYSTEMD = """
import os, socket, sys
made = socket.socket(socket.AF_UNIX)
made.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o620)
made.listen(5)
if made.fileno() != 3:
    os.dup2(made.fileno(), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="lmtp")
from twisted.internet import reactor
from sesmail.service.listeners import Listener
from tests.service.tls import EchoFactory
listener = Listener(reactor, "systemd:domain=UNIX:index=0", EchoFactory())
listener.startService()
reactor.addSystemEventTrigger("before", "shutdown", listener.stopService)
reactor.callWhenRunning(print, "ready", flush=True)
reactor.run()
"""
ROOT = Path(__file__).parents[2]


def test_a_socket_of_systemd_is_served_and_keeps_its_mode_and_its_file(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    command = [sys.executable, "-c", BY_SYSTEMD, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o620
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(20)
                client.connect(str(path))
                client.sendall(b"echo")
                assert client.recv(4) == b"echo"
        process.terminate()
        process.wait(20)
    assert stat.S_IMODE(path.stat().st_mode) == 0o620


class UnixSocketTest(TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "lmtp"

    def listener(self, arguments: str = "", **options: Any) -> Listener:
        return Listener(reactor, f"unix:{self.path}{arguments}", EchoFactory(), **options)

    def start(self, arguments: str = "", **options: Any) -> Listener:
        listener = self.listener(arguments, **options)
        listener.startService()
        self.addCleanup(listener.stopService)
        return listener

    def mode(self) -> int:
        return stat.S_IMODE(self.path.stat().st_mode)

    def echo(self) -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(str(self.path))
            client.sendall(b"echo")
            return client.recv(4)

    def refused(self, *options: Any, **more: Any) -> str:
        with self.assertLogs("sesmail.service.listeners", "CRITICAL") as logs, self.assertRaises(SystemExit):
            self.listener(*options, **more).startService()
        (line,) = logs.output
        return line

    async def test_it_is_served_and_gone_after_a_stop(self) -> None:
        listener = self.start()
        self.assertEqual(await deferToThread(self.echo), b"echo")
        await listener.stopService()
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_its_mode_is_what_the_endpoint_says_or_else_its_protocol(self) -> None:
        self.start(":mode=620", mode="660")
        self.assertEqual(self.mode(), 0o620)

    def test_its_mode_without_a_word_of_the_endpoint(self) -> None:
        self.start(mode="660")
        self.assertEqual(self.mode(), 0o660)

    def test_its_group_is_the_one_that_was_asked_for(self) -> None:
        ours = grp.getgrall() if os.geteuid() == 0 else map(grp.getgrgid, os.getgroups())
        other = next(group for group in ours if group.gr_gid != os.getgid())
        self.start(group=other.gr_name, mode="660")
        self.assertEqual(self.path.stat().st_gid, other.gr_gid)
        self.assertEqual(self.mode(), 0o660)

    def test_nobody_else_may_connect_before_its_group_is_set(self) -> None:
        seen: list[int] = []
        give = unixsockets._give

        def look(path: str, group: int) -> None:
            seen.append(self.mode())
            give(path, group)

        umask = os.umask(0)
        try:
            with patch.object(unixsockets, "_give", look):
                self.start(group=grp.getgrgid(os.getgid()).gr_name, mode="666")
        finally:
            os.umask(umask)
        self.assertEqual((seen, self.mode()), ([0o600], 0o666))

    def test_a_group_that_is_not_there_is_refused(self) -> None:
        with self.assertRaisesRegex(BadEndpoint, "there is no group no-such-group"):
            self.listener(group="no-such-group")

    def test_a_group_that_may_not_be_given_ends_the_start(self) -> None:
        with patch.object(os, "chown", side_effect=PermissionError(1, "Operation not permitted")):
            self.assertIn("this user has to be in that group", self.refused(group=grp.getgrgid(os.getgid()).gr_name))

    async def test_a_socket_that_was_lent_takes_connections_for_whoever_serves_it_next(self) -> None:
        with socket.socket(socket.AF_UNIX) as theirs, socket.socket(socket.AF_UNIX) as client:
            theirs.bind(str(self.path))
            theirs.listen(5)
            port = UnixSockets(reactor).adoptStreamPort(theirs.fileno(), socket.AF_UNIX, EchoFactory())
            await maybeDeferred(port.stopListening)
            client.connect(str(self.path))
            theirs.setblocking(False)
            theirs.accept()[0].close()

    async def test_what_a_killed_process_left_is_replaced(self) -> None:
        dead = await deferToThread(subprocess.run, [sys.executable, "-c", LEFT_BEHIND, str(self.path)], check=False)
        self.assertEqual(dead.returncode, -signal.SIGKILL)
        self.assertTrue(self.path.is_socket())
        self.start()
        self.assertEqual(await deferToThread(self.echo), b"echo")

    def test_what_a_version_before_this_one_locked_is_replaced(self) -> None:
        # With its own process id, which is what a container gives each time.
        (self.folder / "lmtp.lock").symlink_to(str(os.getpid()))
        self.start()

    async def test_a_socket_that_is_in_use_ends_the_start_and_stays_in_use(self) -> None:
        self.start()
        self.assertIn("another process listens on this socket", self.refused())
        self.assertEqual(await deferToThread(self.echo), b"echo")

    def test_a_socket_whose_queue_is_full_is_in_use(self) -> None:
        with socket.socket(socket.AF_UNIX) as busy:
            busy.bind(str(self.path))
            busy.listen(0)
            for _ in range(5):
                client = socket.socket(socket.AF_UNIX)
                self.addCleanup(client.close)
                client.setblocking(False)
                client.connect_ex(str(self.path))
            self.assertIn("another process listens", self.refused())
        self.assertTrue(self.path.is_socket())

    def test_any_other_file_ends_the_start_and_stays(self) -> None:
        self.path.write_text("precious")
        self.assertIn("it is no socket", self.refused())
        self.assertEqual(self.path.read_text(), "precious")

    def test_a_link_to_a_socket_ends_the_start(self) -> None:
        self.path.symlink_to(self.folder / "elsewhere")
        self.assertIn("it is no socket", self.refused())

    def test_who_starts_waits_for_another_who_starts_but_not_for_ever(self) -> None:
        fd = os.open(self.folder, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        fcntl.flock(fd, fcntl.LOCK_EX)
        with patch.object(unixsockets, "LOCK_SECONDS", 0.05):
            self.assertIn("another process has locked the folder", self.refused())
        fcntl.flock(fd, fcntl.LOCK_UN)
        self.start()

    def test_a_path_that_is_too_long_ends_the_start(self) -> None:
        self.path = self.folder / ("x" * 120)
        self.assertIn("too long", self.refused())

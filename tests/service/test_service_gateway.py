"""The gateway as a process: how it starts, what signals do to it, and how it ends."""

from __future__ import annotations

import contextlib
import poplib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sesmail.service.demo import PASSWORD, fill
from tests.servers.certificates import Authority
from tests.servers.gateway import Gateway, running
from tests.servers.ports import free_port, free_ports
from tests.service.tls import serial, shown, trusting

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
USER = "demo@example.com"
BIG = 40 << 20


class Served:
    """A running gateway over a filled store, with a certificate of a private authority."""

    def __init__(self, gateway: Gateway, folder: Path, authority: Authority) -> None:
        self.gateway = gateway
        self.folder = folder
        self.authority = authority
        self.stls, self.tls = gateway.ports

    def login(self, user: str = USER, password: str = PASSWORD) -> poplib.POP3_SSL:
        pop = poplib.POP3_SSL("localhost", self.tls, context=trusting(self.authority.certificate), timeout=20)
        pop.user(user)
        pop.pass_(password)
        return pop


@contextlib.contextmanager
def serving(folder: Path, **sections: Any) -> Iterator[Served]:
    authority = Authority(folder)
    issued = authority.issue("localhost")
    shutil.copy(issued.certificate, folder / "live.pem")
    shutil.copy(issued.key, folder / "live.key")
    mail = folder / "mail"
    mail.mkdir()
    fill(mail)
    first, second = free_ports(2)
    config: dict[str, Any] = {
        "storage": {"url": mail.as_uri()},
        "tls": {
            "certificates": [{"certificate": str(folder / "live.pem"), "key": str(folder / "live.key")}],
            "reload_seconds": 3600,
        },
        "pop3": {
            "listeners": [
                {"endpoint": f"tcp:{first}:interface=127.0.0.1", "tls": "starttls"},
                {"endpoint": f"tcp:{second}:interface=127.0.0.1", "tls": "implicit"},
            ],
            "strike_delay": 0.05,
        },
    }
    for name, options in sections.items():
        config[name] = {**config.get(name, {}), **options}
    with running(config) as gateway:
        yield Served(gateway, folder, authority)


def test_mail_is_read_over_pop3s_and_over_stls(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        pop = served.login()
        count, octets = pop.stat()
        pop.quit()
        plain = poplib.POP3("localhost", served.stls, timeout=20)
        plain.stls(context=trusting(served.authority.certificate))
        plain.user(USER)
        plain.pass_(PASSWORD)
        assert plain.stat() == (count, octets)
        assert count > 30
        assert b"Subject: Welcome to sesmail" in plain.retr(1)[1]
        plain.quit()
        assert served.gateway.stop() == -signal.SIGTERM


def test_configured_users_have_mailboxes_of_their_own(tmp_path: Path) -> None:
    users = [
        {"name": "owner", "password": "own pass", "prefix": "mailboxes/example.com/demo/"},
        {"name": "ann@example.com", "password": "hers"},
    ]
    with serving(tmp_path, auth={"users": users}, mailboxes={"domains": ["example.com"]}) as served:
        owner = served.login("Owner", "own pass")
        ann = served.login("ANN@example.com", "hers")
        assert owner.stat()[0] > 30
        assert ann.stat() == (0, 0)
        ann.quit()
        owner.quit()


def test_a_wrong_password_an_unknown_user_and_an_unsafe_name_are_told_the_same(tmp_path: Path) -> None:
    with serving(tmp_path, pop3={"strikes": 10}) as served:
        said = set()
        for user in (USER, "nobody@example.com", "demo@other.example", "../demo@example.com", "a/b@example.com"):
            with pytest.raises(poplib.error_proto) as caught:
                served.login(user, "wrong")
            said.add(str(caught.value))
        assert said == {str(poplib.error_proto(b"-ERR [AUTH] invalid login or password"))}
        assert "wrong" not in served.gateway.log()


def test_a_store_that_is_gone_is_temporary_and_no_wrong_password(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        (tmp_path / "mail").rename(tmp_path / "gone")
        with pytest.raises(poplib.error_proto, match=re.escape("[SYS/TEMP]")):
            served.login()


def test_deleted_mail_is_gone_when_quit_was_answered(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        mailbox = tmp_path / "mail/mailboxes/example.com/demo"
        before = len(list(mailbox.iterdir()))
        pop = served.login()
        pop.dele(1)
        pop.dele(3)
        assert len(list(mailbox.iterdir())) == before
        assert pop.quit().startswith(b"+OK")
        assert len(list(mailbox.iterdir())) == before - 2


def test_a_hangup_loads_new_certificates_and_ends_no_session(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        session = served.login()
        renewed = served.authority.issue("localhost")
        shutil.copy(renewed.certificate, tmp_path / "live.pem")
        shutil.copy(renewed.key, tmp_path / "live.key")
        served.gateway.signal(signal.SIGHUP)
        served.gateway.wait_for_log("certificates loaded: 1")
        assert _serial(served) == serial(renewed.certificate)
        assert session.stat()[0] > 30
        session.quit()


def test_a_hangup_with_a_bad_certificate_keeps_the_old_one(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        before = _serial(served)
        (tmp_path / "live.key").write_text("nothing\n")
        served.gateway.signal(signal.SIGHUP)
        served.gateway.wait_for_log(r"tls\.certificates\[0\]\.key: .*live\.key holds no PEM of a private key")
        served.gateway.wait_for_log("nothing was reloaded: everything stays as it was")
        assert _serial(served) == before


def test_a_hangup_without_certificates_ends_nothing(tmp_path: Path) -> None:
    port = free_port()
    listener = {"endpoint": f"tcp:{port}:interface=127.0.0.1", "tls": "none"}
    with running({"pop3": {"listeners": [listener]}}) as gateway:
        gateway.signal(signal.SIGHUP)
        gateway.wait_for_log("reloaded; changed in the configuration: nothing")
        assert poplib.POP3("127.0.0.1", port, timeout=20).getwelcome().startswith(b"+OK")


def test_there_is_room_for_as_many_files_as_connections(tmp_path: Path) -> None:
    with serving(tmp_path, limits={"connections": 3000}) as served:
        limits = Path(f"/proc/{served.gateway.pid}/limits").read_text()
        found = re.search(r"Max open files +(\d+)", limits)
        assert found
        assert int(found[1]) >= 3000


def test_changed_certificates_are_found_without_a_signal(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.gateway.stop()
    shutil.rmtree(tmp_path / "mail")
    pair = {"certificate": str(tmp_path / "live.pem"), "key": str(tmp_path / "live.key")}
    with serving(tmp_path, tls={"certificates": [pair], "reload_seconds": 1}) as served:
        renewed = served.authority.issue("localhost")
        shutil.copy(renewed.certificate, tmp_path / "live.pem")
        shutil.copy(renewed.key, tmp_path / "live.key")
        served.gateway.wait_for_log("certificates loaded: 1")
        assert _serial(served) == serial(renewed.certificate)


def _serial(served: Served) -> int:
    context = trusting(served.authority.certificate)
    with (
        socket.create_connection(("127.0.0.1", served.tls), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        return shown(tls).serial


class Fetch(threading.Thread):
    """Fetches one message over TLS, slowly at first: it reads on only when it is told to."""

    def __init__(self, served: Served, number: int) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.begun = threading.Event()
        self.received = bytearray()
        self._served = served
        self._number = number

    def run(self) -> None:
        context = trusting(self._served.authority.certificate)
        with (
            socket.create_connection(("127.0.0.1", self._served.tls), 30) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as tls,
        ):
            lines = f"USER {USER}\r\nPASS {PASSWORD}\r\nRETR {self._number}\r\n"
            tls.sendall(lines.encode())
            while len(self.received) < 1 << 20:
                self.received += tls.recv(1 << 16)
            self.begun.set()
            self.go_on.wait(30)
            with contextlib.suppress(ssl.SSLError, ConnectionError):
                while piece := tls.recv(1 << 16):
                    self.received += piece


def _big_message(folder: Path) -> int:
    mailbox = folder / "mail/mailboxes/example.com/demo"
    (mailbox / "big").write_bytes(b"Subject: big\r\n\r\n" + (b"x" * 76 + b"\r\n") * (BIG // 78))
    return len(list(mailbox.iterdir()))


def test_a_stop_lets_a_transfer_finish_and_takes_nobody_new(tmp_path: Path) -> None:
    with serving(tmp_path, service={"drain": 30, "state_dir": str(tmp_path / "state")}) as served:
        fetch = Fetch(served, _big_message(tmp_path))
        fetch.start()
        assert fetch.begun.wait(30)
        served.gateway.signal(signal.SIGTERM)
        served.gateway.wait_for_log("stopping")
        with pytest.raises(ConnectionRefusedError):
            _until_refused(served.tls)
        assert served.gateway.ended is None
        fetch.go_on.set()
        fetch.join(60)
        assert fetch.received.endswith(b"x\r\n.\r\n")
        assert served.gateway.stop() == -signal.SIGTERM


def test_a_stop_waits_for_a_transfer_only_so_long(tmp_path: Path) -> None:
    with serving(tmp_path, service={"drain": 1, "state_dir": str(tmp_path / "state")}) as served:
        fetch = Fetch(served, _big_message(tmp_path))
        fetch.start()
        assert fetch.begun.wait(30)
        began = time.monotonic()
        assert served.gateway.stop() == -signal.SIGTERM
        assert 0.9 < time.monotonic() - began < 10
        fetch.go_on.set()
        fetch.join(60)
        assert not fetch.received.endswith(b"\r\n.\r\n")


def test_a_stop_does_not_wait_for_idle_sessions(tmp_path: Path) -> None:
    with serving(tmp_path, service={"drain": 30, "state_dir": str(tmp_path / "state")}) as served:
        idle = poplib.POP3("127.0.0.1", served.stls, timeout=20)
        idle.user(USER)
        idle.pass_(PASSWORD)
        began = time.monotonic()
        assert served.gateway.stop() == -signal.SIGTERM
        assert time.monotonic() - began < 10
        idle.close()


def test_a_stop_does_not_wait_for_a_client_under_tls_that_says_no_goodbye(tmp_path: Path) -> None:
    with serving(tmp_path, service={"drain": 30, "state_dir": str(tmp_path / "state")}) as served:
        context = trusting(served.authority.certificate)
        with (
            socket.create_connection(("127.0.0.1", served.tls), 10) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as tls,
        ):
            assert tls.recv(100).startswith(b"+OK")
            began = time.monotonic()
            assert served.gateway.stop() == -signal.SIGTERM
            assert time.monotonic() - began < 10


def _until_refused(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        socket.create_connection(("127.0.0.1", port), 5).close()
        time.sleep(0.02)


def twistd(*args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BIN / "twistd", *map(str, args)], capture_output=True, text=True, timeout=60, check=False)


def start(config: Path) -> subprocess.CompletedProcess[str]:
    return twistd("-n", "--pidfile=", "sesmail", "--config", config)


def test_a_bad_configuration_exits_78_and_says_where(tmp_path: Path) -> None:
    config = tmp_path / "sesmail.yaml"
    config.write_text("pop3:\n  lisseners: []\n")
    ended = start(config)
    assert ended.returncode == 78
    assert ended.stderr.strip().startswith(f"{config}:2: pop3.lisseners: ")
    assert '"listeners"' in ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr


def test_a_missing_configuration_exits_78(tmp_path: Path) -> None:
    ended = start(tmp_path / "none.yaml")
    assert ended.returncode == 78
    assert "Traceback" not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("auth:\n  checkers: [nosuch]\n", "auth.checkers: there is no checker nosuch"),
        ("tls:\n  certificates: [{certificate: CERT, key: CERT}]\n", "is not"),
        ("pop3:\n  listeners: [{endpoint: 'systemd:domain=INET:name=nobody', tls: none}]\n", "pop3.listeners"),
    ],
)
def test_what_shows_only_at_the_start_exits_78_too(tmp_path: Path, text: str, said: str) -> None:
    pem = tmp_path / "cert.pem"
    pem.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n")
    config = tmp_path / "sesmail.yaml"
    config.write_text(text.replace("CERT", str(pem)) + f"service:\n  state_dir: {tmp_path}/state\n")
    ended = start(config)
    assert ended.returncode == 78
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "Traceback" not in ended.stdout + ended.stderr


def test_a_taken_port_exits_1_with_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
        config = tmp_path / "sesmail.yaml"
        config.write_text(
            f"pop3:\n  listeners: [{{endpoint: '{endpoint}', tls: none}}]\nservice:\n  state_dir: {tmp_path}/state\n"
        )
        ended = start(config)
    assert ended.returncode == 1
    said = [line for line in (ended.stdout + ended.stderr).splitlines() if "cannot listen" in line]
    assert len(said) == 1
    assert endpoint in said[0]
    assert "Traceback" not in ended.stdout + ended.stderr


def test_listing_plugins_imports_nothing_of_sesmail_but_the_plugin(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from twisted.application.service import IServiceMaker\n"
        "from twisted.plugin import getPlugins\n"
        "names = [plugin.tapname for plugin in getPlugins(IServiceMaker)]\n"
        "assert 'sesmail' in names, names\n"
        "heavy = [name for name in sys.modules if name.startswith(('sesmail', 'boto', 'yaml', 'OpenSSL', 'cryptography'))]\n"
        "assert not heavy, heavy\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr


def test_the_command_serve_is_the_same_for_people(tmp_path: Path) -> None:
    config = tmp_path / "sesmail.yaml"
    config.write_text("pop3:\n  lisseners: []\n")
    command = [sys.executable, "-m", "sesmail.cli.main", "serve", "--config", str(config)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 78
    assert f"{config}:2: pop3.lisseners: " in ended.stderr


def test_the_demo_serves_what_it_prints(tmp_path: Path) -> None:
    port, tls_port = free_port(), free_port()
    command = [sys.executable, "-m", "sesmail.cli.main", "demo", "--port", str(port), "--tls-port", str(tls_port)]
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log) as demo:
        try:
            _until(lambda: f"listening on tcp:{tls_port}" in (tmp_path / "log").read_text())
            printed = (tmp_path / "log").read_text()
            lines = re.findall(r"^  (curl .*)$", printed, re.MULTILINE)
            assert len(lines) == 3
            for line in lines:
                fetched = subprocess.run([*line.split(), "-sS"], capture_output=True, timeout=60, check=True)
                assert fetched.stdout
            assert demo.poll() is None
        finally:
            demo.terminate()
            demo.wait(30)


def _until(true: Any) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)

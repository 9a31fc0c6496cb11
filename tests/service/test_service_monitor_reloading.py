"""The doors for monitoring, changed while the gateway runs: the first is added and the last taken away, and nobody restarts it."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.servers.certificates import Authority
from tests.servers.ports import answers, free_port, free_ports, wait_until
from tests.service.crew.crews import crew
from tests.service.house import House, opened
from tests.service.tls import trusting

RELOADED, REFUSED = "reloaded; changed in the configuration: ", "nothing was reloaded: everything stays as it was"


class Changing:
    """A running gateway of so many workers, whose section monitor changes."""

    def __init__(self, house: House, workers: int) -> None:
        self.house = house
        self.gateway = house.gateway
        # Workers tell of the end of a reload too, once it is good.
        self._told = 1 if workers == 1 else workers + 1
        self.processes = self._told
        self._at_first = yaml.safe_load(self.gateway.config_file.read_text())

    def begin_anew(self) -> None:
        """As it was started: without a door for monitoring."""
        self.change(**self._at_first, monitor={})

    def monitor(self, **given: Any) -> None:
        """Replace the section, and wait until all have taken it on."""
        self.change(monitor=given)

    def change(self, **sections: Any) -> None:
        """The same of any sections."""
        self._write(sections)
        self._hang_up(RELOADED, self._told)

    def refused(self, **sections: Any) -> str:
        """Replace these sections, wait until they are refused, and give the log."""
        self._write(sections)
        self._hang_up(REFUSED, 1)
        return self.gateway.log()

    def _write(self, sections: dict[str, Any]) -> None:
        before = yaml.safe_load(self.gateway.config_file.read_text())
        self.gateway.configure({**before, **sections})

    def _hang_up(self, said: str, times: int) -> None:
        before = self.gateway.log().count(said)
        self.gateway.signal(signal.SIGHUP)
        wait_until(lambda: self.gateway.log().count(said) >= before + times, seconds=30, what=self.gateway.log)

    def wait_until_closed(self, port: int) -> None:
        wait_until(lambda: not answers(port), seconds=20, what=self.gateway.log)


@pytest.fixture(scope="module", params=[1, 2], ids=["alone", "two-workers"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Changing]:
    folder = tmp_path_factory.mktemp("monitor")
    if request.param == 1:
        with opened(folder) as house:
            yield Changing(house, 1)
    else:
        with crew(folder, request.param) as found:
            yield Changing(found.house, request.param)


@pytest.fixture
def here(running: Changing) -> Iterator[Changing]:
    """Without a door for monitoring."""
    yield running
    running.begin_anew()


def door(port: int, **more: Any) -> dict[str, Any]:
    return {"endpoint": f"tcp:{port}:interface=127.0.0.1", **more}


def asked(port: int, path: str, context: ssl.SSLContext | None = None) -> tuple[int, str]:
    """Status and content."""
    scheme, host = ("https", "localhost") if context else ("http", "127.0.0.1")
    try:
        with urllib.request.urlopen(f"{scheme}://{host}:{port}{path}", timeout=20, context=context) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_first_door_comes_by_a_reload_another_follows_and_the_last_one_goes(here: Changing) -> None:
    first, second = free_ports(2)
    here.monitor(listeners=[door(first)])
    assert asked(first, "/healthz")[0] == 200
    # Each process has told its own.
    counted = f"\nsesmail_processes {here.processes}.0\n"
    wait_until(lambda: counted in asked(first, "/metrics")[1], seconds=10, what=here.gateway.log)
    assert json.loads(asked(first, "/readyz")[1])["ready"] is True
    here.monitor(listeners=[door(first), door(second)])
    assert asked(second, "/metrics")[0] == asked(first, "/metrics")[0] == 200
    here.monitor(listeners=[door(second)])
    here.wait_until_closed(first)
    assert asked(second, "/readyz/disk")[0] == 200
    here.monitor(listeners=[])
    here.wait_until_closed(second)
    here.monitor(listeners=[door(first)])
    assert asked(first, "/readyz/storage")[0] == 200
    assert "only a restart" not in here.gateway.log()
    assert "Traceback" not in here.gateway.log()
    assert here.house.mailbox("tom@example.com") == []


def test_a_connection_of_a_door_that_is_taken_away_goes_on(here: Changing) -> None:
    port = free_port()
    here.monitor(listeners=[door(port)])
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        here.monitor(listeners=[])
        here.wait_until_closed(port)
        connection.sendall(b"Connection: close\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_door_begins_with_tls_by_a_reload_and_shows_new_certificates_by_the_next(here: Changing) -> None:
    port = free_port()
    context = trusting(here.house.authority)
    here.monitor(listeners=[door(port)])
    here.monitor(listeners=[door(port, tls="implicit")])
    assert asked(port, "/healthz", context)[0] == 200
    assert here.gateway.log().count(f"listening on tcp:{port}:") == 1
    (here.house.folder / "other").mkdir()
    other = Authority(here.house.folder / "other")
    issued = other.issue("localhost")
    here.change(tls={"certificates": [{"certificate": str(issued.certificate), "key": str(issued.key)}]})
    assert asked(port, "/healthz", trusting(other.certificate))[0] == 200


def test_a_new_list_of_clients_counts_at_a_door_that_stays(here: Changing) -> None:
    port = free_port()
    proxied = {"endpoint": f"haproxy:tcp:{port}:interface=127.0.0.1", "trusted": ["127.0.0.1"]}

    def seen() -> bytes:
        with socket.create_connection(("127.0.0.1", port), 20) as connection:
            request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            connection.sendall(b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 9925\r\n" + request)
            return connection.recv(100)

    here.monitor(listeners=[proxied])
    assert seen().startswith(b"HTTP/1.1 403 ")
    here.monitor(listeners=[proxied], clients=["192.0.2.0/24"])
    assert seen().startswith(b"HTTP/1.1 200 ")
    here.monitor(listeners=[proxied])
    assert seen().startswith(b"HTTP/1.1 403 ")


def test_how_long_answers_are_believed_changes_at_once(here: Changing) -> None:
    port = free_port()
    here.monitor(listeners=[door(port)], ready_seconds=3600)
    assert asked(port, "/readyz/storage")[0] == 200
    mail = here.house.folder / "mail"
    mail.rename(mail.with_name("away"))
    assert asked(port, "/readyz/storage")[0] == 200
    here.monitor(listeners=[door(port)], ready_seconds=0.1, ready_timeout=20)
    assert asked(port, "/readyz/storage")[0] == 503
    mail.with_name("away").rename(mail)
    wait_until(lambda: asked(port, "/readyz/storage")[0] == 200, seconds=10, what=here.gateway.log)


def test_a_door_whose_port_is_taken_is_refused_with_all_the_rest(here: Changing) -> None:
    stays, mail = free_ports(2)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        here.refused(monitor={"listeners": [door(taken)]})
        here.monitor(listeners=[door(stays)])
        added = [door(here.gateway.ports[0], tls="implicit"), door(mail, tls="implicit")]
        log = here.refused(monitor={"listeners": [door(taken)]}, pop3={"listeners": added})
    assert f"monitor.listeners: cannot listen on tcp:{taken}:interface=127.0.0.1: " in log
    assert asked(stays, "/readyz/storage")[0] == 200
    here.wait_until_closed(mail)
    assert here.house.mailbox("tom@example.com") == []

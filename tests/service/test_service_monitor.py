"""What monitoring hears of a running gateway: every figure that the manual lists, and whether it reaches all that it needs."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import shutil
import smtplib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

import sesmail
from sesmail.counters import snapshot
from tests.servers.certificates import Authority
from tests.servers.gateway import running
from tests.servers.ports import free_ports, wait_until
from tests.service.house import ANN, TOM, House, config, opened
from tests.service.tls import trusting

_ROOT = Path(__file__).parents[2]
MANUAL = (_ROOT / "docs" / "metrics.rst").read_text()
# A gateway of one process need not have them.
_OF_PARENTS = {"sesmail_workers", "sesmail_workers_ended_total"}


@dataclass
class Watched:
    """A gateway, and where its door for monitoring is."""

    house: House
    port: int

    def ask(self, path: str, accept: str = "*/*") -> tuple[int, str]:
        """Status and content."""
        return ask(self.port, path, accept)

    def families(self) -> list[Metric]:
        """What /metrics tells."""
        code, said = self.ask("/metrics")
        assert code == 200
        return list(text_string_to_metric_families(said))

    def figures(self) -> dict[tuple[str, ...], float]:
        """Samples by name and label values."""
        return {(one.name, *one.labels.values()): one.value for family in self.families() for one in family.samples}

    def ready(self, of: str = "") -> tuple[int, dict[str, Any]]:
        """What /readyz tells."""
        code, said = self.ask(f"/readyz{of}")
        return code, json.loads(said)

    def wait_for(self, code: int) -> None:
        """Until /readyz answers so."""
        wait_until(lambda: self.ready()[0] == code, seconds=10, what=self.house.gateway.log)


def ask(port: int, path: str, accept: str = "*/*") -> tuple[int, str]:
    """Status and content of an answer of the door at this port."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@contextmanager
def watching(folder: Path, **sections: Any) -> Iterator[Watched]:
    """A gateway that believes for a tenth of a second what it was told of readiness."""
    (port,) = free_ports(1)
    folder.mkdir()
    monitor = {"listeners": [{"endpoint": f"tcp:{port}:interface=127.0.0.1"}], "ready_seconds": 0.1}
    with opened(folder, monitor=monitor, **sections) as house:
        yield Watched(house, port)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watching(tmp_path_factory.mktemp("monitor") / "house") as found:
        yield found


def everything() -> dict[str, dict[str, Any]]:
    """All families that any module of the program declares."""
    for module in pkgutil.walk_packages(sesmail.__path__, "sesmail."):
        importlib.import_module(module.name)
    return {name: family for name, family in snapshot().items() if name.startswith("sesmail_")}


def entry(name: str, family: dict[str, Any]) -> str:
    """A family in the manual."""
    labels = f" by {', '.join(family['labels'])}" if family["labels"] else ""
    return f"``{name}`` ({family['kind']}{labels})\n    {family['help']}\n"


def test_the_manual_lists_what_the_program_counts_and_nothing_else() -> None:
    declared = everything()
    for name, family in declared.items():
        assert entry(name, family) in MANUAL
    assert sorted(re.findall(r"^``(sesmail_\w+)`` \(", MANUAL, re.MULTILINE)) == sorted(declared)


def test_a_running_gateway_tells_what_the_manual_lists(watched: Watched) -> None:
    told = {f"{one.name}_total" if one.type == "counter" else one.name: one for one in watched.families()}
    assert set(told) | _OF_PARENTS == set(re.findall(r"^``(sesmail_\w+)`` \(", MANUAL, re.MULTILINE))
    for name, family in told.items():
        found = re.search(rf"^``{name}`` \((\w+).*\)\n    (.*)$", MANUAL, re.MULTILINE)
        assert found is not None
        assert (family.type, family.documentation) == (found[1], found[2])


def test_a_message_is_counted_at_every_step(watched: Watched) -> None:
    before = watched.figures()
    with watched.house.smtp() as smtp:
        smtp.sendmail(TOM, [ANN, "friend@elsewhere.example"], b"Subject: counted\r\n\r\nbody\r\n")
    watched.house.wait_for_mail(ANN, b"Subject: counted")
    after = watched.figures()
    steps = [
        ("sesmail_sessions_total", "submission"),
        ("sesmail_logins_total", "submission", "good"),
        ("sesmail_fates_total", "accepted"),
        ("sesmail_relay_attempts_total", "first"),
        ("sesmail_fates_total", "sorted"),
        ("sesmail_logins_total", "pop3s", "good"),
        ("sesmail_mailbox_listing_seconds_count",),
        ("sesmail_pop3_retrieved_total",),
        ("sesmail_fates_total", "retrieved"),
    ]
    assert [step for step in steps if after[step] <= before.get(step, 0)] == []
    answered = ("sesmail_relay_recipients_total", "first", "accepted")
    assert after[answered] == before[answered] + 2
    assert after[("sesmail_pop3_retrieved_octets_total",)] > before[("sesmail_pop3_retrieved_octets_total",)] + 20


def test_a_refused_login_is_counted_by_its_reason(watched: Watched) -> None:
    refused = ("sesmail_logins_total", "submission", "BadLogin")
    before = watched.figures().get(refused, 0)
    with watched.house.connected() as smtp:
        smtp.starttls(context=trusting(watched.house.authority))
        with pytest.raises(smtplib.SMTPAuthenticationError):
            smtp.login(TOM, "wrong")
    # The client tries each mechanism that it knows.
    assert watched.figures()[refused] > before


def test_sessions_are_open_while_they_are(watched: Watched) -> None:
    open_now = ("sesmail_sessions", "submission")

    def are_open(count: int) -> bool:
        return watched.figures().get(open_now, 0) == count

    wait_until(lambda: are_open(0), seconds=10, what=watched.house.gateway.log)
    with watched.house.connected() as smtp:
        smtp.ehlo()
        assert are_open(1)
    wait_until(lambda: are_open(0), seconds=10, what=watched.house.gateway.log)


def test_certificate_spool_and_process_are_told(watched: Watched) -> None:
    figures = watched.figures()
    assert figures[("sesmail_certificate_expiry_seconds",)] > figures[("sesmail_start_time_seconds",)]
    assert figures[("sesmail_spool_messages",)] == 0
    assert figures[("sesmail_process_resident_bytes",)] > 10e6
    assert figures[("sesmail_processes",)] == 1
    assert 0 <= figures[("sesmail_reactor_delay_seconds",)] < 30


def test_openmetrics_is_spoken_to_those_who_ask_for_it(watched: Watched) -> None:
    assert watched.ask("/metrics", "application/openmetrics-text; version=1.0.0")[1].endswith("# EOF\n")


def test_it_lives_and_is_ready(watched: Watched) -> None:
    assert watched.ask("/healthz") == (200, "200 OK\n")
    assert watched.ready() == (200, {"ready": True, "storage": "ok", "disk": "ok"})


@pytest.mark.parametrize(("gone", "of"), [("mail", "storage"), ("state", "disk")])
def test_it_is_not_ready_while_something_is_gone_and_again_when_it_is_back(watched: Watched, gone: str, of: str) -> None:
    folder = watched.house.folder / gone
    away = folder.with_name("away")
    shutil.move(folder, away)
    try:
        watched.wait_for(503)
        code, said = watched.ready(f"/{of}")
        assert (code, said["ready"], set(said)) == (503, False, {"ready", of})
        assert "FileNotFoundError" in said[of]
        assert watched.ask("/healthz")[0] == 200
        watched.house.gateway.wait_for_log(f"readiness of {of}: ")
    finally:
        shutil.move(away, folder)
    watched.wait_for(200)


def test_without_the_library_it_starts_warns_and_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['prometheus_client'] = None\n")
    (port,) = free_ports(1)
    given = config(tmp_path, Authority(tmp_path), monitor={"listeners": [{"endpoint": f"tcp:{port}:interface=127.0.0.1"}]})
    with running(given, environment={"PYTHONPATH": f"{tmp_path}:{_ROOT}"}) as gateway:
        gateway.wait_for_log("/metrics answers nothing: prometheus-client is not installed")
        code, said = ask(port, "/metrics")
        assert (code, "pip install 'sesmail[metrics]'" in said) == (501, True)
        assert ask(port, "/healthz")[0] == 200

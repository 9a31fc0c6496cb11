"""Monitoring asks one process, and hears of all."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.servers.ports import free_port, wait_until
from tests.service.crew.crews import Crew, crew

PORT = free_port()


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Crew]:
    monitor = {"listeners": [{"endpoint": f"tcp:{PORT}:interface=127.0.0.1"}], "ready_seconds": 0.1}
    with crew(tmp_path, monitor=monitor) as found:
        yield found


def asked(path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}{path}", timeout=20) as answer:
        return str(answer.read().decode())


def figure(name: str) -> float:
    """The sum of its samples."""
    families = text_string_to_metric_families(asked("/metrics"))
    return sum(float(sample.value) for family in families for sample in family.samples if sample.name == name)


def test_figures_are_those_of_all_processes_and_outlive_a_worker(here: Crew) -> None:
    for _ in range(10):
        here.pop().quit()
    wait_until(lambda: figure("sesmail_logins_total") == 10, seconds=20, what=lambda: asked("/metrics"))
    assert (figure("sesmail_workers"), figure("sesmail_processes")) == (2, 3)
    os.kill(here.workers()[0], signal.SIGKILL)
    here.wait_until_they_serve(3)
    wait_until(lambda: figure("sesmail_workers") == 2, seconds=20, what=lambda: asked("/metrics"))
    assert figure("sesmail_logins_total") == 10
    assert figure("sesmail_workers_ended_total") == 1


def test_it_is_ready_when_a_worker_serves(here: Crew) -> None:
    said = json.loads(asked("/readyz"))
    assert (said["ready"], said["workers"]) == (True, "ok"), said
    assert asked("/healthz").startswith("200 ")

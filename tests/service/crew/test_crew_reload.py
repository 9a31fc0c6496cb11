"""One reload for all workers: it is taken on by all of them or by none, and ends no session."""

from __future__ import annotations

import os
import poplib
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers.ports import answers, free_port, wait_until
from tests.service.crew.crews import Crew, crew
from tests.service.house import ANN, PASSWORD, TOM
from tests.service.tls import trusting

NEW = "another horse"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Crew]:
    with crew(tmp_path) as found:
        yield found


def changed(here: Crew, **sections: Any) -> dict[str, Any]:
    """The configuration of the running gateway with these sections over it."""
    made: dict[str, Any] = yaml.safe_load(here.gateway.config_file.read_text())
    for name, options in sections.items():
        made[name] = {**made.get(name, {}), **options}
    return made


def reload(here: Crew, config: dict[str, Any] | str, times: int = 1) -> None:
    """Returns when all workers have taken it on, or nobody has."""
    if isinstance(config, str):
        here.gateway.config_file.write_text(config)
    else:
        here.gateway.configure(config)
    here.gateway.signal(signal.SIGHUP)
    # By the parent, then by each worker.
    ended = r"(?m)reloaded; changed in the configuration|everything stays as it was"
    if isinstance(config, str):
        here.gateway.wait_for_log("everything stays as it was")
    else:
        wait_until(lambda: len(_found(here, ended)) >= 3 * times, seconds=30, what=here.gateway.log)


def _found(here: Crew, pattern: str) -> list[str]:
    return re.findall(pattern, here.gateway.log())


def people(here: Crew, password: str) -> list[dict[str, str]]:
    return [{"name": name, "password": password, "prefix": f"{name}/"} for name in (TOM, ANN)]


def test_all_workers_take_on_a_new_password_and_sessions_go_on(here: Crew) -> None:
    sessions = [here.connected() for _ in range(10)]
    reload(here, changed(here, auth={"users": people(here, NEW)}))
    for _ in range(10):
        here.pop(TOM, NEW).quit()
    with pytest.raises(poplib.error_proto, match="AUTH"):
        here.pop(TOM, PASSWORD)
    for session in sessions:
        assert session.capa()
        session.close()


def test_a_port_that_is_added_is_served_and_one_that_is_taken_away_is_closed(here: Crew) -> None:
    before, port = here.gateway.ports[0], free_port()
    session = here.pop()
    reload(here, changed(here, pop3={"listeners": [{"endpoint": f"tcp:{port}:interface=127.0.0.1", "tls": "implicit"}]}))
    context = trusting(here.house.authority)
    for _ in range(10):
        poplib.POP3_SSL("localhost", port, context=context, timeout=60).quit()
    wait_until(lambda: not answers(before), seconds=20, what=here.gateway.log)
    assert session.stat() == (0, 0)
    session.quit()


def test_a_bad_file_changes_nothing_not_even_for_a_worker_that_begins_after_it(here: Crew) -> None:
    reload(here, "pop3: {lisseners: []}")
    assert here.gateway.ended is None
    assert "lisseners" in here.gateway.log()
    os.kill(here.workers()[0], signal.SIGKILL)
    here.wait_until_they_serve(3)
    for _ in range(8):
        here.pop().quit()


def test_a_reload_that_wants_a_port_which_is_taken_changes_nothing(here: Crew) -> None:
    before = changed(here)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"tcp:{other.getsockname()[1]}:interface=127.0.0.1"
        wanted = changed(here, pop3={"listeners": [*before["pop3"]["listeners"], {"endpoint": taken, "tls": "implicit"}]})
        wanted["auth"]["users"] = people(here, NEW)
        here.gateway.configure(wanted)
        here.gateway.signal(signal.SIGHUP)
        here.gateway.wait_for_log("everything stays as it was")
    assert f"cannot listen on {taken}" in here.gateway.log()
    here.pop(TOM, PASSWORD).quit()


def test_an_address_of_a_listener_is_another_s_only_after_a_restart(here: Crew) -> None:
    other = {"endpoint": f"tcp:{here.gateway.ports[0]}:interface=127.0.0.1:backlog=7", "tls": "implicit"}
    here.gateway.configure(changed(here, pop3={"listeners": [other]}))
    here.gateway.signal(signal.SIGHUP)
    here.gateway.wait_for_log("everything stays as it was")
    here.pop(TOM, PASSWORD).quit()


def test_what_only_a_restart_takes_on_is_named_once(here: Crew) -> None:
    reload(here, changed(here, limits={"connections": 77}))
    assert here.gateway.log().count("limits.connections") == 1


def test_the_parent_logs_in_the_new_form_too(here: Crew) -> None:
    config = changed(here, log={"format": "json"})
    reload(here, config)
    before = len(here.gateway.log())
    reload(here, config, times=2)
    told = here.gateway.log()[before:].splitlines()
    assert [line for line in told if not line.startswith("{")] == []
    assert len([line for line in told if "reloaded" in line]) >= 3

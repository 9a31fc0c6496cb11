"""What is counted, locked and paced once for a gateway, asked of two real workers."""

from __future__ import annotations

import itertools
import os
import poplib
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.servers import ses as fake
from tests.servers.ports import wait_until
from tests.servers.sesknows import Fault
from tests.service.crew.crews import Crew, crew
from tests.service.house import ANN, PASSWORD, TOM, through

# Connections that are made so that both workers have some.
SEVERAL = 8
MOST = 30
RATE = 5.0

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def ses() -> Iterator[fake.Server]:
    with fake.running() as server:
        yield server


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, ses: fake.Server) -> Iterator[Crew]:
    sections = through(ses.endpoint)
    sections["relay"] |= {"rate": RATE}
    limits = {"connections": 2 * MOST, "connections_per_address": MOST}
    auth = {"throttle_account": 3, "throttle_wait": 60}
    folder = tmp_path_factory.mktemp("crew")
    with crew(
        folder, limits=limits, auth=auth, mailboxes={"lock_idle": 1}, submission={"account_rate": 40}, **sections
    ) as found:
        yield found


def submit(here: Crew, to: str = "eve@example.net", user: str = TOM) -> str:
    """The queue id or whatever the client hears."""
    head = f"From: {user}\r\nTo: {to}\r\nMessage-ID: <{next(_numbers)}@laptop>\r\n\r\nbody\r\n"
    with here.house.smtp(user) as smtp:
        smtp.mail(user)
        code, said = smtp.rcpt(to)
        if code == 250:
            code, said = smtp.data(head.encode())
    return f"{code} {said.decode()}"


def test_refused_logins_count_in_all_workers(here: Crew) -> None:
    for _ in range(3):
        with pytest.raises(poplib.error_proto, match="AUTH"):
            here.pop("adam", "wrong")
    for _ in range(SEVERAL):
        with pytest.raises(poplib.error_proto, match="LOGIN-DELAY"):
            here.pop("adam", PASSWORD)


def test_an_idle_session_in_one_worker_gives_way_to_a_newcomer_in_another(here: Crew) -> None:
    idle = [here.pop("ryan")]
    while len(idle) < SEVERAL:
        with pytest.raises(poplib.error_proto, match="IN-USE"):
            here.pop("ryan")
        wait_until(lambda: newcomer(here, idle), seconds=20, what=here.gateway.log)
    for session in idle:
        session.noop()
        session.quit()


def newcomer(here: Crew, idle: list[poplib.POP3_SSL]) -> bool:
    try:
        idle.append(here.pop("ryan"))
    except poplib.error_proto as error:
        if b"IN-USE" not in error.args[0]:
            raise
        return False
    return True


def test_an_account_has_one_share_of_recipients_in_all_workers(here: Crew, ses: fake.Server) -> None:
    ses.clear()
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda number: submit(here, f"{number}@example.net", ANN), range(41)))
    assert sum(one.startswith("250") for one in said) == 40
    [refused] = [one for one in said if not one.startswith("250")]
    assert refused.startswith("452 4.7.1")
    times = sorted(request.at for request in ses.requests())
    # A full bucket holds the recipients of one second.
    assert times[39] - times[0] >= (40 - RATE) / RATE - 0.5, "both workers together are no faster than one may be"
    assert sorted(sent.recipients[0] for sent in ses.wait_for(40)) == sorted(f"{number}@example.net" for number in range(40))


def test_what_any_worker_accepted_is_tried_again_and_sent_once(here: Crew, ses: fake.Server) -> None:
    ses.clear()
    ses.plant(Fault(code="ServiceUnavailableException", status=503, times=None))
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda number: submit(here, f"late{number}@example.net"), range(SEVERAL)))
    assert all("queued as" in one for one in said), said
    ses.heal()
    sent = ses.wait_for(SEVERAL)
    assert sorted(one.recipients[0] for one in sent) == sorted(f"late{number}@example.net" for number in range(SEVERAL))
    queue = here.house.folder / "state" / "spool" / "queue"
    wait_until(lambda: not list(queue.iterdir()), seconds=20, what=here.gateway.log)
    assert len(ses.sent) == SEVERAL


def test_connections_of_all_workers_count_together_and_those_of_a_killed_one_no_more(here: Crew) -> None:
    sessions: list[poplib.POP3_SSL] = []
    while (session := connected(here)) is not None:
        sessions.append(session)
    assert len(sessions) == MOST
    assert [connected(here) for _ in range(SEVERAL)] == [None] * SEVERAL
    os.kill(here.workers()[0], signal.SIGKILL)
    wait_until(lambda: connected(here) is not None, seconds=30, what=here.gateway.log)
    for session in sessions:
        session.close()


def connected(here: Crew) -> poplib.POP3_SSL | None:
    try:
        return here.connected()
    except (EOFError, OSError):
        return None

"""The command that a mail server starts hands over to the gateway that runs, and stores what it would have stored by itself."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.servers.ports import wait_until
from tests.service import house
from tests.service.house import TOM, House

ROOT = Path(__file__).parents[2]
USER, NOBODY = "user@host.example", "nobody@host.example"
RECEIVED = b"Received: by mx id 4XyZ; Wed, 18 Nov 2026 12:00:00 +0000\n"
MAIL = b"From: x@example.org\nSubject: hello\n\n.\n..body\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("deliver")
    lmtp = {"listeners": [{"endpoint": f"unix:{folder / 'socket'}"}], "max_size": 65536}
    mailboxes = [{"address": USER, "prefix": "dateTimeFormat(user/2006)"}]
    with house.opened(folder, lmtp=lmtp, deliver={"mailboxes": mailboxes}) as found:
        wait_until((folder / "socket").is_socket, seconds=30, what=found.gateway.log)
        yield found


def run(served: House, *words: str, mail: bytes = MAIL, by_gateway: bool = True) -> tuple[int, bytes]:
    config = served.folder / "own.yaml"
    found = yaml.safe_load(served.gateway.config_file.read_text())
    config.write_text(yaml.safe_dump(found if by_gateway else {**found, "lmtp": {"max_size": 65536}}))
    done = subprocess.run(
        [sys.executable, "-m", "sesmail.cli.deliver", "--config", str(config), *words],
        input=mail,
        capture_output=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert done.stderr == b""
    return done.returncode, done.stdout


def stored(served: House) -> dict[str, bytes]:
    root = served.folder / "mail"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_gateway_takes_what_is_for_a_mailbox_of_its_own_and_for_an_account(served: House) -> None:
    before = stored(served)
    assert run(served, "-a", USER, "-f", "x@example.org", mail=RECEIVED + MAIL) == (0, b"")
    ((key, data),) = stored(served).items() - before.items()
    assert key.startswith("user/2026/")
    assert data == (RECEIVED + MAIL).replace(b"\n", b"\r\n")
    assert "received sender=x@example.org recipients=1" in served.gateway.log()
    assert run(served, "-a", TOM) == (0, b"")
    assert served.wait_for_mail(TOM, b"..body\r\n").endswith(MAIL.replace(b"\n", b"\r\n"))


@pytest.mark.parametrize(
    "mail", [MAIL, RECEIVED + MAIL, RECEIVED + b"a\rb\n\r\n\r", RECEIVED + b"\r\n" + random.Random(7).randbytes(9000)]
)
@pytest.mark.parametrize("recipient", [USER, TOM])
def test_both_ways_store_it_under_the_same_key(served: House, mail: bytes, recipient: str) -> None:
    named = [] if mail.startswith(RECEIVED) else ["--queue-id", "5=a b"]
    before = set(stored(served))
    for by_gateway in (True, False, True, False):
        assert run(served, "-a", recipient.upper(), "-f", "Y@Example.org", *named, mail=mail, by_gateway=by_gateway) == (0, b"")
    assert len(set(stored(served)) - before) <= 1
    assert run(served, "-a", recipient, "--queue-id", f"{len(mail)}-other", mail=mail) == (0, b"")
    assert len(set(stored(served)) - before) >= 1


def test_what_was_sent_twice_without_a_queue_id_is_there_twice(served: House) -> None:
    before = len(stored(served))
    for _ in range(2):
        assert run(served, "-a", USER) == (0, b"")
    assert len(stored(served)) == before + 2


@pytest.mark.parametrize("by_gateway", [True, False])
def test_what_the_flags_of_pipe_have_written_is_there_once(served: House, by_gateway: bool) -> None:
    mail = f"Return-Path: <x@example.org>\nX-Original-To: {TOM}\nDelivered-To: {TOM}\nSubject: odr {by_gateway}\n\n".encode()
    assert run(served, f"-a={TOM}", "-f=x@example.org", mail=mail, by_gateway=by_gateway) == (0, b"")
    assert served.wait_for_mail(TOM, f"odr {by_gateway}".encode()) == mail.replace(b"\n", b"\r\n")


def test_its_refusals_are_exit_statuses(served: House) -> None:
    before = stored(served)
    assert run(served, "-a", NOBODY) == (67, b"5.1.1 no such mailbox\n")
    assert run(served, "-a", USER, "-a", NOBODY) == (67, b"5.1.1 no such mailbox\n")
    assert run(served, "-a", USER, mail=MAIL + b"x" * 65536) == (65, b"5.3.4 a message may have 65536 octets\n")
    assert stored(served) == before


def test_a_socket_that_nobody_answers_on_is_no_gateway(served: House) -> None:
    assert run(served, "-a", USER, "--socket", str(served.folder / "none")) == (0, b"")


def test_beside_a_gateway_neither_boto3_nor_twisted_nor_a_configuration_is_read(served: House) -> None:
    code = (
        "import sys\nfrom sesmail.cli.deliver import run\n"
        f"assert run(['-a', {USER!r}, '--socket', {str(served.folder / 'socket')!r}]) == 0\n"
        "print([name for name in ('twisted', 'boto3', 'botocore', 'yaml', 'sesmail.config') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=MAIL, cwd=ROOT, capture_output=True, env={**os.environ}, check=True, timeout=60
    )
    assert done.stdout == b"[]\n"

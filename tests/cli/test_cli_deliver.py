"""sesmail deliver as a mail server starts it: what it stores, what it says, and with which status it ends."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
USER, DATED, NOBODY = "user@host.example", "dated@host.example", "nobody@host.example"
MAIL = b"From: x@example.org\nSubject: hello\n\nbody\n"
STORED = MAIL.replace(b"\n", b"\r\n")


class Site:
    """A configuration with a directory for a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "store"
        self.store.mkdir()
        self.config: dict[str, Any] = {
            "storage": {"url": f"file://{self.store}"},
            "tls": {"self_signed": True},
            "service": {"state_dir": str(folder / "state")},
            "deliver": {
                "mailboxes": [
                    {"address": USER, "prefix": "user"},
                    {"address": DATED, "prefix": "dateTimeFormat(2006/01/02)"},
                    {"address": "CatchAll", "prefix": "rest"},
                ]
            },
        }

    def run(self, *words: str, mail: Any = MAIL, **more: Any) -> subprocess.CompletedProcess[bytes]:
        """The program, with the message by a pipe unless `stdin` says something else."""
        (self.folder / "sesmail.yaml").write_text(yaml.safe_dump(self.config))
        given = {"stdin": more["stdin"]} if "stdin" in more else {"input": mail}
        return subprocess.run(
            [sys.executable, "-m", "sesmail.cli.deliver", *words],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(self.folder), **more.get("environ", {})},
            capture_output=True,
            timeout=60,
            check=False,
            **given,
        )

    def stored(self, prefix: str = "") -> dict[str, bytes]:
        found = [path for path in (self.store / prefix).rglob("*") if path.is_file()]
        return {str(path.relative_to(self.store)): path.read_bytes() for path in found}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_message_is_stored_in_crlf_form_and_nothing_is_said(site: Site) -> None:
    done = site.run(f"-a={USER}", "-f=x@example.org")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    ((key, stored),) = site.stored().items()
    assert re.fullmatch(r"user/[0-9a-f]{40}", key)
    assert stored == STORED


@pytest.mark.parametrize("kind", ["file", "socket", "argument", "empty pipe and argument", "device and argument"])
def test_a_message_may_come_by_any_way(site: Site, kind: str) -> None:
    if kind == "file":
        (site.folder / "mail").write_bytes(MAIL)
        with (site.folder / "mail").open("rb") as file:
            done = site.run("-a", USER, stdin=file)
    elif kind == "socket":
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(MAIL)
            ours.shutdown(socket.SHUT_WR)
            done = site.run("-a", USER, stdin=theirs)
    elif kind == "device and argument":
        done = site.run("-a", USER, MAIL.decode(), stdin=subprocess.DEVNULL)
    else:
        done = site.run("-a", USER, MAIL.decode(), mail=b"")
    assert (done.returncode, done.stdout) == (0, b"")
    assert list(site.stored().values()) == [STORED]


def test_a_large_message_without_a_last_line_end_is_whole(site: Site) -> None:
    body = b"Subject: x\n\n" + b"0123456789\r" * 400_000
    assert site.run("-a", USER, mail=body).returncode == 0
    assert list(site.stored().values()) == [body.replace(b"\n", b"\r\n") + b"\r\n"]


def test_a_retry_is_there_once_and_each_message_by_itself_without_a_queue_id(site: Site) -> None:
    for _ in range(2):
        assert site.run("-a", USER, "--queue-id", "4XyZ").returncode == 0
    assert len(site.stored()) == 1
    assert site.run("-a", USER, "--queue-id", "4XyW").returncode == 0
    for _ in range(2):
        assert site.run("-a", USER).returncode == 0
    assert len(site.stored()) == 4


@pytest.mark.parametrize(("times", "days"), [(None, 1), ("local", 1), ("utc", 0)])
def test_a_dated_mailbox_has_a_folder_for_each_day_of_this_machine_or_of_utc(site: Site, times: str | None, days: int) -> None:
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0) - timedelta(days=2)
    traced = f"Received: by mx id 1; {format_datetime(noon)}\n".encode() + MAIL
    site.config["deliver"] |= {"times": times} if times else {}
    # Where it is two in the night by then.
    assert site.run("-a", DATED, mail=traced, environ={"TZ": "THERE-14"}).returncode == 0
    ((key, _),) = site.stored().items()
    assert re.fullmatch((noon + timedelta(days=days)).strftime("%Y/%m/%d") + "/[0-9a-f]{40}", key)


def test_without_an_address_it_is_for_the_catch_all_and_unknown_addresses_are_not(site: Site) -> None:
    assert site.run("-f=x@example.org").returncode == 0
    assert len(site.stored("rest")) == 1
    done = site.run("-a", NOBODY)
    assert (done.returncode, done.stdout) == (67, b"5.1.1 no such mailbox\n")
    site.config["deliver"]["catch_all"] = "unknown"
    assert site.run("-a", NOBODY).returncode == 0
    assert len(site.stored("rest")) == 2


def test_nobody_is_given_what_is_returned_for_another(site: Site) -> None:
    done = site.run("-a", USER, "-a", NOBODY)
    assert done.returncode == 67
    assert site.stored() == {}
    assert site.run("-a", USER, "-a", DATED).returncode == 0
    assert len(site.stored()) == 2


@pytest.mark.parametrize("address", ["-dash@host.example", '"a b"@host.example', "a b@host.example"])
def test_addresses_that_look_odd_are_addresses(site: Site, address: str) -> None:
    site.config["deliver"]["catch_all"] = "unknown"
    done = site.run(f"-a={address}", "-f=")
    assert (done.returncode, done.stdout) == (0, b"")


def test_a_message_that_is_too_large_is_returned(site: Site) -> None:
    site.config["lmtp"] = {"max_size": 65536}
    done = site.run("-a", USER, mail=MAIL + b"x" * 65536)
    assert (done.returncode, done.stdout) == (65, b"5.3.4 a message may have 65536 octets\n")
    assert site.stored() == {}


@pytest.mark.parametrize(
    ("words", "change"),
    [
        (["-a", USER, "-x"], {}),
        (["-a"], {}),
        (["-a", "$(recipient)"], {}),
        (["-a", USER], {"typo": 1}),
        (["-a", USER, "--config", "/nowhere.yaml"], {}),
        (["-a", USER], {"storage": {"url": "file:///nowhere/at/all"}}),
        (["-a", NOBODY], {"storage": {"url": "file:///nowhere/at/all"}}),
        (["-a", USER], {"storage": {"url": "s3://mail", "endpoint": "http://127.0.0.1:9", "attempts": 1}}),
        (["-a", USER], {"storage": {"url": "s3://mail"}}),
        (["-a", USER], {"deliver": {"log": "/nowhere/log", "mailboxes": [{"address": USER}]}}),
    ],
)
def test_whatever_is_our_own_fault_is_tried_again(site: Site, words: list[str], change: dict[str, Any]) -> None:
    site.config |= change
    done = site.run(*words, environ={"AWS_EC2_METADATA_DISABLED": "true", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"})
    assert done.returncode == 75
    assert done.stdout.startswith(b"4.3.0 ")
    assert done.stdout.count(b"\n") == 1
    assert b"Traceback" not in done.stderr
    assert site.stored() == {}


def test_no_message_is_our_own_fault_too(site: Site) -> None:
    done = site.run("-a", USER, mail=b"")
    assert (done.returncode, done.stdout) == (75, b"4.3.0 there is no message\n")


def test_what_cannot_be_imported_is_our_own_fault_too(site: Site) -> None:
    (site.folder / "broken").mkdir()
    (site.folder / "broken" / "socket.py").write_text("raise SystemError\n")
    code = f"import sys; sys.path.insert(0, {str(site.folder / 'broken')!r}); sys.modules.pop('socket', None)\n"
    code += "from sesmail.cli.deliver import run; sys.exit(run(['-a', 'tom@example.com']))"
    done = subprocess.run(
        [sys.executable, "-c", code], input=MAIL, capture_output=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 75
    assert done.stdout.startswith(b"4.3.0 ")


def test_an_output_that_nobody_reads_changes_no_status(site: Site) -> None:
    (site.folder / "sesmail.yaml").write_text(yaml.safe_dump(site.config))
    command = f"exec {sys.executable} -m sesmail.cli.deliver -a {NOBODY} >&- 2>&-"
    done = subprocess.run(
        ["sh", "-c", command], input=MAIL, cwd=site.folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False
    )
    assert done.returncode == 67


def test_what_takes_too_long_is_tried_again(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        keys = {"access_key_id": "AKIATESTS", "secret_access_key": "tests", "region": "us-east-1"}
        site.config["storage"] = {"url": "s3://mail", "endpoint": url, **keys}
        site.config["deliver"]["timeout"] = 1
        done = site.run("-a", USER)
    assert (done.returncode, b"(OutOfTime)" in done.stdout) == (75, True)


def test_the_log_is_for_its_owner_and_no_value_can_end_a_line(site: Site) -> None:
    log = site.folder / "log"
    site.config["deliver"]["log"] = str(log)
    assert site.run("-a", USER, '-f="x\ty"@example.org', "--queue-id", "1").returncode == 0
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    lines = log.read_text().splitlines()
    assert [re.sub(r"[0-9a-f]{40}|[0-9.]+ s$", "#", line[20:]) for line in lines] == [
        f'[INFO] processing message from="<>", to={USER}, object=user/#',
        f"[INFO] sending object=user/# to file://{site.store}",
        f"[INFO] transfer complete object=#, to={USER}, 45 B, #",
    ]
    assert site.run("-a", NOBODY).returncode == 67
    assert f"[INFO] not delivered: 550 5.1.1 no such mailbox, to={NOBODY}, 45 B" in log.read_text().splitlines()[-1]


def test_neither_boto3_nor_twisted_is_imported_before_there_is_a_gateway_to_miss() -> None:
    code = (
        "import sys, sesmail.cli.delivering\n"
        "print([name for name in ('twisted', 'boto3', 'botocore', 'yaml', 'ssl', 'idna', 'logging', 'argparse') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_it_is_a_command_of_sesmail_too_which_reads_its_own_words(site: Site) -> None:
    (site.folder / "sesmail.yaml").write_text(yaml.safe_dump(site.config))
    command = [sys.executable, "-m", "sesmail.cli.main", "deliver"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(site.folder)}
    for words, status in ((["-address=" + USER, "-f", ""], 0), (["-a", "-x@host.example"], 67), (["-x"], 75)):
        done = subprocess.run([*command, *words], cwd=site.folder, env=environ, input=MAIL, capture_output=True, check=False)
        assert done.returncode == status
    helped = subprocess.run([*command, "--help"], cwd=site.folder, env=environ, capture_output=True, check=True)
    assert b"--queue-id ID" in helped.stdout
    assert len(site.stored()) == 1


def test_without_a_gateway_it_needs_no_twisted_either() -> None:
    code = "import sys\nsys.modules['twisted'] = None\nimport sesmail.cli.deliverself, sesmail.storage.sealed, sesmail.assembly.unsealing"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)

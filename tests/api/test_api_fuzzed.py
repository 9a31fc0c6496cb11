"""The API, asked by a fuzzer that has read the description: no failure of ours, and nothing that the description does not say."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sesmail.aliases.records import Alias, DestinationRecord, Domain
from sesmail.aliases.sqlite import SqliteTable
from sesmail.api.document import as_json
from sesmail.api.tokens import claims
from sesmail.auth import tokens
from tests.functions.lambdas import Function, function
from tests.functions.urlserver import served
from tests.servers import gateway
from tests.servers.ports import free_port

PROGRAM = Path(__file__).parents[2] / ".venv-tools" / "bin" / "schemathesis"
SETTINGS = Path(__file__).with_name("schemathesis.toml")
SECRET = "a secret that is long enough for HS256, or nearly so"


def filled(folder: Path) -> str:
    """A table with something in it; its file."""
    file = str(folder / "aliases.db")
    table = SqliteTable(file)
    for name in ("example.com", "example.org"):
        table.add_domain(Domain(name))
    table.add(Alias("shoes", "example.com", ("ann@example.org",), "id-1", owner="ann@example.org"))
    table.add_destination(DestinationRecord("ann@example.org"))
    table.close()
    return file


@contextmanager
def running(folder: Path) -> Iterator[tuple[Function, str]]:
    """The function behind a server, and its URL."""
    given = {
        "SESMAIL__ALIASES__TABLE": "sqlite",
        "SESMAIL__ALIASES__FILE": filled(folder),
        "SESMAIL__PAGE__TOKEN_SECRET": SECRET,
        "SESMAIL__PAGE__ADMINS": '["root@example.com"]',
    }
    with function(given, "sesmail.functions.api.answer") as called, served(called) as url:
        yield called, url


def fuzzed(folder: Path, url: str, caller: str, *more: str) -> subprocess.CompletedProcess[str]:
    (folder / "openapi.json").write_bytes(as_json())
    token = tokens.make(claims(caller, int(time.time()) + 3600), SECRET)
    command: list[str | Path] = [
        PROGRAM,
        "--config-file",
        SETTINGS,
        "run",
        folder / "openapi.json",
        "--url",
        url,
        "-H",
        f"Authorization: Bearer {token}",
    ]
    return subprocess.run([*command, *more], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.limit(300)
@pytest.mark.parametrize(
    ("caller", "phases"),
    [("root@example.com", "examples,coverage,fuzzing,stateful"), ("ann@example.org", "examples,fuzzing,stateful")],
)
def test_a_fuzzer_finds_nothing(tmp_path: Path, caller: str, phases: str) -> None:
    with running(tmp_path) as (called, url):
        found = fuzzed(tmp_path, url, caller, "--generation-deterministic", "--max-examples", "3", "--phases", phases)
        assert found.returncode == 0, found.stdout + found.stderr
        assert "Tested: 17" in found.stdout
        assert "Traceback" not in called.log()


@pytest.mark.proof
@pytest.mark.limit(3600)
@pytest.mark.parametrize("caller", ["root@example.com", "ann@example.org"])
def test_a_fuzzer_finds_nothing_for_long(tmp_path: Path, caller: str) -> None:
    with running(tmp_path) as (called, url):
        found = fuzzed(tmp_path, url, caller, "--max-examples", "200")
        assert found.returncode == 0, found.stdout + found.stderr
        assert "Traceback" not in called.log()


@pytest.mark.proof
@pytest.mark.limit(3600)
def test_a_fuzzer_finds_nothing_at_the_gateway(tmp_path: Path) -> None:
    port = free_port()
    config = {
        "storage": {"url": f"file://{tmp_path}/store"},
        "mailboxes": {"domains": ["example.com"]},
        "pop3": {"listeners": []},
        "aliases": {"table": "sqlite", "file": filled(tmp_path)},
        "page": {
            "listeners": [{"endpoint": f"tcp:{port}:interface=127.0.0.1", "tls": "none"}],
            "token_secret": SECRET,
            "admins": ["root@example.com"],
        },
    }
    with gateway.running(config) as running:
        found = fuzzed(
            tmp_path, f"http://127.0.0.1:{port}", "root@example.com", "--generation-deterministic", "--max-examples", "10"
        )
        assert found.returncode == 0, found.stdout + found.stderr
        assert "Traceback" not in running.log()

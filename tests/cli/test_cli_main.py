"""The command as people run it: exit statuses, plain lines, nothing heavy imported."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from sesmail.cli import main as command

BAD = Path(__file__).parents[1] / "config" / "bad"


def sesmail(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sesmail.cli.main", *arguments],
        cwd=cwd,
        env={**os.environ, "HOME": str(cwd), **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_good_configuration_is_said_in_plain_lines(tmp_path: Path) -> None:
    path = tmp_path / "mail.yaml"
    path.write_text(
        "storage: {url: s3://example-mail, endpoint: 'http://127.0.0.1:8333', access_key_id: A, secret_access_key: verysecret}\n"
        "mailboxes:\n"
        "  domains: [example.com, example.org]\n"
        "  places: [{for: example.org, url: s3://other-mail}, {for: tom@example.com, prefix: tom/}]\n"
        "auth: {users: [{name: tom@example.com, password: verysecret}]}\n"
        "pop3:\n"
        "  listeners:\n"
        "    - {endpoint: 'tcp:2110', tls: none}\n"
        "    - {endpoint: 'haproxy:tcp:2995', tls: implicit, trusted: [10.0.0.5, 10.0.1.0/24]}\n"
        "page: {base: /mail, admins: [ann], listeners: [{endpoint: 'tcp:8080:interface=127.0.0.1', tls: none}]}\n"
        "monitor: {listeners: [{endpoint: 'tcp:9925'}]}\n"
        "tls: {self_signed: true}\n"
        "service: {state_dir: /var/lib/sesmail}\n"
    )
    path.chmod(0o600)
    done = sesmail("check-config", "--config", "mail.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "ok: mail.yaml",
        "POP3: tcp:2110, no TLS",
        "POP3: haproxy:tcp:2995, TLS from the start, behind 10.0.0.5, 10.0.1.0/24",
        "page: tcp:8080:interface=127.0.0.1, no TLS",
        "monitor: tcp:9925, no TLS",
        "page at: /mail/, administrators: ann",
        "certificate: self-signed, in /var/lib/sesmail",
        "mail: s3://example-mail at http://127.0.0.1:8333, mailboxes/%d/%u/",
        "mail of example.org: s3://other-mail at http://127.0.0.1:8333, mailboxes/%d/%u/",
        "mail of tom@example.com: s3://example-mail at http://127.0.0.1:8333, tom/",
        "domains: example.com, example.org",
        "logins: 1 user of this configuration",
        "logins: password files mailboxes/%d/passwd.txt",
    ]


def test_without_a_file_the_defaults_are_checked(tmp_path: Path) -> None:
    done = sesmail("check-config", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ok: no file, the defaults\nPOP3: tcp:2110:interface=127.0.0.1, TLS offered\n")


def test_checking_changes_nothing(tmp_path: Path) -> None:
    assert sesmail("check-config", cwd=tmp_path).returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_a_warning_is_no_refusal(tmp_path: Path) -> None:
    done = sesmail("check-config", cwd=tmp_path, SESMAIL__POP3__AUTOLOGOUT="60")
    assert done.returncode == 0
    assert done.stderr == "warning: pop3.autologout is less than the 10 minutes of RFC 1939\n"


@pytest.mark.parametrize("name", ["unknown-key", "many-problems", "colon-in-a-value", "not-utf-8", "tls-without-certificate"])
def test_a_bad_configuration_exits_with_78_and_its_lines_alone(name: str) -> None:
    done = sesmail("check-config", "--config", f"{name}.yaml", cwd=BAD)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == (BAD / f"{name}.expected").read_text()


def test_a_missing_file_exits_with_78(tmp_path: Path) -> None:
    done = sesmail("check-config", "--config", "nowhere.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == "nowhere.yaml: cannot be read: No such file or directory\n"


def test_a_bad_variable_exits_with_78(tmp_path: Path) -> None:
    done = sesmail("check-config", cwd=tmp_path, SESMAIL__POP3__STALL="soon")
    assert done.returncode == 78
    assert done.stderr == "SESMAIL__POP3__STALL: pop3.stall: must be a time such as 30, 30s, 10m, 2h or 1d\n"


@pytest.mark.parametrize("arguments", [[], ["chek-config"], ["check-config", "--confg", "x"], ["check-config", "--config"]])
def test_wrong_usage_exits_with_64(arguments: list[str], tmp_path: Path) -> None:
    done = sesmail(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr.startswith("usage: sesmail")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", ["['--help']", "['--version']", "['serve', '--help']", "['check-config']"])
def test_help_and_checks_import_nothing_heavy(arguments: str, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from sesmail.cli.main import main\n"
        "try: main(" + arguments + ")\n"
        "except SystemExit as leaving: assert not leaving.code\n"
        "print([name for name in ('twisted', 'boto3', 'botocore', 'cryptography', 'yaml') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_names_every_command(tmp_path: Path) -> None:
    done = sesmail("--help", cwd=tmp_path)
    assert done.returncode == 0
    assert all(one.name in done.stdout for one in command.COMMANDS)


def test_version_is_that_of_the_package(tmp_path: Path) -> None:
    done = sesmail("--version", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("sesmail ")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> str:
    """A subcommand with a bug."""
    module = types.ModuleType("broken_command")

    def run(args: object) -> int:
        raise RuntimeError("no room\nat the inn")

    vars(module)["run"] = run
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(command, "COMMANDS", (command.Command("break", module.__name__, "Break.", lambda parser: None),))
    return "break"


def test_the_unexpected_is_one_line_and_exits_with_1(broken: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([broken]) == 1
    assert capsys.readouterr().err == "sesmail break: RuntimeError: no room at the inn\n"


def test_debug_shows_where_the_unexpected_happened(broken: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([broken, "--debug"]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err

"""`sesmail auth test` and `sesmail token`."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from sesmail.auth import hashes, tokens

SECRET = "a secret of more than thirty-two octets"
KEY = ["--access-key-id", "AKIAEXAMPLE", "--bucket", "their-mail"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "mail/mailboxes/example.com").mkdir(parents=True)
    (tmp_path / "mail/mailboxes/example.com/passwd.txt").write_text(f"ann:{hashes.legacy('ann', b'hers')}\n")
    (tmp_path / "secret").write_text(SECRET + "\n")
    (tmp_path / "secret").chmod(0o600)
    path = tmp_path / "sesmail.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "storage": {"url": (tmp_path / "mail").as_uri()},
                "mailboxes": {"domains": ["example.com"], "default_domain": "example.com"},
                "auth": {
                    "checkers": ["static", "passwd", "jwt"],
                    "users": [{"name": "tom", "password": "secret"}],
                    "jwt_secret": f"file:{tmp_path / 'secret'}",
                },
                "tls": {"self_signed": True},
            }
        )
    )
    path.chmod(0o600)
    return path


def run(*arguments: str | Path, typed: str = "") -> tuple[int, str, str]:
    command = [sys.executable, "-m", "sesmail.cli.main", *map(str, arguments)]
    done = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def try_login(config: Path, user: str, password: str) -> tuple[int, list[str], str]:
    code, out, error = run("auth", "test", user, "--config", config, typed=password + "\n")
    return code, out.splitlines(), error


def test_a_good_login_says_who_decided_and_where_the_mail_lies(config: Path, tmp_path: Path) -> None:
    code, said, error = try_login(config, "Ann", "hers")
    mail = f"mail: {(tmp_path / 'mail').as_uri()}, mailboxes/example.com/ann/"
    asked = ["jwt: not its user", "static: not its user", "passwd: accepted"]
    assert (code, said, error) == (0, [*asked, "account: ann@example.com", "address: ann@example.com", mail], "")


def test_a_refused_login_says_by_whom(config: Path) -> None:
    code, said, _ = try_login(config, "tom", "wrong")
    assert (code, said) == (1, ["jwt: not its user", "static: wrong password, or not its user", "refused"])
    code, said, _ = try_login(config, "nobody", "x")
    assert (code, said[-2:]) == (1, ["passwd: not its user", "refused"])


def test_what_cannot_be_found_out_exits_75(config: Path, tmp_path: Path) -> None:
    (tmp_path / "mail/mailboxes/example.com/passwd.txt").unlink()
    (tmp_path / "mail/mailboxes/example.com/passwd.txt").symlink_to("/nowhere")
    (tmp_path / "mail").rename(tmp_path / "gone")
    code, said, error = try_login(config, "ann", "hers")
    assert code == 75
    assert said[-1].startswith("passwd: could not find out: ")
    assert "Traceback" not in error


def test_trying_a_login_changes_nothing(config: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    try_login(config, "ann", "hers")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_token_that_was_made_logs_in(config: Path) -> None:
    arguments = ["--region", "eu-central-1", "--prefix", "tom/", "--email", "Tom@example.com", "--expires", "90d"]
    code, token, said = run("token", "--config", config, *KEY, *arguments, typed="s3cretkey\n")
    assert (code, said.splitlines()[0]) == (0, f"{len(token.strip())} characters")
    claims = dict(tokens.read(token.encode(), SECRET, time.time()))
    assert claims.pop("exp") == pytest.approx(time.time() + 90 * 86400, abs=60)
    named = {"awsAccessKeyID": "AKIAEXAMPLE", "awsSecretAccessKey": "s3cretkey", "region": "eu-central-1"}
    assert claims == {**named, "bucket": "their-mail", "prefix": "tom/", "email": "Tom@example.com"}
    code, said_of_it, _ = try_login(config, "whoever", token.strip())
    assert (code, said_of_it[0], said_of_it[1]) == (0, "jwt: accepted", "account: tom@example.com")


def test_a_token_of_a_temporary_key_asks_for_its_session_token(config: Path) -> None:
    _, token, _ = run("token", "--config", config, *KEY, "--session-token", "--issued", typed="s3cretkey\nsession\n")
    claims = tokens.read(token.encode(), SECRET, time.time(), max_age=60)
    assert (claims["awsSecretAccessKey"], claims["awsSessionToken"]) == ("s3cretkey", "session")


@pytest.mark.parametrize("algorithm", tokens.ALGORITHMS)
def test_a_secret_may_come_from_a_file_and_needs_no_configuration(tmp_path: Path, config: Path, algorithm: str) -> None:
    arguments = ("--provider", "demo", "--algorithm", algorithm)
    code, token, said = run("token", "--secret-file", tmp_path / "secret", *arguments)
    assert (code, said) == (0, f"{len(token.strip())} characters\n")
    assert tokens.read(token.encode(), SECRET, 0) == {"provider": "demo"}


def test_where_a_token_is_too_long_is_told(config: Path) -> None:
    short = run("token", "--config", config, *KEY, typed="x\n")[2]
    assert "warning" not in short
    longer = run("token", "--config", config, *KEY, "--prefix", "x" * 60, typed="x" * 20 + "\n")[2]
    assert "RFC 2449" in longer
    assert "Gmail" not in longer
    longest = run("token", "--config", config, *KEY, "--prefix", "x" * 200, typed="x" * 40 + "\n")[2]
    assert "RFC 2449" in longest
    assert "Gmail" in longest


def test_a_secret_that_could_be_guessed_is_told(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("short")
    code, _, said = run("token", "--secret-file", tmp_path / "secret", "--provider", "none")
    assert code == 0
    assert "warning: the secret has less than 32 octets" in said
    assert said.count("warning") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--access-key-id and --bucket"),
        (["--bucket", "x"], "--access-key-id"),
        ([*KEY], "no secret access key was given"),
        (["--provider", "none", "--expires", "soon"], "--expires must be a time"),
    ],
)
def test_a_token_that_would_be_of_no_use_is_not_made(config: Path, arguments: list[str], said: str) -> None:
    code, out, error = run("token", "--config", config, *arguments)
    assert (code, out) == (1, "")
    assert said in error


def test_without_any_secret_no_token_is_made(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    code, out, error = run("token", "--secret-file", tmp_path / "empty", "--provider", "none")
    assert (code, out) == (1, "")
    assert "there is no secret" in error

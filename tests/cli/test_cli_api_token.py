"""`sesmail token --api`: for programs that use the API, and no password."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from sesmail.api.tokens import caller
from sesmail.auth.tokens import read
from sesmail.errors import BadLogin

SECRET = "a secret of more than thirty-two octets"
OTHER = "the secret of tokens for mail is another one"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "sesmail.yaml"
    path.write_text(f"auth: {{checkers: [jwt], jwt_secret: {OTHER}}}\npage: {{token_secret: {SECRET}}}\n")
    path.chmod(0o600)
    return path


def run(*arguments: str | Path) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "sesmail.cli.main", "token", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout.strip(), done.stderr


def test_it_lets_its_bearer_use_the_api_until_it_expires(config: Path) -> None:
    code, token, said = run("--api", "--config", config, "--email", "Tom@Example.com", "--expires", "90d")
    assert (code, said) == (0, f"{len(token)} characters\n")
    assert caller(token, SECRET, time.time()).name == "tom@example.com"
    assert caller(token, SECRET, time.time() + 89 * 86400).name == "tom@example.com"
    with pytest.raises(BadLogin):
        caller(token, SECRET, time.time() + 91 * 86400)


def test_it_is_signed_with_a_secret_of_its_own(config: Path) -> None:
    _, token, _ = run("--api", "--config", config, "--email", "tom@example.com", "--expires", "1d")
    with pytest.raises(BadLogin):
        caller(token, OTHER, time.time())
    assert set(read(token.encode(), SECRET, time.time())) == {"email", "aud", "exp"}


def test_a_token_for_mail_is_none_for_the_api(config: Path) -> None:
    code, token, _ = run("--config", config, "--provider", "demo", "--email", "tom@example.com", "--expires", "1d")
    assert code == 0
    for secret in (SECRET, OTHER):
        with pytest.raises(BadLogin):
            caller(token, secret, time.time())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--email", "tom@example.com"], "--expires"),
        (["--expires", "1d"], "--email"),
        (["--expires", "soon", "--email", "tom@example.com"], "--expires must be"),
        (["--expires", "1d", "--email", "tom"], "address"),
    ],
)
def test_what_is_missing_is_said(config: Path, arguments: list[str], said: str) -> None:
    code, token, error = run("--api", "--config", config, *arguments)
    assert (code, token) == (1, "")
    assert said in error
    assert "Traceback" not in error


def test_without_a_secret_it_says_which(tmp_path: Path) -> None:
    (tmp_path / "sesmail.yaml").write_text("tls: {self_signed: true}\n")
    _, _, error = run("--api", "--config", tmp_path / "sesmail.yaml", "--email", "tom@example.com", "--expires", "1d")
    assert "set page.token_secret" in error


def test_a_secret_that_could_be_guessed_is_told(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("short\n")
    code, _, said = run("--api", "--secret-file", tmp_path / "secret", "--email", "tom@example.com", "--expires", "1d")
    assert code == 0
    assert said.count("warning") == 1
    assert "less than 32 octets" in said

"""`sesmail smtp-password`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

_PASSWORD = "BH+jbMzper5WwlwUar9E1ySBqHa9whi0GPo+sJ0mVYJj"
_SAID = f"username: AKIAOURS\npassword: {_PASSWORD}\nserver: email-smtp.us-west-1.amazonaws.com\n"
_SECRET = "some+secret+key"
_STORAGE = {"url": "s3://their-mail", "region": "us-west-1"}


def run(
    tmp_path: Path, *arguments: str, config: dict[str, object] | None = None, typed: str = "", **variables: str
) -> tuple[int, str, str]:
    """Exit status, output and errors, with this configuration."""
    path = tmp_path / "sesmail.yaml"
    path.write_text(
        yaml.safe_dump(
            {"storage": _STORAGE, "mailboxes": {"domains": ["example.com"]}, "tls": {"self_signed": True}, **(config or {})}
        )
    )
    path.chmod(0o600)
    command = [sys.executable, "-m", "sesmail.cli.main", "smtp-password", "--config", str(path), *arguments]
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "AKIAOURS", "AWS_SECRET_ACCESS_KEY": _SECRET, **variables}
    done = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=60, env=environment, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_secret_can_be_typed_and_is_no_argument(tmp_path: Path) -> None:
    typed = run(tmp_path, "--region", "us-west-1", "--access-key-id", "AKIATYPED", typed=_SECRET + "\n")
    assert typed == (0, _SAID.replace("AKIAOURS", "AKIATYPED"), "")


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"storage": {**_STORAGE, "access_key_id": "AKIAOURS", "secret_access_key": _SECRET}},
        {"ses": {"access_key_id": "AKIAOURS", "secret_access_key": _SECRET}},
        {
            "relay": {"courier": "smtp"},
            "smarthost": {
                "host": "email-smtp.us-west-1.amazonaws.com",
                "username": "AKIAOURS",
                "secret_access_key": _SECRET,
            },
        },
    ],
)
def test_the_secret_is_that_of_the_configuration_or_of_the_environment(tmp_path: Path, config: dict[str, object]) -> None:
    variables = {"AWS_ACCESS_KEY_ID": "AKIAOTHER", "AWS_SECRET_ACCESS_KEY": "other"} if config else {}
    code, out, error = run(tmp_path, config=config, **variables)
    assert (code, out) == (0, _SAID), error


def test_a_region_on_the_command_line_goes_first(tmp_path: Path) -> None:
    code, out, _ = run(tmp_path, "--region", "cn-north-1")
    assert code == 0
    assert "email-smtp.cn-north-1.amazonaws.com.cn" in out
    assert _PASSWORD not in out


@pytest.mark.parametrize(
    ("arguments", "config", "variables"),
    [
        (["--access-key-id", "ASIATEMPORARY"], {}, {}),
        ([], {}, {"AWS_SESSION_TOKEN": "token"}),
        ([], {"ses": {"assume_role": "arn:aws:iam::123456789012:role/mail"}}, {}),
        ([], {"ses": {"access_key_id": "ASIAX", "secret_access_key": "x", "session_token": "t"}}, {}),
    ],
)
def test_temporary_credentials_are_refused_with_the_reason(
    tmp_path: Path, arguments: list[str], config: dict[str, object], variables: dict[str, str]
) -> None:
    code, out, error = run(tmp_path, *arguments, config=config, **variables)
    assert (code, out) == (1, "")
    assert "temporary credentials of a role or session" in error
    assert "relay.courier: ses" in error


def test_without_a_region_it_asks_for_one(tmp_path: Path) -> None:
    code, out, error = run(tmp_path, config={"storage": {"url": "s3://their-mail"}})
    assert (code, out) == (1, "")
    assert "--region" in error


def test_without_credentials_it_says_so(tmp_path: Path) -> None:
    code, out, error = run(tmp_path, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert (code, out) == (75, "")
    assert "no AWS credentials found" in error


def test_no_secret_is_taken_as_an_argument(tmp_path: Path) -> None:
    code, out, error = run(tmp_path, "--secret-access-key", _SECRET)
    assert (code, out) == (64, "")
    assert "unrecognized" in error

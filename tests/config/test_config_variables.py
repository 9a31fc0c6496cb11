"""Variables that say in which file the value of an option lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sesmail.config.load import load
from sesmail.config.option import options
from sesmail.config.problems import ConfigError
from sesmail.config.table import sections


def kept(path: Path, content: str, mode: int = 0o600) -> str:
    path.write_text(content)
    path.chmod(mode)
    return str(path)


def refusal(environ: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load("/dev/null", environ)
    return str(caught.value).splitlines()


def with_a_key(path: str) -> dict[str, str]:
    return {
        "SESMAIL__STORAGE__URL": "s3://example-mail",
        "SESMAIL__STORAGE__ACCESS_KEY_ID": "AKIAEXAMPLE",
        "SESMAIL__STORAGE__SECRET_ACCESS_KEY_FILE": path,
        "SESMAIL__TLS__SELF_SIGNED": "true",
    }


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    config = load("/dev/null", with_a_key(kept(tmp_path / "secret", "wJalr: '*\n")))
    assert config.storage.secret_access_key == "wJalr: '*"
    assert config.warnings == ()


@pytest.mark.parametrize("content", ["env:HOME", "file:/etc/passwd", "null"])
def test_what_is_in_a_secrets_file_points_nowhere(content: str, tmp_path: Path) -> None:
    config = load("/dev/null", {**with_a_key(kept(tmp_path / "secret", content)), "HOME": "/root"})
    assert config.storage.secret_access_key == content


def test_a_secrets_file_that_others_can_read_is_warned_of(tmp_path: Path) -> None:
    path = kept(tmp_path / "secret", "horse\n", 0o644)
    assert load("/dev/null", with_a_key(path)).warnings == (f"{path}: holds a secret and can be read by others; chmod 600 it",)


def test_values_and_lists_may_lie_in_files_too(tmp_path: Path) -> None:
    environ = {
        "SESMAIL__POP3__STALL_FILE": kept(tmp_path / "stall", " 1m \n"),
        "SESMAIL__STORAGE__REGION_FILE": kept(tmp_path / "region", "\n"),
        "SESMAIL__MAILBOXES__DOMAINS_FILE": kept(tmp_path / "domains", "# ours\n- example.com\n- example.org\n"),
    }
    config = load("/dev/null", environ)
    assert (config.pop3.stall, config.storage.region) == (60, None)
    assert config.mailboxes.domains == ("example.com", "example.org")


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o604, True)])
def test_a_list_with_secrets_in_it_is_for_few_eyes(mode: int, warned: bool, tmp_path: Path) -> None:
    path = kept(tmp_path / "users", "[{name: tom@example.com, password: horse}]", mode)
    config = load("/dev/null", {"SESMAIL__AUTH__USERS_FILE": path})
    assert config.auth.users[0].password == "horse"
    assert config.warnings == ((f"{path}: holds a secret and can be read by others; chmod 600 it",) if warned else ())


def test_an_option_whose_own_name_ends_so_is_meant_first(tmp_path: Path) -> None:
    path = str(tmp_path / "aliases.db")
    assert load("/dev/null", {"SESMAIL__ALIASES__FILE": path}).aliases.file == path
    in_file = {"SESMAIL__ALIASES__FILE_FILE": kept(tmp_path / "where", path)}
    assert load("/dev/null", in_file).aliases.file == path


def test_no_two_options_claim_one_variable() -> None:
    names = {f"{section}__{key}".upper() for section, cls in sections().items() for key in options(cls)}
    assert not names & {f"{name}_FILE" for name in names}


def test_an_option_is_given_in_one_way(tmp_path: Path) -> None:
    path = kept(tmp_path / "stall", "60")
    assert refusal({"SESMAIL__POP3__STALL": "5", "SESMAIL__POP3__STALL_FILE": path}) == [
        "SESMAIL__POP3__STALL_FILE: SESMAIL__POP3__STALL is set, too; one of them must go"
    ]


def test_problems_of_files_name_the_variable_or_the_file(tmp_path: Path) -> None:
    domains = kept(tmp_path / "domains", "- example.com\n- [\n")
    assert refusal(
        {
            "SESMAIL__POP3__STALL_FILE": "stall",
            "SESMAIL__POP3__STRIKES_FILE": kept(tmp_path / "strikes", "many"),
            "SESMAIL__POP3__STALLS_FILE": "/stalls",
            "SESMAIL__LOG__LEVEL_FILE": str(tmp_path / "none"),
            "SESMAIL__STORAGE__SESSION_TOKEN_FILE": str(tmp_path / "none"),
            "SESMAIL__MAILBOXES__DOMAINS_FILE": domains,
        }
    ) == [
        f"{domains}:3: not valid YAML: while parsing a flow node, expected the node content, but found '<stream end>'",
        f"{tmp_path}/none: cannot be read: No such file or directory",
        'SESMAIL__POP3__STALLS_FILE: unknown option, did you mean "SESMAIL__POP3__STALL"?',
        "SESMAIL__POP3__STALL_FILE: must be the absolute path of a file",
        f"SESMAIL__STORAGE__SESSION_TOKEN_FILE: storage.session_token: '{tmp_path}/none' cannot be read: No such file",
        "SESMAIL__POP3__STRIKES_FILE: pop3.strikes: must be a whole number from 1 to 100",
    ]


def test_the_file_says_what_the_variable_would(tmp_path: Path) -> None:
    path = kept(tmp_path / "listeners", "[{endpoint: tcp:2995, tls: implicit}]")
    said, lay = (
        load("/dev/null", {"HOME": os.fspath(tmp_path), f"SESMAIL__POP3__LISTENERS{end}": value})
        for end, value in (("", Path(path).read_text()), ("_FILE", path))
    )
    assert said.pop3 == lay.pop3

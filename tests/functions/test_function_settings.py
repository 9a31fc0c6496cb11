"""A function is configured by its variables, and says in a line each what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from sesmail.config.problems import ConfigError
from sesmail.functions.settings import quick_settings, settings

_STORE = {"SESMAIL__STORAGE__URL": "s3://mail-of-example"}


def problems(environ: Mapping[str, str]) -> list[str]:
    """What is wrong with these variables."""
    with pytest.raises(ConfigError) as caught:
        settings(environ)
    return [str(problem) for problem in caught.value.problems]


def test_a_bucket_is_all_that_must_be_set() -> None:
    config = settings(_STORE)
    assert (config.storage.url, config.incoming.prefix) == ("s3://mail-of-example", "new/")
    assert config.warnings == ()
    assert not any(config.listeners.values())


def test_every_option_is_a_variable() -> None:
    routes = '[{address: tom@example.com, to: ["maildir:/mnt/Maildir/tom"]}, {address: ann@example.com, to: ["drop:"]}]'
    given = {"SESMAIL__ROUTING__ROUTES": routes, "SESMAIL__INCOMING__PREFIX": "", "SESMAIL__ROUTING__SEPARATORS": '["+", "--"]'}
    config = settings(_STORE | given)
    assert [(one.address, one.to) for one in config.routing.routes] == [
        ("tom@example.com", ("maildir:/mnt/Maildir/tom",)),
        ("ann@example.com", ("drop:",)),
    ]
    assert (config.incoming.prefix, config.routing.separators) == ("", ("+", "--"))


def test_variables_of_other_programs_are_nobody_s_business() -> None:
    assert settings(_STORE | {"AWS_REGION": "eu-west-1", "POP3_HOST": "x", "PORT": "1"}) == settings(_STORE)


def test_no_file_that_lies_about_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for place in ("sesmail.yaml", ".config/sesmail/sesmail.yaml"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text("storage: {url: s3://somebody-else}\nincoming: {prefix: other/}\n")
    environ = {"HOME": str(tmp_path)}
    assert settings(_STORE | environ).incoming.prefix == "new/"
    assert problems(environ) == ["SESMAIL__STORAGE__URL: must be set: s3://BUCKET, in which the mailboxes are"]


def test_all_problems_are_told_at_once_each_with_its_variable() -> None:
    given = {"SESMAIL__INCOMING__GUES": "stamp", "SESMAIL__INCOMING__WORKERS": "many", "SESMAIL__ROUTING__ROUTES": "[{address"}
    found = sorted(problems(_STORE | given))
    assert [one.partition(":")[0] for one in found] == sorted(given)
    assert 'did you mean "SESMAIL__INCOMING__GUESS"?' in found[0]


def test_mail_can_only_come_into_a_bucket() -> None:
    given = {"SESMAIL__STORAGE__URL": "file:///mnt/mail"}
    assert [one.partition(":")[0] for one in problems(given)] == ["SESMAIL__INCOMING__URL"]
    config = settings(given | {"SESMAIL__INCOMING__URL": "s3://mail-of-example"})
    assert (config.storage.url, config.incoming.url) == ("file:///mnt/mail", "s3://mail-of-example")


def test_mailboxes_may_not_lie_where_mail_comes_in() -> None:
    (found,) = problems(_STORE | {"SESMAIL__MAILBOXES__TEMPLATE": "new/%d/%u/"})
    assert "incoming.prefix" in found
    assert "mailboxes.template" in found


def test_a_secret_is_in_no_text() -> None:
    keys = {"SESMAIL__STORAGE__ACCESS_KEY_ID": "AKIAEXAMPLE000000000", "SESMAIL__STORAGE__SECRET_ACCESS_KEY": "hunter2"}
    assert "hunter2" not in repr(settings(_STORE | keys))
    given = _STORE | keys | {"SESMAIL__STORAGE__ACCESS_KEY_ID": "null", "SESMAIL__AUTH__JWT_SECRET": "hunter2"}
    assert "hunter2" not in "".join(problems(given))


def test_a_secret_may_lie_in_a_file_or_in_another_variable() -> None:
    keys = {"SESMAIL__STORAGE__ACCESS_KEY_ID": "AKIAEXAMPLE000000000", "SESMAIL__STORAGE__SECRET_ACCESS_KEY": "env:KEY"}
    assert settings(_STORE | keys | {"KEY": "hunter2"}).storage.secret_access_key == "hunter2"
    assert problems(_STORE | keys)[0].endswith("environment variable KEY is not set")


def test_the_variable_of_tacomail_names_the_table_and_keeps_its_separators() -> None:
    for read in (settings, quick_settings):
        config = read(_STORE | {"POSTFIX_DYNAMODB_TABLE": "aliases"})
        assert (config.aliases.table, config.aliases.dynamodb_table) == ("dynamodb", "aliases")
        assert config.routing.separators == ("+", "--", "#", "=")
        assert read(_STORE).aliases.table == "none"
        assert read(_STORE).routing.separators == ("+",)


def test_a_function_that_somebody_waits_for_needs_no_bucket_and_has_no_time_to_lose() -> None:
    without, stored = quick_settings({}), quick_settings(_STORE)
    assert (without.storage.url, stored.storage.url) == ("none", "s3://mail-of-example")
    assert (without.auth.checkers, "passwd" in stored.auth.checkers) == (("static",), True)
    assert without.warnings == stored.warnings == ()
    for config in (without, stored):
        assert (config.storage.connect_timeout + config.storage.read_timeout) * config.storage.attempts < 25

"""Section aliases: which table there is, and what is said about options that contradict each other."""

from __future__ import annotations

import pytest

from sesmail.config.load import from_text
from sesmail.config.problems import ConfigError
from sesmail.config.table import Config

STORE = "storage: {url: s3://mail}\ntls: {self_signed: true}\n"


def config(text: str = "", **environ: str) -> Config:
    return from_text(text, "sesmail.yaml", environ)


def refused(text: str, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        config(text, **environ)
    return str(caught.value)


def test_the_embedded_default_has_a_file() -> None:
    aliases = config("service: {state_dir: /srv/sesmail}").aliases
    assert (aliases.table, aliases.file) == ("sqlite", "/srv/sesmail/aliases.db")


def test_a_gateway_with_a_bucket_has_none_unless_it_is_named() -> None:
    assert config(STORE).aliases.table == "none"
    assert config("aliases: {table: none}").aliases.table == "none"
    named = config(STORE + "aliases: {table: sqlite, file: /srv/aliases.db}").aliases
    assert (named.table, named.file) == ("sqlite", "/srv/aliases.db")


def test_the_variable_of_tacomail_names_a_table() -> None:
    for text in ("", STORE):
        aliases = config(text, POSTFIX_DYNAMODB_TABLE="postfix").aliases
        assert (aliases.table, aliases.dynamodb_table) == ("dynamodb", "postfix")


def test_the_configuration_goes_before_that_variable() -> None:
    assert config("aliases: {table: none}", POSTFIX_DYNAMODB_TABLE="postfix").aliases.table == "none"
    text = "aliases: {table: dynamodb, dynamodb_table: mine}"
    assert config(text, POSTFIX_DYNAMODB_TABLE="postfix").aliases.dynamodb_table == "mine"


def test_a_variable_that_names_no_table_is_refused() -> None:
    said = refused("", POSTFIX_DYNAMODB_TABLE="a table")
    assert "POSTFIX_DYNAMODB_TABLE: aliases.dynamodb_table: must be a table such as aliases" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("aliases: {table: dynamodb}", "aliases.table: dynamodb needs dynamodb_table, the name of the table"),
        ("aliases: {table: mysql}", "aliases.table: must be one of none, sqlite, dynamodb"),
        ("aliases: {table: dynamodb, dynamodb_table: a b}", "aliases.dynamodb_table: must be a table such as aliases"),
        ("aliases: {access_key_id: AKIA}", "aliases.access_key_id: needs secret_access_key beside it"),
        ("aliases: {external_id: x}", "aliases.external_id: needs assume_role beside it"),
        ("aliases: {mailbox: ../tom}", "aliases.mailbox: must be a name such as tom"),
    ],
)
def test_what_cannot_be_is_refused(text: str, said: str) -> None:
    assert said in refused(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("aliases: {dynamodb_table: mine}", "aliases.dynamodb_table is never used, as aliases.table is sqlite"),
        (STORE + "aliases: {mailbox: tom}", "aliases.mailbox is never used, as aliases.table is none"),
        (
            "aliases: {table: dynamodb, dynamodb_table: mine, file: /srv/aliases.db}",
            "aliases.file is never used, as aliases.table is dynamodb",
        ),
    ],
)
def test_what_is_never_used_is_told(text: str, said: str) -> None:
    assert said in config(text).warnings


def test_a_good_section_is_told_nothing() -> None:
    text = "aliases: {table: dynamodb, dynamodb_table: mine, region: eu-west-1, cache: 0, mailbox: tom, require_domain: true}"
    assert config(text).warnings == ()

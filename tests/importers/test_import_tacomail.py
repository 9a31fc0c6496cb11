"""The environment of tacomail's functions becomes a configuration in which its addresses lead where they led."""

from __future__ import annotations

from pathlib import Path

from sesmail.config.load import load
from tests.importers.gateways import imported, sesmail

_ARGUMENTS = ("tacomail", "--bucket", "mail-of-example", "--mailbox", "tom@example.com", "--domain", "example.com")


def test_table_separators_and_mailbox_are_taken_over(tmp_path: Path) -> None:
    config = load(str(imported(*_ARGUMENTS, cwd=tmp_path, POSTFIX_DYNAMODB_TABLE="theirs")), {})
    aliases = config.aliases
    assert (aliases.table, aliases.dynamodb_table, aliases.region) == ("dynamodb", "theirs", "us-east-1")
    assert (aliases.mailbox, aliases.require_domain) == ("tom@example.com", False)
    assert config.routing.separators == ("+", "--", "#", "=")
    assert (config.storage.url, config.mailboxes.domains) == ("s3://mail-of-example", ("example.com",))
    assert config.page.tacomail


def test_what_is_to_be_done_is_said(tmp_path: Path) -> None:
    done = sesmail("import-config", *_ARGUMENTS, cwd=tmp_path, POSTFIX_DYNAMODB_TABLE="theirs")
    for words in ("queue.url", "incoming.prefix", "sesmail alias check", "routing.forward_from"):
        assert words in done.stderr


def test_without_its_variable_nothing_is_made(tmp_path: Path) -> None:
    done = sesmail("import-config", *_ARGUMENTS, "-o", "sesmail.yaml", cwd=tmp_path)
    assert (done.returncode, list(tmp_path.iterdir())) == (78, [])
    assert "POSTFIX_DYNAMODB_TABLE: is not set" in done.stderr


def test_a_bad_argument_is_told_by_its_name(tmp_path: Path) -> None:
    arguments = [one.replace("mail-of-example", "No Bucket") for one in _ARGUMENTS]
    done = sesmail("import-config", *arguments, cwd=tmp_path, POSTFIX_DYNAMODB_TABLE="theirs")
    assert done.returncode == 78
    assert "--bucket" in done.stderr

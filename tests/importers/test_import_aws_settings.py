"""What each variable and option of AWS POP3 Server comes to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from sesmail.config.foreign import aws_pop3
from sesmail.config.foreign.draft import Draft
from sesmail.config.problems import ConfigError

BUCKET = {"awskey": "AKIAIOSFODNN7EXAMPLE", "awssecret": "wJalrXUtnFEMI", "bucket": "example-mail", "prefix": "mailboxes"}


def made(environ: Mapping[str, str], **options: str) -> Draft:
    return aws_pop3.draft(environ, {name.replace("_", "-"): value for name, value in options.items()}, None)


def result(environ: Mapping[str, str], **options: str) -> Any:
    return yaml.safe_load(made(environ, **options).text())


def refusal(environ: Mapping[str, str], **options: str) -> str:
    draft = made(environ, **options)
    with pytest.raises(ConfigError) as caught:
        draft.text()
    return str(caught.value)


def test_a_bucket_with_its_layout() -> None:
    assert result({**BUCKET, "AWS_DEFAULT_REGION": "eu-west-1", "email_folder": "/not/used"}) == {
        "storage": {
            "url": "s3://example-mail",
            "region": "eu-west-1",
            "access_key_id": "AKIAIOSFODNN7EXAMPLE",
            "secret_access_key": "wJalrXUtnFEMI",
        },
        "mailboxes": {"template": "mailboxes/%d/%u/", "passwd": "mailboxes/%d/passwd.txt", "nested": True},
        "incoming": {"prefix": ""},
        "auth": {"checkers": ["passwd"]},
        "pop3": {"listeners": [{"endpoint": "tcp:110:interface=0.0.0.0", "tls": "none"}], "plaintext": "always"},
    }


@pytest.mark.parametrize(
    ("prefix", "template", "warned"),
    [
        ("a/b", "a/b/%d/%u/", False),
        ("100%", "100%%/%d/%u/", False),
        ("mailboxes/", "mailboxes/%d/%u/", True),
        ("", "%d/%u/", True),
    ],
)
def test_the_prefix_has_no_slash_at_its_end(prefix: str, template: str, warned: bool) -> None:
    draft = made({**BUCKET, "prefix": prefix})
    assert yaml.safe_load(draft.text())["mailboxes"]["template"] == template
    assert any(warning.startswith("prefix") for warning in draft.warnings) == warned


def test_without_keys_credentials_are_found_the_usual_way() -> None:
    draft = made({"bucket": "example-mail", "prefix": "mailboxes"})
    assert yaml.safe_load(draft.text())["storage"] == {"url": "s3://example-mail"}
    assert any("as every AWS program finds them" in warning for warning in draft.warnings)


def test_options_say_where_it_listens() -> None:
    found = result(BUCKET, ip_address="::1", port="1110", mail_store_type="AWS")["pop3"]
    assert found == {"listeners": [{"endpoint": "tcp6:1110:interface=\\:\\:1", "tls": "none"}]}


@pytest.mark.parametrize(
    ("environ", "options", "said"),
    [
        ({}, {}, "bucket: is not set; it names the bucket in which the mail lies"),
        ({"bucket": "b", "awskey": "k"}, {}, "awskey: needs awskey and awssecret together"),
        (BUCKET, {"port": "pop3"}, "--port: must be a number from 1 to 65535"),
        (BUCKET, {"ip_address": "localhost"}, "--ip-address: must be an IPv4 or IPv6 address"),
        (BUCKET, {"mail_store_type": "imap"}, "--mail-store-type: must be filesystem or aws"),
        ({}, {"mail_store_type": "filesystem"}, "email_folder: is not set; it names the folder in which the mail lies"),
        (
            {"email_folder": "C:\\mail"},
            {"mail_store_type": "filesystem"},
            "email_folder: must be an absolute path of this machine; copy the folder here and give its new path",
        ),
    ],
)
def test_what_cannot_be_taken_over_is_said(environ: dict[str, str], options: dict[str, str], said: str) -> None:
    assert refusal(environ, **options) == said


def test_a_folder_with_names_that_have_no_domain(tmp_path: Path) -> None:
    (tmp_path / "passwd.txt").write_text("tom:00\n")
    draft = made({"email_folder": f"{tmp_path}/"}, mail_store_type="filesystem")
    found = yaml.safe_load(draft.text())
    assert found["storage"] == {"url": f"file://{tmp_path}"}
    assert found["mailboxes"] == {
        "template": "%u/",
        "passwd": "passwd.txt",
        "domains": ["localhost"],
        "default_domain": "localhost",
    }
    assert [warning for warning in draft.warnings if str(tmp_path) in warning] == []


def test_what_differs_in_a_folder_is_pointed_out(tmp_path: Path) -> None:
    (tmp_path / "passwd.txt").write_text("tom:00\nann@example.com:00\n")
    (tmp_path / "tom").mkdir()
    (tmp_path / "tom" / "one.eml").write_bytes(b"x")
    said = "\n".join(made({"email_folder": str(tmp_path)}, mail_store_type="filesystem").warnings)
    assert "passwd.txt: 1 names have an @" in said
    assert "one.eml have a dot in their names" in said


def test_a_name_in_the_folder_cannot_write_into_the_result(tmp_path: Path) -> None:
    (tmp_path / "tom").mkdir()
    (tmp_path / "tom" / "a\nlog:\u2028  level: debug\x85.eml").write_bytes(b"x")
    assert "log" not in result({"email_folder": str(tmp_path)}, mail_store_type="filesystem")


def test_a_password_file_under_its_windows_name_is_found(tmp_path: Path) -> None:
    root = tmp_path / "mail"
    root.mkdir()
    (tmp_path / "mail\\passwd.txt").write_text("tom:00\n")
    said = "\n".join(made({"email_folder": str(root)}, mail_store_type="filesystem").warnings)
    assert f"{root}/passwd.txt is not there" in said
    assert f"copy {tmp_path}/mail\\passwd.txt, which the old server read on this machine" in said

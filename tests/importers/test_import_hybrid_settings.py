"""What the .env and the secrets of hybrid-cloud-email come to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from sesmail.config.foreign import hybrid
from sesmail.config.foreign.dotenv import read_variables
from sesmail.config.foreign.draft import Draft
from sesmail.config.problems import ConfigError
from tests.importers.gateways import sesmail
from tests.importers.hybrid import KEY_ID, SECRET, TABLE, checkout


def made(folder: Path, environ: Mapping[str, str] | None = None, domain: str | None = "example.com") -> Draft:
    return hybrid.draft(folder, environ or {}, domain, None)


def result(folder: Path, environ: Mapping[str, str] | None = None) -> Any:
    return yaml.safe_load(made(folder, environ).text())


def refusal(folder: Path, environ: Mapping[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        made(folder, environ).text()
    return str(caught.value)


def test_a_checkout_as_the_readme_has_it(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "hybrid", {"SMTP_STARTTLS_PORT": "127.0.0.1:587", "LOG_LEVEL": "INFO"})
    certificates = yaml.safe_load(made(folder).text())["tls"]["certificates"]
    assert [set(one) for one in certificates] == [{"certificate", "key"}]
    assert {name: value for name, value in result(folder).items() if name != "tls"} == {
        "storage": {"url": "none"},
        "mailboxes": {"default_domain": "example.com"},
        "auth": {"checkers": ["passwd-file"], "passwd_file": f"{folder}/secrets/dovecot_passwd"},
        "pop3": {"listeners": []},
        "submission": {"listeners": [{"endpoint": "tcp:587:interface=127.0.0.1", "tls": "starttls"}]},
        "relay": {"courier": "ses"},
        "ses": {"region": "us-east-2", "access_key_id": KEY_ID, "secret_access_key": SECRET},
        "aliases": {"map": f"pcre:{folder}/secrets/postfix_lookup_table"},
        "log": {"level": "info"},
    }


def test_every_variable_may_be_in_a_file_and_its_own_value_goes_first(tmp_path: Path) -> None:
    folder = checkout(
        tmp_path / "hybrid", {"POSTFIX_LOOKUP_TABLE_FILE": "map.txt", "AWS_IAM_CREDENTIALS_FILE": "/run/secrets/other"}
    )
    (folder / "map.txt").write_text("regexp:/run/secrets/postfix_lookup_table  \n\n")
    (folder / "secrets/other").write_text("AKIAOTHER:sec:ret \n")
    (folder / "size").write_text("20000000\n")
    found = result(folder, {"MAX_MESSAGE_SIZE_FILE": str(folder / "size")})
    assert found["aliases"] == {"map": f"regexp:{folder}/secrets/postfix_lookup_table"}
    assert found["ses"] == {"region": "us-east-2", "access_key_id": "AKIAOTHER", "secret_access_key": "sec:ret"}
    assert found["submission"]["max_size"] == "20000000"
    direct = {"AWS_IAM_CREDENTIALS": "AKIADIRECT:x", "POSTFIX_LOOKUP_TABLE": f"hash:{folder}/map.txt", "AWS_REGION": ""}
    found = result(folder, direct)
    assert found["ses"] == {"region": "us-east-2", "access_key_id": "AKIADIRECT", "secret_access_key": "x"}
    assert found["aliases"] == {"map": f"hash:{folder}/map.txt"}


@pytest.mark.parametrize(("size", "taken"), [("10485760", "10485760"), ("0", "40000000")])
def test_a_size_of_0_is_the_largest_that_ses_takes(size: str, taken: str, tmp_path: Path) -> None:
    assert result(checkout(tmp_path / "hybrid", {"MAX_MESSAGE_SIZE": size}))["submission"]["max_size"] == taken


def test_secrets_may_lie_elsewhere(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "hybrid", {"SECRETS_PATH": "../away"})
    (folder / "secrets").rename(tmp_path / "away")
    found = result(folder)
    assert found["auth"]["passwd_file"] == f"{tmp_path}/away/dovecot_passwd"
    assert found["aliases"]["map"] == f"pcre:{tmp_path}/away/postfix_lookup_table"


def test_an_empty_file_of_credentials_leaves_them_to_the_usual_chain(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "hybrid", {})
    (folder / "secrets/aws_iam_credentials").write_text("\n")
    draft = made(folder)
    assert yaml.safe_load(draft.text())["ses"] == {"region": "us-east-2"}
    assert any("as every AWS program finds them" in warning for warning in draft.warnings)


def test_what_has_no_counterpart_is_said(tmp_path: Path) -> None:
    folder = checkout(
        tmp_path / "hybrid", {"DEAD_LETTER_QUEUE_URL": "https://sqs/q", "SNS_ENDPOINT_PORT": "443", "SMTP_STARTLS_PORT": "1"}
    )
    said = "\n".join(made(folder, domain=None).warnings)
    assert "name --bucket and --topic; left out: SNS_ENDPOINT_PORT, DEAD_LETTER_QUEUE_URL, sns_basic_auth_credentials" in said
    assert 'SMTP_STARTLS_PORT: is not known and was left out, did you mean "SMTP_STARTTLS_PORT"?' in said
    assert "takes the place of the container postfix-ses-relay alone" in said
    assert "--domain is not given" in said
    assert "sns:secret" not in said
    assert SECRET not in said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"AWS_REGION": ""}, "AWS_REGION: is not set; it names the region of SES"),
        ({"SSL_KEY": ""}, "SSL_KEY: is not set; it names the file of the key"),
        ({"SMTP_STARTTLS_PORT": "smtp"}, ".env:6: SMTP_STARTTLS_PORT: must be a number from 1 to 65535"),
        ({"POSTFIX_LOOKUP_TABLE": "table"}, ".env:6: POSTFIX_LOOKUP_TABLE: must be a type and a path"),
        ({"AWS_IAM_CREDENTIALS": "key"}, ".env:6: AWS_IAM_CREDENTIALS: must be an access key and its secret"),
        ({"MAX_MESSAGE_SIZE": "10M"}, ".env:6: MAX_MESSAGE_SIZE: must be a number of octets"),
        ({"SECRETS_PATH": "/nowhere"}, "/nowhere/dovecot_passwd: is not there; name the folder"),
        ({"AWS_IAM_CREDENTIALS_FILE": "/nowhere"}, "/nowhere: cannot be read: No such file"),
    ],
)
def test_what_cannot_be_taken_over_is_refused(given: dict[str, str], said: str, tmp_path: Path) -> None:
    assert said in refusal(checkout(tmp_path / "hybrid", given))


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("export A = b", "b"),
        ("A=b c # d", "b c"),
        ("A=b#c", "b#c"),
        ("A='b $c # d'  # e", "b $c # d"),
        ('A="b \\"c\\" # d"', 'b "c" # d'),
        ("A=", None),
        ("A=''", None),
        ("A= # b", None),
        ("#A=b", None),
        ("A=b\r", "b"),
    ],
)
def test_variables_are_read_as_compose_reads_them(line: str, value: str | None, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(f"{line}\n".encode())
    found = read_variables(str(tmp_path / ".env"))
    assert {name: one.text for name, one in found.items()} == ({} if value is None else {"A": value})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("A", ":2: must have the form NAME=VALUE"),
        ("1A=b", ":2: must have the form NAME=VALUE"),
        ("A='b", ":2: must have the form NAME=VALUE"),
        ("A=$B", ":2: A: has a $ in it; write out what it stands for"),
        ('A="${B:-c}"', ":2: A: has a $ in it"),
    ],
)
def test_a_line_that_cannot_be_read_is_refused(line: str, said: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"X=y\n{line}\n")
    with pytest.raises(ConfigError) as caught:
        read_variables(str(tmp_path / ".env"))
    assert said in str(caught.value)


def test_a_table_that_postfix_would_skip_rules_of_is_refused_with_its_line(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "hybrid", {})
    (folder / "secrets/postfix_lookup_table").write_text(TABLE + "/(/ x\n")
    done = sesmail("import-config", "hybrid-cloud-email", "hybrid", "-o", "sesmail.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith(f"{folder}/secrets/postfix_lookup_table:3: the regular expression is not understood")
    assert not (tmp_path / "sesmail.yaml").exists()


@pytest.mark.parametrize("kind", ["mysql", "ldap"])
def test_a_type_of_table_that_is_not_known_is_told_of_its_setting(kind: str, tmp_path: Path) -> None:
    checkout(tmp_path / "hybrid", {"POSTFIX_LOOKUP_TABLE": f"{kind}:/etc/x"})
    done = sesmail("import-config", "hybrid-cloud-email", "hybrid", cwd=tmp_path)
    assert done.returncode == 78
    assert f"{tmp_path}/hybrid/.env:6: POSTFIX_LOOKUP_TABLE: must be a type and an absolute path" in done.stderr

"""The command import-config: what it writes, where, and what it never does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.importers.gateways import sesmail
from tests.servers.certificates import Authority

USER = {"POP3_USER": "tom", "POP3_PASSWORD": "open sesame"}
SES = ("import-config", "aws-ses-pop3-server")


def test_the_result_goes_to_standard_output_and_the_warnings_elsewhere(tmp_path: Path) -> None:
    done = sesmail(*SES, cwd=tmp_path, **USER)
    assert done.returncode == 0
    assert done.stdout.startswith(
        "# sesmail.yaml, made from the configuration of aws-ses-pop3-server: POP3_PASSWORD, POP3_USER.\n"
    )
    assert "password: open sesame" in done.stdout
    assert all(line.startswith("warning: ") for line in done.stderr.splitlines())
    assert "open sesame" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_place_is_read(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text("user: ann\npassword: pw\n")
    done = sesmail(*SES, "old.yaml", cwd=tmp_path)
    assert done.returncode == 0
    assert "name: ann" in done.stdout
    assert "aws-ses-pop3-server: old.yaml.\n" in done.stdout


def test_the_output_is_for_its_owner_alone_and_never_overwritten(tmp_path: Path) -> None:
    assert sesmail(*SES, "-o", "sesmail.yaml", cwd=tmp_path, **USER).returncode == 0
    file = tmp_path / "sesmail.yaml"
    before = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    done = sesmail(*SES, "-o", "sesmail.yaml", cwd=tmp_path, POP3_USER="another")
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == f"{file}: is there already, and nothing is overwritten\n"
    assert file.read_text() == before


def test_certificates_given_inline_are_put_beside_the_output(tmp_path: Path) -> None:
    issued = Authority(tmp_path).issue("localhost")
    pem = {"POP3_TLS_CERT": issued.certificate.read_text(), "POP3_TLS_KEY": issued.key.read_text()}
    (tmp_path / "out").mkdir()
    done = sesmail(*SES, "-o", "out/sesmail.yaml", cwd=tmp_path, **pem)
    assert done.returncode == 0, done.stderr
    key = tmp_path / "out" / "sesmail.tls-key.pem"
    assert key.read_text() == issued.key.read_text()
    assert key.stat().st_mode & 0o777 == 0o600
    assert str(key) in (tmp_path / "out" / "sesmail.yaml").read_text()


def test_certificates_given_inline_are_refused_without_a_place(tmp_path: Path) -> None:
    done = sesmail(*SES, cwd=tmp_path, POP3_TLS_CERT="x", POP3_TLS_KEY="y")
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.splitlines() == [
        "POP3_TLS_CERT: tls-cert: needs a file of its own; name an output file with -o, and it is put beside that",
        "POP3_TLS_KEY: tls-key: needs a file of its own; name an output file with -o, and it is put beside that",
    ]


def test_nothing_is_left_of_what_cannot_be_taken_over(tmp_path: Path) -> None:
    done = sesmail(*SES, "-o", "sesmail.yaml", cwd=tmp_path, POP3_TLS_CERT="no certificate", POP3_TLS_KEY="y")
    assert (done.returncode, done.stdout) == (78, "")
    assert "POP3_TLS_CERT: tls-cert: " in done.stderr
    assert "holds no PEM of a certificate" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_certificates_that_lie_elsewhere_are_a_warning(tmp_path: Path) -> None:
    done = sesmail(*SES, cwd=tmp_path, POP3_TLS_CERT_PATH="/elsewhere/a.crt", POP3_TLS_KEY_PATH="/elsewhere/a.key")
    assert done.returncode == 0
    assert "warning: POP3_TLS_KEY_PATH: tls-key-path: /elsewhere/a.key does not exist" in done.stderr.splitlines()


def test_an_output_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    done = sesmail(*SES, "-o", "nowhere/sesmail.yaml", cwd=tmp_path, **USER)
    assert done.returncode == 78
    assert done.stderr == f"{tmp_path}/nowhere/sesmail.yaml: cannot be written: No such file or directory\n"


def test_the_other_system_is_read_from_its_variables_and_options(tmp_path: Path) -> None:
    given = {"awskey": "AK", "awssecret": "verysecret", "bucket": "example-mail", "prefix": "mailboxes"}
    done = sesmail("import-config", "aws-pop3-server", "-i", "127.0.0.1", "-p", "1110", "-t", "aws", cwd=tmp_path, **given)
    assert done.returncode == 0
    assert "- endpoint: tcp:1110:interface=127.0.0.1" in done.stdout
    assert "verysecret" not in done.stderr


@pytest.mark.parametrize("arguments", [[], ["another-server"], ["aws-pop3-server", "FILE"], ["aws-ses-pop3-server", "-p", "1"]])
def test_wrong_usage_exits_with_64(arguments: list[str], tmp_path: Path) -> None:
    done = sesmail("import-config", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr.startswith("usage: sesmail")

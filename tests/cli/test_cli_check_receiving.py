"""What check-config says about mail that comes in, without asking anybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_cli_main import sesmail

START = """\
storage: {url: "s3://example-mail"}
pop3: {listeners: []}
tls: {self_signed: true}
service: {state_dir: /var/lib/sesmail}
"""


def check(folder: Path, text: str) -> tuple[int, list[str], str]:
    (folder / "mail.yaml").write_text(START + text)
    (folder / "mail.yaml").chmod(0o600)
    # Nothing that is tried may need AWS: here it would not be found.
    done = sesmail("check-config", "--config", "mail.yaml", cwd=folder, AWS_PROFILE="nobody", AWS_EC2_METADATA_DISABLED="true")
    return done.returncode, done.stdout.splitlines(), done.stderr


def test_it_is_said_how_mail_comes_in_and_where_it_goes(tmp_path: Path) -> None:
    status, lines, complaints = check(
        tmp_path,
        """\
queue:
  url: https://sqs.eu-west-1.amazonaws.com/123456789012/mail
  dead_letter_url: https://sqs.eu-west-1.amazonaws.com/123456789012/dead
sns: {listeners: [{endpoint: "tcp:8443"}], topics: ["arn:aws:sns:eu-west-1:123456789012:mail"], username: sns, password: verysecret}
lmtp: {listeners: [{endpoint: "tcp:24"}, {endpoint: "unix:/run/sesmail/lmtp:mode=660"}], clients: [10.0.0.0/24]}
lmtp_out: {host: imap.example.com}
routing: {accounts: lmtp, routes: [{address: a@example.com, to: ["pipe:/bin/cat verysecret"]}]}
""",
    )
    assert (status, complaints) == (0, "")
    assert lines[:11] == [
        "ok: mail.yaml",
        "SNS: tcp:8443, TLS from the start",
        "LMTP: tcp:24, no TLS",
        "LMTP: unix:/run/sesmail/lmtp:mode=660, no TLS",
        "mail comes in: s3://example-mail, new/",
        "told of by: https://sqs.eu-west-1.amazonaws.com/123456789012/mail",
        "told of by: arn:aws:sns:eu-west-1:123456789012:mail",
        "dead letters: https://sqs.eu-west-1.amazonaws.com/123456789012/dead, every 21600 s",
        "looked for every 900 s, when older than 900 s",
        "LMTP to: imap.example.com port 24, for all accounts",
        "LMTP from: 10.0.0.0/24",
    ]
    assert "verysecret" not in "".join(lines)


def test_a_gateway_that_only_reads_says_nothing_of_it(tmp_path: Path) -> None:
    status, lines, _ = check(tmp_path, "")
    assert (status, [line for line in lines if "comes in" in line or "LMTP" in line]) == (0, [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "routing: {routes: [{address: a@example.com, to: [tom, 'maildir:here']}]}\n",
            "mail.yaml: routing.routes[0].to[1]: a Maildir is named by an absolute path",
        ),
        (
            "routing: {catch_all: [{domain: example.com, to: ['lmpt:tom']}]}\n",
            "mail.yaml: routing.catch_all[0].to[0]: lmpt: is no kind of target; "
            "known are mailbox, lmtp, maildir, pipe, forward, drop, bounce, hold",
        ),
        (
            "routing: {in_store: 'mailbox:two words'}\n",
            "mail.yaml: routing.in_store: an account is named in printable ASCII without spaces",
        ),
    ],
)
def test_a_target_that_cannot_be_used_is_refused(text: str, said: str, tmp_path: Path) -> None:
    status, lines, complaints = check(tmp_path, text)
    assert (status, lines, complaints) == (78, [], f"{said}\n")


def test_certificates_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing\n")
    status, _, complaints = check(
        tmp_path, f"lmtp_out: {{host: imap.example.com, tls: implicit, ca_file: {tmp_path}/ca.pem}}\n"
    )
    assert status == 78
    assert complaints.startswith(f"mail.yaml: lmtp_out.ca_file: {tmp_path}/ca.pem holds no certificates that can be used: ")


def test_it_is_said_who_has_a_mailbox_that_is_delivered_into(tmp_path: Path) -> None:
    status, lines, _ = check(
        tmp_path,
        """\
deliver:
  mailboxes:
    - {address: tom@example.com, prefix: tom}
    - {address: CatchAll, url: "s3://rest", prefix: dateTimeFormat(2006), kms_key: alias/mail}
    - {address: ann@example.com, url: "s3://ann"}
""",
    )
    assert status == 0
    assert [line for line in lines if line.startswith("delivered")] == [
        "delivered for tom@example.com: s3://example-mail, tom",
        "delivered for CatchAll: s3://rest, dateTimeFormat(2006), encrypted with alias/mail",
        "delivered for ann@example.com: s3://ann, at its top",
    ]

"""A gateway in front of a real Postfix that plays the SMTP endpoint of SES: mail goes out once, to whom it was sent, and shows nobody else."""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers import gateway, postfix
from tests.servers.ports import free_port, wait_until

_NAME, _PASSWORD = "jack@example.com", "open sesame"
_BODY = b".\r\n..\r\n.dots\r\n\xff\xe4 8 bits\r\nend\r\n"
_MAIL = b"From: Jack <jack@example.com>\r\nTo: a@example.org\r\nBcc: secret@example.net\r\nSubject: one\r\n\r\n" + _BODY


@pytest.fixture(scope="module")
def server() -> Iterator[postfix.Postfix]:
    with postfix.running() as running:
        yield running


def config(server: postfix.Postfix, folder: Path, tls: str, **smarthost: Any) -> dict[str, Any]:
    port = server.implicit if tls == "implicit" else server.starttls
    return {
        "storage": {"url": folder.as_uri()},
        "mailboxes": {"domains": ["example.com"], "default_domain": "example.com"},
        "auth": {"users": [{"name": _NAME, "password": _PASSWORD}]},
        "tls": {"self_signed": True},
        "pop3": {"listeners": [{"endpoint": f"tcp:{free_port()}:interface=127.0.0.1", "tls": "implicit"}]},
        "submission": {
            "listeners": [{"endpoint": f"tcp:{free_port()}:interface=127.0.0.1", "tls": "implicit"}],
            "check_domains": False,
        },
        "relay": {"courier": "smtp", "retry_first": "1s", "retry_longest": "1s"},
        "smarthost": {
            "host": "localhost",
            "port": port,
            "tls": tls,
            "username": postfix.USERNAME,
            "secret_access_key": postfix.SECRET,
            "region": postfix.REGION,
            "ca_file": str(server.ca_file),
            **smarthost,
        },
    }


def send(port: int, *recipients: str) -> dict[str, tuple[int, bytes]]:
    """Recipients that were refused."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP_SSL("127.0.0.1", port, timeout=60, context=context) as client:
        client.login(_NAME, _PASSWORD)
        return client.sendmail(_NAME, recipients, _MAIL, ["BODY=8BITMIME"])


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_mail_goes_out_once_to_the_envelope_alone_with_the_derived_password(
    server: postfix.Postfix, tmp_path: Path, tls: str
) -> None:
    server.sink.clear()
    with gateway.running(config(server, tmp_path, tls)) as running:
        for _ in range(3):
            assert send(running.ports[1], "a@example.org", "secret@example.net") == {}
        kept = server.sink.wait_for(3)
        ids = re.findall(r"\bsent id=.* next_id=([0-9A-F]+) ", running.log())
        left = _good_byes(server)
        running.stop()
    wait_until(lambda: _good_byes(server) > left, seconds=10, what=server.log.read_text)
    assert len(server.sink.kept) == 3
    for message in kept:
        assert set(message.recipients) == {"a@example.org", "secret@example.net"}
        assert message.sender == _NAME
        assert message.data.endswith(b"\r\nSubject: one\r\n\r\n" + _BODY)
        assert b"secret" not in message.data
    assert set(ids) <= set(re.findall(r"\b[0-9A-F]{9,}\b", server.log.read_text()))
    assert ids


def _good_byes(server: postfix.Postfix) -> int:
    """How many conversations with it were ended by QUIT."""
    return len(re.findall(r" disconnect from .* quit=1 ", server.log.read_text()))


def test_a_wrong_password_of_ours_keeps_mail_until_it_is_mended(server: postfix.Postfix, tmp_path: Path) -> None:
    server.sink.clear()
    state = {"service": {"state_dir": str(tmp_path / "state")}}
    (tmp_path / "store").mkdir()
    with gateway.running({**config(server, tmp_path / "store", "starttls", region="eu-west-1"), **state}) as running:
        assert send(running.ports[1], "a@example.org") == {}
        running.wait_for_log("mail waits for you to mend this: AUTH: 535")
        running.stop()
    assert server.sink.kept == []
    with gateway.running({**config(server, tmp_path / "store", "starttls"), **state}):
        (kept,) = server.sink.wait_for(1)
    assert kept.recipients == ("a@example.org",)
    wait_until(lambda: not list((tmp_path / "state/spool/queue").iterdir()), seconds=10, what=lambda: "still in the spool")

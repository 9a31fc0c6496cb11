"""The real Postfix that stands in for SES's SMTP endpoint does what the tests of sending rely on."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator

import pytest

from tests.servers import postfix

_MAIL = b"From: a@example.com\r\n\r\n.\xe4\r\n..\r\nend\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[postfix.Postfix]:
    with postfix.running() as running:
        yield running


def trusting(server: postfix.Postfix) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=server.ca_file)


def test_it_takes_mail_over_both_forms_of_tls_and_hands_it_on_as_it_is(server: postfix.Postfix) -> None:
    with smtplib.SMTP("localhost", server.starttls, timeout=10) as client:
        client.starttls(context=trusting(server))
        client.login(postfix.USERNAME, postfix.PASSWORD)
        client.sendmail("a@example.com", ["b@example.org", "c@example.org"], _MAIL)
    with smtplib.SMTP_SSL("localhost", server.implicit, timeout=10, context=trusting(server)) as client:
        client.login(postfix.USERNAME, postfix.PASSWORD)
        client.sendmail("a@example.com", ["d@example.org"], _MAIL)
    kept = server.sink.wait_for(2)
    assert {message.recipients for message in kept} == {("b@example.org", "c@example.org"), ("d@example.org",)}
    assert all(message.data.startswith(b"Received: ") and message.data.endswith(b"\r\n" + _MAIL) for message in kept)


def test_it_takes_nothing_before_tls_and_login(server: postfix.Postfix) -> None:
    with smtplib.SMTP("localhost", server.starttls, timeout=10) as client:
        client.ehlo()
        assert not client.has_extn("auth")
        assert client.docmd("MAIL FROM:<a@example.com>")[0] == 530
        client.starttls(context=trusting(server))
        client.ehlo()
        client.docmd("MAIL FROM:<a@example.com>")
        assert client.docmd("RCPT TO:<b@example.org>")[0] == 554
        client.rset()
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(postfix.USERNAME, "wrong")

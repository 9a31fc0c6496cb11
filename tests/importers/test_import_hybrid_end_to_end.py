"""Users of hybrid-cloud-email go on sending as the addresses that lead to them, and as no others, with its files as they are."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.importers.gateways import imported, serving
from tests.importers.hybrid import PASSWORDS, checkout
from tests.servers import ses
from tests.servers.ports import free_port

MESSAGE = b"From: %b\r\nTo: ann@example.org\r\nSubject: lunch\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@x>\r\n\r\nToday?\r\n"


@contextmanager
def logged_in(port: int, authority: Path, user: str) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP("localhost", port, timeout=30) as session:
        session.starttls(context=ssl.create_default_context(cafile=str(authority)))
        session.login(user, PASSWORDS[user].decode())
        yield session


@pytest.mark.parametrize("domain", [[], ["-d", "example.com"]])
def test_users_send_as_what_leads_to_them_and_as_nothing_else(domain: list[str], tmp_path: Path) -> None:
    port = free_port()
    folder = checkout(tmp_path / "hybrid", {"SMTP_STARTTLS_PORT": f"127.0.0.1:{port}", "MAX_MESSAGE_SIZE": "100000"})
    file = imported("hybrid-cloud-email", "hybrid", *domain, cwd=tmp_path)
    authority = folder / "ca.pem"
    with ses.running() as server:
        given = {
            "SESMAIL__SES__ENDPOINT": server.endpoint,
            # There is no DNS here.
            "SESMAIL__SUBMISSION__CHECK_DOMAINS": "false",
            "SESMAIL__SERVICE__STATE_DIR": str(tmp_path / "state"),
        }
        with serving(port, "--config", str(file), cwd=tmp_path, server=None, **given):
            for user, address in [("adam", "adam@example.com"), ("jack", "jack+abc@my.fqdn"), ("ryan", "xyz@example.com")]:
                with logged_in(port, authority, user) as session:
                    session.sendmail(address, ["ann@example.org"], MESSAGE % address.encode())
            for user, address in [("jack", "adam@example.com"), ("ryan", "ryan@my.fqdn"), ("adam", "xyz@example.com")]:
                with logged_in(port, authority, user) as session, pytest.raises(smtplib.SMTPSenderRefused) as refused:
                    session.sendmail(address, ["ann@example.org"], MESSAGE % address.encode())
                assert refused.value.smtp_code == 553
            with logged_in(port, authority, "ryan") as session, pytest.raises(smtplib.SMTPSenderRefused) as refused:
                session.sendmail("xyz@example.com", ["ann@example.org"], b"x" * 200_000)
            assert refused.value.smtp_code == 552
        assert [(one.sender, one.recipients) for one in server.sent] == [
            ("adam@example.com", ("ann@example.org",)),
            ("jack+abc@my.fqdn", ("ann@example.org",)),
            ("xyz@example.com", ("ann@example.org",)),
        ]
        assert all(one.data.endswith(MESSAGE.split(b"\r\n", 1)[1]) for one in server.sent)

"""The gateway's door for LMTP: who may come in by it, and what a mail server hears there."""

from __future__ import annotations

import grp
import os
import smtplib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.certificates import Authority
from tests.servers.gateway import running, started
from tests.servers.ports import answers, free_port, wait_until
from tests.service import house
from tests.service.house import ANN, TOM, House
from tests.service.tls import trusting

DENIED, NOBODY = "shut@example.com", "nobody@example.com"
MAIL = b"From: jack@example.org\r\nSubject: %b\r\n\r\n.\r\n..\r\n\x00\xe4\r\n" + b"x" * 1500 + b"\r\n"


def config(folder: Path, *endpoints: str, authority: Authority | None = None, **more: Any) -> dict[str, Any]:
    listeners = [{"endpoint": endpoint, "tls": "starttls" if "tcp" in endpoint else "none"} for endpoint in endpoints]
    return house.config(
        folder,
        authority or Authority(folder),
        lmtp={"listeners": listeners, **more},
        routing={"deny": [DENIED]},
        aliases={"map": None},
    )


def a_group() -> grp.struct_group:
    ours = grp.getgrall() if os.geteuid() == 0 else list(map(grp.getgrgid, os.getgroups()))
    return next(group for group in ours if group.gr_gid != os.getgid())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Path, int]]:
    folder = tmp_path_factory.mktemp("lmtp")
    path, port = folder / "socket", free_port()
    authority = Authority(folder)
    ends = (f"unix:{path}", f"tcp:{port}:interface=127.0.0.1")
    made = config(folder, *ends, authority=authority, group=a_group().gr_name)
    with running(made) as gateway:
        wait_until(lambda: path.is_socket() and answers(port), seconds=30, what=gateway.log)
        yield House(gateway, folder, authority.certificate), path, port


def deliver(lmtp: smtplib.LMTP, *recipients: str, subject: str) -> list[tuple[int, bytes]]:
    """As `sendmail` of smtplib's LMTP should, which reads one answer though there is one for each recipient."""
    lmtp.ehlo_or_helo_if_needed()
    assert lmtp.mail("jack@example.org")[0] == 250
    taken = [recipient for recipient in recipients if lmtp.rcpt(recipient)[0] == 250]
    first = lmtp.data(MAIL.replace(b"%b", subject.encode()))
    return [first, *(lmtp.getreply() for _ in taken[1:])]


def test_the_socket_is_for_its_group_alone_unless_the_endpoint_says_more(served: tuple[House, Path, int]) -> None:
    _, path, _ = served
    found = path.stat()
    assert (found.st_mode & 0o777, found.st_gid) == (0o660, a_group().gr_gid)


@pytest.mark.parametrize("way", ["unix", "tcp", "starttls"])
def test_smtplib_delivers(served: tuple[House, Path, int], way: str) -> None:
    house_, path, port = served
    subject = f"by {way}"
    lmtp = smtplib.LMTP(str(path)) if way == "unix" else smtplib.LMTP("localhost", port)
    with lmtp:
        if way == "starttls":
            lmtp.starttls(context=trusting(house_.authority))
        answers = deliver(lmtp, TOM, NOBODY, ANN, TOM, DENIED, subject=subject)
        assert [code for code, _ in answers] == [250, 250, 250]
        # One answer more or less would be taken for that of the next command.
        assert lmtp.noop() == (250, b"2.0.0 ok")
    for person in (TOM, ANN):
        found = house_.wait_for_mail(person, f"Subject: {subject}\r\n".encode())
        assert found.endswith(b"\r\n\r\n.\r\n..\r\n\x00\xe4\r\n" + b"x" * 1500 + b"\r\n")
        assert sum(f"Subject: {subject}\r\n".encode() in message for message in house_.mailbox(person)) == 1


def test_recipients_hear_at_once_that_they_get_nothing(served: tuple[House, Path, int]) -> None:
    _, path, _ = served
    with smtplib.LMTP(str(path)) as lmtp:
        lmtp.ehlo_or_helo_if_needed()
        lmtp.mail("jack@example.org")
        assert [lmtp.rcpt(person) for person in (NOBODY, DENIED)] == [
            (550, b"5.1.1 no such mailbox"),
            (550, b"5.7.1 this account takes no mail"),
        ]
        assert lmtp.docmd("DATA")[0] == 503


def test_what_is_offered(served: tuple[House, Path, int]) -> None:
    _, path, _ = served
    with smtplib.LMTP(str(path)) as lmtp:
        lmtp.ehlo_or_helo_if_needed()
        assert lmtp.esmtp_features == {
            "pipelining": "",
            "size": str(64 << 20),
            "8bitmime": "",
            "enhancedstatuscodes": "",
            "xqueueid": "",
        }
        assert lmtp.docmd("EHLO a")[0] == 500


def test_a_second_gateway_on_the_socket_does_not_start_and_the_first_goes_on(
    served: tuple[House, Path, int], tmp_path: Path
) -> None:
    _, path, _ = served
    with started(config(tmp_path, f"unix:{path}")) as second:
        assert second.wait_until_it_ends(60) == 1
        assert "another process listens on this socket" in second.log()
    with smtplib.LMTP(str(path)) as lmtp:
        assert lmtp.noop()[0] == 250


def test_a_gateway_that_was_killed_leaves_its_place_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    made = config(tmp_path, f"unix:{path}")
    with running(made) as first:
        wait_until(path.is_socket, seconds=30, what=first.log)
        first.kill()
    assert path.is_socket()
    with running(made) as second:
        with smtplib.LMTP(str(path)) as lmtp:
            assert [code for code, _ in deliver(lmtp, TOM, subject="after")] == [250]
        second.stop()
    assert not path.exists()


def test_a_group_that_is_not_there_is_said_at_the_start(tmp_path: Path) -> None:
    with started(config(tmp_path, f"unix:{tmp_path / 'socket'}", group="no-such-group")) as gateway:
        assert gateway.wait_until_it_ends(60) == 78
        assert "there is no group no-such-group" in gateway.log()


def test_strangers_are_turned_away_and_clients_are_not(tmp_path: Path) -> None:
    port = free_port()
    made = config(tmp_path, f"tcp:{port}:interface=127.0.0.1", clients=["198.51.100.0/24"])
    made["lmtp"]["listeners"] = [
        {"endpoint": f"haproxy:tcp:{port}:interface=127.0.0.1", "trusted": ["127.0.0.1"], "tls": "none"}
    ]
    with running(made) as gateway:
        wait_until(lambda: answers(port), seconds=30, what=gateway.log)
        for peer, greeting in (("203.0.113.9", 421), ("198.51.100.9", 220), ("127.0.0.1", 220)):
            with socket.create_connection(("127.0.0.1", port), 20) as client:
                client.sendall(f"PROXY TCP4 {peer} 127.0.0.1 50000 24\r\n".encode())
                assert int(client.recv(100)[:3]) == greeting
        assert "203.0.113.9 may not deliver by LMTP" in gateway.log()

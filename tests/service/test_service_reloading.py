"""A gateway that reads its configuration again: what changes at once, what waits, and what it refuses, with real clients in it."""

from __future__ import annotations

import contextlib
import poplib
import shutil
import signal
import smtplib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.certificates import Authority
from tests.servers.gateway import Gateway, running
from tests.servers.ports import answers, free_port, free_ports, wait_until
from tests.service.tls import shown, trusting

TOM, ANN = {"name": "tom@example.com", "password": "right horse"}, {"name": "ann@example.com", "password": "battery"}


class Changing:
    """A running gateway and its configuration, section by section."""

    def __init__(self, gateway: Gateway, config: dict[str, Any], authority: Authority) -> None:
        self.gateway = gateway
        self.config = config
        self.authority = authority
        self.port, self.submission = gateway.ports
        self._reloads = 0

    def change(self, **sections: Any) -> None:
        """Write these sections over, and wait until the gateway has taken them on."""
        self._write(sections)
        self._hang_up("reloaded; changed in the configuration: ")

    def refused(self, **sections: Any) -> str:
        """Write these sections over, wait until the gateway has refused them, and give the log."""
        self._write(sections)
        self._hang_up("nothing was reloaded: everything stays as it was")
        return self.gateway.log()

    def _write(self, sections: Any) -> None:
        for name, options in sections.items():
            self.config[name] = {**self.config.get(name, {}), **options}
        self.gateway.configure(self.config)

    def _hang_up(self, said: str) -> None:
        before = self.gateway.log().count(said)
        self.gateway.signal(signal.SIGHUP)
        wait_until(lambda: self.gateway.log().count(said) > before, seconds=15, what=self.gateway.log)

    def login(self, user: dict[str, str], port: int | None = None) -> poplib.POP3:
        pop = poplib.POP3("127.0.0.1", port or self.port, timeout=20)
        pop.user(user["name"])
        pop.pass_(user["password"])
        return pop

    def may_log_in(self, user: dict[str, str]) -> bool:
        try:
            self.login(user).quit()
        except poplib.error_proto as error:
            if "[AUTH]" not in str(error):
                raise
            return False
        return True


def listeners(*ends: tuple[int, str]) -> dict[str, Any]:
    return {"listeners": [{"endpoint": f"tcp:{port}:interface=127.0.0.1", "tls": tls} for port, tls in ends]}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Changing]:
    authority = Authority(tmp_path)
    issued = authority.issue("localhost")
    (tmp_path / "mail").mkdir()
    port, submission = free_ports(2)
    config: dict[str, Any] = {
        "storage": {"url": (tmp_path / "mail").as_uri()},
        "mailboxes": {"lock": "none"},
        "auth": {"checkers": ["static"], "users": [TOM], "throttle_wait": 0},
        "pop3": {**listeners((port, "none")), "strike_delay": 0.01},
        "submission": {**listeners((submission, "implicit")), "check_domains": False},
        "relay": {"courier": "outbox", "outbox": str(tmp_path / "outbox"), "local_domains": ["example.com"]},
        "page": {"listeners": []},
        "tls": {"certificates": [{"certificate": str(issued.certificate), "key": str(issued.key)}]},
        "service": {"state_dir": str(tmp_path / "state")},
    }
    with running(config) as gateway:
        yield Changing(gateway, config, authority)


def test_accounts_come_and_go_and_their_sessions_go_on(here: Changing) -> None:
    session = here.login(TOM)
    assert not here.may_log_in(ANN)
    here.change(auth={"users": [ANN]})
    assert here.may_log_in(ANN)
    assert not here.may_log_in(TOM)
    assert session.stat() == (0, 0)
    session.quit()


def test_mail_for_a_new_account_finds_its_mailbox_and_the_account_its_address(here: Changing) -> None:
    here.change(auth={"users": [TOM, {**ANN, "name": "ann", "address": "info@example.com", "prefix": "ann/"}]})
    context = trusting(here.authority.certificate)
    with smtplib.SMTP_SSL("localhost", here.submission, context=context, timeout=20) as smtp:
        smtp.login("tom@example.com", TOM["password"])
        smtp.sendmail("tom@example.com", ["info@example.com"], b"Subject: hello\r\n\r\nx\r\n")
    pop = here.login({"name": "ann", "password": ANN["password"]})
    wait_until(lambda: _count(here, "ann", ANN["password"], pop) == 1, seconds=15, what=here.gateway.log)


def _count(here: Changing, name: str, password: str, before: poplib.POP3) -> int:
    with contextlib.suppress(Exception):
        before.quit()
    pop = here.login({"name": name, "password": password})
    count = pop.stat()[0]
    pop.quit()
    return count


def test_a_password_file_is_read_again_at_once(here: Changing, tmp_path: Path) -> None:
    passwd = tmp_path / "passwd"
    passwd.write_text("eve@example.com:{PLAIN}first\n")
    here.change(auth={"checkers": ["passwd-file"], "passwd_file": str(passwd), "passwd_cache": 3600})
    assert here.may_log_in({"name": "eve@example.com", "password": "first"})
    passwd.write_text("eve@example.com:{PLAIN}second\n")
    here.change()
    assert here.may_log_in({"name": "eve@example.com", "password": "second"})


def test_a_new_password_file_in_the_store_is_no_mail_of_anybody(here: Changing, tmp_path: Path) -> None:
    mailbox = tmp_path / "mail" / "mailboxes" / "example.com" / "tom"
    mailbox.mkdir(parents=True)
    (mailbox / "users").write_text("eve@example.com:{PLAIN}first\n")
    here.change(auth={"checkers": ["static", "passwd-file"], "passwd_file": "mailboxes/example.com/tom/users"})
    assert here.login(TOM).stat() == (0, 0)


def test_a_bad_file_changes_nothing_and_says_why(here: Changing) -> None:
    session = here.login(TOM)
    for bad, said in (
        ({"auth": {"users": [{"name": "eve@example.com"}]}}, r"auth.users[0]"),
        ({"auth": {"users": [ANN], "checkers": ["nosuch"]}}, "auth.checkers: there is no checker nosuch"),
        ({"auth": {"users": [ANN], "checkers": ["static"]}, "aliases": {"map": "pcre:/nowhere"}}, "aliases.map"),
    ):
        assert said in here.refused(**bad)
        assert here.may_log_in(TOM)
        assert not here.may_log_in(ANN)
    here.gateway.config_file.write_text("pop3: [\n")
    here.gateway.signal(signal.SIGHUP)
    here.gateway.wait_for_log(r"sesmail\.yaml:2: ")
    assert session.stat() == (0, 0)
    assert "Traceback" not in here.gateway.log()
    assert "right horse" not in here.gateway.log()


def test_what_needs_a_restart_is_named_and_left(here: Changing) -> None:
    here.change(auth={"users": [TOM, ANN]}, limits={"connections": 7}, pop3={"strikes": 9})
    here.gateway.wait_for_log(r"only a restart takes it on: pop3\.strikes, limits\.connections")
    here.gateway.wait_for_log(r"reloaded; changed in the configuration: auth\.users")
    assert here.may_log_in(ANN)


def test_a_listener_is_added_and_another_removed_while_its_session_goes_on(here: Changing) -> None:
    session = here.login(TOM)
    other = free_port()
    here.change(pop3=listeners((other, "none")))
    assert here.login(TOM, other).quit().startswith(b"+OK")
    wait_until(lambda: not answers(here.port), seconds=10, what=here.gateway.log)
    assert session.stat() == (0, 0)
    session.quit()
    here.change(pop3=listeners((here.port, "none"), (other, "none")))
    assert here.may_log_in(TOM)


def test_tls_on_a_port_changes_without_closing_it(here: Changing) -> None:
    here.change(pop3=listeners((here.port, "implicit")))
    context = trusting(here.authority.certificate)
    pop = poplib.POP3_SSL("localhost", here.port, context=context, timeout=20)
    assert pop.getwelcome().startswith(b"+OK")
    assert here.gateway.log().count(f"listening on tcp:{here.port}:") == 1


def test_an_address_goes_from_one_listener_to_the_next(here: Changing) -> None:
    listener = {"endpoint": f"tcp:{here.port}:interface=127.0.0.1:backlog=7", "tls": "none"}
    here.change(pop3={"listeners": [listener]})
    assert here.may_log_in(TOM)


def test_a_taken_port_is_refused_and_all_stay_open(here: Changing) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free, busy = free_port(), taken.getsockname()[1]
        log = here.refused(auth={"users": [ANN]}, pop3=listeners((free, "none"), (busy, "none")))
    assert f"pop3.listeners: cannot listen on tcp:{busy}:interface=127.0.0.1: " in log
    assert here.may_log_in(TOM)
    assert not here.may_log_in(ANN)
    assert not answers(free)


def test_a_gateway_that_stops_opens_no_port_any_more(here: Changing, tmp_path: Path) -> None:
    mailbox = tmp_path / "mail/mailboxes/example.com/tom"
    mailbox.mkdir(parents=True)
    (mailbox / "big").write_bytes(b"Subject: big\r\n\r\n" + b"0123456789abcdef\r\n" * 1_000_000)
    session, late = here.login(TOM), free_port()
    session._putcmd("RETR 1")  # type: ignore[attr-defined]
    assert session._getresp().startswith(b"+OK")  # type: ignore[attr-defined]
    here.gateway.signal(signal.SIGTERM)
    wait_until(lambda: not answers(here.port), seconds=10, what=here.gateway.log)
    log = here.refused(pop3=listeners((late, "none")))
    assert "the gateway stops" in log
    assert not answers(late)
    session.close()


def test_new_certificates_are_those_that_the_file_names(here: Changing, tmp_path: Path) -> None:
    before = _serial(here)
    folder = tmp_path / "renewed"
    folder.mkdir()
    issued = here.authority.issue("localhost")
    pair = {"certificate": str(shutil.copy(issued.certificate, folder)), "key": str(shutil.copy(issued.key, folder))}
    here.change(tls={"certificates": [pair]})
    assert _serial(here) != before


def _serial(here: Changing) -> int:
    context = trusting(here.authority.certificate)
    with (
        socket.create_connection(("127.0.0.1", here.submission), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        return shown(tls).serial


class Logins(threading.Thread):
    """Logs in, again and again, until it is told to stop."""

    def __init__(self, here: Changing) -> None:
        super().__init__()
        self.done = 0
        self.failed: list[str] = []
        self._here = here
        self._enough = threading.Event()

    def run(self) -> None:
        while not self._enough.is_set():
            try:
                pop = self._here.login(TOM)
                pop.stat()
                pop.quit()
            except (OSError, poplib.error_proto) as error:
                self.failed.append(repr(error))
            else:
                self.done += 1

    def end(self) -> None:
        self._enough.set()
        self.join(30)


def test_reloads_under_load_drop_nothing(here: Changing) -> None:
    people = [Logins(here) for _ in range(3)]
    for one in people:
        one.start()
    extra = free_port()
    for number in range(6):
        ends = [(here.port, "none" if number % 2 else "starttls"), *([(extra, "none")] if number % 3 else [])]
        here.change(pop3=listeners(*ends), auth={"users": [TOM, ANN] if number % 2 else [TOM]})
    for one in people:
        one.end()
    assert [error for one in people for error in one.failed] == []
    assert sum(one.done for one in people) > 10


def test_many_hangups_end_in_one_last_reload(here: Changing) -> None:
    for _ in range(50):
        here.gateway.signal(signal.SIGHUP)
    here.change(auth={"users": [ANN]})
    wait_until(lambda: here.may_log_in(ANN), seconds=15, what=here.gateway.log)
    assert here.gateway.log().count("reloaded;") < 40

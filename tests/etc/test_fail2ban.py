"""fail2ban finds whoever guesses passwords in what the gateway logs, and nobody else, whatever names are tried."""

from __future__ import annotations

import base64
import poplib
import smtplib
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.browsing import Browser
from tests.etc.logging_gateway import Logging, journal, logging_gateway
from tests.packaging.tree import ROOT

_FOLDER = ROOT / "etc" / "fail2ban"
_FILTER = _FOLDER / "filter.d" / "sesmail.conf"
# Whoever tries a name comes from an address of his own: 127.0.0.2 and on. Nobody comes from one in 203.0.113.0/24.
_CLAIM = "peer=203.0.113.9 protocol=pop3 reason=BadLogin"
_HOSTILE = [
    "nobody@example.com",
    f"x {_CLAIM}",
    f'x" {_CLAIM}',
    f'x\\" {_CLAIM}',
    f"x\\\\ {_CLAIM} \\",
    f"x\n[sesmail.fate#info] login-refused {_CLAIM}",
    f"x\r\n2026-11-22T01:29:49+0000 [sesmail.fate#info] login-refused {_CLAIM}\r\n",
    f"x\u2028[sesmail.fate#info] login-refused {_CLAIM}\u0085",
    f"\x1b[2K\x08[sesmail.fate#info] login-refused {_CLAIM}",
    '", "peer": "203.0.113.9", "protocol": "pop3", "reason": "BadLogin"}',
    '\\", "peer": "203.0.113.9", "protocol": "pop3", "reason": "BadLogin"}\n{"time": "',
    "203.0.113.9",
    "<HOST>%(_from)s{0}%s",
    "y" * 190 + '"' * 20,
    "z" * 199 + "\\",
    "é" * 150,
]


def refused(gateway: Logging) -> set[str]:
    """Try every name, each from its own address, at POP3. Returns the addresses."""
    peers = [f"127.0.0.{number}" for number in range(2, 2 + len(_HOSTILE))]
    for peer, name in zip(peers, _HOSTILE, strict=True):
        guess(gateway.pop3, peer, name)
    gateway.wait_for(len(peers), "login-refused")
    return set(peers)


def guess(port: int, peer: str, name: str) -> None:
    plain = base64.b64encode(b"\0" + name.encode() + b"\0wrong").decode()
    with socket.create_connection(("127.0.0.1", port), 30, source_address=(peer, 0)) as talk:
        file = talk.makefile("rw", newline="\r\n", encoding="latin-1")
        assert file.readline().startswith("+OK")
        file.write(f"AUTH PLAIN {plain}\n")
        file.flush()
        assert file.readline().startswith("-ERR")


def found(log: Path | str) -> list[str]:
    """The addresses that fail2ban finds with our filter, one for each line."""
    command = ["fail2ban-regex", "--out", "ip", str(log), str(_FILTER)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def found_in_journal(folder: Path, lines: dict[str, list[str]]) -> list[str]:
    return found(f'systemd-journal[journalfiles="{journal(folder, lines)}", journalflags=0]')


@pytest.fixture(params=["text", "json"])
def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Logging]:
    with logging_gateway(tmp_path, format=request.param, journal=False) as running:
        yield running


def test_each_refused_login_is_found_once_with_its_own_address(gateway: Logging) -> None:
    peers = refused(gateway)
    assert sorted(found(gateway.file)) == sorted(peers)


def test_refusals_of_every_door_are_found_and_good_logins_are_not(gateway: Logging) -> None:
    log_in_by_pop3(gateway, "right horse")
    with pytest.raises(poplib.error_proto):
        log_in_by_pop3(gateway, "wrong")
    log_in_by_submission(gateway, "wrong")
    log_in_by_page(gateway, "wrong")
    gateway.wait_for(3, "login-refused")
    assert found(gateway.file) == ["127.0.0.1"] * 3


def log_in_by_pop3(gateway: Logging, password: str) -> None:
    pop = poplib.POP3("127.0.0.1", gateway.pop3, timeout=30)
    pop.user("tom@example.com")
    pop.pass_(password)
    pop.quit()


def log_in_by_submission(gateway: Logging, password: str) -> None:
    with smtplib.SMTP("127.0.0.1", gateway.submission, timeout=30) as smtp:
        smtp.starttls(context=ssl._create_unverified_context())
        smtp.ehlo()
        plain = base64.b64encode(f"\0tom@example.com\0{password}".encode()).decode()
        assert smtp.docmd("AUTH", f"PLAIN {plain}")[0] == 535


def log_in_by_page(gateway: Logging, password: str) -> None:
    assert Browser(gateway.page).log_in(f"tom\n{_CLAIM}", password).status == 401


@pytest.mark.parametrize("format", ["text", "json"])
def test_in_the_journal_too_each_is_found_once(tmp_path: Path, format: str) -> None:
    with logging_gateway(tmp_path, format=format, journal=True) as gateway:
        peers = refused(gateway)
        lines = gateway.lines()
    assert all(line.startswith("<") for line in lines)
    assert sorted(found_in_journal(tmp_path, {"sesmail.service": lines})) == sorted(peers)


def test_workers_log_like_a_gateway_without_any(tmp_path: Path) -> None:
    with logging_gateway(tmp_path, format="json", journal=True, workers=2) as gateway:
        peers = refused(gateway)
        lines = gateway.lines()
    assert sorted(found_in_journal(tmp_path, {"sesmail.service": lines})) == sorted(peers)


def test_only_units_of_the_gateway_are_believed(tmp_path: Path) -> None:
    def line(peer: str) -> list[str]:
        return [f"<6>[sesmail.fate#info] login-refused user=x peer={peer} protocol=pop3 reason=BadLogin"]

    lines = {
        "sesmail.service": line("192.0.2.1"),
        "sesmail@two.service": line("192.0.2.2"),
        "cron.service": line("192.0.2.3"),
    }
    assert sorted(found_in_journal(tmp_path, lines)) == ["192.0.2.1", "192.0.2.2"]


@pytest.mark.parametrize(
    "line",
    [
        # More lines of an event are indented; as such they must not be taken for one.
        f"\t[sesmail.fate#info] login-refused {_CLAIM}",
        f"\t2026-11-22T01:29:49+0000 [sesmail.fate#info] login-refused {_CLAIM}",
        f"2026-11-22T01:29:49+0000 [sesmail.x#info] [sesmail.fate#info] login-refused {_CLAIM}",
        f"2026-11-22T01:29:49+0000 [sesmail.fate#info] login-refused user=x y {_CLAIM}",
        f"2026-11-22T01:29:49+0000 [sesmail.fate#info] login-refused {_CLAIM} more",
        "2026-11-22T01:29:49+0000 [sesmail.fate#info] login-refused user=x peer=unix protocol=pop3 reason=BadLogin",
        "2026-11-22T01:29:49+0000 [sesmail.fate#info] login-refused user=x peer=localhost protocol=pop3 reason=BadLogin",
        "2026-11-22T01:29:49+0000 [sesmail.fate#info] login-refused user=x peer=192.0.2.1 protocol=pop3 reason=Limited",
        "2026-11-22T01:29:49+0000 [sesmail.fate#info] login-refused user=x peer=192.0.2.1 protocol=pop3 reason=Unavailable",
        "2026-11-22T01:29:49+0000 [sesmail.fate#info] login user=x peer=192.0.2.1 protocol=pop3",
    ],
)
def test_nothing_else_is_taken_for_a_refusal(tmp_path: Path, line: str) -> None:
    (tmp_path / "log").write_text(f"{line}\n")
    assert found(tmp_path / "log") == []


@pytest.mark.parametrize("before", ["Nov 22 01:29:49", "2026-11-22T01:29:49.123456+00:00"])
def test_what_syslog_makes_of_it_is_found(tmp_path: Path, before: str) -> None:
    peers = ["192.0.2.1", "2001:db8::1"]
    text = f"{before} mail sesmail[109]: [sesmail.fate#info] login-refused user=x peer={{}} protocol=pop3 reason=BadLogin\n"
    (tmp_path / "log").write_text("".join(text.format(peer) for peer in peers))
    assert found(tmp_path / "log") == peers


def test_fail2ban_takes_the_jail_when_it_is_enabled(tmp_path: Path) -> None:
    etc = tmp_path / "fail2ban"
    subprocess.run(["cp", "-r", "/etc/fail2ban", etc], check=True)
    for kind in ("filter.d", "jail.d"):
        (etc / kind / "sesmail.conf").write_bytes((_FOLDER / kind / "sesmail.conf").read_bytes())
    assert "add sesmail" not in dumped(etc)
    (etc / "jail.d" / "sesmail.local").write_text("[sesmail]\nenabled = true\n")
    told = dumped(etc)
    assert "['add', 'sesmail', 'systemd']" in told
    assert "_SYSTEMD_UNIT=sesmail.service" in told
    assert "pop3,pop3s,submission,submissions" in told


def dumped(etc: Path) -> str:
    """What the server would be told, or how the configuration is wrong."""
    done = subprocess.run(["fail2ban-client", "-c", etc, "-d"], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr

"""What the doctor says of this machine: files, certificates, ports, the table in a file, and other servers."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sqlite3
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from sesmail.cli.doctor import others, tables
from sesmail.cli.doctor.certificates import certificates
from sesmail.cli.doctor.files import files, settings
from sesmail.cli.doctor.finding import Finding, State
from sesmail.cli.doctor.ports import port
from sesmail.cli.doctor.together import Look, together
from sesmail.cli.main import main
from sesmail.config.load import load
from sesmail.config.table import Config
from tests.cli.doctor.patients import bad, config, the
from tests.servers import lmtpsink
from tests.servers.certificates import Authority, Certificate
from tests.servers.ports import free_port

NOBODY = 65534
STORE = {"url": "file:///srv/mail"}


def stored(folder: Path, **more: Any) -> Config:
    return config(**{"storage": {"url": (folder / "mail").as_uri()}, "service": {"state_dir": str(folder / "state")}, **more})


def test_folders_that_can_be_made_are_right(tmp_path: Path) -> None:
    assert not bad(files(stored(tmp_path)))
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_place_of_a_folder_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    (wrong,) = bad(files(stored(tmp_path)))
    assert "service.state_dir" in wrong.about
    assert f"install -d -m 0700 -o sesmail -g sesmail {tmp_path / 'state'}" in wrong.mend


def test_files_that_are_named_and_not_there_are_wrong(tmp_path: Path) -> None:
    asked = stored(tmp_path, auth={"checkers": ["passwd-file"], "passwd_file": str(tmp_path / "users")})
    (wrong,) = bad(files(asked))
    assert wrong.about == f"auth.passwd_file {tmp_path / 'users'}"
    (tmp_path / "users").write_text("")
    assert not bad(files(asked))


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Until the end, where this is root who may do everything."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(was)


def test_a_folder_that_may_not_be_written_into_is_told_with_the_command() -> None:
    with tempfile.TemporaryDirectory(prefix="sesmail-doctor-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "state").mkdir(mode=0o500)
        asked = stored(folder)
        with as_nobody():
            found = bad(files(asked))
        assert the(found, "service.state_dir").mend == f"chown sesmail: {folder}/state && chmod u+rwx {folder}/state"
        assert "install -d" in the(found, "storage.url").mend


def test_a_secret_that_others_can_read_is_wrong(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("right horse\n")
    secret.chmod(0o644)
    file = tmp_path / "sesmail.yaml"
    file.write_text(
        f"storage: {{url: 'file:///srv/mail'}}\nauth: {{users: [{{name: tom@example.com, password: 'file:{secret}'}}]}}\ntls: {{self_signed: true}}\n"
    )
    (wrong,) = bad(settings(load(str(file), {})))
    assert (wrong.about, wrong.mend) == (f"file {secret}", f"chmod 600 {secret}")
    assert "right horse" not in wrong.line


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """One that this machine trusts."""
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.certificate))
    return made


def judged(issued: Certificate, host: str = "mx.example.com", *, now: datetime | None = None) -> list[Finding]:
    pairs = {"certificates": [{"certificate": str(issued.certificate), "key": str(issued.key)}]}
    asked = config(storage=STORE, tls=pairs, submission={"hostname": host})
    return list(certificates(asked, lambda: now or datetime.now(UTC)))


def test_a_certificate_that_programs_trust_is_right(authority: Authority) -> None:
    for issued in (authority.issue("mx.example.com"), authority.issue("*.example.com")):
        found = judged(issued)
        assert {one.state for one in found} == {State.GOOD}, found


def test_a_certificate_that_ends_or_has_ended_is_told_with_the_command(authority: Authority) -> None:
    issued = authority.issue("mx.example.com")
    (soon,) = bad(judged(issued, now=datetime.now(UTC) + timedelta(days=20)))
    assert "expires in" in soon.said
    assert soon.mend == f"have {issued.certificate} renewed"
    ended = bad(judged(authority.issue("mx.example.com", expired=True)))
    assert any("expired on" in one.said for one in ended)


def test_a_certificate_of_certbot_is_renewed_by_it(authority: Authority, tmp_path: Path) -> None:
    issued = authority.issue("mx.example.com", expired=True)
    live = tmp_path / "letsencrypt/live/mx.example.com"
    live.mkdir(parents=True)
    moved = Certificate(issued.certificate.rename(live / "fullchain.pem"), issued.key.rename(live / "privkey.pem"))
    assert {one.mend for one in bad(judged(moved))} == {"certbot renew --cert-name mx.example.com --force-renewal"}


def test_a_certificate_without_the_name_of_the_gateway_is_wrong(authority: Authority) -> None:
    (wrong,) = bad(judged(authority.issue("pop.example.org")))
    assert wrong.mend == "certbot certonly --expand -d mx.example.com,pop.example.org"


def test_a_chain_that_leads_to_nobody_is_wrong(tmp_path: Path) -> None:
    issued = Authority(tmp_path).issue("mx.example.com")
    (wrong,) = bad(judged(issued))
    assert wrong.about.startswith("chain of")
    assert wrong.mend.endswith(f"cat chain.pem >> {issued.certificate}")


def test_a_certificate_without_its_chain_leads_to_the_file_with_both(tmp_path: Path) -> None:
    issued = Authority(tmp_path).issue("mx.example.com")
    moved = Certificate(issued.certificate.rename(tmp_path / "cert.pem"), issued.key)
    (wrong,) = bad(judged(moved))
    assert wrong.mend == f"tls.certificates: {tmp_path}/fullchain.pem"


def test_a_key_of_another_certificate_is_wrong(authority: Authority) -> None:
    one, other = authority.issue("mx.example.com"), authority.issue("mx.example.com")
    assert "is not the key of" in the(judged(Certificate(one.certificate, other.key)), "certificate ").said


def test_a_key_that_may_not_be_read_is_told_with_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="sesmail-doctor-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        issued = Authority(folder).issue("mx.example.com")
        issued.key.chmod(0o000)
        pairs = {"certificates": [{"certificate": str(issued.certificate), "key": str(issued.key)}]}
        (folder / "sesmail.yaml").write_text(yaml.safe_dump({"storage": STORE, "tls": pairs}))
        with as_nobody():
            status = main(["doctor", "--json", "--config", str(folder / "sesmail.yaml")])
    (only,) = json.loads(capsys.readouterr().out)
    assert (status, only["state"]) == (78, "wrong")
    assert only["mend"].endswith(f"chgrp sesmail {issued.key} && chmod g+r {issued.key}")


def test_a_certificate_of_our_own_is_worth_a_note() -> None:
    (only,) = certificates(config(storage=STORE))
    assert (only.state, "certbot certonly" in only.mend) == (State.NOTE, True)


@contextlib.contextmanager
def answering(said: bytes, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server that says this to whoever connects; its port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with contextlib.ExitStack() as end:
                end.enter_context(contextlib.suppress(OSError))
                end.enter_context(connection)
                spoken = end.enter_context(context.wrap_socket(connection, server_side=True)) if context else connection
                spoken.sendall(said)
                spoken.recv(1)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def of_port(number: int, security: str = "starttls", at: str = "127.0.0.1", **more: Any) -> list[Finding]:
    asked = config(storage=STORE, pop3={"listeners": [{"endpoint": f"tcp:{number}:interface={at}", "tls": security}]}, **more)
    return list(port(asked, "pop3.listeners", asked.pop3.listeners[0]))


def test_a_port_at_which_the_gateway_answers_is_right() -> None:
    with answering(b"+OK ready\r\n") as number:
        assert [one.state for one in of_port(number)] == [State.GOOD]


def test_a_port_that_another_program_has_is_told_with_how_to_find_it() -> None:
    with answering(b"SSH-2.0-OpenSSH\x1b[2J\r\n") as number:
        (wrong,) = bad(of_port(number))
    assert wrong.mend == f"ss -ltnp 'sport = :{number}'"
    assert "\x1b" not in wrong.line


def test_a_free_port_is_worth_a_note_as_the_gateway_does_not_run() -> None:
    (only,) = of_port(free_port())
    assert (only.state, only.mend) == (State.NOTE, "systemctl start sesmail")


def test_an_address_that_this_machine_does_not_have_is_wrong() -> None:
    began = time.monotonic()
    (wrong,) = bad(of_port(free_port(), at="192.0.2.1"))
    assert "ip -brief address" in wrong.mend
    assert time.monotonic() - began < 3


def test_a_gateway_that_serves_an_older_certificate_is_to_be_reloaded(authority: Authority) -> None:
    old, new = authority.issue("mx.example.com"), authority.issue("mx.example.com")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(old.certificate, old.key)
    with answering(b"+OK ready\r\n", context) as number:
        for issued, mends in ((old, []), (new, ["systemctl reload sesmail"])):
            tls = {"certificates": [{"certificate": str(issued.certificate), "key": str(issued.key)}]}
            assert [one.mend for one in bad(of_port(number, "implicit", tls=tls))] == mends


def test_a_socket_is_right_when_somebody_listens(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    asked = config(storage=STORE, lmtp={"listeners": [{"endpoint": f"unix:{path}:mode=660"}]})

    def state() -> State:
        (only,) = port(asked, "lmtp.listeners", asked.lmtp.listeners[0])
        return only.state

    assert state() is State.NOTE
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        assert state() is State.GOOD


def test_a_table_in_a_file_is_sound_damaged_or_not_there_yet(tmp_path: Path) -> None:
    file = tmp_path / "aliases.db"
    assert [one.state for one in tables.in_file(str(file))] == [State.GOOD]
    assert not file.exists()
    with contextlib.closing(sqlite3.connect(file)) as made, made:
        made.execute("CREATE TABLE aliases (address TEXT)")
    assert [one.state for one in tables.in_file(str(file))] == [State.GOOD]
    file.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    (wrong,) = bad(tables.in_file(str(file)))
    assert ".recover" in wrong.mend


def test_servers_that_mail_goes_to_must_answer() -> None:
    with lmtpsink.keeping() as sink:
        there = config(storage=STORE, lmtp_out={"host": "127.0.0.1", "port": sink.server_address[1]})
        assert [one.state for one in others.lmtp(there)] == [State.GOOD]
    (wrong,) = bad(others.lmtp(config(storage=STORE, lmtp_out={"host": "127.0.0.1", "port": free_port()})))
    assert "lmtp_out.port" in wrong.mend


def test_a_smarthost_must_answer_as_smtp_does() -> None:
    given = {"host": "localhost", "tls": "none"}
    with answering(b"220 here\r\n") as number:
        # It says no more, and that is no SMTP.
        silent = config(storage=STORE, relay={"courier": "smtp"}, smarthost={**given, "port": number})
        began = time.monotonic()
        (only,) = others.smarthost(silent)
        assert only.state is not State.GOOD
        assert time.monotonic() - began < 20
    (wrong,) = bad(others.smarthost(config(storage=STORE, relay={"courier": "smtp"}, smarthost={**given, "port": free_port()})))
    assert "openssl s_client" in wrong.mend


def test_what_hangs_holds_up_nothing_and_what_fails_is_a_finding_too() -> None:
    stuck = threading.Event()

    def hang() -> list[Finding]:
        stuck.wait()
        return []

    def fail() -> list[Finding]:
        raise RuntimeError("a bug\n of ours")

    good = Finding(State.GOOD, "third", "fine")
    began = time.monotonic()
    found = together([Look("first", hang), Look("second", fail), Look("third", lambda: [good])], 1)
    assert time.monotonic() - began < 10
    assert [(one.about, one.state) for one in found] == [
        ("first", State.UNKNOWN),
        ("second", State.UNKNOWN),
        ("third", State.GOOD),
    ]
    assert "RuntimeError" in found[1].said
    stuck.set()

"""The files that `sesmail dns` wants served, looked for on a real HTTPS server behind a proxy, which gives it any name."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import xml.etree.ElementTree as xml
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sesmail.aws.dnsrecords import Service, State, Wanted
from sesmail.cli.dnsfiles import File, got
from sesmail.cli.dnsfiles import files as wanted
from tests.cli.test_cli_dns import DOMAIN, GIVEN, dns, printed
from tests.servers.certificates import Authority
from tests.servers.dns import running
from tests.servers.ports import free_port

POLICY = f"https://mta-sts.{DOMAIN}/.well-known/mta-sts.txt"
PROGRAMS = f"https://autoconfig.{DOMAIN}/mail/config-v1.1.xml"


@contextmanager
def served(contents: Mapping[str, bytes], folder: Path, *names: str) -> Iterator[dict[str, str]]:
    """What makes a program see these contents behind their URLs; the certificate is for both hosts, unless `names` says for which."""
    authority = Authority(folder)
    issued = authority.issue(*(names or (f"mta-sts.{DOMAIN}", f"autoconfig.{DOMAIN}")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening, context, contents), daemon=True)
        thread.start()
        proxy = f"http://127.0.0.1:{listening.getsockname()[1]}"
        yield {"HTTPS_PROXY": proxy, "SSL_CERT_FILE": str(authority.certificate)}
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def serve(listening: socket.socket, context: ssl.SSLContext, contents: Mapping[str, bytes]) -> None:
    with contextlib.suppress(OSError):
        while True:
            plain, _ = listening.accept()
            with contextlib.suppress(OSError), plain:
                host = head(plain).split()[1].partition(b":")[0].decode()
                plain.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                with context.wrap_socket(plain, server_side=True) as connection:
                    path = head(connection).split()[1].decode()
                    answer = contents.get(f"https://{host}{path}", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                    connection.sendall(answer)


def head(connection: socket.socket) -> bytes:
    found = b""
    while b"\r\n\r\n" not in found:
        piece = connection.recv(4096)
        if not piece:
            raise ConnectionError
        found += piece
    return found


def found(content: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(content.encode())}\r\n\r\n{content}".encode()


def files() -> dict[str, str]:
    """As they are printed."""
    return {one["url"]: one["content"] for one in json.loads(printed("--json"))[DOMAIN]["files"]}


def wanted_files(*, enforce: bool = False) -> list[File]:
    services = [Service("_pop3s", 995), Service("_submission", 587), Service("_submissions", None)]
    return wanted(Wanted(DOMAIN, "eu-west-1", host="mx.example.net", services=services, enforce=enforce))


def looked(tmp_path: Path, contents: Mapping[str, bytes], *names: str) -> tuple[int, dict[str, str]]:
    """Exit status, and by URL the line about it; DNS has all it should have."""
    with running(printed(), tmp_path) as port, served(contents, tmp_path, *names) as variables:
        code, out, error = dns(*GIVEN, "--check", "--files", "--server", f"127.0.0.1:{port}", **variables)
    assert error == ""
    lines = {line.split()[1]: line for line in out.splitlines()}
    return code, {url: line for url, line in lines.items() if url.startswith("https://")}


def test_the_files_are_printed_with_the_zone_and_in_the_json() -> None:
    zone = printed()
    assert list(files()) == [POLICY, PROGRAMS]
    for url, content in files().items():
        assert f"; {url} has to be\n" in zone
        assert all(f";     {line}\n" in zone for line in content.splitlines())


def test_mail_programs_are_told_servers_ports_and_tls() -> None:
    provider = xml.fromstring(files()[PROGRAMS].encode()).find("emailProvider")
    assert provider is not None
    assert (provider.get("id"), provider.findtext("domain")) == (DOMAIN, DOMAIN)
    servers = [
        (one.tag, one.get("type"), *map(one.findtext, ("hostname", "port", "socketType", "username", "authentication")))
        for one in provider
        if one.tag.endswith("Server")
    ]
    login = ("%EMAILADDRESS%", "password-cleartext")
    assert servers == [
        ("incomingServer", "pop3", "mx.example.net", "995", "SSL", *login),
        ("incomingServer", "pop3", "mx.example.net", "110", "STARTTLS", *login),
        ("outgoingServer", "smtp", "mx.example.net", "465", "SSL", *login),
        ("outgoingServer", "smtp", "mx.example.net", "587", "STARTTLS", *login),
    ]


def test_a_gateway_without_a_name_has_no_file_for_mail_programs() -> None:
    code, out, _ = dns("--region", "eu-west-1", "--dkim", "a" * 32, "--json")
    assert code == 0
    assert [one["url"] for one in json.loads(out)[DOMAIN]["files"]] == [POLICY]


def test_files_as_printed_are_all_that_is_wanted(tmp_path: Path) -> None:
    code, lines = looked(tmp_path, {url: found(content) for url, content in files().items()})
    assert {url: line.split()[0] for url, line in lines.items()} == {POLICY: "ok", PROGRAMS: "ok"}
    assert code == 0


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    moved = b"HTTP/1.1 301 Moved\r\nLocation: https://www.example.com/\r\nContent-Length: 0\r\n\r\n"
    code, lines = looked(tmp_path, {POLICY: moved})
    assert code == 1
    # Senders of mail follow no redirect for it (RFC 8461 section 3.3).
    assert lines[POLICY].startswith(f"missing {POLICY} file: status 301; ")
    assert lines[PROGRAMS].startswith(f"missing {PROGRAMS} file: status 404; ")


def test_a_certificate_for_another_name_is_as_good_as_no_file(tmp_path: Path) -> None:
    contents = {url: found(content) for url, content in files().items()}
    code, lines = looked(tmp_path, contents, f"autoconfig.{DOMAIN}")
    assert code == 1
    assert lines[POLICY].startswith(f"missing {POLICY} file: SSLCertVerificationError; ")
    assert lines[PROGRAMS].startswith("ok ")


@pytest.mark.parametrize(
    ("url", "old", "new", "state"),
    [
        (POLICY, "mode: testing", "mode: enforce", "ok"),
        (POLICY, "\r\n", "\n", "ok"),
        (POLICY, "inbound-smtp.eu-west-1.amazonaws.com", "*.eu-west-1.amazonaws.com", "ok"),
        (POLICY, "mx: inbound", "mx: mx.example.org\nmx: inbound", "ok"),
        (POLICY, "mode: testing", "mode: none", "other"),
        (POLICY, "eu-west-1", "us-east-1", "other"),
        (POLICY, "version: STSv1", "version: STSv2", "other"),
        (POLICY, "max_age: 604800", "max_age: soon", "other"),
        (POLICY, "mode: testing", "", "other"),
        (PROGRAMS, "    <domain>", '    <incomingServer type="imap"></incomingServer>\n\t<domain>', "ok"),
        (PROGRAMS, "<port>995</port>", "<port>1995</port>", "other"),
        (PROGRAMS, "mx.example.net", "old.example.net", "other"),
        (PROGRAMS, "<", "&lt;", "other"),
    ],
)
def test_what_will_do_is_told_from_what_will_not(url: str, old: str, new: str, state: str) -> None:
    (file,) = (one for one in wanted_files() if one.url == url)
    assert old in file.content
    assert got(file, lambda url: file.content.replace(old, new).encode()).state.value == state


def test_a_policy_that_is_only_tested_is_not_the_one_to_enforce() -> None:
    tested, enforced = (wanted_files(enforce=enforce)[0] for enforce in (False, True))
    assert got(enforced, lambda url: tested.content.encode()).state is State.OTHER
    assert got(tested, lambda url: enforced.content.encode()).state is State.GOOD


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 70_000]
)
def test_no_answer_is_no_missing_file(tmp_path: Path, answer: bytes) -> None:
    contents = {url: found(content) for url, content in files().items()} | {PROGRAMS: answer}
    code, lines = looked(tmp_path, contents)
    assert (code, lines[POLICY].split()[0], lines[PROGRAMS].split()[0]) == (75, "ok", "unknown")


def test_a_web_server_that_cannot_be_reached_is_told_in_the_json(tmp_path: Path) -> None:
    with running(printed(), tmp_path) as port:
        nobody = f"http://127.0.0.1:{free_port()}"
        code, out, _ = dns(*GIVEN, "--check", "--files", "--json", "--server", f"127.0.0.1:{port}", HTTPS_PROXY=nobody)
    whole: dict[str, Any] = json.loads(out)[DOMAIN]
    assert code == 75
    assert [(one["state"], one["said"]) for one in whole["files"]] == [("unknown", "ConnectionRefusedError")] * 2
    assert {one["state"] for one in whole["records"]} == {"ok"}

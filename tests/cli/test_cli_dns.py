"""`sesmail dns`, with a real DNS server and a real HTTP server that plays SES."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers.dns import parsed, running
from tests.servers.ports import free_port

DOMAIN = "my-shop.example.com"
TOKENS = [letter * 32 for letter in "abc"]
GIVEN = ["--region", "eu-west-1", "--host", "mx.example.net", *(part for token in TOKENS for part in ("--dkim", token))]


def dns(*arguments: str, **variables: str) -> tuple[int, str, str]:
    """Exit status, output and errors."""
    command = [sys.executable, "-m", "sesmail.cli.main", "dns", "--domain", DOMAIN, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env={**os.environ, **variables})
    return done.returncode, done.stdout, done.stderr


def printed(*arguments: str) -> str:
    code, out, error = dns(*GIVEN, *arguments)
    assert (code, error) == (0, "")
    return out


def said(*arguments: str) -> dict[tuple[str, str], str]:
    """Answers by names and types."""
    records = json.loads(printed("--json", *arguments))[DOMAIN]["records"]
    found = {(record["name"].removesuffix(DOMAIN).rstrip("."), record["type"]): record["answer"] for record in records}
    assert len(found) == len(records)
    return found


def test_every_record_is_there() -> None:
    found = said()
    assert found == {
        ("", "MX"): "10 inbound-smtp.eu-west-1.amazonaws.com",
        **{(f"{token}._domainkey", "CNAME"): f"{token}.dkim.amazonses.com" for token in TOKENS},
        ("mail", "MX"): "10 feedback-smtp.eu-west-1.amazonses.com",
        ("mail", "TXT"): "v=spf1 include:amazonses.com ~all",
        ("", "TXT"): "v=spf1 include:amazonses.com ~all",
        ("_dmarc", "TXT"): f"v=DMARC1; p=none; rua=mailto:postmaster@{DOMAIN}",
        ("_mta-sts", "TXT"): found["_mta-sts", "TXT"],
        ("mta-sts", "CNAME"): "mx.example.net",
        ("_smtp._tls", "TXT"): f"v=TLSRPTv1; rua=mailto:postmaster@{DOMAIN}",
        ("autoconfig", "CNAME"): "mx.example.net",
        ("_pop3s._tcp", "SRV"): "0 1 995 mx.example.net",
        ("_pop3._tcp", "SRV"): "0 1 110 mx.example.net",
        ("_submissions._tcp", "SRV"): "0 1 465 mx.example.net",
        ("_submission._tcp", "SRV"): "0 1 587 mx.example.net",
        ("_imaps._tcp", "SRV"): "0 0 0 .",
        ("_imap._tcp", "SRV"): "0 0 0 .",
    }


def test_options_change_what_they_say() -> None:
    found = said("--mail-from", "", "--dmarc", "reject", "--reports", "dns@example.net", "--region", "us-west-2")
    assert ("mail", "MX") not in found
    assert found["", "MX"] == "10 inbound-smtp.us-west-2.amazonaws.com"
    assert found["_dmarc", "TXT"] == "v=DMARC1; p=reject; rua=mailto:dns@example.net"


def test_another_policy_of_mta_sts_has_another_id() -> None:
    tested, enforced = (json.loads(printed("--json", *more))[DOMAIN] for more in ((), ("--enforce",)))
    assert tested["files"][0]["content"].splitlines() == [
        "version: STSv1",
        "mode: testing",
        "mx: inbound-smtp.eu-west-1.amazonaws.com",
        "max_age: 604800",
    ]
    assert "mode: enforce" in enforced["files"][0]["content"]
    ids = {record["answer"] for one in (tested, enforced) for record in one["records"] if record["name"].startswith("_mta-sts")}
    assert len(ids) == 2


def test_ports_are_those_of_the_configuration(tmp_path: Path) -> None:
    config = {
        "storage": {"url": "s3://example-mail", "region": "eu-west-1"},
        "pop3": {
            "listeners": [
                {"endpoint": "tcp:2995", "tls": "implicit"},
                {"endpoint": "tcp:110:interface=127.0.0.1", "tls": "starttls"},
            ]
        },
        "submission": {"hostname": "mx.example.net", "listeners": [{"endpoint": "tcp:587", "tls": "starttls"}]},
        "tls": {"self_signed": True},
    }
    file = tmp_path / "sesmail.yaml"
    file.write_text(yaml.safe_dump(config))
    code, out, error = dns("--config", str(file), "--json", "--dkim", TOKENS[0])
    assert (code, error) == (0, "")
    answers = {record["name"].partition(".")[0]: record["answer"] for record in json.loads(out)[DOMAIN]["records"]}
    assert answers["_pop3s"] == "0 1 2995 mx.example.net"
    assert answers["_submission"] == "0 1 587 mx.example.net"
    assert answers["_pop3"] == answers["_submissions"] == "0 0 0 ."


def checked(zone: str, directory: Path, *arguments: str) -> tuple[int, dict[str, str]]:
    """Exit status, and by name and type what is said."""
    with running(zone, directory) as port:
        code, out, error = dns(*GIVEN, "--check", "--server", f"127.0.0.1:{port}", *arguments)
    assert error == ""
    lines = [line.split(maxsplit=3) for line in out.splitlines()]
    return code, {f"{name.removesuffix(DOMAIN).rstrip('.')} {type.rstrip(':')}": state for state, name, type, *_ in lines}


def test_a_zone_file_as_printed_is_all_that_dns_needs(tmp_path: Path) -> None:
    zone = printed()
    assert sum(map(len, parsed(zone).values())) == len(said())
    code, states = checked(zone, tmp_path)
    assert code == 0
    assert len(states) == len(said())
    assert set(states.values()) == {"ok"}


def test_each_record_that_is_missing_is_named(tmp_path: Path) -> None:
    kept = [line for line in printed().splitlines() if f"_dmarc.{DOMAIN}." not in line and f"{TOKENS[1]}._" not in line]
    code, states = checked("\n".join(kept), tmp_path)
    assert code == 1
    assert {name for name, state in states.items() if state != "ok"} == {"_dmarc TXT", f"{TOKENS[1]}._domainkey CNAME"}
    assert states["_dmarc TXT"] == "missing"


def changed(zone: str, old: str, new: str) -> str:
    assert old in zone
    return zone.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "name", "state"),
    [
        ("10 inbound-smtp.eu-west-1", "10 inbound-smtp.us-east-1", " MX", "other"),
        ("MX    10 inbound-smtp.eu-west-1", "MX    1 inbound-smtp.eu-west-1", " MX", "ok"),
        (f"{TOKENS[0]}.dkim", f"{TOKENS[2]}.dkim", f"{TOKENS[0]}._domainkey CNAME", "other"),
        ('"v=DMARC1; p=none', '"v=DMARC1; p=reject; sp=none', "_dmarc TXT", "ok"),
        ('"v=DMARC1; p=none', '"v=DMARC2; p=none', "_dmarc TXT", "missing"),
        ("0 1 995 mx.example.net", "5 9 995 mx.example.net", "_pop3s._tcp SRV", "ok"),
        ("0 1 995 mx.example.net", "0 1 995 old.example.net", "_pop3s._tcp SRV", "other"),
        ("v=STSv1; id=", "v=STSv1; id=20200101", "_mta-sts TXT", "ok"),
    ],
)
def test_what_will_do_is_told_from_what_will_not(tmp_path: Path, old: str, new: str, name: str, state: str) -> None:
    code, states = checked(changed(printed(), old, new), tmp_path)
    assert (states[name], code) == (state, 0 if state == "ok" else 1)


def test_spf_may_say_more_and_must_be_said_once(tmp_path: Path) -> None:
    zone, spf = printed(), '"v=spf1 include:amazonses.com ~all"'
    more = zone.replace(spf, '"v=spf1 mx include:amazonses.com include:spf.example.net -all"')
    other = f'{DOMAIN}. 3600 IN TXT "site-verification=1"\n'
    assert checked(more + other, tmp_path)[0] == 0
    twice = f'{zone}{DOMAIN}. 3600 IN TXT "v=spf1 -all"\n'
    code, states = checked(twice, tmp_path)
    assert (code, states[" TXT"]) == (1, "other")


def test_an_address_does_where_a_name_only_has_to_lead_somewhere(tmp_path: Path) -> None:
    zone = changed(printed(), "CNAME mx.example.net.", "A     192.0.2.1")
    assert checked(zone, tmp_path)[0] == 0


def test_no_answer_is_no_missing_record(tmp_path: Path) -> None:
    code, out, _ = dns(*GIVEN, "--check", "--server", f"127.0.0.1:{free_port()}")
    assert code == 75
    assert {line.split()[0] for line in out.splitlines()} == {"unknown"}


def test_what_was_found_is_in_the_json(tmp_path: Path) -> None:
    zone = changed(printed(), "10 inbound-smtp.eu-west-1", "10 inbound-smtp.us-east-1")
    with running(zone, tmp_path) as port:
        code, out, _ = dns(*GIVEN, "--check", "--json", "--server", f"127.0.0.1:{port}")
    first = json.loads(out)[DOMAIN]["records"][0]
    assert (code, first["state"], first["found"]) == (1, "other", ["10 inbound-smtp.us-east-1.amazonaws.com"])


class _Ses(BaseHTTPRequestHandler):
    """Answers GetEmailIdentity as AWS does."""

    def do_GET(self) -> None:
        known: dict[str, Any] = self.server.known  # type: ignore[attr-defined]
        found = known.get(self.path)
        body = json.dumps(found or {"message": "Email identity does not exist."}).encode()
        self.send_response(200 if found else 404)
        if not found:
            self.send_header("x-amzn-ErrorType", "NotFoundException")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def ses(**attributes: Any) -> Iterator[str]:
    """Its endpoint; it knows DOMAIN, if attributes are given."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Ses)
    path = f"/v2/email/identities/{DOMAIN}"
    server.known = {path: {"DkimAttributes": attributes}} if attributes else {}  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_tokens_come_from_ses() -> None:
    with ses(Status="PENDING", Tokens=TOKENS, SigningHostedZone="dkim.eu-south-1.amazonses.com") as endpoint:
        code, out, _ = dns("--region", "eu-south-1", "--host", "mx.example.net", SESMAIL__SES__ENDPOINT=endpoint)
    assert code == 0
    for token in TOKENS:
        assert f"{token}._domainkey.{DOMAIN}. 3600 IN CNAME {token}.dkim.eu-south-1.amazonses.com.\n" in out


def test_some_regions_have_a_zone_for_keys_of_their_own() -> None:
    assert (
        said("--region", "il-central-1")[f"{TOKENS[0]}._domainkey", "CNAME"] == f"{TOKENS[0]}.dkim.il-central-1.amazonses.com"
    )


@pytest.mark.parametrize(
    ("attributes", "words"),
    [({}, f"SES does not know {DOMAIN}"), ({"Status": "SUCCESS", "SigningAttributesOrigin": "EXTERNAL"}, "no DKIM tokens")],
)
def test_a_domain_without_tokens_is_said_in_plain_words(attributes: dict[str, Any], words: str) -> None:
    with ses(**attributes) as endpoint:
        code, out, error = dns("--region", "eu-west-1", SESMAIL__SES__ENDPOINT=endpoint)
    assert (code, out) == (1, "")
    assert words in error


def test_ses_that_cannot_be_asked_is_temporary() -> None:
    code, out, error = dns("--region", "eu-west-1", SESMAIL__SES__ENDPOINT=f"http://127.0.0.1:{free_port()}")
    assert (code, out) == (75, "")
    assert f"SES cannot be asked about {DOMAIN}" in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--domain", "localhost"], "--domain must be a domain"),
        (["--domain", "a_b.example"], "--domain must be a domain"),
        (["--mail-from", "a.b"], "--mail-from must be a label"),
        (["--dkim", "no token"], "--dkim must be a token"),
        (["--host", "-"], "--host"),
        (["--reports", "nobody"], "--reports"),
        (["--server", "dns.example.com", "--check"], "--server must be an IPv4 address"),
        (["--files"], "--files goes with --check"),
    ],
)
def test_bad_arguments_are_refused_in_plain_words(arguments: list[str], words: str) -> None:
    code, out, error = dns(*GIVEN, *arguments)
    assert (code, out) == (1, "")
    assert words in error
    assert "Traceback" not in error


def test_without_a_region_or_a_host_it_says_what_to_name() -> None:
    code, _, error = dns("--dkim", TOKENS[0])
    assert code == 1
    assert "--region" in error
    code, out, error = dns("--region", "eu-west-1", "--dkim", TOKENS[0])
    assert code == 0
    assert "--host" in error
    assert "SRV" not in out

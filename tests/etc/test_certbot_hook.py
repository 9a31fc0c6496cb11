"""The hook for certbot hands a renewed certificate to the gateway, which then shows it, and leaves all others alone."""

from __future__ import annotations

import os
import ssl
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography import x509

from tests.packaging.tree import ROOT
from tests.servers.certificates import Authority, Certificate
from tests.servers.gateway import Gateway, running
from tests.servers.ports import free_port, wait_until

_HOOK = ROOT / "etc" / "certbot" / "sesmail"
_FILES = ("fullchain.pem", "privkey.pem")


class Certbot:
    """What certbot leaves in /etc/letsencrypt/live, and a systemctl that only notes what it is told, or passes it on to a process."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.certificates = folder / "certificates"
        self.live = folder / "live"
        self.told = folder / "told"
        self._systemctl = folder / "bin" / "systemctl"
        for made in (self.certificates, self.live, folder / "bin"):
            made.mkdir()
        self.passes_on("true")

    def passes_on(self, command: str) -> None:
        self._systemctl.write_text(f'#!/bin/sh\necho "$*" >>{self.told}\n{command}\n')
        self._systemctl.chmod(0o755)

    def renew(self, name: str) -> Certificate:
        issued = self.authority.issue(name)
        (self.live / name).mkdir(exist_ok=True)
        (self.live / name / "fullchain.pem").write_bytes(issued.certificate.read_bytes())
        (self.live / name / "privkey.pem").write_bytes(issued.key.read_bytes())
        return issued

    def run_hook(self, name: str, **more: str) -> subprocess.CompletedProcess[str]:
        environment: Mapping[str, str] = {
            "PATH": f"{self._systemctl.parent}:{os.environ['PATH']}",
            "RENEWED_LINEAGE": str(self.live / name),
            "SESMAIL_CERTIFICATES": str(self.certificates),
            "SESMAIL_GROUP": "mail",
            "SYSTEMD_RUNS": str(self.live),
            **more,
        }
        return subprocess.run([_HOOK], env=environment, capture_output=True, text=True, check=False, timeout=30)


@pytest.fixture
def certbot(tmp_path: Path) -> Certbot:
    return Certbot(tmp_path)


def serial(issued: bytes) -> int:
    return x509.load_pem_x509_certificate(issued).serial_number


def test_the_gateway_shows_a_renewed_certificate_to_whoever_connects_next(certbot: Certbot) -> None:
    name, port = "mail.example.com", free_port()
    folder = certbot.certificates / name
    folder.mkdir()
    certbot.renew(name)
    assert certbot.run_hook(name).returncode == 0
    with running(config(folder, port)) as gateway:
        before = shown(port)
        certbot.passes_on(f"kill -HUP {gateway.pid}")
        renewed = certbot.renew(name)
        assert certbot.run_hook(name).returncode == 0
        wait_until(lambda: shown(port) == serial(renewed.certificate.read_bytes()), seconds=20, what=gateway.log)
        assert shown(port) != before
        gives_its_log(gateway)


def config(folder: Path, port: int) -> dict[str, object]:
    pair = {"certificate": str(folder / "fullchain.pem"), "key": str(folder / "privkey.pem")}
    return {
        "pop3": {"listeners": [{"endpoint": f"tcp:{port}:interface=127.0.0.1", "tls": "implicit"}]},
        "tls": {"certificates": [pair]},
    }


def shown(port: int) -> int:
    return serial(ssl.get_server_certificate(("127.0.0.1", port), timeout=30).encode())


def gives_its_log(gateway: Gateway) -> None:
    assert "Traceback" not in gateway.log()


def test_the_gateways_that_run_are_told(certbot: Certbot) -> None:
    (certbot.certificates / "mail.example.com").mkdir()
    certbot.renew("mail.example.com")
    assert certbot.run_hook("mail.example.com").returncode == 0
    assert certbot.told.read_text() == "try-reload-or-restart sesmail.service sesmail@*.service\n"


def test_only_the_service_may_read_what_it_is_given(certbot: Certbot) -> None:
    folder = certbot.certificates / "mail.example.com"
    folder.mkdir()
    certbot.renew("mail.example.com")
    certbot.run_hook("mail.example.com")
    assert sorted(os.listdir(folder)) == sorted(_FILES)
    for file in _FILES:
        found = (folder / file).stat()
        assert stat.S_IMODE(found.st_mode) == 0o640
        assert (found.st_uid, (folder / file).group()) == (0, "mail")


def test_the_certificates_of_others_are_left_alone(certbot: Certbot) -> None:
    (certbot.certificates / "mail.example.com").mkdir()
    certbot.renew("www.example.com")
    assert certbot.run_hook("www.example.com").returncode == 0
    assert list(certbot.certificates.rglob("*.pem")) == []
    assert not certbot.told.exists()


def test_what_is_not_whole_replaces_nothing_and_fails(certbot: Certbot) -> None:
    folder = certbot.certificates / "mail.example.com"
    folder.mkdir()
    certbot.renew("mail.example.com")
    certbot.run_hook("mail.example.com")
    before = {file: (folder / file).read_bytes() for file in _FILES}
    certbot.renew("mail.example.com")
    (certbot.live / "mail.example.com" / "fullchain.pem").unlink()
    assert certbot.run_hook("mail.example.com").returncode != 0
    assert {file: (folder / file).read_bytes() for file in _FILES} == before


def test_a_reload_that_fails_is_known_to_certbot(certbot: Certbot) -> None:
    (certbot.certificates / "mail.example.com").mkdir()
    certbot.renew("mail.example.com")
    certbot.passes_on("exit 1")
    assert certbot.run_hook("mail.example.com").returncode == 1


def test_without_systemd_nobody_is_told(certbot: Certbot, tmp_path: Path) -> None:
    (certbot.certificates / "mail.example.com").mkdir()
    certbot.renew("mail.example.com")
    assert certbot.run_hook("mail.example.com", SYSTEMD_RUNS=str(tmp_path / "nowhere")).returncode == 0
    assert not certbot.told.exists()


def test_it_says_what_it_misses(certbot: Certbot) -> None:
    done = subprocess.run([_HOOK], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "RENEWED_LINEAGE: is set by certbot" in done.stderr

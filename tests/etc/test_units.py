"""The units of the Debian package: systemd takes them, they are as locked up as they can be, and they fit the program."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sesmail.config.load import load
from sesmail.config.table import Service
from tests.packaging.tree import ROOT

_DEBIAN = ROOT / "debian"
_SERVICES = ["sesmail.service", "sesmail@.service", "sesmail-sort.service"]
_UNITS = [*_SERVICES, "sesmail.socket", "sesmail-sort.timer"]
_WORST = 1.6


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with systemd's own units, ours, and something in the place of each program that they start."""
    root = tmp_path_factory.mktemp("machine")
    shutil.copytree("/usr/lib/systemd/system", root / "usr/lib/systemd/system", symlinks=True)
    (root / "etc/systemd/system").mkdir(parents=True)
    for unit in _UNITS:
        shutil.copy(_DEBIAN / unit, root / "etc/systemd/system" / unit)
    for program in ("usr/bin/twistd3", "usr/bin/sesmail", "bin/kill"):
        (root / program).parent.mkdir(parents=True, exist_ok=True)
        (root / program).touch(0o755)
    return root


def settings(unit: str) -> list[tuple[str, str]]:
    """All lines NAME=VALUE of a unit, in their order."""
    return re.findall(r"^(\w+)=(.*)$", (_DEBIAN / unit).read_text(), re.MULTILINE)


def verified(root: Path, *units: str) -> str:
    command = ["systemd-analyze", "verify", f"--root={root}", "--man=no", *units]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    # Some of systemd's own need programs that are not in this root.
    return "".join(line for line in (done.stdout + done.stderr).splitlines(keepends=True) if "sesmail" in line)


def test_systemd_finds_nothing_wrong(machine: Path) -> None:
    units = [unit.replace("@", "@two") for unit in _UNITS]
    assert verified(machine, *units) == ""


def test_that_would_be_noticed(machine: Path) -> None:
    wrong = machine / "etc/systemd/system/sesmail-wrong.service"
    wrong.write_text("[Service]\nProtectSistem=strict\nExecStart=/usr/bin/no-such-program\n")
    said = verified(machine, "sesmail-wrong.service")
    wrong.unlink()
    assert "ProtectSistem" in said
    assert "no-such-program" in said


@pytest.mark.parametrize("unit", _SERVICES)
def test_a_service_is_exposed_no_more_than_is_promised(unit: str) -> None:
    command = ["systemd-analyze", "security", "--offline=true", str(_DEBIAN / unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    found = re.search(r"Overall exposure level for .*: ([\d.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) <= _WORST


@pytest.mark.parametrize("unit", _SERVICES)
def test_memory_may_be_made_executable(unit: str) -> None:
    # With MemoryDenyWriteExecute= no TLS context can be made.
    assert "MemoryDenyWriteExecute" not in dict(settings(unit))


def test_instances_differ_from_the_service_in_their_names_alone() -> None:
    one, many = settings("sesmail.service"), settings("sesmail@.service")
    assert [name for name, _ in one] == [name for name, _ in many]
    assert {name for (name, value), (_, other) in zip(one, many, strict=True) if value != other} == {
        "Description",
        "ExecStart",
        "StateDirectory",
        "RuntimeDirectory",
    }
    assert all("%i" in value for name, value in many if name in ("ExecStart", "StateDirectory", "RuntimeDirectory"))


def test_what_sorts_is_locked_up_like_the_gateway() -> None:
    """But for what a gateway needs: ports, a group for its socket."""

    def locks(unit: str) -> list[tuple[str, str]]:
        names = "Protect|Private|Restrict|SystemCall|NoNew|Lock|RemoveIPC|ProcSubset|UMask|User|Group|LoadCredential"
        return [(name, value) for name, value in settings(unit) if re.match(rf"(?:{names})(?!PreventExit)", name)]

    assert [lock for lock in locks("sesmail.service") if lock != ("SystemCallFilter", "@chown")] == locks(
        "sesmail-sort.service"
    )
    assert dict(settings("sesmail-sort.service"))["CapabilityBoundingSet"] == ""


def test_a_stop_may_take_as_long_as_the_gateway_drains() -> None:
    assert float(dict(settings("sesmail.service"))["TimeoutStopSec"]) > Service().drain


def test_a_bad_configuration_is_not_tried_again() -> None:
    from sesmail.service.options import EXIT_CONFIG

    assert dict(settings("sesmail.service"))["RestartPreventExitStatus"] == str(EXIT_CONFIG)


def test_a_file_among_the_credentials_is_a_secret_of_the_configuration(tmp_path: Path) -> None:
    identity, folder = dict(settings("sesmail.service"))["LoadCredential"].split(":")
    assert f"credential:{identity}_NAME" in (_DEBIAN / "sesmail.service").read_text()
    assert folder.removeprefix("/") in (_DEBIAN / "sesmail.dirs").read_text()
    # systemd.exec(5): for a directory, the name of each file is put behind that of the credential.
    (tmp_path / f"{identity}_tom").write_text("right horse\n")
    config = tmp_path / "sesmail.yaml"
    config.write_text(f"auth: {{users: [{{name: tom@example.com, password: 'credential:{identity}_tom'}}]}}")
    config.chmod(0o600)
    assert load(str(config), {"CREDENTIALS_DIRECTORY": str(tmp_path)}).auth.users[0].password == "right horse"


def test_the_listeners_that_the_socket_names_are_good_ones(tmp_path: Path) -> None:
    text = (_DEBIAN / "sesmail.socket").read_text()
    shown = re.findall(r"^#\s+(\w+):\s+endpoint: (\S+)\s+tls: (\w+)$", text, re.MULTILINE)
    assert len(shown) == len(re.findall(r"^ListenStream=", text, re.MULTILINE))
    lines = [f"{door}: {{listeners: [{{endpoint: '{end}', tls: {tls}}}]}}" for door, end, tls in shown]
    config = tmp_path / "sesmail.yaml"
    config.write_text("\n".join(["storage: {url: 's3://example-mail'}", "tls: {self_signed: true}", *lines]))
    config.chmod(0o600)
    found = load(str(config), {})
    assert [one.endpoint for one in (*found.pop3.listeners, *found.submission.listeners)] == [end for _, end, _ in shown]


def test_the_manual_names_what_is_there() -> None:
    manual = (ROOT / "docs" / "service.rst").read_text()
    assert "credential:sesmail_smtp" in manual
    assert set(re.findall(r"sesmail[\w-]*\.(?:socket|timer)", manual)) == {"sesmail.socket", "sesmail-sort.timer"}
    for name in re.findall(r"/usr/share/doc/sesmail/examples/([\w/]+)", manual):
        assert (ROOT / "etc" / name).exists()
        assert f"etc/{name.split('/')[0]}" in (_DEBIAN / "sesmail.examples").read_text()


def test_the_certificates_of_the_manual_are_those_of_the_hook() -> None:
    manual = (ROOT / "docs" / "service.rst").read_text()
    hook = (ROOT / "etc" / "certbot" / "sesmail").read_text()
    for line in re.findall(r"^    (install -d .*|RENEWED_LINEAGE=.*)$", manual, re.MULTILINE):
        assert f"#   {line}\n" in hook
    assert set(re.findall(r"(?:certificate|key): (\S+)/\w+\.pem", manual)) == {"/etc/sesmail/certificates/mail.example.com"}


@pytest.mark.parametrize("unit", ["sesmail.service", "sesmail@.service"])
def test_a_reload_runs_nothing_that_needs_credentials(unit: str) -> None:
    # systemd 252 gives them to what ExecStart= runs and to nothing else: a check of the configuration would fail there.
    assert [value for name, value in settings(unit) if name == "ExecReload"] == ["/bin/kill -HUP $MAINPID"]

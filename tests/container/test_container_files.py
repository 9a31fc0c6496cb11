"""The files for containers are what their readers take, and the configuration in them is a good one."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sesmail.config.load import load
from tests.container.composed import FOLDER, composed, service, variables
from tests.packaging.tree import ROOT, setup
from tests.servers.certificates import Authority

_TOOLS = ROOT / ".venv-tools" / "bin"
_MANIFESTS = sorted((ROOT / "etc" / "kubernetes").glob("*.yaml"))
_COMPOSED = [FOLDER / "compose.yaml", FOLDER / "compose.nfs.yaml"]
_CONTAINERFILES = sorted(FOLDER.rglob("Containerfile"))
_COMPOSE = ("check-jsonschema", "--builtin-schema", "vendor.compose-spec")
_KUBERNETES = ("kubernetes-validate", "--strict", "--quiet")
_HADOLINT = ("hadolint", "--no-color")


def said(command: tuple[str, ...], *files: Path) -> str:
    """What a tool finds wrong; nothing when all is well."""
    done = subprocess.run([_TOOLS / command[0], *command[1:], *files], capture_output=True, text=True, check=False)
    return f"{done.stdout}{done.stderr}exit {done.returncode}" if done.returncode else ""


@pytest.mark.parametrize(
    ("command", "files"),
    [(_COMPOSE, _COMPOSED), (_KUBERNETES, _MANIFESTS), (_HADOLINT, _CONTAINERFILES)],
    ids=lambda one: one[0],
)
def test_the_files_are_what_their_readers_take(command: tuple[str, ...], files: list[Path]) -> None:
    assert len(files) >= 2
    assert said(command, *files) == ""


@pytest.mark.parametrize(
    ("command", "file", "line", "instead"),
    [
        (_COMPOSE, FOLDER / "compose.yaml", "    restart: unless-stopped", "    restarts: unless-stopped"),
        (_KUBERNETES, _MANIFESTS[-1], "containerPort: 2995", "containerPorts: 2995"),
        (_HADOLINT, FOLDER / "Containerfile", "USER 10001:10001", "USER root"),
    ],
    ids=lambda one: one[0] if isinstance(one, tuple) else "",
)
def test_a_fault_in_them_is_found(command: tuple[str, ...], file: Path, line: str, instead: str, tmp_path: Path) -> None:
    text = file.read_text()
    assert line in text
    planted = tmp_path / file.name
    planted.write_text(text.replace(line, instead))
    assert said(command, planted) != ""


def manifests() -> dict[str, dict[str, Any]]:
    found = [one for path in _MANIFESTS if path.name != "proxied.yaml" for one in yaml.safe_load_all(path.read_text()) if one]
    return {one["kind"]: one for one in found}


def pod() -> dict[str, Any]:
    spec: dict[str, Any] = manifests()["StatefulSet"]["spec"]["template"]["spec"]
    return spec


def loaded(text: str, tmp_path: Path, environ: dict[str, str]) -> Any:
    """The configuration, with a certificate where it says that one is."""
    issued = Authority(tmp_path).issue("mail.example.com")
    for name, file in (("tls.crt", issued.certificate), ("tls.key", issued.key)):
        text = text.replace(f"/run/secrets/tls/{name}", str(file))
    (tmp_path / "sesmail.yaml").write_text(text)
    return load(str(tmp_path / "sesmail.yaml"), environ)


@pytest.mark.parametrize("name", ["sesmail.yaml", "proxied.yaml"])
def test_the_configuration_for_kubernetes_opens_the_ports_of_the_pod(name: str, tmp_path: Path) -> None:
    documents = yaml.safe_load_all((ROOT / "etc" / "kubernetes" / name).read_text())
    (text,) = [one["data"]["sesmail.yaml"] for one in documents if one["kind"] == "ConfigMap"]
    config = loaded(text, tmp_path, {one["name"]: one["value"] for one in pod()["containers"][0]["env"]})
    assert config.warnings == ()
    listeners = (*config.pop3.listeners, *config.submission.listeners)
    ports = {one["name"]: one["containerPort"] for one in pod()["containers"][0]["ports"]}
    assert [int(one.endpoint.rpartition(":")[2]) for one in listeners] == [
        ports["pop3s"],
        ports["submissions"],
        ports["submission"],
    ]
    assert all(one.endpoint.startswith("haproxy:") == (name == "proxied.yaml") for one in listeners)


def test_probes_ask_where_the_image_answers() -> None:
    (port,) = [one["containerPort"] for one in pod()["containers"][0]["ports"] if one["name"] == "monitor"]
    text = (FOLDER / "Containerfile").read_text()
    assert set(re.findall(r"(?:tcp|127\.0\.0\.1|EXPOSE)[: ](\d+)", text)) == {str(port)}
    paths = [pod()["containers"][0][f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")]
    assert paths == ["/healthz", "/healthz", "/readyz/storage"]


def test_a_stop_leaves_time_to_drain(tmp_path: Path) -> None:
    drain = load("/dev/null", {"HOME": str(tmp_path)}).service.drain
    assert pod()["terminationGracePeriodSeconds"] > drain
    assert int(service("gateway")["stop_grace_period"].removesuffix("s")) > drain


def test_the_users_of_image_and_pod_are_one() -> None:
    (user,) = re.findall(r"^USER (\d+):\1$", (FOLDER / "Containerfile").read_text(), re.MULTILINE)
    assert {pod()["securityContext"][name] for name in ("runAsUser", "runAsGroup", "fsGroup")} == {int(user)}
    # Both containers read the same secrets.
    assert f"USER {user}:{user}" in (FOLDER / "dovecot" / "Containerfile").read_text()


def test_the_environment_in_the_compose_file_is_a_good_configuration(tmp_path: Path) -> None:
    issued = Authority(tmp_path).issue("mail.example.com")
    files = {"certificate": issued.certificate, "key": issued.key}
    for name in ("passwords", "aws_secret_access_key"):
        files[name] = tmp_path / name
        files[name].write_text("tom@example.com:{PLAIN}horse\n")
        files[name].chmod(0o600)
    assert set(files) == set(composed()["secrets"])
    environ = {
        name: re.sub(r"/run/secrets/(\w+)", lambda match: str(files[match[1]]), value)
        for name, value in service("gateway")["environment"].items()
    }
    config = load("/dev/null", environ)
    assert config.warnings == ()
    assert (config.routing.accounts, config.lmtp_out.host) == ("lmtp", "dovecot")


def test_what_must_be_given_is_in_the_example(tmp_path: Path) -> None:
    text = (FOLDER / "compose.yaml").read_text()
    assert set(re.findall(r"\$\{(\w+):\?", text)) <= set(variables())
    assert set(variables()) <= set(re.findall(r"\$\{(\w+)", text))


def test_the_image_has_debian_s_package_of_all_that_we_import() -> None:
    text = (FOLDER / "Containerfile").read_text()
    names = {re.split(r"[ >=]", line)[0].lower() for line in setup()["options"]["install_requires"].splitlines() if line}
    debian = {"pyjwt": "jwt", "libpass": "passlib", "pyopenssl": "openssl", "pyyaml": "yaml"}
    assert {f"python3-{debian.get(name, name)}" for name in names if not name.startswith("#")} <= set(
        re.findall(r"python3-\S+", text)
    )

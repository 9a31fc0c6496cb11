"""Containers of the images that ``make image`` has left in build/container, run by runc as Docker and Kubernetes have it do. Needs root."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.packaging.tree import ROOT
from tests.servers.ports import wait_until

_KEPT = ROOT / "build" / "container"
_BUILDAH = ("buildah", "--root", _KEPT / "storage", "--runroot", _KEPT / "run", "--storage-driver")
_NAMESPACES = ("pid", "ipc", "uts", "mount")
_MASKED = ("/proc/kcore", "/proc/keys", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/sys/firmware")
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def buildah(*words: str) -> str:
    """What buildah says to this about our images."""
    command = [*map(str, _BUILDAH), os.environ.get("STORAGE_DRIVER", "vfs"), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout.strip()


@dataclass(frozen=True)
class Image:
    """An image laid out: its root folder, and its configuration in Docker's words."""

    root: Path
    config: Mapping[str, Any]

    @property
    def entry(self) -> list[str]:
        """The command before its words."""
        return list(self.config["Entrypoint"])

    @property
    def ids(self) -> tuple[int, int]:
        """User and group, which must be numbers."""
        user, _, group = self.config["User"].partition(":")
        return int(user), int(group)


@contextmanager
def laid_out(name: str) -> Iterator[Image]:
    """The image of this name, until it is put away again."""
    container = buildah("from", f"localhost/{name}")
    try:
        config = json.loads(buildah("inspect", "--type", "image", f"localhost/{name}"))["Docker"]["config"]
        yield Image(Path(buildah("mount", container)), config)
    finally:
        buildah("rm", container)


@dataclass(frozen=True)
class Container:
    """A container; `log` is what it writes."""

    name: str
    image: Image
    log: Path
    state: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def pid(self) -> int:
        """Of its first process, as this machine counts."""
        return int(json.loads(self._runc("state", self.name).stdout)["pid"])

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command within, as its user; whatever it ends with."""
        return self._runc("exec", self.name, *command)

    def python(self, code: str) -> str:
        """What this code prints that runs within. Raises AssertionError when it fails."""
        done = self.run("python3", "-Ic", code)
        assert done.returncode == 0, f"{done.stderr}\n{self.said()}"
        return done.stdout

    def is_healthy(self) -> bool:
        """What the image's own health check says."""
        test = self.image.config["Healthcheck"]["Test"]
        assert test[0] == "CMD"
        return self.run(*test[1:]).returncode == 0

    def wait_until_healthy(self) -> None:
        """Raises ChildProcessError when it has ended instead, with what it said, and TimeoutError."""
        wait_until(lambda: self.process.poll() is not None or self.is_healthy(), seconds=30, what=self.said)
        if self.process.poll() is not None:
            raise ChildProcessError(f"exit status {self.process.returncode}\n{self.said()}")

    def signal(self, number: signal.Signals) -> None:
        """To its first process, as ``docker stop`` and kubelet do."""
        self._runc("kill", self.name, str(int(number)))

    def wait_until_it_ends(self, seconds: float = 60) -> int:
        return self.process.wait(seconds)

    def _runc(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["runc", "--root", str(self.state), *words]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def running(
    image: Image,
    *,
    environment: Mapping[str, str] = {},
    mounts: Mapping[str, Path] = {},
    tmpfs: Sequence[str] = ("/tmp",),
    words: Sequence[str] | None = None,
    beside: Container | None = None,
) -> Iterator[Container]:
    """A container with a root that nobody can write to, no capabilities and a network of its own, or that of the one `beside` it.

    Its volumes are empty folders that belong to its user. Of `mounts`, paths within and what lies there, nothing can be written.
    `tmpfs` are paths and options, as in a compose file.
    """
    with tempfile.TemporaryDirectory(prefix="sesmail-container-", ignore_cleanup_errors=True) as made:
        directory = Path(made)
        directory.chmod(0o755)
        config = _config(image, environment, _mounts(image, mounts, tmpfs, directory), words, beside)
        (directory / "config.json").write_text(json.dumps(config))
        container = _started(image, directory)
        try:
            yield container
        finally:
            container._runc("delete", "--force", container.name)
            container.process.wait(30)


def _started(image: Image, directory: Path) -> Container:
    name, log, state = f"sesmail-{uuid.uuid4().hex[:12]}", directory / "log", directory / "runc"
    command = ["runc", "--root", str(state), "run", "--bundle", str(directory), name]
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    return Container(name, image, log, state, process)


def _mounts(image: Image, mounts: Mapping[str, Path], tmpfs: Sequence[str], directory: Path) -> list[dict[str, Any]]:
    found = [
        _mount("/proc", "proc"),
        _mount("/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _mount("/dev/shm", "tmpfs", "nosuid", "noexec", "nodev", "mode=1777"),
        _mount("/sys", "sysfs", "nosuid", "noexec", "nodev", "ro"),
    ]
    for one in tmpfs:
        path, _, options = one.partition(":")
        found.append(_mount(path, "tmpfs", "nosuid", "nodev", *(options.split(",") if options else ["mode=1777"])))
    for volume in image.config.get("Volumes") or {}:
        kept = directory / volume.strip("/").replace("/", "-")
        kept.mkdir()
        os.chown(kept, *image.ids)
        found.append(_mount(volume, "bind", "rbind", "rw", source=kept))
    found += [_mount(within, "bind", "rbind", "ro", source=path) for within, path in mounts.items()]
    return found


def _mount(destination: str, kind: str, *options: str, source: Path | None = None) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": str(source or kind), "options": list(options)}


def _config(
    image: Image,
    environment: Mapping[str, str],
    mounts: list[dict[str, Any]],
    words: Sequence[str] | None,
    beside: Container | None,
) -> dict[str, Any]:
    uid, gid = image.ids
    given = dict(one.partition("=")[::2] for one in image.config["Env"])
    network = {"type": "network", **({"path": f"/proc/{beside.pid}/ns/net"} if beside else {})}
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": uid, "gid": gid},
            "args": image.entry + list(image.config["Cmd"] if words is None else words),
            "env": [f"{name}={value}" for name, value in {**given, **environment}.items()],
            "cwd": image.config["WorkingDir"],
            "capabilities": {},
            "noNewPrivileges": True,
        },
        "root": {"path": str(image.root), "readonly": True},
        "hostname": "container",
        "mounts": mounts,
        "linux": {
            "namespaces": [*({"type": name} for name in _NAMESPACES), network],
            "maskedPaths": _MASKED,
            "readonlyPaths": _READ_ONLY,
        },
    }

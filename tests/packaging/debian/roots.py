"""Roots of Debian's releases, made by mmdebstrap and kept beside the checkout, and commands that are run in them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).parents[3]
KEPT = CHECKOUT / ".roots"
SUITES = ("bookworm", "trixie")
HOST = "gateway"
# Much more than a step takes on a slow network, so that nothing hangs for ever.
_LONGEST = 1200
_KEEP = 7 * 24 * 3600

# In namespaces of its own, so that nothing that is mounted or started there outlives the command. A root without a network has a
# loopback interface, and its ports are nobody else's.
_ENTER = """
root=$1; shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
[ -z "$LOOPBACK" ] || ip link set lo up
exec chroot "$root" "$@"
"""
_ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
    "PIP_CERT": "/etc/ssl/certs/ca-certificates.crt",
}


class Root:
    """A Debian of one release, in a folder."""

    def __init__(self, suite: str, folder: Path) -> None:
        self.suite = suite
        self.folder = folder

    def path(self, name: str) -> Path:
        """Where a file of the root, named by its absolute path there, lies for us."""
        return self.folder / name.lstrip("/")

    def run(self, command: Sequence[str], *, network: bool = False, environment: Mapping[str, str] | None = None) -> None:
        """Run a command, which says what it says. Raises CalledProcessError if it fails, TimeoutExpired after 20 minutes."""
        subprocess.run(
            self._entering(command, network), env=self._environment(network, environment), check=True, timeout=_LONGEST
        )

    def said(self, command: Sequence[str], *, network: bool = False) -> str:
        """The same, quiet: its standard output is the result."""
        entering, environment = self._entering(command, network), self._environment(network, None)
        done = subprocess.run(entering, env=environment, check=True, timeout=_LONGEST, stdout=subprocess.PIPE, text=True)
        return done.stdout

    def install(self, *packages: str) -> None:
        """By apt, with what they recommend left out. Raises CalledProcessError."""
        self.run(["apt-get", "install", "--yes", "--quiet=2", "--no-install-recommends", *packages], network=True)

    def _entering(self, command: Sequence[str], network: bool) -> list[str]:
        namespaces = ["--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", *([] if network else ["--net"])]
        return ["unshare", *namespaces, "sh", "-euc", _ENTER, "sh", str(self.folder), *command]

    def _environment(self, network: bool, given: Mapping[str, str] | None) -> dict[str, str]:
        return {**plain_environment(given), "LOOPBACK": "" if network else "1"}


def plain_environment(given: Mapping[str, str] | None) -> dict[str, str]:
    """What a command in a root finds, and nothing of this machine's."""
    return {**_ENVIRONMENT, **(given or {})}


@contextmanager
def root(suite: str, *packages: str, prepare: Callable[[Root], None] | None = None, called: str = "") -> Iterator[Root]:
    """A fresh root, gone at the end. What is in it is kept for the next time: the bare release, with `packages`, and what `prepare`
    did, of which `called` has to change when that does. Raises CalledProcessError."""
    KEPT.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{suite}-", dir=KEPT))
    try:
        fresh = Root(suite, folder)
        key = hashlib.sha256("\n".join([*packages, called]).encode()).hexdigest()[:12]
        kept = KEPT / f"{suite}-{key}.tar"
        if _fresh(kept):
            _unpack(kept, folder)
        else:
            _unpack(_base(suite), folder)
            _add(fresh, packages, prepare)
            _keep(fresh, kept)
        _connect(fresh)
        yield fresh
    finally:
        shutil.rmtree(folder)


def _base(suite: str) -> Path:
    """The release as mmdebstrap makes it, with apt and nothing more than that needs."""
    kept = KEPT / f"{suite}.tar"
    if not _fresh(kept):
        print(f"Making a root of {suite}", flush=True)
        part = KEPT / f"{suite}.part.tar"
        # These roots need not survive a crash: dpkg may leave out what makes it sure of that.
        options = ["--quiet", "--variant=apt", "--include=ca-certificates", "--dpkgopt=force-unsafe-io"]
        subprocess.run(["mmdebstrap", *options, suite, part], check=True)
        part.rename(kept)
    return kept


def _add(fresh: Root, packages: Sequence[str], prepare: Callable[[Root], None] | None) -> None:
    _connect(fresh)
    fresh.run(["apt-get", "update", "--quiet=2"], network=True)
    if packages:
        fresh.install(*packages)
    if prepare:
        _connect(fresh)
        prepare(fresh)


def _keep(fresh: Root, kept: Path) -> None:
    """For the next time; what nobody will use again goes."""
    for other in KEPT.glob("*.tar"):
        if not _fresh(other):
            other.unlink()
    part = kept.with_suffix(".part")
    subprocess.run(["tar", "--create", "--file", part, "--directory", fresh.folder, "."], check=True)
    os.rename(part, kept)


def _connect(fresh: Root) -> None:
    """Names, and what this machine trusts: there may be a proxy between it and the network."""
    shutil.copy("/etc/resolv.conf", fresh.path("/etc/resolv.conf"))
    fresh.path("/etc/hostname").write_text(f"{HOST}\n")
    fresh.path("/etc/hosts").write_text(f"127.0.0.1 localhost {HOST}.example.com {HOST}\n::1 localhost\n")
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", fresh.path("/etc/ssl/certs/ca-certificates.crt"))


def _fresh(kept: Path) -> bool:
    """Whether it is there, and not so old that Debian's mirror may have newer packages only."""
    return kept.exists() and time.time() - kept.stat().st_mtime < _KEEP


def _unpack(tarball: Path, folder: Path) -> None:
    subprocess.run(["tar", "--extract", "--file", tarball, "--directory", folder], check=True)
    folder.chmod(0o755)

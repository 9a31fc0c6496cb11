"""``python3 -m tests.packaging.debian.build [SUITE ...]``: one source package in dist/, and in dist/SUITE what that release makes of it.
Each is looked over by its release's own lintian. Runs as root on a bare Debian, on Python's own library."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

from tests.packaging.debian.roots import CHECKOUT, SUITES, Root, root

DIST = CHECKOUT / "dist"
_BUILD = ("build-essential", "devscripts", "lintian")
# What makes roots, and enters them.
_PROGRAMS = ("ca-certificates", "git", "iproute2", "mmdebstrap")
# Errors and warnings end the build; hints of the other kinds are only shown.
_LINTIAN = "lintian --allow-root --pedantic --display-info --fail-on error,warning"
# In Debian 13 this check starts a program for each of our files, which takes minutes; what its Python no longer has, the tests against
# the installed package miss. Debian 12's does not know it, and would not go on.
_LEFT_OUT = {"trixie": " --dont-check-part languages/python/stdlib-deprecation"}


def build(suites: list[str]) -> None:
    """Raises CalledProcessError, after the reason was said."""
    subprocess.run([CHECKOUT / "tests/packaging/ensure.sh", *_PROGRAMS], check=True)
    for number, suite in enumerate(suites):
        with build_root(suite) as fresh:
            if number == 0:
                _make_source(fresh)
            _make_binary(fresh)


def build_root(suite: str) -> AbstractContextManager[Root]:
    """What the package is built in: all that the control file asks for is installed."""
    source = (CHECKOUT / "debian/control").read_text().partition("\n\n")[0]
    return root(suite, *_BUILD, prepare=_install_build_depends, called=source.partition("Build-Depends:")[2])


def _install_build_depends(fresh: Root) -> None:
    folder = fresh.path("/build/sesmail")
    shutil.copytree(CHECKOUT / "debian", folder / "debian")
    fresh.run(["apt-get", "build-dep", "--yes", "--quiet=2", "--no-install-recommends", "/build/sesmail"], network=True)
    shutil.rmtree(folder)


def _make_source(fresh: Root) -> None:
    """From what git knows or would add, as it lies here."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={CHECKOUT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"],
        cwd=CHECKOUT, check=True, stdout=subprocess.PIPE, text=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, listed):
        source, target = CHECKOUT / name, fresh.path("/build/sesmail") / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target, follow_symlinks=False)
    fresh.run(["sh", "-euc", "cd /build/sesmail && dpkg-source --build . && rm -rf /build/sesmail"])
    DIST.mkdir(exist_ok=True)
    for made in (*DIST.glob("sesmail_*.dsc"), *DIST.glob("sesmail_*.tar.xz")):
        made.unlink()
    for made in fresh.path("/build").iterdir():
        shutil.copy(made, DIST)


def _make_binary(fresh: Root) -> None:
    folder = DIST / fresh.suite
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    place = fresh.path("/build")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for made in (*DIST.glob("sesmail_*.dsc"), *DIST.glob("sesmail_*.tar.xz")):
        shutil.copy(made, place)
    fresh.run(
        [
            "sh",
            "-euc",
            "cd /build && dpkg-source --extract *.dsc sesmail && cd sesmail && dpkg-buildpackage --build=binary -us -uc",
        ]
    )
    for made in place.glob("sesmail_*"):
        if made.suffix in (".deb", ".changes", ".buildinfo"):
            shutil.copy(made, folder)
    fresh.run(["sh", "-euc", f"cd /build && {_LINTIAN}{_LEFT_OUT.get(fresh.suite, '')} *.dsc *.changes"])


def package(suite: str) -> Path:
    """The .deb that was built in this release. Raises ValueError if there is not exactly one."""
    (found,) = (DIST / suite).glob("sesmail_*_all.deb")
    return found


if __name__ == "__main__":
    build(sys.argv[1:] or list(SUITES))

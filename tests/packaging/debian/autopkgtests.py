"""``python3 -m tests.packaging.debian.autopkgtests [SUITE ...]``: runs debian/tests, each in a machine of its own with the package of
that release installed from dist/."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.packaging.debian.build import package
from tests.packaging.debian.machines import booted
from tests.packaging.debian.roots import CHECKOUT, SUITES, Root, root

# What a machine has that a bare root has not.
BOOTS = ("systemd-sysv",)


@dataclass(frozen=True)
class Listed:
    """A paragraph of debian/tests/control."""

    name: str
    packages: tuple[str, ...]


def listed() -> list[Listed]:
    """Raises KeyError for a paragraph that lacks a field."""
    found = []
    for paragraph in (CHECKOUT / "debian/tests/control").read_text().strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines())
        packages = tuple(name.strip() for name in fields["Depends"].split(",") if name.strip() != "@")
        found.append(Listed(fields["Tests"], packages))
    return found


def run(suite: str, test: Listed) -> None:
    """Raises CalledProcessError when it fails, having shown what it said."""
    print(f"=== {suite}: {test.name}", flush=True)
    deb = package(suite)
    with _prepared(suite, deb) as fresh:
        shutil.copytree(CHECKOUT / "debian/tests", fresh.path("/tests/debian/tests"))
        fresh.path("/tests/tmp").mkdir()
        with booted(fresh) as machine:
            there = place(fresh, deb)
            machine.run(["apt-get", "install", "--yes", "--quiet=2", there])
            # The tests look for what is left of it.
            fresh.path(there).unlink()
            script = f"cd /tests && exec debian/tests/{test.name}"
            machine.run(["sh", "-euc", script], environment={"AUTOPKGTEST_TMP": "/tests/tmp"})


def _prepared(suite: str, deb: Path) -> AbstractContextManager[Root]:
    """A root that can boot, with all that the package and any of the tests needs, and without the package."""
    needed = depends(deb)

    def satisfy(fresh: Root) -> None:
        fresh.path("/etc/apt/apt.conf.d/recommends").write_text('APT::Install-Recommends "false";\n')
        fresh.run(["apt-get", "satisfy", "--yes", "--quiet=2", needed], network=True)

    packages = sorted({name for test in listed() for name in test.packages})
    return root(suite, *BOOTS, *packages, prepare=satisfy, called=f"satisfied: {needed}")


def depends(deb: Path) -> str:
    """What the package needs. Raises CalledProcessError."""
    field = ["dpkg-deb", "--field", str(deb), "Depends"]
    return subprocess.run(field, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def place(fresh: Root, deb: Path) -> str:
    """Puts the package where apt's own user can read it, and says where that is."""
    fresh.path("/srv").mkdir(exist_ok=True)
    shutil.copy(deb, fresh.path("/srv"))
    return f"/srv/{deb.name}"


if __name__ == "__main__":
    chosen = os.environ.get("AUTOPKGTESTS", "").split()
    for each in sys.argv[1:] or SUITES:
        for test in listed():
            if not chosen or test.name in chosen:
                run(each, test)

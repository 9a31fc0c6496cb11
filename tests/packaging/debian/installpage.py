"""``python3 -m tests.packaging.debian.installpage [SUITE ...]``: runs the commands of docs/install-debian.rst as they are printed, in a
machine with nothing but Debian's base."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import textwrap
from contextlib import AbstractContextManager
from pathlib import Path

from tests.packaging.debian.autopkgtests import BOOTS, depends, place
from tests.packaging.debian.build import package
from tests.packaging.debian.machines import Machine, booted
from tests.packaging.debian.roots import CHECKOUT, SUITES, Root, root

PAGE = CHECKOUT / "docs/install-debian.rst"
MOST = 10
_BLOCK = re.compile(r"::\n\n((?: {4}.*\n)+)")


def commands() -> list[str]:
    """Each literal block of the page, which is one command. Raises ValueError for more of them than the page may have."""
    found = [textwrap.dedent(block) for block in _BLOCK.findall(PAGE.read_text())]
    if not 1 < len(found) <= MOST:
        raise ValueError(f"{PAGE} has {len(found)} commands, of which there may be {MOST}")
    return found


def run(suite: str) -> None:
    """Raises CalledProcessError when one fails, RuntimeError when the mail was not read at the end."""
    deb = package(suite)
    with _bare(suite, deb) as fresh:
        shutil.copy(deb, fresh.path("/root"))
        # apt's own user has to read what is installed.
        fresh.path("/root").chmod(0o755)
        with booted(fresh) as machine:
            for command in commands():
                print(f"# {command}", end="", flush=True)
                try:
                    said = machine.said(["sh", "-euc", f"cd /root\n{command}"], check=True)
                except subprocess.CalledProcessError as error:
                    print(error.stdout, error.stderr, machine.said(["journalctl", "--unit=sesmail", "--no-pager"]))
                    raise
            print(said)
            if "Subject: Hello" not in said or "It works." not in said:
                raise RuntimeError("the mail that was sent was not read")
            _check_origins(machine)


def _check_origins(machine: Machine) -> None:
    """Raises RuntimeError unless Debian's archive has, in that version, everything that is installed but the package."""
    listed = machine.said(["apt", "list", "--quiet=2", "?installed ?not(?origin(^Debian$))"], check=True).splitlines()
    found = [line.partition("/")[0] for line in listed if "/" in line]
    print(f"not of Debian: {found}", flush=True)
    if found != ["sesmail"]:
        raise RuntimeError("packages that are not Debian's were installed")


def _bare(suite: str, deb: Path) -> AbstractContextManager[Root]:
    """A root that can boot and has nothing else. What is to be installed was downloaded, for the machine has no network."""

    def download(fresh: Root) -> None:
        fresh.run(["apt-get", "install", "--yes", "--quiet=2", "--download-only", place(fresh, deb), "curl"], network=True)

    return root(suite, *BOOTS, prepare=download, called=f"downloaded: {depends(deb)}")


if __name__ == "__main__":
    for each in sys.argv[1:] or SUITES:
        run(each)

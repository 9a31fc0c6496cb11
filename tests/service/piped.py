"""`sesmail-deliver` as Postfix's pipe(8) runs it, in the line of master.cf that mailtos3's README has."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Only the path is another one. `make programs` makes the user.
MASTER = """
mailtos3  unix  -       n       n       -       -       pipe
      flags=ODRhu user=mailtos3 argv={program} -a=${{recipient}} -f=${{sender}}
"""
MAIN = """
default_privs = mailtos3
mailtos3_destination_recipient_limit = 1
virtual_mailbox_domains = {domain}
virtual_transport = mailtos3
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
"""
_PROGRAM = """#!{python}
import sys
sys.path[:0] = {paths!r}
sys.dont_write_bytecode = True
{first}
from sesmail.cli.deliver import main
sys.exit(main())
"""
DYING = """
import os, random, signal, threading
if random.random() < {chance}:
    threading.Timer(random.uniform(0, {longest}), os.kill, (os.getpid(), signal.SIGKILL)).start()
"""
"""Ends the program at a random point."""


def _python() -> str:
    # Ours may lie in a home that Postfix cannot look into; that of the machine takes our libraries if it is of the same release.
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = f"/usr/bin/python{ours}"
    if not Path(found).exists():
        pytest.skip(f"no {found}, which everybody may run")
    return found


def program(folder: Path, first: str = "") -> Path:
    """The program that packages install, in a file of this folder; `first` is run at its start."""
    path = folder / "sesmail-deliver"
    paths = [str(ROOT), sysconfig.get_paths()["purelib"]]
    path.write_text(_PROGRAM.format(python=_python(), paths=paths, first=first))
    path.chmod(0o755)
    return path

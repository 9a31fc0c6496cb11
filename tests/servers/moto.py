"""A real process that plays AWS's other services: moto's server."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from tests.servers.ports import BEGINS, answers, free_port, wait_until
from tests.servers.process import Guarded

_MOTO = Path(__file__).parents[2] / ".venv-tools/bin/moto_server"


@functools.cache
def running() -> str:
    """The endpoint of the one server of this process: the first call starts it, the process's end removes it."""
    if not _MOTO.exists():
        raise FileNotFoundError(f"{_MOTO}: `make test` installs it")
    directory = Path(tempfile.mkdtemp(prefix="sesmail-moto-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    port = free_port()
    process = Guarded([_MOTO, "-H", "127.0.0.1", "-p", str(port)], directory / "log")
    atexit.register(process.stop)
    wait_until(lambda: answers(port), seconds=BEGINS, what=process.tail)
    return f"http://127.0.0.1:{port}"

"""Functions as Lambda runs them: the zip unpacked, a Python with nothing but boto3 beside the standard library, a process that stays."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import ZipFile

ROOT = Path(__file__).parents[2]
HANDLER = "sesmail.functions.sorter.sort"

# boto3 and what it needs itself; Lambda has no other libraries.
_LIBRARIES = ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "dateutil", "six.py")
_RUNTIME = Path(__file__).with_name("lambdaruntime.py")


class Raised(Exception):
    """The function raised: what Lambda then tells its caller, or keeps for another try."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.type: str = said["errorType"]
        self.message: str = said["errorMessage"]
        self.trace: list[str] = said["stackTrace"]
        super().__init__(f"{self.type}: {self.message}\n{''.join(self.trace)}")


class Function:
    """One environment of a function: a process that is called again and again."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self._log = log
        self.last: dict[str, Any] = {}
        """Of the last call: `seconds`, `peak` (octets of memory, since the start) and `modules`, the names at the top."""

    def __call__(self, event: object) -> Any:
        """What the function returned. Raises Raised."""
        self.begin(event)
        return self.end()

    def begin(self, event: object) -> None:
        """Call it, and leave it to that."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(event) + "\n")
        self._process.stdin.flush()

    def end(self) -> Any:
        """What it returned after `begin`. Raises Raised."""
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        assert answer, self.log()
        self.last = json.loads(answer)
        if "error" in self.last:
            raise Raised(self.last["error"])
        return self.last["result"]

    def log(self) -> str:
        """All that it logged."""
        return self._log.read_text()

    def fates(self, word: str) -> list[str]:
        """Its lines about what became of mail in this way."""
        return [line for line in self.log().splitlines() if line.partition("\t")[2].split(" ")[0] == word]


@cache
def package() -> Path:
    """The zip, made by `make lambda` with the libraries of this Python."""
    file = Path(tempfile.mkdtemp(prefix="sesmail-lambda-")) / "sesmail-lambda.zip"
    make = ["make", "--silent", "--old-file=.venv/runtime", "lambda", f"LAMBDA={file}", f"LAMBDA_PYTHON={sys.executable}"]
    subprocess.run(make, cwd=ROOT, check=True)
    return file


@contextmanager
def function(environment: Mapping[str, str], handler: str = HANDLER) -> Iterator[Function]:
    """The function with these variables and Lambda's own, in an environment that nobody has used yet."""
    with tempfile.TemporaryDirectory(prefix="sesmail-function-") as name:
        task, log = Path(name) / "task", Path(name) / "log"
        libraries = unpacked(task)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", _RUNTIME, task, libraries, handler],
                cwd=task,
                env={**_lambdas_own(task), **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
            )
        with process:
            try:
                yield Function(process, log)
            finally:
                process.kill()


def unpacked(task: Path) -> Path:
    """Unpack the zip there; returns a folder beside it with the libraries that Lambda has."""
    ZipFile(package()).extractall(task)
    libraries = task.with_name(f"{task.name}-libraries")
    libraries.mkdir()
    for name in _LIBRARIES:
        (libraries / name).symlink_to(Path(sysconfig.get_path("purelib")) / name)
    return libraries


def _lambdas_own(task: Path) -> dict[str, str]:
    return {
        "AWS_LAMBDA_FUNCTION_NAME": "sort",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "LAMBDA_TASK_ROOT": str(task),
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/bin:/bin",
        "TZ": ":UTC",
    }

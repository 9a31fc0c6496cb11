"""Notes what AWS is asked for by the code under test: in every Python that has this folder in its PYTHONPATH, and in the tests' own.

What signs requests is wrapped when it is imported, and nothing is imported for that. A test that asks AWS itself is not noted: only
what is called from a module of sesmail is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

FOLDER = "TESTS_RIGHTS"
"""The variable with the folder: a file for each process, a line for each operation and module."""


class _Finder:
    """Has the modules found by the others, and wraps what is in them."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._noted: set[str] = set()
        self._wraps: dict[str, Callable[[Any], None]] = {"botocore.client": self._clients, "sesmail.aws.sigv4": self._signers}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """See importlib.abc.MetaPathFinder."""
        wrap = self._wraps.pop(name, None)
        if wrap is None:
            return None
        spec = next(filter(None, (one.find_spec(name, path, target) for one in sys.meta_path if one is not self)), None)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def exec_module(module: Any) -> None:
                run(module)
                wrap(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec

    def _clients(self, module: Any) -> None:
        call = module.BaseClient._make_api_call

        def noted(client: Any, operation: str, arguments: Any) -> Any:
            self._note(client.meta.service_model.signing_name, operation)
            return call(client, operation, arguments)

        module.BaseClient._make_api_call = noted

    def _signers(self, module: Any) -> None:
        sign = module.Signer.sign

        def noted(
            signer: Any, method: str, host: str, path: str, query: str, keys: Any, now: Any, amz: Any = (), **more: Any
        ) -> Any:
            amz = tuple(amz)
            self._note(signer.scope.service, _operation(method, query, dict(amz)))
            return sign(signer, method, host, path, query, keys, now, amz, **more)

        module.Signer.sign = noted

    def _note(self, service: str, operation: str) -> None:
        frame = sys._getframe(2)
        # What ends a test may run where an answer has just come in.
        while frame is not None and not frame.f_globals.get("__name__", "").startswith(("sesmail.", "tests.")):
            frame = frame.f_back  # type: ignore[assignment]
        if frame is None or frame.f_globals["__name__"].startswith("tests."):
            return
        line = f"{service}:{operation} {frame.f_globals['__name__']}"
        if line not in self._noted:
            self._noted.add(line)
            with open(f"{self._folder}/{os.getpid()}", "a", encoding="utf-8") as file:
                file.write(f"{line}\n")


def _operation(method: str, query: str, amz: dict[str, str]) -> str:
    if "x-amz-target" in amz:
        return amz["x-amz-target"].rpartition(".")[2]
    return "ListObjectsV2" if "list-type=2" in query else f"{method.capitalize()}Object"


def note_in(folder: str) -> None:
    """From now on, in this process; once is enough."""
    if not any(type(one).__name__ == _Finder.__name__ for one in sys.meta_path):
        sys.meta_path.insert(0, _Finder(folder))


if os.environ.get(FOLDER):
    note_in(os.environ[FOLDER])

"""The API as the gateway serves it, asked by a fuzzer that has read its description: the door changes nothing that it promises."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from sesmail.api.document import as_json
from sesmail.api.tokens import claims
from sesmail.auth.tokens import make
from tests.service.house import TOM, House
from tests.service.pagehouse import ADMIN, SECRET

_ROOT = Path(__file__).parents[2]
_PROGRAM = _ROOT / ".venv-tools" / "bin" / "schemathesis"
_SETTINGS = _ROOT / "tests" / "api" / "schemathesis.toml"
_SLICE = ("--generation-deterministic", "--max-examples", "3", "--phases", "examples,fuzzing,stateful")


@pytest.mark.parametrize("caller", [ADMIN, TOM])
def test_a_fuzzer_finds_nothing_in_the_gateway(here: tuple[House, int], tmp_path: Path, caller: str) -> None:
    house, port = here
    (tmp_path / "openapi.json").write_bytes(as_json())
    token = make(claims(caller, int(time.time()) + 3600), SECRET)
    command: list[str | Path] = [_PROGRAM, "--config-file", _SETTINGS, "run", tmp_path / "openapi.json", *_SLICE]
    asked = ["--url", f"http://127.0.0.1:{port}", "-H", f"Authorization: Bearer {token}"]
    found = subprocess.run([*command, *asked], cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "Traceback" not in house.gateway.log()

"""Debian's postmap, which is asked what Postfix itself finds in a table."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path


def asked(kind: str, text: str, addresses: Sequence[str], folder: Path) -> tuple[dict[str, str], str]:
    """What Postfix finds for each address for which it finds something, and what it warns of."""
    table = folder / "table"
    for file, content in ((folder / "main.cf", "compatibility_level = 3.6\n"), (table, text)):
        file.write_text(content)
        # Postfix waits a second for a file that was just written, in case it is not finished.
        os.utime(file, (0, 0))
    command = ["/usr/sbin/postmap", "-c", str(folder), "-q", "-", f"{kind}:{table}"]
    answer = subprocess.run(command, input="\n".join([*addresses, ""]), capture_output=True, text=True, timeout=60, check=False)
    found: dict[str, str] = {}
    for line in answer.stdout.splitlines():
        address, _, result = line.partition("\t")
        found[address] = result
    return found, answer.stderr

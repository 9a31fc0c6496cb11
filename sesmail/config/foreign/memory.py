"""Files that lie in memory alone, for texts that sesmail reads from files: they go away with the process."""

from __future__ import annotations

import os


def in_memory(name: str, content: str) -> str:
    """The path of a new file, which this process and those it forks can open."""
    descriptor = os.memfd_create(name)
    os.fchmod(descriptor, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", closefd=False) as file:
        file.write(content)
    return f"/proc/self/fd/{descriptor}"

"""Room for as many open files as the configured connections need: the usual soft limit of 1,024 is older than they are."""

from __future__ import annotations

import logging
import resource

_log = logging.getLogger(__name__)


def make_room(files: int) -> None:
    """Raise the soft limit of this process to `files` where the hard one allows it; what is missing is logged."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= files:
        return
    room = files if hard == resource.RLIM_INFINITY else min(files, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (room, hard))
    if room < files:
        _log.warning("only %d files may be open at a time, the configured connections may need %d", room, files)

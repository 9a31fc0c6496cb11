"""``sesmail serve``: the service in the foreground, as ``twistd -n sesmail`` runs it."""

from __future__ import annotations

import argparse

from twisted.scripts.twistd import ServerOptions, runApp  # type: ignore[attr-defined]


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. Leaves by SystemExit with status 78 for a bad configuration, 1 for a port that is taken."""
    return serve(args.config)


def serve(config: str | None) -> int:
    """The same for a configuration file, None being the first one of the usual places."""
    options = ServerOptions()
    # Without an empty name for it twistd leaves a file with its process id in the current directory.
    twistd = ["--nodaemon", "--pidfile=", "sesmail"]
    options.parseOptions(twistd + (["--config", config] if config is not None else []))
    runApp(options)
    return 0

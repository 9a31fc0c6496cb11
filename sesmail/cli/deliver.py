"""``sesmail deliver``: one message from a mail server, as Postfix's pipe(8) hands it over, goes where it belongs.

The exit status is all that a mail server goes by, and Postfix returns the mail for every one but 0, 71 and 75: so it is 75 for all that
is not for certain the fault of the message or its recipient. What the command writes begins with the status of RFC 3463, which wins.
Nothing is imported before it is needed: a mail server starts this for each message.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

EXIT_DATA = 65
EXIT_NO_USER = 67
EXIT_LATER = 75
EXIT_REFUSED = 77

SOCKET = "/run/sesmail/lmtp.sock"
"""Where a gateway is looked for before any configuration is read."""

_TROUBLE = "the mail cannot be stored at the moment, try again later"
_HINTS = {"ConfigError": "the configuration cannot be used, as sesmail check-config shows in full"}


def main() -> int:
    """The program ``sesmail-deliver``."""
    return run(sys.argv[1:])


def run(words: Sequence[str]) -> int:
    """Deliver, say what there is to say on standard output, and return the exit status. Never raises, whatever happens."""
    try:
        from sesmail.cli.delivering import delivered

        status, said = delivered(words, SOCKET)
    except BaseException as error:
        # Also what cannot be imported, memory that is not there, and SIGINT: no fault of the mail.
        status, said = EXIT_LATER, f"4.3.0 {_HINTS.get(type(error).__name__, _TROUBLE)} ({type(error).__name__})"
    if said:
        _say(said)
    return status


def _say(text: str) -> None:
    line = "".join(one if one.isascii() and one.isprintable() else "?" for one in text)[:500]
    try:
        # Not by sys.stdout: what fails to be written when that is closed would change the exit status.
        os.write(1, line.encode("ascii") + b"\n")
    except OSError:
        return


if __name__ == "__main__":
    sys.exit(main())

"""What the doctor finds: one line each."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from sesmail.cli.main import EXIT_FAILED, EXIT_TEMPORARY


class State(enum.Enum):
    """NOTE: worth knowing, or nothing that can be found out without changing anything; UNKNOWN: whoever was asked did not answer."""

    GOOD = "ok"
    NOTE = "note"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """`about` is what was looked at, `said` how that is, `mend` the command, the option or the policy that puts it right."""

    state: State
    about: str
    said: str
    mend: str = ""

    @property
    def line(self) -> str:
        """For people. What others have written cannot steer their terminal."""
        mend = f"; to mend it: {self.mend}" if self.mend else ""
        return "".join(one if one.isprintable() else "?" for one in f"{self.state.value:8}{self.about}: {self.said}{mend}")

    @property
    def members(self) -> dict[str, str | None]:
        """For programs."""
        return {"state": self.state.value, "about": self.about, "said": self.said, "mend": self.mend or None}


def good(about: str, said: str) -> Finding:
    """It is as it has to be."""
    return Finding(State.GOOD, about, said)


def note(about: str, said: str, mend: str = "") -> Finding:
    """It may stay as it is."""
    return Finding(State.NOTE, about, said, mend)


def wrong(about: str, said: str, mend: str) -> Finding:
    """It has to be put right, by this."""
    return Finding(State.WRONG, about, said, mend)


def unknown(about: str, said: str, mend: str = "") -> Finding:
    """Nobody said how it is."""
    return Finding(State.UNKNOWN, about, said, mend)


def status(found: list[Finding]) -> int:
    """The exit status: 1 when something is wrong, else 75 when something is unknown."""
    states = {one.state for one in found}
    if State.WRONG in states:
        return EXIT_FAILED
    return EXIT_TEMPORARY if State.UNKNOWN in states else 0

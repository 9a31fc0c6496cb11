"""Logical lines of a Postfix table: what begins with white space continues the line before, comments and blank lines are skipped."""

from __future__ import annotations

from collections.abc import Iterator

from sesmail.errors import Malformed

TABLE_OCTETS = 16 * 1024 * 1024
LINE_CHARACTERS = 16 * 1024
_BLANK = " \t\r\n\v\f"


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Each line with the number of its first physical line, without white space at its end.

    Comments and blank lines may stand within a line that is continued. Raises Malformed, which begins with the number of the line.
    """
    began, parts = 0, ""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip(_BLANK) or line.lstrip(_BLANK).startswith("#"):
            continue
        if line[0] in _BLANK:
            if not began:
                raise Malformed(f"{number}: a table cannot begin with a line that is indented, for it would continue another")
            parts += line.rstrip("\r")
        else:
            if began:
                yield began, parts.rstrip(_BLANK)
            began, parts = number, line.rstrip("\r")
        if len(parts) > LINE_CHARACTERS:
            raise Malformed(f"{began}: the line has more than {LINE_CHARACTERS} characters with its continuations")
    if began:
        yield began, parts.rstrip(_BLANK)

"""Passwords and other secrets as a command gets them: typed at a prompt, or the next line of standard input. Never an argument,
which every user of the machine could see."""

from __future__ import annotations

import getpass
import sys

from sesmail.errors import Malformed

LONGEST = 16 * 1024


def secret(prompt: str, *, twice: bool = False) -> str:
    """What is typed, or the next line, without its end. Raises Malformed for nothing, a NUL, or two that differ."""
    if sys.stdin.isatty():
        typed = getpass.getpass(f"{prompt}: ")
        if twice and getpass.getpass(f"{prompt} again: ") != typed:
            raise Malformed("the two are not the same")
    else:
        typed = sys.stdin.readline(LONGEST).removesuffix("\n").removesuffix("\r")
    if not typed or "\0" in typed:
        raise Malformed(f"no {prompt.lower()} was given")
    return typed

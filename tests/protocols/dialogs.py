"""Dialogs as the RFCs print them: read from text, spoken to a session in memory.

``C:`` lines are said, ``S:`` lines must come back, all of them and nothing else. ``--- TLS`` stands where a handshake would;
what follows is only said after it. ``--- closed`` at the end: the server has closed. ``{x*300}`` is 300 times x. ``C!`` lines are
octets with Python's escapes, sent without a line end. Lines before the first of these that begin with ``#`` set things up:

    # message: A: b\\r\\n\\r\\nbody\\r\\n      a message as stored, with Python's escapes; several make a maildrop
    # size 2: 100                        what LIST says of message 2
    # vanished: 2                        gone from the store since the listing
    # broken: 2                          the store cannot be asked for it
    # stuck: 1                           cannot be removed
    # expired: 1                         past its retention
    # login fails: Busy                  the kind of failure that the realm raises
    # policy: plaintext=never            fields of Policy
    # peer: 192.0.2.1
    # stls                               TLS is offered
    # takes tokens                       a checker takes bearer tokens
    # logged in                          log in first, with answers left out
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from sesmail import errors
from sesmail.protocols.pop3.policy import Policy
from tests.protocols.memory import MemoryPost
from tests.protocols.spoken import Spoken

_REPEAT = re.compile(r"\{(.)\*(\d+)\}")


@dataclass
class Script:
    """What is said and heard, whatever the protocol."""

    path: Path
    phases: list[tuple[bytes, bytes]] = field(default_factory=list)
    closed: bool = False

    @classmethod
    def read(cls, path: Path) -> Self:
        dialog = cls(path)
        said, heard = b"", b""
        for line in path.read_text(encoding="ascii").splitlines():
            kind, text = line[:2], _wire(line[3:])
            if line == "--- closed":
                dialog.closed = True
            elif line == "--- TLS":
                dialog.phases.append((said, heard))
                said, heard = b"", b""
            elif line.startswith("# "):
                dialog.set_up(line[2:])
            elif kind == "C:":
                said += text
            elif kind == "C!":
                said += ast.literal_eval(f"b'{line[3:]}'")
            elif kind == "S:":
                heard += text
            elif line:
                raise ValueError(f"{path.name}: {line}")
        dialog.phases.append((said, heard))
        return dialog

    def set_up(self, line: str) -> None:
        raise NotImplementedError


@dataclass
class Dialog(Script):
    """What a file says."""

    post: MemoryPost = field(default_factory=MemoryPost)
    policy: Policy = field(default_factory=lambda: Policy(strike_delay=0))
    peer: str = "127.0.0.1"
    stls: bool = False
    logged_in: bool = False

    def set_up(self, line: str) -> None:
        word, _, value = line.partition(": ")
        match word.split():
            case ["policy"]:
                name, _, setting = value.partition("=")
                self.policy = replace(self.policy, **{name: ast.literal_eval(setting)})
            case ["peer"]:
                self.peer = value
            case ["stls"]:
                self.stls = True
            case ["takes", "tokens"]:
                self.post.take_tokens()
            case ["logged", "in"]:
                self.logged_in = True
            case _:
                self.fill(word.split(), value)

    def fill(self, words: list[str], value: str) -> None:
        maildrop = self.post.maildrop
        numbers = [int(number) - 1 for number in re.findall(r"[0-9]+", value)]
        match words:
            case ["message"]:
                maildrop.messages.append(ast.literal_eval(f"b'{value}'"))
            case ["size", number]:
                maildrop.sizes[int(number) - 1] = int(value)
            case ["vanished"]:
                maildrop.vanished |= set(numbers)
            case ["broken"]:
                maildrop.failures |= {number: errors.Unavailable() for number in numbers}
            case ["stuck"]:
                maildrop.stuck |= set(numbers)
            case ["expired"]:
                maildrop.old = tuple(numbers)
            case ["login", "fails"]:
                self.post.realm.failure = getattr(errors, value, RuntimeError)()
            case _:
                # Anything else is a remark.
                assert not value, f"{self.path.name}: {words}"

    def begin(self) -> Spoken:
        spoken = Spoken(self.post, self.policy, peer=self.peer, stls=self.stls)
        if self.logged_in:
            spoken.log_in()
            spoken.transport.clear()
        return spoken


def _wire(text: str) -> bytes:
    return _REPEAT.sub(lambda found: found[1] * int(found[2]), text).encode("ascii") + b"\r\n"

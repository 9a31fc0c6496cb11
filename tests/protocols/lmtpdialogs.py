"""Dialogs as in `dialogs`, spoken to an LMTP session that begins behind its greeting, over a UNIX socket. There

# greeting                           the greeting is part of the dialog
# starttls                           TLS is offered
# introduced                         LHLO was said
# policy: max_recipients=2           fields of LMTPPolicy
# peer: 192.0.2.1                    over TCP
# trusted: 192.0.2.0/24              who may deliver over TCP
# refuses joe@example.com: Refused 550 5.7.1 no     what is raised for an address, or for one of the steps:
# refuses write: TooLarge                           sender, recipient, begin, write, finish
# outcome ann@example.net: 452 4.2.2 full           her answer to the final dot
# taken: A: b\\r\\n\\r\\nbody\\r\\n     a message that arrives in the end, with Python's escapes; these and no others
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace

from sesmail.mail.outcome import Outcome
from sesmail.protocols.smtp.policy import LMTPPolicy
from tests.protocols.dialogs import Script
from tests.protocols.reception import LHLO, MemoryReception, Received, policy
from tests.protocols.smtpdialogs import failure


@dataclass
class LMTPDialog(Script):
    """What a file says."""

    reception: MemoryReception = field(default_factory=MemoryReception)
    policy: LMTPPolicy = field(default_factory=policy)
    peer: str = "unix"
    trusted: tuple[str, ...] = ()
    flags: set[str] = field(default_factory=set)
    taken: list[bytes] = field(default_factory=list)

    def set_up(self, line: str) -> None:
        word, _, value = line.partition(": ")
        match word.split():
            case ["greeting"] | ["starttls"] | ["introduced"]:
                self.flags.add(word)
            case ["policy"]:
                name, _, setting = value.partition("=")
                self.policy = replace(self.policy, **{name: ast.literal_eval(setting)})
            case ["peer"]:
                self.peer = value
            case ["trusted"]:
                self.trusted = (value,)
            case _:
                self.fill(word.split(), value)

    def fill(self, words: list[str], value: str) -> None:
        match words:
            case ["refuses", what]:
                self.reception.failures[what] = failure(value)
            case ["outcome", recipient]:
                code, status, text = value.split(" ", 2)
                self.reception.outcomes[recipient] = Outcome(int(code), status, text)
            case ["taken"]:
                self.taken.append(ast.literal_eval(f"b'{value}'"))
            case _:
                # Anything else is a remark.
                assert not value, f"{self.path.name}: {words}"

    def begin(self) -> Received:
        """A session of this dialog."""
        received = Received(
            self.reception,
            self.policy,
            peer=self.peer,
            starttls="starttls" in self.flags,
            trusted=self.trusted,
            greeted="greeting" not in self.flags,
        )
        if "introduced" in self.flags:
            received.say(LHLO)
            received.transport.clear()
        return received

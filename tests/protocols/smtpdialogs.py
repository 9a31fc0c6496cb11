"""Dialogs as in `dialogs`, spoken to a submission session; there ``# policy``, ``# peer``, ``# takes tokens``, ``# logged in`` and
``# login fails`` are said as well. Unless a dialog is in the clear it begins behind the greeting, under TLS.

    # in the clear                       as it begins, with the greeting; STARTTLS is offered
    # no tls                             and is not offered either
    # refuses joe@example.com: Refused 553 5.7.1 not yours     what the submission raises for an address, or for one of its steps:
    # refuses write: TooLarge                                  sender, recipient, begin, write, finish
    # outcome: 451 4.4.1 later           the answer to the final dot
    # accepted: A: b\\r\\n\\r\\nbody\\r\\n     a message that arrives in the end, with Python's escapes; these and no others
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace

from sesmail import errors
from sesmail.mail.outcome import Outcome
from sesmail.protocols.smtp.policy import Policy
from tests.protocols.dialogs import Script
from tests.protocols.submission import SubmissionPost
from tests.protocols.submitted import Submitted, policy


@dataclass
class SMTPDialog(Script):
    """What a file says."""

    post: SubmissionPost = field(default_factory=SubmissionPost)
    policy: Policy = field(default_factory=policy)
    peer: str = "192.0.2.1"
    flags: set[str] = field(default_factory=set)
    accepted: list[bytes] = field(default_factory=list)

    def set_up(self, line: str) -> None:
        word, _, value = line.partition(": ")
        match word.split():
            case ["policy"]:
                name, _, setting = value.partition("=")
                self.policy = replace(self.policy, **{name: ast.literal_eval(setting)})
            case ["peer"]:
                self.peer = value
            case ["in", "the", "clear"] | ["no", "tls"] | ["logged", "in"]:
                self.flags.add(word)
            case ["takes", "tokens"]:
                self.post.take_tokens()
            case _:
                self.fill(word.split(), value)

    def fill(self, words: list[str], value: str) -> None:
        match words:
            case ["login", "fails"]:
                self.post.realm.failure = failure(value)
            case ["refuses", what]:
                self.post.submission.failures[what] = failure(value)
            case ["outcome"]:
                code, status, text = value.split(" ", 2)
                self.post.submission.outcome = Outcome(int(code), status, text)
            case ["accepted"]:
                self.accepted.append(ast.literal_eval(f"b'{value}'"))
            case _:
                # Anything else is a remark.
                assert not value, f"{self.path.name}: {words}"

    def begin(self, *, implicit: bool) -> Submitted:
        """A session of this dialog under one way of TLS or the other, if it is not in the clear."""
        if "in the clear" in self.flags:
            offered = "no tls" not in self.flags
            return Submitted(self.post, self.policy, peer=self.peer, implicit=False, starttls=offered, greeted=False)
        spoken = Submitted(self.post, self.policy, peer=self.peer, implicit=implicit, starttls=True)
        if not implicit:
            spoken.start_tls()
        if "logged in" in self.flags:
            spoken.log_in()
        return spoken


def failure(value: str) -> Exception:
    """A kind of failure by its name, with a reply code and a text where they follow; what is no kind is a bug of ours."""
    kind, _, rest = value.partition(" ")
    code, status, text = [*rest.split(" ", 2), "", "", ""][:3]
    made: type[errors.MailError] | None = getattr(errors, kind, None)
    return RuntimeError(value) if made is None else made(text, smtp=f"{code} {status}" if code else None)

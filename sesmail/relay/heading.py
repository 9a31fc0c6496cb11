"""The header of a submitted message: what must be right in it, what is taken out, what is missing (RFC 6409 sections 6 and 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sesmail.errors import Refused
from sesmail.mail import headers
from sesmail.mail.headers import Field
from sesmail.mail.mailboxes import mailboxes

# Hops after which a message goes in circles (RFC 5321 section 6.3).
MOST_HOPS = 100
# Recipients that nobody else may see, in a message that was sent and in one that was sent on.
_ALWAYS_OUT = frozenset({b"bcc", b"resent-bcc"})


@dataclass(frozen=True)
class Heading:
    """A message's header. Make it with `read`."""

    fields: tuple[Field, ...]

    @classmethod
    def read(cls, octets: bytes) -> Heading:
        """Raises Malformed for what is no header, and Refused (``554 5.4.6``) for a message that goes in circles."""
        fields = headers.fields(octets)
        if sum(field.name == b"received" for field in fields) > MOST_HOPS:
            raise Refused("the message has passed too many servers", smtp="554 5.4.6")
        return cls(fields)

    def authors(self) -> tuple[str, ...]:
        """The addresses of From and Sender, none where the message has no From.

        Raises Malformed for several of either and for one that two programs could read differently, Refused for a From that names nobody.
        """
        found: list[str] = []
        for name in (b"from", b"sender"):
            field = headers.one(self.fields, name)
            if field is not None:
                named = mailboxes(field.value)
                if not named:
                    raise Refused(f"the {name.decode().title()} field names nobody", smtp="554 5.6.0")
                found += named
        return tuple(found)

    def value(self, name: bytes) -> bytes | None:
        """The value of the first field of this name."""
        return next((field.value for field in self.fields if field.name == name), None)

    def edited(self, in_front: Sequence[bytes], *, steering: bool) -> bytes:
        """The header with whole fields in front, and without those that must not leave.

        `steering`: whether Return-Path and the fields that steer SES may stay.
        """
        out = _ALWAYS_OUT | (frozenset() if steering else {field.name for field in self.fields if _steers(field.name)})
        return headers.prepended(headers.without(self.fields, out), *in_front)


def _steers(name: bytes) -> bool:
    return name == b"return-path" or name.startswith(b"x-ses-")

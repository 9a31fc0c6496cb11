"""What is written about a held message. It is read as strictly as anything from outside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import TypeVar

from sesmail.aws.document import Part
from sesmail.aws.receipt import MOST_RECIPIENTS, UNCHECKED, DmarcPolicy, Verdict, Verdicts
from sesmail.delivery.message import Arrival
from sesmail.delivery.plan import Reason
from sesmail.delivery.records import FORMAT, LONGEST, versioned
from sesmail.errors import Malformed
from sesmail.mail.address import Address

_LONGEST_TEXT = 400
_LATEST = 253_402_300_799.0

E = TypeVar("E", bound=Enum)


@dataclass(frozen=True)
class Why:
    """Why a message is held for one recipient. `text`: what the destination said to it, one line, ``""`` where nobody said anything."""

    reason: Reason
    text: str = ""


@dataclass(frozen=True)
class HeldRecord:
    """What is known of a held message. `recipients` may be empty, where nobody knows for whom it is; what could not be read as an
    address stands in `unreadable`. See Arrival for the rest."""

    sender: str
    received: float
    recipients: Mapping[str, Why]
    unreadable: tuple[str, ...] = ()
    verdicts: Verdicts = UNCHECKED
    guessed: bool = False

    @classmethod
    def of(cls, arrival: Arrival, why: Mapping[str, Why]) -> HeldRecord:
        """The one for a message that is held for these recipients, and for all that are none."""
        return cls(arrival.sender, arrival.received, why, arrival.unreadable, arrival.verdicts, arrival.guessed)

    def with_those_of(self, other: HeldRecord) -> HeldRecord:
        """The same with the recipients of both; of one who is in both, this one tells why. Nobody counts who was guessed, where the
        other one knows."""
        if self.guessed is not other.guessed:
            return other if self.guessed else self
        everybody = {**other.recipients, **self.recipients}
        unreadable = tuple(dict.fromkeys((*other.unreadable, *self.unreadable)))
        return HeldRecord(self.sender, self.received, everybody, unreadable, self.verdicts, self.guessed)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Each once."""
        why = [given.reason for given in self.recipients.values()]
        unread = [Reason.UNREADABLE] if self.unreadable else []
        return tuple(dict.fromkeys([*why, *unread])) or (Reason.NOBODY,)

    def octets(self) -> bytes:
        """As it is stored: without the texts where it would be too long to be read again."""
        whole = self._octets(_LONGEST_TEXT)
        return whole if len(whole) <= LONGEST else self._octets(0)

    def _octets(self, longest: int) -> bytes:
        found = {field.name: getattr(self.verdicts, field.name) for field in fields(self.verdicts)}
        said = {
            "sesmail": FORMAT,
            "sender": self.sender,
            "received": round(self.received, 3),
            "recipients": [
                {"address": address, "reason": why.reason.value, "text": why.text[:longest]}
                for address, why in self.recipients.items()
            ],
            "unreadable": list(self.unreadable),
            "verdicts": {name: verdict.value for name, verdict in found.items() if verdict is not None},
            "guessed": self.guessed,
        }
        return json.dumps(said).encode("ascii")


def read_record(data: bytes) -> HeldRecord:
    """Raises Malformed and TooLarge."""
    said = versioned(data)
    recipients = dict(map(_recipient, said.member("recipients").items(2 * MOST_RECIPIENTS)))
    unreadable = tuple(part.text() for part in said.member("unreadable").items(2 * MOST_RECIPIENTS))
    sender = said.member("sender").text()
    return HeldRecord(
        str(Address.parse(sender)) if sender else "",
        _number(said.member("received")),
        recipients,
        unreadable,
        _verdicts(said.member("verdicts")),
        _yes_or_no(said.member("guessed")),
    )


def _recipient(part: Part) -> tuple[str, Why]:
    text = part.member("text").text(_LONGEST_TEXT)
    return str(Address.parse(part.member("address").text())), Why(_one_of(Reason, part.member("reason")), text)


def _verdicts(part: Part) -> Verdicts:
    found = {
        field.name: _one_of(Verdict, part.member(field.name))
        for field in fields(Verdicts)
        if field.name != "dmarc_policy" and part.has(field.name)
    }
    policy = _one_of(DmarcPolicy, part.member("dmarc_policy")) if part.has("dmarc_policy") else None
    return Verdicts(**found, dmarc_policy=policy)


def _one_of(kind: type[E], part: Part) -> E:
    try:
        return kind(part.text())
    except ValueError:
        raise Malformed(f"{part.path} is none of {', '.join(str(member.value) for member in kind)}") from None


def _number(part: Part) -> float:
    value = part.value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATEST:
        part.wrong("a time in seconds")
    return float(value)


def _yes_or_no(part: Part) -> bool:
    if not isinstance(part.value, bool):
        part.wrong("true or false")
    return part.value

"""Mail for people who live here: into their mailboxes in the store, without a way round by anybody's mail servers."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import BinaryIO

from sesmail.errors import MailError, NoSuchMailbox, Refused, TooLarge
from sesmail.interfaces import NO_STORE, Deliver, Place, StorePlace
from sesmail.mail.delivered import fields
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome
from sesmail.relay.courier import Courier
from sesmail.storage.store import Store

log = logging.getLogger(__name__)

_NOBODY = Outcome(550, "5.1.1", "no such mailbox")
_NO_MAILBOX = Outcome(550, "5.2.1", "this account has no mailbox")
_TOO_LARGE = Outcome(552, "5.2.3", "the message is too large for this mailbox")
_TROUBLE = Outcome(451, "4.3.0", "the mailbox cannot be reached at the moment, try again later")


class Local:
    """A courier for local addresses.

    `places_of` gives the mailboxes that an address leads to, none where nobody lives, and raises Unavailable; it knows about tags, case and
    aliases. A mailbox gets a message once, however many recipients lead to it and however often it is tried: the key is made from the
    message. `store_of` gives the store of a place.
    """

    def __init__(self, places_of: Callable[[str], Collection[Place]], store_of: Callable[[StorePlace], Store]) -> None:
        self._places_of = places_of
        self._store_of = store_of

    def send(self, envelope: Envelope, message: BinaryIO) -> Mapping[str, Outcome]:
        """See Courier; what is accepted is durable. The message is in memory meanwhile."""
        data = message.read()
        name = hashlib.blake2b(data, digest_size=20).hexdigest()
        homes = {address: self._homes(address) for address in envelope.recipients}
        to: dict[Place, list[str]] = {}
        for address, found in homes.items():
            for place in found if isinstance(found, tuple) else ():
                to.setdefault(place, []).append(address)
        put = {place: self._put(place, name, fields(envelope.sender, addresses) + data) for place, addresses in to.items()}
        return {
            address: _worst([put[place] for place in found]) if isinstance(found, tuple) else found
            for address, found in homes.items()
        }

    def _homes(self, address: str) -> tuple[Place, ...] | Outcome:
        try:
            return tuple(self._places_of(address)) or _NOBODY
        except Exception as error:
            return _outcome(error)

    def _put(self, place: Place, name: str, data: bytes) -> Outcome:
        if place.store.url == NO_STORE or place.store.url.startswith("demo:"):
            return _NO_MAILBOX
        try:
            self._store_of(place.store).put(f"{place.prefix}{name}.eml", data, absent=True)
        except Refused:
            # It is there from an attempt whose end was not recorded.
            log.info("%s.eml was delivered before", name)
        except Exception as error:
            return _outcome(error)
        return Outcome(250, "2.1.5", f"Ok delivered as {name}", id=name)


class ByDomain:
    """A courier that hands recipients of these domains (lower case) to one and all others to another, each with the message from its
    beginning."""

    def __init__(self, domains: Collection[str], local: Deliver, other: Courier) -> None:
        self._domains = frozenset(domains)
        self._local = local
        self._other = other

    def send(self, envelope: Envelope, message: BinaryIO) -> Mapping[str, Outcome]:
        """See Courier."""
        start = message.tell()
        here = tuple(address for address in envelope.recipients if self.is_local(address))
        elsewhere = tuple(address for address in envelope.recipients if not self.is_local(address))
        outcomes: dict[str, Outcome] = {}
        for recipients, send in ((here, self._local), (elsewhere, self._other.send)):
            if recipients:
                message.seek(start)
                outcomes |= send(_to(envelope, recipients), message)
        return outcomes

    def is_local(self, address: str) -> bool:
        """Whether mail for it stays here."""
        return address.rpartition("@")[2].lower() in self._domains


def _to(envelope: Envelope, recipients: tuple[str, ...]) -> Envelope:
    return Envelope(envelope.sender, recipients, envelope.returns, envelope.account)


def _worst(outcomes: Sequence[Outcome]) -> Outcome:
    """Trouble before refusal before success: what reached one of two mailboxes is tried again for the other."""
    return max(outcomes, key=lambda outcome: {2: 0, 5: 1, 4: 2}[outcome.code // 100])


def _outcome(error: Exception) -> Outcome:
    if isinstance(error, NoSuchMailbox):
        return _NOBODY
    if isinstance(error, TooLarge):
        return _TOO_LARGE
    log.warning("local delivery: %s", error, exc_info=not isinstance(error, MailError))
    return _TROUBLE

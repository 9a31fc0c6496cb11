"""From what an address leads to in the tables to destinations: the words in which an administrator names them are read here."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Container, Mapping, Sequence
from typing import TypeAlias

from sesmail.aliases.model import Disposition, Target
from sesmail.delivery.plan import Bounce, Destination, Drop, Forward, Hold, Lmtp, Mailbox, Maildir, Pipe, Reason
from sesmail.errors import Malformed, NoSuchMailbox
from sesmail.interfaces import Place
from sesmail.mail.address import Address
from sesmail.mail.envelope import Envelope

log = logging.getLogger(__name__)

Home: TypeAlias = Callable[[str], Destination | None]
"""Where an account's mail goes: of an address in lower case, or of a name without a domain. None or NoSuchMailbox when there is no such
account; raises Unavailable when that could not be found out."""

LONGEST_TEXT = 4096

_USER = re.compile(r"[!-~]{1,255}")
_IN_STORE = "s3"


INSTEAD: Mapping[Disposition, Destination] = {
    Disposition.UNKNOWN: Hold(Reason.UNKNOWN),
    Disposition.INACTIVE: Bounce(Reason.INACTIVE),
    Disposition.DENIED: Drop(Reason.DENIED),
    Disposition.IGNORE: Drop(Reason.IGNORED),
}
"""What becomes of mail that no table delivers, unless the configuration says otherwise."""


class Targets:
    """Reads targets. `local_domains` (lower case) are ours; an address elsewhere is forwarded to. `in_store` is the target that ``S3``
    stands for, another than itself. `instead` overrides INSTEAD."""

    def __init__(
        self,
        home: Home,
        local_domains: Container[str],
        *,
        in_store: str | None = None,
        instead: Mapping[Disposition, Destination] | None = None,
    ) -> None:
        self._home = home
        self._local = local_domains
        self._in_store = in_store
        self._instead = {**INSTEAD, **(instead or {})}

    def destination(self, target: Target) -> Destination:
        """Raises Unavailable alone: a target that cannot be used holds the mail."""
        if target.disposition is not Disposition.DELIVER:
            return self._instead[target.disposition]
        try:
            return self.read(target)
        except NoSuchMailbox as error:
            log.warning("a target is no mailbox: %s", error)
            return self._instead[Disposition.UNKNOWN]
        except Malformed as error:
            log.error("a target cannot be used: %s", error.public)
            return Hold(Reason.BAD_TARGET)

    def read(self, target: Target) -> Destination:
        """The destination of a target that is to be delivered to. Raises Malformed, which says what is wrong with it, NoSuchMailbox,
        Unavailable."""
        text = target.text
        if len(text) > LONGEST_TEXT:
            raise Malformed(f"a target has at most {LONGEST_TEXT} characters")
        if text.lower() == _IN_STORE:
            if self._in_store is None:
                # Its mail must not be refused as if nobody were there.
                raise Malformed("S3 stands for a mailbox that is not named: set routing.in_store, or aliases.mailbox")
            return self.read(Target(Disposition.DELIVER, self._in_store, trusted=True))
        scheme, colon, what = text.partition(":")
        if colon and scheme.isalnum():
            if not target.trusted:
                raise Malformed(f"only the configuration may use {scheme.lower()[:20]}: as a target")
            return self._by_scheme(scheme.lower(), what.strip())
        return self._person(text)

    def _by_scheme(self, scheme: str, what: str) -> Destination:
        fixed: dict[str, Destination] = {"drop": Drop(), "bounce": Bounce(), "hold": Hold()}
        if scheme in fixed:
            if what:
                raise Malformed(f"nothing may follow {scheme}:")
            return fixed[scheme]
        readers: dict[str, Callable[[str], Destination]] = {
            "mailbox": self._account,
            "lmtp": lmtp,
            "maildir": maildir,
            "pipe": pipe,
            "forward": forward,
        }
        if scheme not in readers:
            raise Malformed(f"{scheme[:20]}: is no kind of target; known are {', '.join([*readers, *fixed])}")
        return readers[scheme](what)

    def _person(self, text: str) -> Destination:
        if "@" in text:
            address = Address.parse(text)
            if address.domain not in self._local:
                return Forward(str(address))
        return self._account(text)

    def _account(self, name: str) -> Destination:
        if "@" in name:
            name = str(Address.parse(name))
        elif not _USER.fullmatch(name):
            raise Malformed("an account is named in printable ASCII without spaces")
        found = self._home(name.lower())
        return self._instead[Disposition.UNKNOWN] if found is None else found


def lmtp(user: str) -> Lmtp:
    """Raises Malformed for what could not stand in a command (RFC 5321 section 4.1.2): a name in printable ASCII, or an address."""
    if not _USER.fullmatch(user) or any(sign in user for sign in '<>"\\'):
        raise Malformed("a user of the LMTP server is named in printable ASCII without spaces, quotes and angle brackets")
    return Lmtp(user)


def maildir(path: str) -> Maildir:
    """Raises Malformed unless it is absolute."""
    if not path.startswith("/") or "\0" in path:
        raise Malformed("a Maildir is named by an absolute path")
    return Maildir(path.rstrip("/") or "/")


def pipe(command: str) -> Pipe:
    """Raises Malformed unless there is something to run."""
    if not command or "\0" in command:
        raise Malformed("pipe: must be followed by a command")
    return Pipe(command)


def forward(address: str) -> Forward:
    """Raises Malformed for what is no address."""
    return Forward(str(Address.parse(address)))


def in_places(place: Callable[[str, str], Place]) -> Home:
    """Accounts whose mail lies where this says, given a local part and a domain (`storage.keys.Places.place`, which alone may make a
    key of them)."""

    def home(name: str) -> Destination:
        if "@" not in name:
            return Mailbox(place(name, ""))
        address = Address.parse(name)
        return Mailbox(place(address.local, address.domain))

    return home


def look_up(
    envelope: Envelope, targets_of: Callable[[str], Sequence[Target]], targets: Targets
) -> Mapping[str, tuple[Destination, ...]]:
    """The destinations of every recipient: all that `route` must know. `targets_of` is `Model.resolve`. Raises Unavailable."""
    return {
        recipient: tuple(dict.fromkeys(map(targets.destination, targets_of(recipient)))) for recipient in envelope.recipients
    }

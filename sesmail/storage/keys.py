"""Addresses to keys and back: the only place that spells a key.

``%d`` in a template stands for the domain, ``%u`` for the local part, ``%%`` for a percent sign. Names reach this room checked;
they are checked again here, because a name that became a path would open another's mail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sesmail.errors import Malformed, NoSuchMailbox
from sesmail.interfaces import Place, StorePlace

SETUP_NOTE = b"AMAZON_SES_SETUP_NOTIFICATION"
PASSWD = b"passwd.txt"
RESERVED = b".sesmail"
LONGEST_LOCAL = 64
LONGEST_DOMAIN = 255
LONGEST_FOLDER = 100
LONGEST_ID = 200
LONGEST_KEY = 1024

_FIELD = re.compile(r"%(.?)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Override:
    """What differs for one domain or one account; None leaves it as it is. Of `prefix` and `template` at most one is given.

    `prefix` is literal and used as it is, with or without a ``/`` at its end.
    """

    prefix: str | None = None
    template: str | None = None
    nested: bool | None = None
    store: StorePlace | None = None
    passwd: str | None = None
    sealed: bool | None = None


class Places:
    """Where each account's mail and each domain's passwd file lie.

    `overrides` are called ``example.com`` or ``user@example.com`` (``user@`` for an account without a domain); an account's own
    goes before its domain's. `mixed_case`: folders whose name differs from the user's in case alone belong to him too.
    Raises ValueError for a template with an unknown field.
    """

    def __init__(
        self,
        template: str,
        passwd: str,
        default: StorePlace,
        nested: bool,
        overrides: Mapping[str, Override],
        *,
        mixed_case: bool = True,
        sealed: bool = False,
    ) -> None:
        self._base = Override(template=template, nested=nested, store=default, passwd=passwd, sealed=sealed)
        self._overrides = {name.lower(): override for name, override in overrides.items()}
        self._default = default
        self._mixed_case = mixed_case
        for override in (self._base, *overrides.values()):
            for text in (override.template, override.passwd):
                check_template(text or "")

    def place(self, local: str, domain: str) -> Place:
        """Where the mail of ``local@domain`` lies; case is folded. Raises NoSuchMailbox for a name that may not be part of a key."""
        local, domain = folded(local, LONGEST_LOCAL), folded(domain, LONGEST_DOMAIN, empty=True)
        prefix: str | None = None
        template, nested, sealed, store = "", False, False, self._default
        for layer in self._layers(domain, f"{local}@{domain}"):
            if layer.prefix is not None or layer.template is not None:
                prefix, template = layer.prefix, layer.template or ""
            nested = nested if layer.nested is None else layer.nested
            sealed = sealed if layer.sealed is None else layer.sealed
            store = layer.store or store
        if prefix is not None:
            return Place(store, prefix, nested, sealed=sealed)
        mixed_case = self._mixed_case and _ends_in_name(template)
        return Place(store, _fill(template, local, domain), nested, mixed_case=mixed_case, sealed=sealed)

    def passwd(self, domain: str) -> tuple[StorePlace, str]:
        """Store and key of the domain's passwd file. Raises NoSuchMailbox as `place` does."""
        domain = folded(domain, LONGEST_DOMAIN, empty=True)
        template, store = "", self._default
        for layer in self._layers(domain):
            template = layer.passwd or template
            store = layer.store or store
        return store, _fill(template, "", domain)

    def passwd_templates(self) -> list[tuple[StorePlace, str]]:
        """Store and key of every passwd file that `passwd` can name, with ``%d`` and ``%%`` as they are."""
        layers = [self._base, *self._overrides.values()]
        return [(layer.store or self._default, layer.passwd or self._base.passwd or "") for layer in layers]

    def _layers(self, *names: str) -> list[Override]:
        return [self._base, *(self._overrides[name] for name in names if name in self._overrides)]


def check_template(text: str) -> None:
    """Raises ValueError, with the offending field, for anything but ``%d``, ``%u`` and ``%%``."""
    for found in _FIELD.finditer(text):
        if found[1] not in {"d", "u", "%"}:
            raise ValueError(f"unknown field {found[0]!r} in {text!r}")


def folded(name: str, longest: int, *, empty: bool = False) -> str:
    """The name in lower case. Raises NoSuchMailbox unless it may be one part of a key: no path, no reserved folder, no control
    characters, at most `longest` octets."""
    name = name.lower()
    if not name and empty:
        return name
    if not name or name[0] in ".+" or "/" in name or ".." in name or _CONTROL.search(name):
        raise NoSuchMailbox(cause=f"not a name: {name!r}")
    try:
        octets = len(name.encode())
    except UnicodeEncodeError as error:
        raise NoSuchMailbox(cause=error) from None
    if octets > longest:
        raise NoSuchMailbox(cause=f"a name of {octets} octets")
    return name


def _fill(template: str, local: str, domain: str) -> str:
    # One pass, so that a "%d" within a name stays text.
    values = {"d": domain, "u": local, "%": "%"}

    def value(found: re.Match[str]) -> str:
        if not values[found[1]]:
            raise NoSuchMailbox(cause=f"no value for {found[0]} in {template!r}")
        return values[found[1]]

    return _FIELD.sub(value, template)


def _ends_in_name(template: str) -> bool:
    return template.endswith("/") and "%u" in template[:-1].rpartition("/")[2].replace("%%", "")


def folder_prefix(prefix: str, name: str) -> str:
    """Where the messages of a mailbox's folder of this name lie. Raises ValueError for a name that could not be one part of a key."""
    try:
        folded(name, LONGEST_FOLDER)
    except NoSuchMailbox:
        raise ValueError(f"not a name of a folder: {name!r}") from None
    return f"{_as_folder(prefix)}+{name}/"


def message_key(prefix: str, folder: str, id: str) -> str:
    """The object that holds a message of the mailbox behind `prefix`, or of a folder of it where `folder` is not empty.

    Raises NoSuchMailbox for a folder that could not be one part of a key, and for a key over S3's 1024 octets; Malformed for an id
    that could not be one part of a key, or would not be listed as mail.
    """
    try:
        folded(id, LONGEST_ID)
    except NoSuchMailbox:
        raise Malformed(cause=f"no id of a message: {id!r}") from None
    try:
        key = (folder_prefix(prefix, folder) if folder else prefix) + id
    except ValueError as error:
        raise NoSuchMailbox(cause=error) from None
    if not is_mail(id.encode(), b"1", nested=False):
        raise Malformed(cause=f"no id of a message: {id!r}")
    if len(key.encode()) > LONGEST_KEY:
        raise NoSuchMailbox(cause=f"a key of {len(key.encode())} octets")
    return key


def lock_key(prefix: str) -> str:
    """The object that holds the lease on the mailbox behind `prefix`."""
    return _reserved(prefix, "lock")


def probe_key(template: str) -> str:
    """An object beside the mailboxes of a template, to try out what a store can do."""
    return _reserved(template.partition("%")[0].rpartition("/")[0], "probe")


def _reserved(prefix: str, name: str) -> str:
    return f"{_as_folder(prefix)}{RESERVED.decode()}/{name}"


def _as_folder(prefix: str) -> str:
    return prefix if not prefix or prefix.endswith("/") else f"{prefix}/"


def is_mail(name: bytes, size: bytes, nested: bool) -> bool:
    """Whether a listed key is a message; `name` is what stands behind the last ``/`` of the mailbox's prefix, `size` its decimal
    size.

    No mail are empty objects, folder markers, what SES writes to prove its access, passwd files, the reserved folders
    ``.sesmail/`` and ``+*/`` at any depth, and, unless `nested`, everything in a sub-folder.
    """
    if not name or size == b"0" or b"\0" in name or not _is_text(name):
        return False
    if b"/" not in name:
        return name not in (SETUP_NOTE, PASSWD)
    if not nested:
        return False
    *above, last = name.split(b"/")
    return last not in (b"", SETUP_NOTE, PASSWD) and not any(part == RESERVED or part[:1] == b"+" for part in above)


def _is_text(name: bytes) -> bool:
    if name.isascii():
        return True
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def namesake_starts(prefix: str) -> tuple[str, ...]:
    """Where to look for folders that spell the last folder of `prefix` in another case: its first letter in both cases."""
    parent, name = _last_folder(prefix)
    return tuple(sorted({parent + letter for letter in (name[:1].lower(), name[:1].upper())}))


def is_namesake(folder: str, prefix: str) -> bool:
    """True when `folder` is not `prefix` but differs from it only in the case of ASCII letters of the last folder."""
    (parent, name), (other_parent, other) = _last_folder(prefix), _last_folder(folder)
    return folder != prefix and parent == other_parent and name.encode().lower() == other.encode().lower()


def _last_folder(prefix: str) -> tuple[str, str]:
    parent, slash, name = prefix.removesuffix("/").rpartition("/")
    return parent + slash, name

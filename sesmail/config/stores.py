"""From sections to the shared values of `interfaces`: which store, and as whom."""

from __future__ import annotations

from sesmail.config.table import Mailboxes, PlaceFor, Storage
from sesmail.interfaces import Keys, StorePlace

_WHO = ("access_key_id", "secret_access_key", "session_token", "profile", "assume_role", "external_id")


def default_store(storage: Storage) -> StorePlace:
    """The store of section storage."""
    return _store(PlaceFor(for_=""), storage)


def store_for(place: PlaceFor, storage: Storage) -> StorePlace:
    """The store of an entry of mailboxes.places.

    What it leaves out is as in `storage`, option by option, but credentials are all its own or all those of `storage`.
    """
    return _store(place, storage)


def template_for(place: PlaceFor, mailboxes: Mailboxes) -> str | None:
    """The template of an entry; None when it has a literal prefix."""
    return None if place.prefix is not None else place.template or mailboxes.template


def _store(place: PlaceFor, storage: Storage) -> StorePlace:
    url = place.url or storage.url
    if url.startswith("file://"):
        return StorePlace(url)
    who: PlaceFor | Storage = place if any(getattr(place, name) is not None for name in _WHO) else storage
    return StorePlace(
        url,
        region=place.region or storage.region,
        endpoint=place.endpoint or storage.endpoint,
        addressing=place.addressing or storage.addressing,
        owner=place.expected_bucket_owner or storage.expected_bucket_owner,
        keys=_keys(who),
        profile=who.profile,
        role=who.assume_role,
        external_id=who.external_id,
    )


def _keys(who: PlaceFor | Storage) -> Keys | None:
    if who.access_key_id is None or who.secret_access_key is None:
        return None
    return Keys(who.access_key_id, who.secret_access_key, who.session_token)

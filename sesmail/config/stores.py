"""From sections to the shared values of `interfaces`: which store, and as whom."""

from __future__ import annotations

from sesmail.config.credentials import WHO
from sesmail.config.table import Config, PlaceFor, Storage
from sesmail.interfaces import Keys, StorePlace

_WHERE = ("url", "region", "endpoint", "addressing", "expected_bucket_owner")

Layer = Storage | PlaceFor


def default_store(config: Config) -> StorePlace:
    """The store of section storage."""
    return _store([config.storage])


def stores(config: Config) -> dict[str, StorePlace | None]:
    """The store of each entry of mailboxes.places, by its `for`; None where the entry says nothing about the store.

    What an entry leaves out is, option by option, as in the entry of its domain and then as in section storage. Credentials are
    never mixed: they come as a whole from the first of these that has any.
    """
    return {place.for_: store_of(place, config) if _has(place, *_WHERE, *WHO) else None for place in config.mailboxes.places}


def store_of(place: PlaceFor, config: Config) -> StorePlace:
    """The store that applies to this entry, whether it says something about it or not."""
    return _store(layers(place, config))


def prefix_of(place: PlaceFor, config: Config) -> str:
    """The literal prefix or the template that applies to this entry."""
    given = [one.template if one.prefix is None else one.prefix for one in layers(place, config) if isinstance(one, PlaceFor)]
    return next((one for one in given if one is not None), config.mailboxes.template)


def layers(place: PlaceFor, config: Config) -> list[Layer]:
    """Where an option of this entry is looked for: the entry, that of its domain, section storage."""
    _, at, domain = place.for_.partition("@")
    of_domain = [one for one in config.mailboxes.places if at and one.for_ == domain]
    return [place, *of_domain, config.storage]


def url_of(place: PlaceFor, config: Config) -> str:
    """The url that applies to this entry, ``""`` for the embedded default."""
    return str(_first(layers(place, config), "url") or "")


def _store(given: list[Layer]) -> StorePlace:
    url = str(_first(given, "url"))
    if url.startswith("file://"):
        return StorePlace(url)
    who = next((layer for layer in given if _has(layer, *WHO)), given[-1])
    return StorePlace(
        url,
        region=_first(given, "region"),
        endpoint=_first(given, "endpoint"),
        addressing=_first(given, "addressing") or "auto",
        owner=_first(given, "expected_bucket_owner"),
        keys=_keys(who),
        profile=who.profile,
        role=who.assume_role,
        external_id=who.external_id,
        encryption=_first(given[-1:], "encryption"),
        encryption_key=_first(given[-1:], "encryption_key"),
    )


def _first(given: list[Layer], name: str) -> str | None:
    return next((value for layer in given if (value := getattr(layer, name)) is not None), None)


def _has(layer: Layer, *names: str) -> bool:
    return any(getattr(layer, name) is not None for name in names)


def _keys(who: Layer) -> Keys | None:
    if who.access_key_id is None or who.secret_access_key is None:
        return None
    return Keys(who.access_key_id, who.secret_access_key, who.session_token)

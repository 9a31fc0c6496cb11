"""What single options of section deliver cannot know."""

from __future__ import annotations

from sesmail.config import receivingchecks
from sesmail.config.delivering import CATCH_ALL
from sesmail.config.read import Reading
from sesmail.config.table import Config
from sesmail.interfaces import NO_STORE
from sesmail.mail import dated


def deliver(config: Config, reading: Reading) -> None:
    """Section deliver, beside storage and where mail comes in."""
    given = config.deliver
    seen: list[str] = []
    for number, one in enumerate(given.mailboxes):
        path = f"deliver.mailboxes[{number}]"
        if one.address in seen:
            reading.warnings.append(f"{path}.address: {one.address} is there already, and the first one counts")
        seen.append(one.address)
        if one.url is None and config.storage.url == NO_STORE:
            reading.refuse(path, "needs a url, as storage.url is none")
        if _is_incoming(config, one.url, one.prefix):
            reading.refuse(f"{path}.prefix", "lies where mail comes in, and would be taken for new mail")
    if given.catch_all == "unknown" and CATCH_ALL not in seen:
        reading.refuse("deliver.catch_all", f"unknown needs an entry for {CATCH_ALL} in deliver.mailboxes")
    if given.endpoint is not None and any(_url(config, one.url).startswith("file:") for one in given.mailboxes):
        reading.warnings.append("deliver.endpoint is not used for mailboxes that lie in a directory")


def _url(config: Config, url: str | None) -> str:
    return url or config.storage.url


def _is_incoming(config: Config, url: str | None, prefix: str) -> bool:
    where = config.incoming.url or config.storage.url
    is_used = receivingchecks.is_told(config) or receivingchecks.sweep_every(config) > 0
    if not is_used or dated.is_dated(prefix) or _url(config, url) != where:
        return False
    own = ("held/", "swept/", ".sesmail/", *([config.incoming.prefix] if config.incoming.prefix else []))
    return f"{prefix}/".startswith(own)

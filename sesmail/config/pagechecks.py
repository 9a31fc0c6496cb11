"""What single options of section page cannot know."""

from __future__ import annotations

from sesmail.config.listeners import refuse_plain
from sesmail.config.read import Reading
from sesmail.config.table import Config


def page(config: Config, reading: Reading) -> None:
    """Section page."""
    given = config.page
    refuse_plain(given.listeners, "page.listeners", "without TLS passwords would cross the network unprotected", reading)
    if given.lifetime < given.idle:
        reading.refuse("page.lifetime", "is less than page.idle")
    if given.token_secret is not None and given.token_secret == config.auth.jwt_secret:
        reading.refuse("page.token_secret", "is auth.jwt_secret: a token for mail would then be one for the API")

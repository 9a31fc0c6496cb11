"""The options of the page on which people look after their aliases, and of the API behind it. A part of the table."""

from __future__ import annotations

from dataclasses import dataclass

from sesmail.config.kinds import SECRET, SWITCH, Entry, ListOf, choice, duration, matching, optional, whole
from sesmail.config.listeners import Listener
from sesmail.config.locations import NETWORK, USER
from sesmail.config.option import option


@dataclass(frozen=True, kw_only=True)
class PageListener(Listener):
    """One port or socket on which the page is served."""

    tls: str = option(
        choice("implicit", "none"), "implicit", "implicit: HTTPS; none: plain HTTP, for this machine and proxies on it."
    )


@dataclass(frozen=True, kw_only=True)
class Page:
    """The page on which people look after their aliases, and the API that it and other programs use."""

    listeners: tuple[PageListener, ...] = option(
        ListOf(Entry(PageListener, "listener")),
        (),
        "Where browsers and programs connect; none unless given or storage.url is not set.",
    )
    base: str = option(
        matching(
            "path",
            "a path such as /mail, without a slash at its end",
            r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,62}){1,8}",
            empty=True,
        ),
        "",
        'Path under which browsers find the page, such as /mail behind a proxy; "" is the top.',
    )
    proxies: tuple[str, ...] = option(
        ListOf(NETWORK),
        (),
        "Proxies whose word is taken for who asks, and how (X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host).",
    )
    admins: tuple[str, ...] = option(
        ListOf(USER), (), "Accounts that may see and change everything; what belongs to nobody is theirs alone."
    )
    idle: float = option(duration(60, 30 * 86400), "30m", "Time without a request after which a login on the page ends.")
    lifetime: float = option(duration(60, 365 * 86400), "12h", "Time after which a login on the page ends in any case.")
    token_secret: str | None = option(
        optional(SECRET), None, "Secret with which the tokens of programs that use the API are signed; null takes none."
    )
    most_aliases: int = option(
        whole(0),
        "1000",
        "Most aliases that a user may make; with 0 only administrators make any, who make as many as they like.",
    )
    tacomail: bool = option(SWITCH, "false", "Whether the paths of tacomail-api are answered beside our own.")

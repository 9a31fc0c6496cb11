"""The door for browsers, and for programs that use the API: which place a request is for, and what all answers have in common.

Below the base path there are the page (``/``), its files, ``/session``, ``/mailbox``, ``/api/`` and, where that is wished, the paths of
tacomail-api. Errors are told as RFC 9457 has it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from sesmail.errors import MailError
from sesmail.log import line
from sesmail.web.answers import Answer, Head
from sesmail.web.askers import Asker, Proxies
from sesmail.web.places import Place
from sesmail.web.problems import of, problem
from sesmail.web.visitors import READING

_log = logging.getLogger(__name__)

LONGEST = 256 * 1024
"""Octets of the longest body."""

HEADERS = (
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'",
    ),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
)
"""What every answer of this door tells a browser. How long only HTTPS is to be used is for who serves the host's other ports to say."""

_NOTHING = problem(404, "there is nothing here")


class PageDoor:
    """Serves `places` by their paths below `base`, which have no slash before them, nor has `base` one at its end. A path of one word and
    a slash stands for all below it. `proxies` tells who asks."""

    def __init__(self, places: Mapping[str, Place], proxies: Proxies, *, base: str = "", longest: int = LONGEST) -> None:
        self.longest = longest
        self._places = dict(places)
        self._proxies = proxies
        self._base = base

    def refusal(self, head: Head) -> Answer | None:
        found = self._place(head)
        if isinstance(found, Answer):
            return _kept_by_nobody(found)
        if found.methods and head.method not in found.methods:
            return _kept_by_nobody(problem(405, "", (("Allow", ", ".join(found.methods)),)))
        refused = found.refusal(head, self._proxies.asker(head))
        return None if refused is None else _kept_by_nobody(refused)

    async def answer(self, head: Head, body: bytes) -> Answer:
        found, asker = self._place(head), self._proxies.asker(head)
        answer = found if isinstance(found, Answer) else await _answered(found, head, asker, body)
        if head.method not in READING:
            _log.info("%s", line("page", answer=answer.code, method=head.method, path=head.path, peer=asker.peer))
        return _kept_by_nobody(answer)

    def _place(self, head: Head) -> Place | Answer:
        if self._base and head.path == self._base:
            return Answer(308, (("Location", f"{self._base}/"),))
        if not head.path.startswith(f"{self._base}/"):
            return _NOTHING
        path = head.path[len(self._base) + 1 :]
        first, slash, _ = path.partition("/")
        return self._places.get(path) or self._places.get(first + slash) or _NOTHING


async def _answered(place: Place, head: Head, asker: Asker, body: bytes) -> Answer:
    try:
        return await place.answer(head, asker, body)
    except MailError as error:
        if error.cause is not None:
            _log.warning("%s", line("page", method=head.method, path=head.path, peer=asker.peer, why=str(error)))
        return of(error)
    except Exception:
        _log.exception("a request could not be answered")
        return problem(500, "this is a mistake of ours, and has been noted")


def _kept_by_nobody(answer: Answer) -> Answer:
    """What is said to one visitor is no other's, unless it says of itself that it may be kept."""
    if any(name.lower() == "cache-control" for name, _ in answer.headers):
        return answer
    return Answer(answer.code, (*answer.headers, ("Cache-Control", "no-store")), answer.close, answer.body)

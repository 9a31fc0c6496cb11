"""The paths of tacomail-api with the statuses that it really has, for programs that were written for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from sesmail.aliases.table import Changed, NoSuchRow, Taken
from sesmail.api.aliases import Aliases
from sesmail.api.destinations import Destinations
from sesmail.api.domains import Domains
from sesmail.api.http import Caller, Request, Response
from sesmail.api.problems import Denied, Wrong, our_fault, status
from sesmail.api.resources import unescaped
from sesmail.api.tacomailaliases import TacomailAliases
from sesmail.api.tacomaildestinations import TacomailDestinations
from sesmail.api.tacomaildomains import TacomailDomains
from sesmail.api.tacomailshown import refused, told
from sesmail.errors import BadLogin, MailError, Unavailable

log = logging.getLogger(__name__)

PATHS: Final = ("alias", "domain", "destination")
"""What its paths begin with, after the ``/``."""

Did = Callable[[Request, Caller, list[str]], Response]


class Tacomail:
    """Everything below PATHS."""

    def __init__(self, aliases: Aliases, domains: Domains, destinations: Destinations) -> None:
        self._endpoints: Mapping[str, Mapping[str, Did]] = {
            "alias": TacomailAliases(aliases, domains).methods,
            "domain": TacomailDomains(domains).methods,
            "destination": TacomailDestinations(destinations).methods,
        }

    def respond(self, request: Request, caller: Caller) -> Response:
        """Never raises."""
        kind = request.path.removeprefix("/").partition("/")[0]
        try:
            return self._answer(kind, request, caller)
        except Unavailable as error:
            log.warning("the table of aliases: %s", error)
            return refused(500, kind, error.public)
        except MailError as error:
            return refused(_status(error), kind, error.public)
        except Exception:
            log.exception("the API failed")
            return our_fault()

    def _answer(self, kind: str, request: Request, caller: Caller) -> Response:
        methods = self._endpoints.get(kind)
        if methods is None:
            return told(404, {"message": "Not Found"})
        did = methods.get("GET" if request.method == "HEAD" else request.method)
        if did is None:
            return told(400, {"message": "Bad Request"})
        return did(request, caller, [unescaped(one) for one in request.path.split("/")[2:]])


def _status(error: MailError) -> int:
    """405 stands for much there. What it has no status for has ours."""
    if isinstance(error, NoSuchRow | Taken):
        return 405
    if isinstance(error, Wrong):
        return 400
    return 409 if isinstance(error, Changed) else 403 if isinstance(error, Denied | BadLogin) else status(error)

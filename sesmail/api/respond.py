"""The API as a whole: a request and a caller in, an answer out."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sesmail.aliases.table import Table
from sesmail.api.aliases import Aliases
from sesmail.api.aliaspaths import AliasPaths
from sesmail.api.destinationpaths import DestinationPaths
from sesmail.api.destinations import Destinations
from sesmail.api.document import NAMES, document
from sesmail.api.domainpaths import DomainPaths
from sesmail.api.domains import Domains
from sesmail.api.http import Caller, Request, Response
from sesmail.api.problems import NoSuchPath, our_fault, problem
from sesmail.api.resources import Resource, asked
from sesmail.api.rights import Rights
from sesmail.api.tacomail import PATHS, Tacomail
from sesmail.errors import MailError, Unavailable

log = logging.getLogger(__name__)

BASE = "/api/v1/"
"""What all paths of this version begin with."""

_USUAL = Rights()


class Api:
    """Blocking, to be called from several threads at once.

    `now` gives seconds since 1970, `new_id` identifiers that no alias has. With `tacomail` the paths of tacomail-api are answered too.
    """

    def __init__(
        self,
        table: Table,
        *,
        now: Callable[[], float],
        new_id: Callable[[], str],
        rights: Rights = _USUAL,
        tacomail: bool = False,
    ) -> None:
        domains = Domains(table, rights, now=now)
        destinations = Destinations(table, rights, now=now)
        aliases = Aliases(table, rights, domains, now=now, new_id=new_id)
        self._resources: dict[str, Resource] = {
            "aliases": AliasPaths(aliases, rights),
            "domains": DomainPaths(domains),
            "destinations": DestinationPaths(destinations),
        }
        self._tacomail = Tacomail(aliases, domains, destinations) if tacomail else None

    def respond(self, request: Request, caller: Caller) -> Response:
        """Never raises. A change is durable when the answer is one of success."""
        if self._tacomail is not None and request.path.removeprefix("/").partition("/")[0] in PATHS:
            return self._tacomail.respond(request, caller)
        try:
            return self._answer(request, caller)
        except Unavailable as error:
            log.warning("the table of aliases: %s", error)
            return problem(error)
        except MailError as error:
            return problem(error)
        except Exception:
            log.exception("the API failed")
            return our_fault()

    def _answer(self, request: Request, caller: Caller) -> Response:
        if not request.path.startswith(BASE):
            raise NoSuchPath
        name, *rest = request.path.removeprefix(BASE).split("/")
        if name in NAMES and not rest:
            return document(name, request)
        if name not in self._resources:
            raise NoSuchPath
        return asked(self._resources[name], rest, request, caller)

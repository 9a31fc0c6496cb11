"""The function behind a URL that answers the API of aliases."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache

from sesmail.api.http import Caller, Request, Response
from sesmail.api.problems import problem
from sesmail.api.respond import Api
from sesmail.api.tokens import bearer
from sesmail.assembly.accounts import account_of
from sesmail.assembly.aliasapi import alias_api, programs
from sesmail.assembly.aliastable import alias_table
from sesmail.assembly.residents import residents
from sesmail.assembly.stores import blocking_stores, clients, places
from sesmail.config.problems import ConfigError
from sesmail.errors import BadLogin, MailError, Unavailable
from sesmail.functions.functionurl import context, payload, request, signer
from sesmail.functions.settings import begin, quick_settings

log = logging.getLogger(__name__)

_TEAPOT = Response(418, (("Content-Type", "application/json"),), json.dumps({"message": "I am a teapot"}).encode())
_NOBODY = BadLogin("sign the request, or send a token: Authorization: Bearer TOKEN")


@dataclass(frozen=True)
class _Set:
    api: Api
    holder: Callable[[str], Caller]


def answer(event: object, _: object) -> dict[str, object]:
    """Answer one request to the function's URL; a change is durable on return. Never raises: what is wrong is an answer too.

    Who signed the request (the URL's AuthType AWS_IAM) is an administrator; else the request must have a token. Nothing else, and no
    cookie, says who asks. An event that is no request is answered as tacomail-api does.
    """
    if not context(event):
        return payload(_TEAPOT, bare=False)
    asked: Request | None = None
    try:
        asked = request(event)
        response = _respond(asked, signer(event))
    except ConfigError as error:
        log.error("the API cannot answer: %s", "; ".join(map(str, error.problems)))
        response = problem(Unavailable())
    except BadLogin as error:
        refused = problem(error)
        response = Response(refused.status, (*refused.headers, ("WWW-Authenticate", 'Bearer realm="sesmail"')), refused.body)
    except MailError as error:
        log.warning("the API cannot answer: %s", error)
        response = problem(error)
    return payload(response, bare=asked is not None and asked.method == "HEAD")


def _respond(asked: Request, arn: str) -> Response:
    known = _known()
    if arn:
        return known.api.respond(asked, Caller(arn, admin=True, signed=True))
    token = bearer(asked.headers.get("authorization", ""))
    if token is None:
        raise _NOBODY
    return known.api.respond(asked, known.holder(token))


@cache
def _known() -> _Set:
    config = begin(quick_settings(os.environ))
    table = alias_table(config, ExitStack())
    if table is None:
        raise Unavailable("there is no table of aliases", cause="POSTFIX_DYNAMODB_TABLE is not set")
    people = residents(config, places(config), blocking_stores(clients(config)))
    return _Set(alias_api(config, table, people), programs(config, account_of(config)))


# While it loads a module Lambda gives a whole processor, and a fraction of one afterwards. What fails now is told at the first call.
with suppress(ConfigError, MailError):
    _known()

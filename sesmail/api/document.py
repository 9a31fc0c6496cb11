"""The API's own description (OpenAPI 3.1)."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

import yaml

from sesmail.api.content import JSON, parameters
from sesmail.api.http import Request, Response
from sesmail.api.problems import ALWAYS, WrongMethod


@cache
def as_yaml() -> bytes:
    """The document as it was written."""
    return files("sesmail.api").joinpath("openapi.yaml").read_bytes()


@cache
def as_json() -> bytes:
    """The same as JSON."""
    return json.dumps(yaml.safe_load(as_yaml()), default=str).encode()


NAMES = {"openapi.json": (JSON, as_json), "openapi.yaml": ("application/yaml", as_yaml)}


def document(name: str, request: Request) -> Response:
    """The document of one of NAMES. Raises WrongMethod and Malformed."""
    if request.method not in ("GET", "HEAD"):
        raise WrongMethod(("GET", "HEAD"))
    parameters(request.query, ())
    kind, read = NAMES[name]
    return Response(200, (("Content-Type", kind), *ALWAYS), read())

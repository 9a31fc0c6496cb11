"""What a function URL gives to a function and takes from it: payload format 2.0 of API Gateway.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from sesmail.api.http import Request, Response
from sesmail.errors import Malformed


def request(event: object) -> Request:
    """What was asked. Raises Malformed for an event of another kind, and for a body that is not what it is said to be.

    The path is what AWS gives, which may have undone percent signs already.
    """
    http = _mapping(context(event), "http")
    method, path = http.get("method"), event.get("rawPath", http.get("path")) if isinstance(event, dict) else None
    if not isinstance(event, dict) or not isinstance(method, str) or not isinstance(path, str):
        raise Malformed("this is no request to a function URL")
    headers = {str(name).lower(): str(value) for name, value in _mapping(event, "headers").items()}
    return Request(method, path, str(event.get("rawQueryString") or ""), headers, _body(event))


def context(event: object) -> Mapping[str, Any]:
    """What AWS itself knows of the request; empty for an event of another kind."""
    return _mapping(event, "requestContext")


def signer(event: object) -> str:
    """The ARN of who has signed the request, which AWS has made sure of; ``""`` where the URL asks for no signature."""
    arn = _mapping(_mapping(context(event), "authorizer"), "iam").get("userArn")
    return arn if isinstance(arn, str) else ""


def payload(response: Response, *, bare: bool) -> dict[str, object]:
    """The answer; `bare` is without its body, for HEAD."""
    answer: dict[str, object] = {"statusCode": response.status, "headers": dict(response.headers), "isBase64Encoded": False}
    if response.body and not bare:
        answer |= _text(response.body)
    return answer


def _text(body: bytes) -> dict[str, object]:
    try:
        return {"body": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"body": b64encode(body).decode("ascii"), "isBase64Encoded": True}


def _body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body") or ""
    try:
        return b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode("utf-8")
    except (binascii.Error, ValueError, AttributeError, TypeError):
        raise Malformed("the body cannot be read") from None


def _mapping(value: object, name: str) -> Mapping[str, Any]:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}

"""Events as a function URL makes them of requests."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

ARN = "arn:aws:iam::111122223333:user/taco"


def event(
    method: str,
    path: str,
    body: object = None,
    *,
    arn: str = "",
    token: str = "",
    encoded: bool = False,
    cookies: tuple[str, ...] = (),
    **headers: str,
) -> dict[str, Any]:
    """`arn`: who has signed it. `encoded`: the body comes in Base64."""
    path, _, query = path.partition("?")
    octets = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    said = {"host": "abc.lambda-url.us-east-1.on.aws", **({"content-type": "application/json"} if octets else {})}
    said |= {name.replace("_", "-"): value for name, value in headers.items()} | (
        {"authorization": f"Bearer {token}"} if token else {}
    )
    iam = {"accessKey": "AKIANOBODYNOBODY0000", "accountId": "111122223333", "userArn": arn, "cognitoIdentity": None}
    made: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": said,
        "requestContext": {
            "accountId": "111122223333" if arn else "anonymous",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test"},
            "routeKey": "$default",
            "stage": "$default",
        },
        "isBase64Encoded": encoded,
    }
    if arn:
        made["requestContext"]["authorizer"] = {"iam": iam}
    if cookies:
        made["cookies"] = list(cookies)
    if octets:
        made["body"] = b64encode(octets).decode() if encoded else octets.decode()
    return made

"""A browser as far as the page needs one: it keeps cookies, and says with each change what the login has answered."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What came back. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        return json.loads(self.body)


class Browser:
    """Asks the page at this port; `base` is the path that it has. Everything waits for 30 seconds at most."""

    def __init__(self, port: int, *, base: str = "", tls: ssl.SSLContext | None = None) -> None:
        self.port = port
        self.base = base
        self.cookies: dict[str, str] = {}
        self.csrf = ""
        self._tls = tls

    def ask(self, method: str, path: str, said: object = None, **headers: str) -> Answer:
        """One request, on a connection of its own; `path` is below the base. Headers win over those that would be sent; an underscore
        stands for a hyphen, and an empty header is not sent."""
        body = said if isinstance(said, bytes) or said is None else json.dumps(said).encode()
        usual = {} if body is None else {"Content-Type": "application/json"}
        if self.cookies:
            usual["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if self.csrf and method not in ("GET", "HEAD"):
            usual["X-CSRF-Token"] = self.csrf
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in {**usual, **given}.items() if value}
        return self._asked(method, self.base + path, body, sent)

    def log_in(self, user: str, password: str, **headers: str) -> Answer:
        """From then on it is logged in, if that was right."""
        answer = self.ask("POST", "/session", {"user": user, "password": password}, **headers)
        if answer.status == 200:
            self.csrf = answer.said["csrf"]
        return answer

    def _asked(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        connection = self._connection()
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            self._keep(found.get("set-cookie", ""))
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls is not None:
            return http.client.HTTPSConnection("localhost", self.port, timeout=30, context=self._tls)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def _keep(self, cookie: str) -> None:
        name, equals, value = cookie.partition(";")[0].partition("=")
        if equals and value:
            self.cookies[name] = value
        elif equals:
            self.cookies.pop(name, None)

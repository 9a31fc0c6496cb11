"""A client that is made when it is first needed: a credential that is wrong must not keep a gateway from starting, nor one that is mended
later from being used."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from sesmail.aws.counted import count
from sesmail.aws.sessions import Whom, session_as
from sesmail.errors import Unavailable
from sesmail.interfaces import Keys


@dataclass(frozen=True)
class ApiPlace:
    """Where an API is, and as whom it is asked. Without `keys` the usual AWS chain is asked; `role` is then assumed with what was found."""

    region: str | None = None
    endpoint: str | None = None
    keys: Keys | None = None
    profile: str | None = None
    role: str | None = None
    external_id: str | None = None


class LateClient:
    """One boto3 client for a service. Thread-safe. It repeats no request: its users know whether, and for how long, that makes sense.

    The timeouts, in seconds, are those of one connection and of one silence. `region`: instead of that of `whom`.
    """

    def __init__(
        self,
        whom: Whom,
        service: str,
        *,
        connect_timeout: float,
        read_timeout: float,
        connections: int,
        sts_endpoint: str | None = None,
        region: str | None = None,
    ) -> None:
        self._whom = whom
        self._service = service
        self._region = region
        self._sts_endpoint = sts_endpoint
        self._config = Config(
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=connections,
            tcp_keepalive=True,
        )
        self._lock = threading.Lock()
        self._client: Any = None

    def client(self) -> Any:
        """The client, the same each time. Raises Unavailable when profile, region or credentials make none."""
        with self._lock:
            if self._client is None:
                self._client = self._told()
            return self._client

    def _told(self) -> Any:
        try:
            return self._make()
        except Unavailable:
            raise
        except Exception as error:
            raise Unavailable(cause=error) from error

    def _make(self) -> Any:
        session = session_as(self._whom, sts_endpoint=self._sts_endpoint)
        client = boto3.Session(botocore_session=session).client(
            self._service,
            region_name=self._region or session.get_config_variable("region"),
            endpoint_url=self._whom.endpoint,
            config=self._config,
        )
        count(client)
        return client

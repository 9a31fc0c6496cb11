"""A client of the SES API. Made once, when it is first needed: a credential that is wrong must not keep a gateway from
starting, nor one that is mended later from being used."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from sesmail.aws.sessions import session_as
from sesmail.errors import Unavailable
from sesmail.interfaces import Keys


@dataclass(frozen=True)
class SesPlace:
    """Which SES, and as whom. Without `keys` the usual AWS chain is asked; `role` is then assumed with what was found."""

    region: str | None = None
    endpoint: str | None = None
    keys: Keys | None = None
    profile: str | None = None
    role: str | None = None
    external_id: str | None = None


class Ses:
    """Thread-safe. The timeouts, in seconds, are those of one connection and of one silence; no request is repeated by the client.

    `service` is ``sesv2``, or ``ses`` for version 1 of the API, which alone has what is about mail that comes in.
    """

    def __init__(
        self,
        place: SesPlace,
        *,
        service: str = "sesv2",
        connect_timeout: float = 5,
        read_timeout: float = 60,
        connections: int = 32,
        sts_endpoint: str | None = None,
    ) -> None:
        self._place = place
        self._service = service
        self._sts_endpoint = sts_endpoint
        # A repeated SendEmail may send twice, and SES has no token that would tell. Attempts are the queue's to make.
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
        """A boto3 client for the service. Raises Unavailable when profile, region or credentials make none."""
        with self._lock:
            if self._client is None:
                try:
                    self._client = self._make()
                except Unavailable:
                    raise
                except Exception as error:
                    raise Unavailable(cause=error) from error
            return self._client

    def _make(self) -> Any:
        session = session_as(self._place, sts_endpoint=self._sts_endpoint)
        region = session.get_config_variable("region")
        return boto3.Session(botocore_session=session).client(
            self._service, region_name=region, endpoint_url=self._place.endpoint, config=self._config
        )

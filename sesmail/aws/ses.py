"""A client of the SES API. Made once, when it is first needed: a credential that is wrong must not keep a gateway from
starting, nor one that is mended later from being used."""

from __future__ import annotations

from typing import Any

from sesmail.aws.late import ApiPlace, LateClient


class SesPlace(ApiPlace):
    """Which SES, and as whom."""


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
        # A repeated SendEmail may send twice, and SES has no token that would tell. Attempts are the queue's to make.
        self._made = LateClient(
            place,
            service,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            connections=connections,
            sts_endpoint=sts_endpoint,
        )

    def client(self) -> Any:
        """A boto3 client for the service. Raises Unavailable when profile, region or credentials make none."""
        return self._made.client()

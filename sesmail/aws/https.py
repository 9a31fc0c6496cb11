"""One URL of AWS, got with bounds: no redirect is followed, and neither size nor time is up to the other side."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import HTTPDefaultErrorHandler, HTTPErrorProcessor, HTTPSHandler, OpenerDirector, ProxyHandler

from botocore.session import Session

from sesmail.errors import Refused, Unavailable

LONGEST = 65_536
TIMEOUT = 5.0
_PIECE = 8192
# Nothing of ours is in these, and others may do better.
_LATER = frozenset({403, 404, 408, 425, 429})


def trust() -> ssl.SSLContext:
    """Verifies certificates by the roots that boto3 is told to trust (``AWS_CA_BUNDLE``), else by the system's. Raises OSError."""
    return ssl.create_default_context(cafile=Session().get_config_variable("ca_bundle"))


class Https:
    """Gets https URLs whose host was checked by the caller. The host's certificate is verified as `context` says; a proxy of the
    environment (``HTTPS_PROXY``) is used. Thread-safe."""

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        timeout: float = TIMEOUT,
        longest: int = LONGEST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timeout = timeout
        self._longest = longest
        self._clock = clock
        # An opener of one's own knows neither redirects nor other schemes.
        self._opener = OpenerDirector()
        for handler in (
            ProxyHandler(),
            HTTPSHandler(context=context),
            HTTPDefaultErrorHandler(),
            HTTPErrorProcessor(),
        ):
            self._opener.add_handler(handler)

    def get(self, url: str) -> bytes:
        """The octets behind `url`, at most LONGEST. Raises Refused when AWS will not have it, Unavailable for all other trouble."""
        if not url.startswith("https://"):
            raise Refused(cause="not https")
        until = self._clock() + self._timeout
        try:
            with self._opener.open(url, timeout=self._timeout) as response:
                found = self._read(response.read1, until)
                # What is left of the length that was promised; pieces end without an error.
                if response.length:
                    raise Unavailable(cause="broken off")
                return found
        except HTTPError as error:
            error.close()
            if 400 <= error.code < 500 and error.code not in _LATER:
                raise Refused("AWS refuses it", cause=f"status {error.code}") from None
            raise Unavailable(cause=f"status {error.code}") from None
        except (OSError, HTTPException, ValueError) as error:
            raise Unavailable(cause=_called(error)) from None

    def _read(self, read: Callable[[int], bytes], until: float) -> bytes:
        found = bytearray()
        while piece := read(_PIECE):
            found += piece
            if len(found) > self._longest:
                raise Unavailable(cause=f"more than {self._longest} octets")
            if self._clock() > until:
                raise Unavailable(cause="too slow")
        return bytes(found)


def _called(error: Exception) -> str:
    """The kind of the error, of the one that urllib has put into its own where it has."""
    inner = getattr(error, "reason", None)
    return type(inner if isinstance(inner, Exception) else error).__name__

"""One store of certificates for implicit TLS and STLS: by name, renewed while sessions go on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from weakref import WeakSet

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from sesmail.counters import Gauge
from sesmail.service.keypair import BadCertificate, Pair, Usable, load

_log = logging.getLogger(__name__)

_stores: WeakSet[CertificateStore] = WeakSet()
_expiry = Gauge(
    "sesmail_certificate_expiry_seconds", "Unix time when the first of the certificates that are served expires.", over="min"
)
_expiry.read(lambda: {(): min(one.expires for one in _stores)} if _stores else {})


class _Served:
    """The certificates of one loading. A context's callback stays with those it was loaded with."""

    def __init__(self, usable: Sequence[Usable]) -> None:
        self.default = usable[0].context
        self.expires = min(one.expires for one in usable)
        self._named: dict[str, SSL.Context] = {}
        for one in usable:
            for name in one.names:
                self._named.setdefault(name, one.context)
        # Twisted 22.4 has no hook for server names, so the callback is pyOpenSSL's own.
        self.default.set_tlsext_servername_callback(self._choose)

    def _choose(self, connection: SSL.Connection) -> None:
        name = (connection.get_servername() or b"").decode("ascii", "replace").lower().rstrip(".")
        context = self._named.get(name) or self._named.get("*." + name.partition(".")[2])
        if context is not None and context is not self.default:
            connection.set_context(context)


@implementer(IOpenSSLServerConnectionCreator)
class CertificateStore:
    """The first pair serves whoever asks for no name or for one that no pair has; the others are found by name (SNI).

    Raises BadCertificate when a pair cannot be used at first. Later the old certificates are kept, all of them, until all
    the new ones can be used; the log says why. Sessions that are open keep theirs. `now` gives an aware datetime.
    """

    def __init__(self, pairs: Sequence[Pair], now: Callable[[], datetime]) -> None:
        self._pairs = tuple(pairs)
        self._now = now
        self._seen = _stamps(self._pairs)
        self._served = self._load(self._pairs)
        _stores.add(self)

    @property
    def expires(self) -> float:
        """Unix time when the first of them expires."""
        return self._served.expires.timestamp()

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: N803
        return SSL.Connection(self._served.default, None)

    def prepare(self, pairs: Sequence[Pair]) -> Callable[[], None]:
        """Load these files, now. What is returned serves them from then on. Raises BadCertificate."""
        pairs = tuple(pairs)
        seen, served = _stamps(pairs), self._load(pairs)

        def serve() -> None:
            self._pairs, self._seen, self._served = pairs, seen, served
            _log.info("certificates loaded: %d", len(pairs))

        return serve

    def reload(self) -> None:
        """Load all files again, now."""
        # Looked at before reading: what changes in between is seen as a change next time.
        self._seen = _stamps(self._pairs)
        try:
            self._served = self._load(self._pairs)
        except BadCertificate as error:
            _log.error("certificates stay as they were: %s", error)
        else:
            _log.info("certificates loaded: %d", len(self._pairs))

    def refresh(self) -> None:
        """Load all files again if one of them has changed since they were last looked at."""
        if _stamps(self._pairs) != self._seen:
            self.reload()

    def _load(self, pairs: Sequence[Pair]) -> _Served:
        usable = [load(pair) for pair in pairs]
        for pair, one in zip(pairs, usable, strict=True):
            if one.expires < self._now():
                _log.warning("%s: expired at %s", pair.certificate, one.expires.isoformat())
        return _Served(usable)


def _stamps(pairs: Sequence[Pair]) -> list[tuple[int, int, int] | None]:
    return [_stamp(path) for pair in pairs for path in (pair.certificate, pair.key)]


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)

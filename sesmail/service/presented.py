"""The certificates that the doors of this process present: those of section tls, as soon as one of the doors speaks TLS."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.application.internet import TimerService
from twisted.application.service import MultiService

from sesmail.config.table import Config
from sesmail.service.certificates import CertificateStore
from sesmail.service.explained import explained
from sesmail.service.keypair import Pair
from sesmail.service.reloading import TakeOn
from sesmail.service.selfsigned import self_signed


class Presented(MultiService):
    """While it runs, the files are looked at again. Raises BadCertificate, OSError."""

    def __init__(self, config: Config, reactor: Any) -> None:
        super().__init__()
        self._reactor = reactor
        self.store: CertificateStore | None = None
        """None until somebody speaks TLS."""
        self._begin(config)

    async def prepare(self, config: Config) -> TakeOn:
        """See reloading.Prepare. On return there is a store for doors that are to speak TLS."""
        with explained(config):
            if self.store is None:
                self._begin(config)
            elif _speaks_tls(config):
                return self.store.prepare(_pairs(config))
        return lambda: None

    def _begin(self, config: Config) -> None:
        if not _speaks_tls(config):
            return
        self.store = CertificateStore(_pairs(config), today)
        watch = TimerService(config.tls.reload_seconds, self.store.refresh)
        watch.clock = self._reactor
        watch.setServiceParent(self)


def today() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def _speaks_tls(config: Config) -> bool:
    return any(listener.tls != "none" for listener in itertools.chain(*config.listeners.values()))


def _pairs(config: Config) -> Sequence[Pair]:
    given = [Pair(Path(one.certificate), Path(one.key)) for one in config.tls.certificates]
    return given or [self_signed(Path(config.service.state_dir), socket.gethostname(), today())]

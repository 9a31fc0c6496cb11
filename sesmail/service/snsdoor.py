"""The SNS door put together from the configuration: listeners of its own, so that the internet sees this door and no other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from twisted.application.service import MultiService

from sesmail.assembly.whom import whom
from sesmail.aws.https import Https, trust
from sesmail.aws.ses import SesPlace
from sesmail.aws.sns import Message, Signatures
from sesmail.aws.snscertificates import Certificates
from sesmail.aws.snsconfirm import ByApi, ByUrl
from sesmail.config.table import Config
from sesmail.delivery.intake import Intake
from sesmail.protocols.limits import Connections
from sesmail.service.certificates import CertificateStore
from sesmail.service.listeners import Endpoints, Listener, listener
from sesmail.service.workers import Workers
from sesmail.web.proofs import Budget, Proofs
from sesmail.web.site import Site
from sesmail.web.snsdoor import Login, SnsDoor

# Notices that wait for a worker; what more comes is told to come again.
WAITING = 256
# Certificates and confirmations, which are rare, and must not wait for a store that is slow.
ASKING, ASKING_WAITING = 2, 64


class SnsService(MultiService):
    """The workers of the door. As a service it must be running while the door is used."""

    def __init__(self, config: Config, reactor: Any, intake: Intake) -> None:
        super().__init__()
        self._sorting = Workers(reactor, "notices of SNS", config.incoming.workers, WAITING)
        self._asking = Workers(reactor, "asking SNS", ASKING, ASKING_WAITING, daemon=True)
        for workers in (self._sorting, self._asking):
            workers.setServiceParent(self)
        https = Https(trust())
        self._intake = intake
        self._confirmed = _confirm(config, https)
        signatures = Signatures(config.sns.topics, Certificates(https.get), versions=config.sns.versions)
        proofs = Proofs(signatures, self._asking.run, Budget(reactor.seconds), now=time.time)
        self.door = SnsDoor(self._take, proofs.check, self._confirm, clock=reactor, now=time.time, login=_login(config))

    async def _take(self, text: str, again: bool) -> None:
        await self._sorting.run(self._intake.take, text, again=again)

    async def _confirm(self, message: Message) -> None:
        await self._asking.run(self._confirmed, message)


def sns_doors(
    config: Config, reactor: Any, door: SnsDoor, store: CertificateStore | None, endpoints: Endpoints | None = None
) -> Iterator[tuple[Listener, Site]]:
    """Every listener of section sns; they share limits of their own, as large as those of the mail protocols. A listener without TLS is
    for a proxy on this machine, whose one address may have them all; the configuration refuses any other. `endpoints`: see Listener. Raises
    BadEndpoint."""
    limits = config.limits
    connections = Connections(limits.connections, limits.connections_per_address)
    for one in config.sns.listeners:
        behind = one.tls == "none" and not one.trusted
        counted = Connections(limits.connections, limits.connections) if behind else connections
        site = Site(door, counted, clock=reactor)
        yield listener("sns.listeners", one, site, reactor, store, endpoints=endpoints), site


def _login(config: Config) -> Login | None:
    given = config.sns
    return Login(given.username, given.password) if given.username and given.password else None


def _confirm(config: Config, https: Https) -> Callable[[Message], None]:
    if config.sns.confirm == "api":
        return ByApi(SesPlace(**whom(config.queue, config))).confirm
    return ByUrl(https).confirm

"""The relay room put together from the configuration: spool, queue, couriers, and what a submission session is given."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.names.client import Resolver as TwistedResolver

from sesmail.assembly.ids import hostname, new_id
from sesmail.assembly.residents import names
from sesmail.auth.realm import Factory, Logout
from sesmail.config.table import Config
from sesmail.errors import MailError
from sesmail.interfaces import Account, Client, Deliver
from sesmail.relay.courier import Courier
from sesmail.relay.domains import Domains
from sesmail.relay.hourly import Spent
from sesmail.relay.policy import Policy, Rules
from sesmail.relay.queue import Queue
from sesmail.relay.retry import Retry
from sesmail.relay.spool import Spool
from sesmail.relay.submission import AccountSubmission, Settings, Submissions
from sesmail.service.attempts import FirstAttempts, Retries, Settling
from sesmail.service.people import People
from sesmail.service.resolver import Resolver
from sesmail.service.shared import Shared
from sesmail.service.workers import Workers, within

_log = logging.getLogger(__name__)

SPOOL_THREADS = 16


class Sending(Service):
    """Spool, workers and retries, started and stopped in order. As a service it must be running to be used.

    `end` is called in a worker when no attempt is under way any more.
    """

    def __init__(
        self, config: Config, reactor: Any, courier: Courier, deliver: Deliver, end: Callable[[], None], shared: Shared
    ) -> None:
        self.setName("sending")
        relay, waiting = config.relay, config.limits.connections
        self._clock: IReactorTime = reactor
        self.spool = Spool(Path(relay.spool), now=time.time, new_id=new_id, schedule=shared.schedule, held=shared.spool_held)
        self.spooling = Workers(reactor, "spooling", SPOOL_THREADS, waiting * 2)
        self.carrying = Workers(reactor, "sending", relay.workers, waiting, daemon=True)
        self._ending = Workers(reactor, "ending", 1, 0, daemon=True)
        self._end = end
        self.queue = Queue(
            self.spool,
            courier,
            deliver,
            retry=Retry(relay.retry_first, relay.retry_longest, relay.lifetime),
            hostname=hostname(config),
            now=time.time,
            chance=random.random,
        )
        self._shared = shared
        self._again = self._trying(max(1, relay.workers // 2)) if shared.first else self._settling()
        self.first = FirstAttempts(self.queue, self.carrying, reactor, config.submission.hold, self._again.reckon)

    def _trying(self, most: int) -> Retries:
        # New mail must not wait for mail that fails: half of the workers are kept for it.
        again = Retries(self.queue, self.spooling, self.carrying, self._clock, time.time, most)
        self._shared.rescheduled(again.reckon)
        return again

    def _settling(self) -> Settling:
        return Settling(self.spool, self.spooling, self._clock)

    def startService(self) -> None:
        """Raises SystemExit, having logged one line, when the spool cannot be had."""
        try:
            self.spool.open() if self._shared.first else self.spool.join()
        except MailError as error:
            _log.critical("%s", error)
            raise SystemExit(1) from None
        super().startService()
        for part in (self.spooling, self.carrying, self._ending, self._again):
            part.startService()

    async def drain(self, seconds: float) -> None:
        """Begin no further attempt, and wait for those that have begun, but not longer than that. What is left is in the spool."""
        self._again.stopService()
        await self.spooling.stopService()
        ended = self.carrying.stopService()
        if await within(seconds, ended, self._clock):
            self.spool.close()
            await self._ending.run(self._end)
        else:
            _log.warning("some attempts are still under way; their messages stay in the spool and may be sent twice")
        await self._ending.stopService()
        super().stopService()


def submission(config: Config, reactor: Any, sending: Sending, people: People, hourly: Spent | None) -> Factory:
    """What a submission session gets of its account."""
    options = config.submission
    settings = Settings(
        hostname(config),
        check_header=options.check_header,
        hide_client=options.hide_client,
        allow_ses_headers=options.allow_ses_headers,
    )
    submissions = Submissions(
        _policy(config, reactor, people, hourly),
        sending.spool,
        sending.spooling.run,
        sending.first,
        settings,
        now=time.time,
        unique=new_id,
    )

    async def open_for(account: Account, client: Client) -> tuple[AccountSubmission, Logout]:
        return submissions.of(account), lambda: None

    return open_for


def _policy(config: Config, reactor: Any, people: People, hourly: Spent | None) -> Policy:
    options, known = config.submission, names(config)
    rules = Rules(
        grants={known.complete(grant.account.encode()): frozenset(grant.addresses) for grant in options.grants},
        allow=frozenset(options.allow_recipients),
        deny=frozenset(options.deny_recipients),
        local_domains=frozenset(config.relay.local_domains),
        max_recipients=options.max_recipients,
    )
    return Policy(
        rules,
        may_send_as=people.may_send_as,
        accepts=people.accepts,
        check_domain=_check_domain(reactor) if options.check_domains else None,
        hourly=hourly,
    )


def _check_domain(reactor: Any) -> Callable[[str], Any]:
    resolver = Resolver(TwistedResolver(resolv="/etc/resolv.conf", reactor=reactor), reactor)
    return Domains(resolver, reactor.seconds).check

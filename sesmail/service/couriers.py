"""The couriers put together from the configuration: who carries mail out, and how mail for here gets into its mailboxes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import blockingCallFromThread

from sesmail.assembly.ids import new_id
from sesmail.assembly.stores import StoreOf
from sesmail.aws.ses import Ses, SesPlace
from sesmail.aws.smtppassword import smtp_password
from sesmail.config.credentials import WHO
from sesmail.config.sendingchecks import region_of
from sesmail.config.table import Config
from sesmail.errors import Malformed
from sesmail.interfaces import Deliver, Keys, Place
from sesmail.relay.courier import Courier
from sesmail.relay.local import ByDomain, Local
from sesmail.relay.outbox import OutboxCourier
from sesmail.relay.rate import Quota, Rate
from sesmail.relay.rated import RatedCourier
from sesmail.relay.ses import SesCourier, SesSettings, quota
from sesmail.relay.smtp import SmtpCourier
from sesmail.relay.smtpsession import SmtpSettings
from sesmail.service.residents import Residents


def local_delivery(residents: Residents, reactor: Any, store_of: StoreOf) -> Deliver:
    """Into the mailboxes here. Must be called in a worker, while the reactor runs."""

    def places(address: str) -> Sequence[Place]:
        return blockingCallFromThread(reactor, _found, residents, address)

    return Local(places, store_of).send


def _found(residents: Residents, address: str) -> Deferred[Sequence[Place]]:
    return Deferred.fromCoroutine(residents.places(address))


def courier(config: Config, deliver: Deliver, hostname: str, end: ExitStack) -> Courier:
    """Into the mailboxes of local domains, and for the rest by the courier that is configured, no faster than is allowed.

    What is to be closed when nothing is sent any more goes into `end`; it is closed in a worker and takes seconds at most.
    Raises Malformed for certificates that cannot be used.
    """
    making = {"ses": _ses, "smtp": _smtp, "outbox": _outbox}
    return ByDomain(config.relay.local_domains, deliver, making[config.relay.courier](config, hostname, end))


def _ses(config: Config, hostname: str, end: ExitStack) -> Courier:
    ses = config.ses
    reached = Ses(
        ses_place(config),
        connect_timeout=ses.connect_timeout,
        read_timeout=ses.read_timeout,
        connections=config.relay.workers,
    )
    tags = tuple((name, value) for name, _, value in (tag.partition("=") for tag in ses.tags))
    settings = SesSettings(ses.configuration_set, tags, ses.source_arn)
    rate = Rate(lambda: quota(reached.client()), now=time.monotonic, override=config.relay.rate)
    return RatedCourier(SesCourier(reached.client, settings), rate, time.sleep)


def ses_place(config: Config) -> SesPlace:
    """Which SES, and as whom: credentials are never mixed, they are those of section ses or, if it has none, of storage."""
    ses = config.ses
    who = ses if any(getattr(ses, name) is not None for name in WHO) else config.storage
    key, secret = who.access_key_id, who.secret_access_key
    return SesPlace(
        region=ses.region or config.storage.region,
        endpoint=ses.endpoint,
        keys=Keys(key, secret, who.session_token) if key and secret else None,
        profile=who.profile,
        role=who.assume_role,
        external_id=who.external_id,
    )


def _smtp(config: Config, hostname: str, end: ExitStack) -> Courier:
    given = config.smarthost
    password = given.password
    if given.secret_access_key:
        password = smtp_password(given.secret_access_key, region_of(given) or "")
    settings = SmtpSettings(
        given.host,
        given.port,
        given.tls,
        username=given.username,
        password=password,
        ca_file=given.ca_file,
        hostname=hostname,
        timeout=given.timeout,
    )
    try:
        carrier = SmtpCourier(settings)
    except OSError as error:
        raise Malformed(f"{given.ca_file} holds no certificates that can be used: {error.strerror or error}") from error
    end.callback(carrier.close)
    return _rated(carrier, config)


def _outbox(config: Config, hostname: str, end: ExitStack) -> Courier:
    return _rated(OutboxCourier(Path(config.relay.outbox), now=time.time, new_id=new_id), config)


def _rated(carrier: Courier, config: Config) -> Courier:
    per_second = config.relay.rate
    if per_second is None:
        return carrier
    fixed = Quota(per_second, None, 0.0, True)
    return RatedCourier(carrier, Rate(lambda: fixed, now=time.monotonic), time.sleep)

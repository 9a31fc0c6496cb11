"""The couriers put together from the configuration: who carries mail out."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sesmail.assembly.ids import hostname, new_id
from sesmail.assembly.whom import whom
from sesmail.aws.ses import Ses, SesPlace
from sesmail.aws.smtppassword import smtp_password
from sesmail.config.sendingchecks import region_of
from sesmail.config.table import Config
from sesmail.errors import Malformed
from sesmail.interfaces import Deliver
from sesmail.relay.bydomain import ByDomain
from sesmail.relay.courier import Courier
from sesmail.relay.outbox import OutboxCourier
from sesmail.relay.pace import Pace, Quota
from sesmail.relay.rate import Paced, Rate
from sesmail.relay.rated import RatedCourier
from sesmail.relay.ses import SesCourier, SesSettings, quota
from sesmail.relay.smtp import SmtpCourier
from sesmail.relay.smtpsession import SmtpSettings


def courier(config: Config, deliver: Deliver, outward: Courier) -> Courier:
    """By `deliver` for local domains, and for the rest by the courier that carries mail out."""
    return ByDomain(config.relay.local_domains, deliver, outward)


def outward_courier(config: Config, end: ExitStack, pace: Paced | None = None) -> Courier:
    """The courier that is configured, no faster than is allowed: one for all that goes out, for it keeps the rate. `pace`: the
    pace that others keep to as well.

    What is to be closed when nothing is sent any more goes into `end`; it is closed in a worker and takes seconds at most.
    Raises Malformed for certificates that cannot be used.
    """
    making = {"ses": _ses, "smtp": _smtp, "outbox": _outbox}
    return making[config.relay.courier](config, end, pace or pace_of(config))


def pace_of(config: Config) -> Pace:
    """How fast mail may go out, as far as the configuration says it."""
    return Pace(now=time.monotonic, override=config.relay.rate)


def _ses(config: Config, end: ExitStack, pace: Paced) -> Courier:
    ses, client = config.ses, ses_client(config)
    tags = tuple((name, value) for name, _, value in (tag.partition("=") for tag in ses.tags))
    settings = SesSettings(ses.configuration_set, tags, ses.source_arn)
    return RatedCourier(SesCourier(client, settings), Rate(lambda: quota(client()), pace), time.sleep)


def ses_client(config: Config, service: str = "sesv2") -> Callable[[], Any]:
    """Gives the one client of this service of SES; see aws.ses. Raises Unavailable."""
    ses = config.ses
    return Ses(
        ses_place(config),
        service=service,
        connect_timeout=ses.connect_timeout,
        read_timeout=ses.read_timeout,
        connections=config.relay.workers,
    ).client


def ses_place(config: Config) -> SesPlace:
    """Which SES, and as whom."""
    ses = config.ses
    return SesPlace(region=ses.region or config.storage.region, endpoint=ses.endpoint, **whom(ses, config))


def smtp_settings(config: Config) -> SmtpSettings:
    """Which server takes mail for everybody, and as whom."""
    given = config.smarthost
    password = given.password
    if given.secret_access_key:
        password = smtp_password(given.secret_access_key, region_of(given) or "")
    return SmtpSettings(
        given.host,
        given.port,
        given.tls,
        username=given.username,
        password=password,
        ca_file=given.ca_file,
        hostname=hostname(config),
        timeout=given.timeout,
    )


def _smtp(config: Config, end: ExitStack, pace: Paced) -> Courier:
    try:
        carrier = SmtpCourier(smtp_settings(config))
    except OSError as error:
        raise Malformed(
            f"{config.smarthost.ca_file} holds no certificates that can be used: {error.strerror or error}"
        ) from error
    end.callback(carrier.close)
    return _rated(carrier, config, pace)


def _outbox(config: Config, end: ExitStack, pace: Paced) -> Courier:
    return _rated(OutboxCourier(Path(config.relay.outbox), now=time.time, new_id=new_id), config, pace)


def _rated(carrier: Courier, config: Config, pace: Paced) -> Courier:
    per_second = config.relay.rate
    if per_second is None:
        return carrier
    fixed = Quota(per_second, None, 0.0, True)
    return RatedCourier(carrier, Rate(lambda: fixed, pace), time.sleep)

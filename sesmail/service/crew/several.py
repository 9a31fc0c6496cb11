"""The parent of several processes put together from the configuration."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sesmail.assembly import stores
from sesmail.config.table import Config
from sesmail.counters import merged
from sesmail.service import logs
from sesmail.service.building import plan
from sesmail.service.crew.common import kept
from sesmail.service.crew.given import ours, theirs
from sesmail.service.crew.mail import SpoolHold
from sesmail.service.crew.member import command
from sesmail.service.crew.parent import PATIENCE, Parent
from sesmail.service.explained import explained
from sesmail.service.listeners import Endpoints, Listener
from sesmail.service.monitor import Monitoring
from sesmail.service.notify import patience
from sesmail.service.opendoors import OpenDoors
from sesmail.service.presented import Presented
from sesmail.service.pulse import Pulse
from sesmail.service.reloading import Load, TakeOn, Told
from sesmail.service.serving import Served, Serving
from sesmail.service.shared import alone

_log = logging.getLogger(__name__)


def several(config: Config, reactor: Any, load: Load, told: Told) -> Parent:
    """The service for a configuration with several workers, not yet started. Otherwise as building.build."""
    logs.join(config.log.level, config.log.format)
    for warning in config.warnings:
        _log.warning("%s", warning)
    shared = kept(alone(config, reactor))
    silence = patience(os.environ) or PATIENCE
    parent = Parent(config, reactor, load, partial(_plan, reactor), told, shared, run=command(), patience=silence)
    if config.submission.listeners:
        SpoolHold(Path(config.relay.spool)).setServiceParent(parent)
    Pulse(reactor).setServiceParent(parent)
    parent.parts.append(logs.prepare)
    with explained(config):
        _monitor(config, reactor, parent)
    return parent


def _monitor(config: Config, reactor: Any, parent: Parent) -> None:
    """Monitoring asks this process for all of them."""
    store_of = stores.blocking_stores(stores.clients(config))
    served, serving = Presented(ours(config), reactor), Serving()
    asked = Monitoring(config, reactor, store_of, lambda: merged(parent.watch.snapshots()), {"workers": parent.watch.ask})

    def made(config: Config) -> Iterator[tuple[Listener, Served]]:
        with explained(config):
            yield from asked.doors(config, served.store)

    for listener, site in asked.doors(config, served.store):
        serving.listen(listener, site)
    for part in (served, asked, serving):
        part.setServiceParent(parent)
    open_doors = OpenDoors(serving, ours(config), made)

    async def opened(config: Config) -> TakeOn:
        return await open_doors.prepare(ours(config))

    async def presented(config: Config) -> TakeOn:
        return await served.prepare(ours(config))

    parent.parts += [presented, asked.prepare, opened]


def _plan(reactor: Any, config: Config, endpoints: Endpoints) -> None:
    plan(theirs(config), reactor, endpoints)
    # What was put together is full of cycles, and has kept itself from the garbage collector for ever.
    gc.unfreeze()
    gc.collect()
    gc.freeze()

"""The parent of several processes put together from the configuration."""

from __future__ import annotations

import gc
import logging
import os
from functools import partial
from pathlib import Path
from typing import Any

from sesmail.config.table import Config
from sesmail.service import logs
from sesmail.service.building import explained, plan
from sesmail.service.crew.common import kept
from sesmail.service.crew.given import theirs
from sesmail.service.crew.mail import SpoolHold
from sesmail.service.crew.member import command
from sesmail.service.crew.parent import PATIENCE, Parent
from sesmail.service.listeners import Endpoints
from sesmail.service.notify import patience
from sesmail.service.reloading import Load, Told
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
    return parent


def _plan(reactor: Any, config: Config, endpoints: Endpoints) -> None:
    plan(theirs(config), reactor, endpoints)
    # What was put together is full of cycles, and much in a process that makes little else.
    gc.collect()

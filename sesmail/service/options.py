"""sesmail as twistd sees it: its options, and the service made from them."""

from __future__ import annotations

import sys
from functools import partial

from twisted.application.service import IService
from twisted.python import usage

from sesmail.config.load import load
from sesmail.config.problems import ConfigError

# sysexits.h: systemd's RestartPreventExitStatus= goes by 78.
EXIT_CONFIG = 78


class Options(usage.Options):
    """``twistd -n sesmail --config FILE``"""

    optParameters = [["config", "c", None, "Configuration, instead of the first one found in the usual places."]]  # noqa: N815


def makeService(options: Options) -> IService:
    """Raises SystemExit with status 78 when the configuration cannot be used, having said why on standard error."""
    try:
        again = partial(load, options["config"])
        config = again()
        # Only now: listing the options needs neither the reactor nor the rooms, and choosing a reactor comes before both.
        from twisted.internet import reactor

        from sesmail.service.building import build

        return build(config, reactor, again)
    except ConfigError as error:
        print(error, file=sys.stderr)
        raise SystemExit(EXIT_CONFIG) from None

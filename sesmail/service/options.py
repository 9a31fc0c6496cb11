"""sesmail as twistd sees it: its options, and the service made from them."""

from __future__ import annotations

import os
import sys
from functools import partial

from twisted.application.service import IService
from twisted.python import usage

from sesmail.config.load import load
from sesmail.config.problems import ConfigError
from sesmail.config.table import Config
from sesmail.service.written import ERROR, Output, Written, is_journal

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

        from sesmail.service import logs
        from sesmail.service.building import build
        from sesmail.service.crew.several import several
        from sesmail.service.notify import Notices, patience, told

        output = _output(options, config)
        logs.write_to(output)
        system = told(os.environ)
        alone = config.service.workers == 1
        made = build(config, reactor, again, told=system) if alone else several(config, reactor, again, system)
    except ConfigError as error:
        mark = ERROR if is_journal(sys.stderr, os.environ) else ""
        print(*(f"{mark}{problem}" for problem in error.problems), sep="\n", file=sys.stderr)
        raise SystemExit(EXIT_CONFIG) from None
    written = Written(output)
    for part in (made, Notices(reactor, system, patience(os.environ), made.figures, ready=alone)):
        part.setServiceParent(written)
    return written


def _output(options: Options, config: Config) -> Output | None:
    """None where twistd was told to log elsewhere than on its standard output, or would do so as a daemon."""
    twistd = options.parent
    if twistd is None or not twistd.get("nodaemon") or twistd.get("logger") or twistd.get("syslog"):
        return None
    if twistd.get("logfile") not in (None, "", "-"):
        return None
    return Output(sys.stdout, config.log.format, journal=is_journal(sys.stdout, os.environ))

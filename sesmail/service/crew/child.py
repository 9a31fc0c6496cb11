"""A worker: one of several processes that serve mail as one. Started by their parent with its number, and by nobody else."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from dataclasses import replace
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.logger import globalLogBeginner

from sesmail import counters
from sesmail.config.problems import ConfigError
from sesmail.config.table import Config
from sesmail.errors import MailError
from sesmail.service import logs
from sesmail.service.building import build
from sesmail.service.crew.common import over
from sesmail.service.crew.given import given
from sesmail.service.crew.inherited import inherited
from sesmail.service.crew.line import Line
from sesmail.service.crew.member import LINE, ORDERS
from sesmail.service.crew.orders import Orders
from sesmail.service.options import EXIT_CONFIG
from sesmail.service.written import Output, is_journal

_log = logging.getLogger(__name__)

BEAT = 1.0


class Worker:
    """Serves by the parent's configuration until it is told to stop, or the parent is gone.

    See reloading.Told: the parent hears by what configuration it serves.
    """

    def __init__(self, number: int, reactor: Any, line: Line, orders: socket.socket) -> None:
        self._reactor = reactor
        self._line = line
        self._edition = 0
        self._stopping = False
        self._orders = Orders(reactor, orders, self._abandoned)
        shared = replace(over(number, reactor, line, self._orders), endpoints=inherited(reactor, line))
        self._gateway = build(self._load(), reactor, self._load, shared, self)
        self._orders.on("stop", self.stop)
        self._orders.on("reload", self._gateway.reload)

    def reloading(self) -> None:
        """See reloading.Told: the parent knows."""

    def ready(self) -> None:
        """See reloading.Told."""
        self._tell("serving", self._edition)

    def run(self) -> None:
        """Serve. Returns when all has ended."""
        reactor = self._reactor
        self._gateway.privilegedStartService()
        self._gateway.startService()
        reactor.addSystemEventTrigger("before", "shutdown", self._gateway.stopService)
        beats = LoopingCall(self._beat)
        beats.clock = reactor
        reactor.callWhenRunning(beats.start, BEAT)
        reactor.callWhenRunning(self._catch)
        reactor.callWhenRunning(self.ready)
        reactor.run()

    def stop(self) -> None:
        """Begin to end: once, whoever says so."""
        if not self._stopping:
            self._stopping = True
            self._reactor.stop()

    def _catch(self) -> None:
        # Twisted's own answer to a second signal is a traceback. A terminal sends its interrupt to all processes; the parent sees to us.
        signal.signal(signal.SIGTERM, lambda *_: self._reactor.callFromThread(self.stop))
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _abandoned(self) -> None:
        if not self._stopping:
            _log.error("the parent process is gone, this worker ends")
            self._line.close()
            self.stop()

    def _load(self) -> Config:
        self._edition, config = given(self._line)
        return config

    def _beat(self) -> None:
        self._tell("beat", counters.snapshot())

    def _tell(self, name: str, *arguments: object) -> None:
        try:
            self._line.call(name, *arguments)
        except MailError as error:
            if not self._stopping:
                _log.error("the parent process does not hear: %s", error)


def main() -> None:
    """Leaves by SystemExit with status 78 when the configuration cannot be used, 1 when the parent does not answer."""
    output = Output(sys.stdout, "text", journal=is_journal(sys.stdout, os.environ))
    logs.write_to(output)
    globalLogBeginner.beginLoggingTo([output], redirectStandardIO=False)
    try:
        _worker(int(sys.argv[1])).run()
    except ConfigError as error:
        for problem in error.problems:
            _log.critical("configuration: %s", problem)
        raise SystemExit(EXIT_CONFIG) from None
    except MailError as error:
        _log.critical("this worker cannot begin: %s", error)
        raise SystemExit(1) from None


def _worker(number: int) -> Worker:
    for descriptor in (LINE, ORDERS):
        # Not for the programs that deliver mail.
        os.set_inheritable(descriptor, False)
    from twisted.internet import reactor

    return Worker(number, reactor, Line(socket.socket(fileno=LINE)), socket.socket(fileno=ORDERS))


if __name__ == "__main__":
    main()

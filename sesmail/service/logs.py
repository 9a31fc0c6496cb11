"""Join stdlib logging, which the rooms without Twisted use, to Twisted's logger, which twistd writes out."""

from __future__ import annotations

import logging
from functools import cache
from time import time

from twisted.logger import Logger, LogLevel, globalLogPublisher
from twisted.python.failure import Failure

from sesmail.log import FATE, write_fates

_LEVELS = (
    (logging.CRITICAL, LogLevel.critical),
    (logging.ERROR, LogLevel.error),
    (logging.WARNING, LogLevel.warn),
    (logging.INFO, LogLevel.info),
)


_logger = cache(Logger)


class TwistedHandler(logging.Handler):
    """Hands each record to the Twisted logger of the same name, with its traceback where it has one."""

    def emit(self, record: logging.LogRecord) -> None:
        level = next((ours for number, ours in _LEVELS if record.levelno >= number), LogLevel.debug)
        # A field, not the format itself: what is logged may hold braces.
        _logger(record.name).emit(level, "{text}", text=record.getMessage(), **self._failure(record))

    def _failure(self, record: logging.LogRecord) -> dict[str, Failure]:
        if not record.exc_info or record.exc_info[1] is None:
            return {}
        kind, error, traceback = record.exc_info
        return {"log_failure": Failure(error, kind, traceback)}


def _publish(line: str) -> None:
    # What Logger.info would do at a third more. The line is a format without fields, so its braces are doubled.
    globalLogPublisher(
        {
            "log_namespace": FATE,
            "log_level": LogLevel.info,
            "log_system": f"{FATE}#info",
            "log_time": time(),
            "log_format": line.replace("{", "{{").replace("}", "}}"),
        }
    )


def join(level: str) -> TwistedHandler:
    """Log our own records from this level on, and other libraries' warnings: at lower levels AWS's log what they sign."""
    handler = TwistedHandler()
    root = logging.getLogger()
    root.handlers = [other for other in root.handlers if not isinstance(other, TwistedHandler)] + [handler]
    root.setLevel(logging.WARNING)
    change(level)
    return handler


def change(level: str) -> None:
    """Log our own records from this level on."""
    logging.getLogger("sesmail").setLevel(level.upper())
    if logging.getLogger(FATE).isEnabledFor(logging.INFO):
        write_fates(_publish)
    else:
        write_fates()

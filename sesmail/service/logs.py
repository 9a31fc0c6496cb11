"""Join stdlib logging, which the rooms without Twisted use, to Twisted's logger, which twistd writes out."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from time import time

from twisted.logger import Logger, LogLevel, globalLogPublisher
from twisted.python.failure import Failure

from sesmail.config.table import Config
from sesmail.log import FATE, line, write_fates
from sesmail.service.reloading import TakeOn
from sesmail.service.written import Output

_LEVELS = (
    (logging.CRITICAL, LogLevel.critical),
    (logging.ERROR, LogLevel.error),
    (logging.WARNING, LogLevel.warn),
    (logging.INFO, LogLevel.info),
)


_log = logging.getLogger(__name__)
_logger = cache(Logger)
_output: Output | None = None


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


def _publish(word: str, fields: Mapping[str, object]) -> None:
    # What Logger.info would do at a third more. The line is a format without fields, so its braces are doubled.
    globalLogPublisher(
        {
            "log_namespace": FATE,
            "log_level": LogLevel.info,
            "log_system": f"{FATE}#info",
            "log_time": time(),
            "log_format": line(word, **fields).replace("{", "{{").replace("}", "}}"),
            "fate": {"fate": word, **fields},
        }
    )


def write_to(output: Output | None) -> None:
    """The form of the log is that of this output from now on; without one it is somebody else's."""
    global _output
    _output = output


def join(level: str, form: str = "text") -> TwistedHandler:
    """Log our own records from this level on, and other libraries' warnings: at lower levels AWS's log what they sign."""
    handler = TwistedHandler()
    root = logging.getLogger()
    root.handlers = [other for other in root.handlers if not isinstance(other, TwistedHandler)] + [handler]
    root.setLevel(logging.WARNING)
    change(level, form)
    return handler


async def prepare(config: Config) -> TakeOn:
    """See reloading.Prepare."""
    return lambda: change(config.log.level, config.log.format)


def change(level: str, form: str) -> None:
    """Log our own records from this level on, in this form."""
    logging.getLogger("sesmail").setLevel(level.upper())
    write_fates(_publish) if logging.getLogger(FATE).isEnabledFor(logging.INFO) else write_fates()
    if _output is not None:
        _output.format = form
    elif form != "text":
        _log.warning("log.format is %s, but the log is not written to the standard output", form)

"""The function that SES asks, before it stores mail, whether anybody takes it."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from functools import cache
from typing import Protocol

from sesmail.assembly.answering import answering
from sesmail.aws.question import Answer, question
from sesmail.config.problems import ConfigError
from sesmail.delivery.answering import Answering
from sesmail.errors import MailError
from sesmail.functions.settings import begin, quick_settings

log = logging.getLogger(__name__)

# Seconds for the answer itself.
_SPARE = 2.0


class Context(Protocol):
    """What Lambda tells of the call."""

    def get_remaining_time_in_millis(self) -> int: ...


def judge(event: object, context: Context) -> dict[str, str]:
    """Answer the one record of the event; see delivery.answering.

    Mail is stored, and the log says why, where the configuration or the event cannot be read: nobody could say that it is for nobody.
    """
    return {"disposition": _answer(event, context).value}


def _answer(event: object, context: Context) -> Answer:
    try:
        return _answering().answer(question(event), context.get_remaining_time_in_millis() / 1000 - _SPARE)
    except ConfigError as error:
        log.error("mail is stored unseen: %s", "; ".join(map(str, error.problems)))
    except MailError as error:
        log.error("mail is stored unseen: %s", error)
    except Exception:
        log.exception("mail is stored unseen")
    return Answer.STOP


@cache
def _answering() -> Answering:
    return answering(begin(quick_settings(os.environ)))


# While it loads a module Lambda gives a whole processor, and a fraction of one afterwards. What fails now is told at the first call.
with suppress(ConfigError, MailError):
    _answering()

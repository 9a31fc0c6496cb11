"""The function that sorts mail as it comes in: called by a receipt rule of SES, by SNS or by S3."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache

from sesmail.assembly.sorting import intake
from sesmail.config.problems import ConfigError
from sesmail.delivery.intake import Intake
from sesmail.errors import MailError, Unavailable
from sesmail.functions.settings import begin, settings


def sort(event: object, context: object) -> dict[str, str]:
    """Do all that the event asks for; every message it tells of is where it belongs on return, or held.

    The answer lets a receipt rule that waits for it go on with its next action. Raises a MailError, told in a line, when something
    has to come again, by Lambda or from its dead-letter queue; to do it twice does no harm. An event that cannot be read raises too.
    """
    try:
        _intake().take_document(event)
    except ConfigError as error:
        raise Unavailable("; ".join(map(str, error.problems))) from None
    except MailError as error:
        # Where it came from tells an administrator nothing, and Lambda would log it.
        raise error.with_traceback(None) from None
    return {"disposition": "CONTINUE"}


@cache
def _intake() -> Intake:
    return intake(begin(settings(os.environ)))


# While it loads a module Lambda gives a whole processor, and a fraction of one afterwards. What fails now is told at the first call.
with suppress(ConfigError, MailError):
    _intake()

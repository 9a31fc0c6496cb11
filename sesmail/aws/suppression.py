"""The list of addresses that SES sends nothing to any more, one for each account and region.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_PutSuppressedDestination.html
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from sesmail.aws.failures import EXPECTED, outcome
from sesmail.mail.outcome import Outcome

log = logging.getLogger(__name__)

Cause: TypeAlias = Literal["BOUNCE", "COMPLAINT"]

_ON_IT = Outcome(250, "2.0.0", "Ok")


class Suppression:
    """`client` gives a boto3 client for ``sesv2``, or raises Unavailable. Thread-safe."""

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client

    def put(self, address: str, cause: Cause) -> Outcome:
        """Put an address on the list; one that is there already stays, with this cause. LATER for trouble, with an alarm where it is ours to
        mend; REFUSED for an address that SES does not take."""
        try:
            self._client().put_suppressed_destination(EmailAddress=address, Reason=cause)
        except Exception as error:
            log.warning(
                "PutSuppressedDestination: %s: %s",
                type(error).__name__,
                str(error)[:300],
                exc_info=not isinstance(error, EXPECTED),
            )
            return outcome(error)
        return _ON_IT

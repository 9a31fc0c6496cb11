"""Bounces for mail that came in, which SES writes and sends in the name of an address of ours.

https://docs.aws.amazon.com/ses/latest/APIReference/API_SendBounce.html
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from sesmail.aws.failures import EXPECTED, outcome
from sesmail.mail.outcome import Outcome

log = logging.getLogger(__name__)

MAILBOX = "{mailbox}"
WITHIN = 24 * 3600.0
"""Seconds after its receipt in which SES bounces a message."""

# What SES says of `BounceSender`, not of the message: it is ours to mend.
_NOT_VERIFIED = (550, "5.7.1")
_UNVERIFIED = Outcome(
    451, "4.3.5", "bounces cannot be sent at the moment", alarm="bounce_from: Amazon SES says that this address is not verified"
)


class Bounces:
    """`client` gives a boto3 client for ``ses`` that repeats no request, or raises Unavailable. `sender` is a verified address, which the
    bounces are from. `text` is what they say, with the recipients in the place of MAILBOX; without one SES says it in its own words.
    Thread-safe."""

    def __init__(self, client: Callable[[], Any], sender: str, text: str | None = None) -> None:
        self._client = client
        self._sender = sender
        self._text = text

    def send(self, message_id: str, recipients: Sequence[str]) -> Outcome:
        """Tell the sender of what SES calls `message_id` that none of these recipients exists, by one request; SES takes one a second.

        Trouble, also that more were asked for in this second, is a LATER: where it cannot be known whether SES sent it, another attempt
        may send it twice. A message that SES does not know, or not any more, is REFUSED.
        """
        try:
            answer = self._client().send_bounce(
                OriginalMessageId=message_id,
                BounceSender=self._sender,
                BouncedRecipientInfoList=[{"Recipient": address, "BounceType": "DoesNotExist"} for address in recipients],
                **({"Explanation": self._text.replace(MAILBOX, ", ".join(recipients))} if self._text else {}),
            )
            id = str(answer["MessageId"])
        except Exception as error:
            log.warning("SendBounce: %s: %s", type(error).__name__, str(error)[:300], exc_info=not isinstance(error, EXPECTED))
            found = outcome(error)
            return _UNVERIFIED if (found.code, found.status) == _NOT_VERIFIED and found.content else found
        return Outcome(250, "2.0.0", f"Ok {id}", id=id)

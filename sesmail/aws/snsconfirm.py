"""How a subscription is confirmed: by SNS's API with credentials, or by the URL that SNS sent, which needs none.

https://docs.aws.amazon.com/sns/latest/api/API_ConfirmSubscription.html
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from sesmail.aws.https import Https
from sesmail.aws.ses import SesPlace
from sesmail.aws.sessions import session_as
from sesmail.aws.sns import Message, confirmation_url, is_topic
from sesmail.errors import MailError, Refused, Unavailable

_FINAL = frozenset({"InvalidParameter", "NotFound", "SubscriptionLimitExceeded"})


class ByUrl:
    """Opens the SubscribeURL of a message that was proved to be SNS's own."""

    def __init__(self, https: Https) -> None:
        self._https = https

    def confirm(self, message: Message) -> None:
        """Blocks; the subscription is confirmed on return. Raises Refused for an URL that leads elsewhere or a token that SNS does not
        know, Unavailable."""
        self._https.get(confirmation_url(message))


class ByApi:
    """Asks SNS with the credentials of `place`, whose region is that of the topic. Then only who has credentials can unsubscribe
    this door; with an URL, everybody who sees a notice can."""

    def __init__(self, place: SesPlace, *, sts_endpoint: str | None = None) -> None:
        self._place = place
        self._sts_endpoint = sts_endpoint

    def confirm(self, message: Message) -> None:
        """Blocks; the subscription is confirmed on return. Raises Refused for a token that SNS does not know, Unavailable."""
        if not is_topic(message.topic):
            raise Refused("not a topic")
        try:
            self._client(message.topic.split(":")[3]).confirm_subscription(
                TopicArn=message.topic, Token=message.token, AuthenticateOnUnsubscribe="true"
            )
        except ClientError as error:
            raise _meaning(error) from None
        except MailError:
            raise
        except Exception as error:
            raise Unavailable(cause=type(error).__name__) from None

    def _client(self, region: str) -> Any:
        # Made for each confirmation: there is one in the life of a topic.
        session = session_as(replace(self._place, region=region), sts_endpoint=self._sts_endpoint)
        config = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2})
        return boto3.Session(botocore_session=session).client(
            "sns", region_name=region, endpoint_url=self._place.endpoint, config=config
        )


def _meaning(error: ClientError) -> MailError:
    code = error.response.get("Error", {}).get("Code", "")
    if code in _FINAL:
        return Refused("SNS does not take this confirmation", cause=code)
    return Unavailable(cause=f"ConfirmSubscription: {code}")

"""Subscriptions are confirmed by SNS's own API or at SNS's own URL, and nowhere else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import pytest

from sesmail.aws.https import Https, trust
from sesmail.aws.ses import SesPlace
from sesmail.aws.sns import Message, read
from sesmail.aws.snsconfirm import ByApi, ByUrl
from sesmail.errors import Refused, Unavailable
from sesmail.interfaces import Keys
from tests.aws.snssigner import HOST, TOKEN, TOPIC, Signer, body

_KEYS = Keys("AKIDEXAMPLE", "secret")
_DONE = (
    "<ConfirmSubscriptionResponse><ConfirmSubscriptionResult><SubscriptionArn>x</SubscriptionArn></ConfirmSubscriptionResult>"
    "</ConfirmSubscriptionResponse>"
)


class Opened(Https):
    """Opens nothing, and keeps what it was to open."""

    def __init__(self) -> None:
        super().__init__(trust())
        self.urls: list[str] = []

    def get(self, url: str) -> bytes:
        self.urls.append(url)
        return b""


@contextmanager
def sns(status: int = 200, code: str = "") -> Iterator[tuple[str, list[dict[str, list[str]]]]]:
    """An SNS that gives one answer to everything: its endpoint, and the parameters of each request."""
    asked: list[dict[str, list[str]]] = []
    error = f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code></Error></ErrorResponse>"

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            asked.append(found | {"signed": [self.headers["Authorization"] or ""]})
            text = (error if code else _DONE).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def confirmation(**fields: object) -> Message:
    return read(body(Signer().confirmation() | fields))


def test_the_api_is_asked_in_the_topics_region_and_keeps_others_from_unsubscribing() -> None:
    with sns() as (endpoint, asked):
        ByApi(SesPlace(region="us-east-1", endpoint=endpoint, keys=_KEYS)).confirm(confirmation())
    assert len(asked) == 1
    assert (asked[0]["Action"], asked[0]["TopicArn"], asked[0]["Token"]) == (["ConfirmSubscription"], [TOPIC], [TOKEN])
    assert asked[0]["AuthenticateOnUnsubscribe"] == ["true"]
    assert "/eu-west-1/sns/" in asked[0]["signed"][0]


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "InvalidParameter", Refused),
        (404, "NotFound", Refused),
        (403, "AuthorizationError", Unavailable),
        (403, "InvalidClientTokenId", Unavailable),
        (400, "Throttling", Unavailable),
        (500, "InternalError", Unavailable),
    ],
)
def test_only_a_token_that_is_no_good_is_refused(status: int, code: str, error: type[Exception]) -> None:
    with sns(status, code) as (endpoint, _), pytest.raises(error) as raised:
        ByApi(SesPlace(endpoint=endpoint, keys=_KEYS)).confirm(confirmation())
    assert TOKEN not in str(raised.value)


def test_an_api_that_is_not_there_is_trouble() -> None:
    with pytest.raises(Unavailable):
        ByApi(SesPlace(endpoint="http://127.0.0.1:9", keys=_KEYS)).confirm(confirmation())


def test_the_url_is_opened_as_sns_sent_it() -> None:
    https = Opened()
    ByUrl(https).confirm(confirmation())
    assert https.urls == [f"{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={TOKEN}"]


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription",
        "https://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        f"{HOST}.example/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={TOKEN}",
        f"{HOST}/?Action=Publish&TopicArn={TOPIC}&Token={TOKEN}",
        f"{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}-2&Token={TOKEN}",
    ],
)
def test_no_other_url_is_opened(url: str) -> None:
    https = Opened()
    with pytest.raises(Refused):
        ByUrl(https).confirm(confirmation(SubscribeURL=url))
    assert https.urls == []

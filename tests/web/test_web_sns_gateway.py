"""A gateway that people run, before an SNS that sends as AWS's does: from the notice to POP3."""

from __future__ import annotations

import json
import poplib
import signal
import socket
import ssl
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.aws.sesevents import notice, s3_action
from tests.aws.snssigner import TOPIC
from tests.clients.stores import DOMAIN, PASSWORD, Bucket, let_in
from tests.servers import gateway, seaweed
from tests.servers.certificates import Authority, Certificate
from tests.servers.gateway import Gateway
from tests.servers.ports import free_port, wait_until
from tests.service.tls import serial, shown
from tests.web.snssender import Aws, Sender, aws

_MAIL = b"Return-Path: <a@else.example>\r\nSubject: here\r\n\r\nHello\r\n"


class Here:
    """Everything that stands around one gateway."""

    def __init__(self, folder: Path, cloud: Aws) -> None:
        self.cloud = cloud
        self.authority = Authority(folder)
        self.issued: Certificate = self.authority.issue("localhost")
        self.bucket = Bucket(seaweed.running())
        let_in(self.bucket, ["tom", "ann"])
        self.port = free_port()

    def config(self, **sns: Any) -> dict[str, Any]:
        certificate = {"certificate": str(self.issued.certificate), "key": str(self.issued.key)}
        return {
            "storage": self.bucket.storage(),
            "mailboxes": {"domains": [DOMAIN]},
            "incoming": {"sweep_every": 0},
            "tls": {"certificates": [certificate]},
            "pop3": {"listeners": [{"endpoint": f"tcp:{free_port()}:interface=127.0.0.1", "tls": "none"}]},
            "sns": {
                "listeners": [{"endpoint": f"tcp:{self.port}:interface=127.0.0.1"}],
                "topics": [TOPIC],
                "username": "sns",
                "password": "geheim",
                **sns,
            },
        }

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority.certificate))

    def sender(self, **options: Any) -> Sender:
        return Sender(self.port, self.trust, "sns:geheim", **options)

    def arrives(self, *users: str) -> dict[str, object]:
        """SES puts a message into the bucket and publishes its notice."""
        name = uuid.uuid4().hex
        self.bucket.put([(f"new/{name}", _MAIL)])
        bucket = str(self.bucket.storage()["url"]).removeprefix("s3://")
        said = notice(*(f"{user}@{DOMAIN}" for user in users), action=s3_action(f"new/{name}", bucket))
        said["mail"]["messageId"] = name
        return self.cloud.signer.notification(json.dumps(said), at=time.time(), version="1")

    def new(self) -> list[str]:
        return [key for _, key in self.bucket.arrivals("new/")]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    with aws(tmp_path_factory.mktemp("aws")) as cloud:
        yield Here(tmp_path_factory.mktemp("here"), cloud)


@pytest.fixture(scope="module")
def running(here: Here) -> Iterator[Gateway]:
    with gateway.running(here.config(), environment=here.cloud.environment) as one:
        yield one


def mail_of(at: Gateway, user: str) -> list[bytes]:
    pop = poplib.POP3("127.0.0.1", at.ports[0], timeout=60)
    try:
        pop.user(f"{user}@{DOMAIN}")
        pop.pass_(PASSWORD)
        count, _ = pop.stat()
        found = [b"\r\n".join(pop.retr(number + 1)[1]) + b"\r\n" for number in range(count)]
        for number in range(count):
            pop.dele(number + 1)
        return found
    finally:
        pop.quit()


def test_a_notice_brings_the_message_to_everybody_it_is_for(here: Here, running: Gateway) -> None:
    assert here.sender().deliver(here.arrives("tom", "ann")) == [401, 200]
    assert mail_of(running, "tom") == [_MAIL]
    assert mail_of(running, "ann") == [_MAIL]
    assert here.new() == []
    running.wait_for_log(r"sns answer=200 type=Notification id=\S+ topic=\S+ peer=127\.0\.0\.1")


def test_a_subscription_is_confirmed_by_its_url(here: Here, running: Gateway) -> None:
    confirmation = here.cloud.signer.confirmation(at=time.time())
    assert here.sender().deliver(confirmation) == [401, 200]
    assert f"/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={confirmation['Token']}" in here.cloud.asked
    assert str(confirmation["Token"]) not in running.log()
    assert "geheim" not in running.log()


def test_a_subscription_is_confirmed_by_the_api_where_that_is_wished(here: Here) -> None:
    config = here.config(confirm="api", listeners=[{"endpoint": f"tcp:{(port := free_port())}:interface=127.0.0.1"}])
    with gateway.running(config, environment=here.cloud.environment):
        confirmation = here.cloud.signer.confirmation(at=time.time())
        assert Sender(port, here.trust, "sns:geheim").deliver(confirmation) == [401, 200]
    asked = parse_qs(here.cloud.asked[-1])
    assert asked["Action"] == ["ConfirmSubscription"]
    assert asked["AuthenticateOnUnsubscribe"] == ["true"]
    assert asked["Token"] == [confirmation["Token"]]


def test_a_notice_that_comes_twice_brings_one_message(here: Here, running: Gateway) -> None:
    message = here.arrives("tom")
    for _ in range(2):
        assert here.sender().deliver(message) == [401, 200]
    assert mail_of(running, "tom") == [_MAIL]


def test_forged_notices_and_strangers_bring_nothing(here: Here, running: Gateway) -> None:
    message = here.arrives("tom")
    assert here.sender().deliver({**message, "Message": "{}"}) == [401, 403]
    assert Sender(here.port, here.trust, "sns:wrong").deliver(message) == [401, 401]
    assert Sender(here.port, here.trust).deliver(message) == [401]
    assert len(here.new()) == 1
    assert here.sender().deliver(message) == [401, 200]
    assert mail_of(running, "tom") == [_MAIL]


def test_a_renewed_certificate_is_shown_after_a_hangup(here: Here, running: Gateway) -> None:
    renewed = here.authority.issue("localhost")
    here.issued.certificate.write_bytes(renewed.certificate.read_bytes())
    here.issued.key.write_bytes(renewed.key.read_bytes())
    running.signal(signal.SIGHUP)

    def seen() -> int:
        with (
            socket.create_connection(("127.0.0.1", here.port), timeout=10) as plain,
            here.trust.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            return shown(connection).serial

    wait_until(lambda: seen() == serial(renewed.certificate), seconds=10, what=running.log)


def test_a_store_that_is_down_at_the_start_keeps_nothing_but_the_mail_away(here: Here) -> None:
    config = here.config()
    config["storage"] = {**config["storage"], "endpoint": f"http://127.0.0.1:{free_port()}"}
    config["sns"]["listeners"] = [{"endpoint": f"tcp:{(port := free_port())}:interface=127.0.0.1"}]
    with gateway.running(config, environment=here.cloud.environment) as one:
        sender = Sender(port, here.trust, "sns:geheim", retries=1)
        assert sender.deliver(here.cloud.signer.confirmation(at=time.time())) == [401, 200]
        assert set(sender.deliver(here.arrives("tom"))[1::2]) == {503}
        assert one.stop() in (0, -signal.SIGTERM)
        assert "Traceback" not in one.log()


def test_a_port_that_is_taken_ends_the_gateway_and_says_so(here: Here, running: Gateway) -> None:
    config = here.config()
    with gateway.started(config, environment=here.cloud.environment) as one:
        assert one.wait_until_it_ends() == 1
        assert f"cannot listen on tcp:{here.port}" in one.log()
        assert "Traceback" not in one.log()

"""Mail that comes in: what is on when, and which prefixes lie apart."""

from __future__ import annotations

import pytest

from sesmail.config.listeners import is_beyond_this_machine
from sesmail.config.load import from_text
from sesmail.config.problems import ConfigError
from sesmail.config.table import Config

QUEUE = "queue: {url: 'https://sqs.eu-west-1.amazonaws.com/123456789012/mail'}\n"
SNS = "sns: {listeners: [{endpoint: 'tcp:8443'}], topics: ['arn:aws:sns:eu-west-1:123456789012:mail']}\n"


def loaded(text: str, url: str = "s3://example-mail") -> Config:
    return from_text(f"storage: {{url: '{url}'}}\ntls: {{self_signed: true}}\n{text}", "test", {"HOME": "/home/x"})


def refused(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(text)
    return [problem.key for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0.0),
        (QUEUE, 900.0),
        (SNS, 900.0),
        ("incoming: {notices: false}\n", 900.0),
        (QUEUE + "incoming: {sweep_every: 0}\n", 0.0),
        ("incoming: {sweep_every: 1m}\n", 60.0),
    ],
)
def test_the_bucket_is_swept_where_mail_is_said_to_come_in(text: str, seconds: float) -> None:
    assert loaded(text).incoming.sweep_every == seconds


def test_without_a_configuration_nothing_comes_in() -> None:
    config = from_text("", "test", {"HOME": "/home/x"})
    assert (config.incoming.sweep_every, config.queue.url, config.sns.listeners, config.lmtp.listeners) == (0.0, None, (), ())


def test_mail_may_arrive_in_another_bucket_than_that_of_the_mailboxes() -> None:
    assert loaded(QUEUE).incoming.url == "s3://example-mail"
    config = loaded(QUEUE + "incoming: {url: 's3://arrivals'}\n", "file:///srv/mail")
    assert (config.incoming.url, config.storage.url) == ("s3://arrivals", "file:///srv/mail")


@pytest.mark.parametrize(
    "text",
    [
        "mailboxes: {template: 'mail/%d/%u/', passwd: 'mail/%d/passwd.txt'}\nincoming: {prefix: mail}\n",
        "mailboxes: {template: '%d/%u/', passwd: '%d/passwd.txt', domains: [new]}\nincoming: {prefix: new/}\n",
        "mailboxes: {template: '%u/', passwd: etc/passwd.txt}\nincoming: {prefix: new/}\n",
        "mailboxes: {template: 'm-%u/', passwd: etc/passwd.txt}\nincoming: {prefix: m-new/}\n",
        "mailboxes: {passwd: new/%d}\nincoming: {prefix: new/}\n",
        "auth: {users: [{name: tom@example.com, password: x, prefix: ''}]}\nincoming: {prefix: new/}\n",
        "auth: {users: [{name: tom@example.com, password: x, prefix: new}]}\nincoming: {prefix: new/}\n",
        "auth: {users: [{name: tom@example.com, password: x, prefix: top-}]}\nincoming: {prefix: ''}\n",
        "mailboxes: {passwd: passwd.txt}\nincoming: {prefix: ''}\n",
    ],
)
def test_mail_that_comes_in_lies_in_no_mailbox(text: str) -> None:
    assert "incoming.prefix" in refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "incoming: {prefix: ''}\n",
        "incoming: {prefix: 'mail/new/'}\n",
        "mailboxes: {template: '%d/%u/', passwd: '%d/passwd.txt'}\nincoming: {prefix: new/}\n",
        "mailboxes: {template: '%d/%u/', passwd: '%d/passwd.txt'}\nincoming: {prefix: ''}\n",
        "mailboxes: {template: 'm-%u/', passwd: etc/passwd.txt}\nincoming: {prefix: new/}\n",
        "auth: {users: [{name: tom@example.com, password: x, prefix: newer/}]}\nincoming: {prefix: new/}\n",
        "mailboxes: {places: [{for: example.org, url: 's3://other', prefix: new/}]}\nincoming: {prefix: new/}\n",
        # Nothing comes in here: older buckets stay as they are.
        "mailboxes: {template: '%u/', passwd: passwd.txt}\n",
    ],
)
def test_prefixes_that_lie_apart_are_taken(text: str) -> None:
    loaded(text)


def test_forwarding_that_cannot_be_done_yet_is_warned_of() -> None:
    text = "routing: {routes: [{address: a@example.com, to: ['forward:b@example.org']}]}\n"
    assert "routing.routes[0].to[0] forwards mail, which is held until routing.forward_from is set" in loaded(text).warnings


def test_originals_that_go_before_their_notices_are_warned_of() -> None:
    assert any("14 days" in warning for warning in loaded("incoming: {swept_keep: 7d}\n").warnings)
    assert not any("14 days" in warning for warning in loaded("incoming: {swept_keep: 7d, notices: false}\n").warnings)


@pytest.mark.parametrize("signs", ["+", "--", "#", "=", "."])
def test_a_tag_may_begin_with_the_signs_that_older_systems_had(signs: str) -> None:
    assert loaded(f"routing: {{separators: ['{signs}']}}\n").routing.separators == (signs,)


@pytest.mark.parametrize(
    ("endpoint", "beyond"),
    [
        ("tcp:24", True),
        ("tcp:24:interface=0.0.0.0", True),
        ("tcp:24:interface=127.0.0.1", False),
        ("tcp:24:backlog=5:interface=localhost", False),
        (r"tcp6:24:interface=\:\:1", False),
        (r"tcp6:24:interface=\:\:", True),
        ("unix:/run/sesmail/lmtp:mode=660", False),
        ("systemd:domain=UNIX:name=lmtp", False),
        ("systemd:domain=INET:name=lmtp", True),
        ("haproxy:tcp:24", False),
    ],
)
def test_it_is_known_who_can_reach_an_endpoint(endpoint: str, beyond: bool) -> None:
    assert is_beyond_this_machine(endpoint) is beyond

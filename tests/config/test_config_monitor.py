"""Section monitor: what must not be said of its listeners, and what may."""

from __future__ import annotations

import pytest

from sesmail.config.load import from_text
from sesmail.config.problems import ConfigError
from sesmail.config.table import Config

LOCAL = "{endpoint: 'tcp:9925:interface=127.0.0.1'}"


def loaded(monitor: str, more: str = "tls: {self_signed: true}\n") -> Config:
    return from_text(f"storage: {{url: 's3://example-mail'}}\n{more}monitor:\n  {monitor}\n", "test", {"HOME": "/home/x"})


@pytest.mark.parametrize(
    ("monitor", "key", "said"),
    [
        ("listeners: [{endpoint: 'tcp:9925', tls: starttls}]", "monitor.listeners[0].tls", "must be one of"),
        (f"listeners: [{LOCAL}, {LOCAL}]", "monitor.listeners[1].endpoint", "is there already"),
        ("listeners: [{endpoint: 'haproxy:tcp:9925'}]", "monitor.listeners[0]", "needs trusted"),
        ("listeners: [{endpoint: 'tcp:2995:interface=127.0.0.1'}]", "monitor.listeners[0].endpoint", "is there already"),
        ("clients: [prometheus.example.com]", "monitor.clients[0]", "must be an address"),
        ("ready_timeout: 0", "monitor.ready_timeout", "must be from"),
        ("ready_seconds: 2h", "monitor.ready_seconds", "must be from"),
    ],
)
def test_what_cannot_be_is_refused(monitor: str, key: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(monitor)
    assert [(one.key, said in one.message) for one in caught.value.problems] == [(key, True)]


def test_other_machines_may_ask_without_tls() -> None:
    config = loaded("{listeners: [{endpoint: 'tcp:9925'}], clients: [10.0.0.0/8]}")
    assert [(one.endpoint, one.tls) for one in config.monitor.listeners] == [("tcp:9925", "none")]
    assert config.monitor.clients == ("10.0.0.0/8",)


def test_nobody_is_answered_unless_it_is_wished() -> None:
    assert loaded("ready_seconds: 30").monitor.listeners == ()


def test_https_needs_a_certificate() -> None:
    closed = "pop3: {listeners: [{endpoint: 'tcp:2110:interface=127.0.0.1', tls: none}]}\n"
    with pytest.raises(ConfigError, match=r"tls\.certificates"):
        loaded("listeners: [{endpoint: 'tcp:9925', tls: implicit}]", closed)

"""The page: what must not be said of its listeners, its path and its secrets."""

from __future__ import annotations

import pytest

from sesmail.config.load import from_text
from sesmail.config.problems import ConfigError
from sesmail.config.table import Config

LOCAL = "{endpoint: 'tcp:8080:interface=127.0.0.1', tls: none}"


def loaded(text: str) -> Config:
    return from_text(f"storage: {{url: 's3://example-mail'}}\ntls: {{self_signed: true}}\n{text}", "test", {"HOME": "/home/x"})


@pytest.mark.parametrize(
    ("page", "key", "said"),
    [
        ("listeners: [{endpoint: 'tcp:8080', tls: none}]", "page.listeners[0].tls", "passwords would cross the network"),
        ("listeners: [{endpoint: 'tcp:8080', tls: starttls}]", "page.listeners[0].tls", "must be one of"),
        (f"listeners: [{LOCAL}, {LOCAL}]", "page.listeners[1].endpoint", "is there already"),
        ("base: mail", "page.base", "must be a path"),
        ("base: /mail/", "page.base", "must be a path"),
        ("base: /", "page.base", "must be a path"),
        ("base: /../mail", "page.base", "must be a path"),
        ("base: '/a b'", "page.base", "must be a path"),
        ("proxies: [proxy.example.com]", "page.proxies[0]", "must be an address"),
        ("admins: [../tom]", "page.admins[0]", "must be a name"),
        ("idle: 2h\n  lifetime: 1h", "page.lifetime", "less than page.idle"),
        ("idle: 10s", "page.idle", "must be from"),
        ("token_secret: same\nauth: {checkers: [jwt], jwt_secret: same}", "page.token_secret", "a token for mail"),
    ],
)
def test_what_cannot_be_is_refused(page: str, key: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(f"page:\n  {page}\n")
    assert [(problem.key, said in problem.message) for problem in caught.value.problems] == [(key, True)]


@pytest.mark.parametrize(
    "endpoint", ["tcp:8080:interface=127.0.0.1", "tcp6:8080:interface=\\:\\:1", "unix:/run/sesmail/page.sock"]
)
def test_without_tls_it_is_for_this_machine(endpoint: str) -> None:
    config = loaded(f"page: {{base: /mail/page, listeners: [{{endpoint: '{endpoint}', tls: none}}]}}\n")
    assert (config.page.base, config.page.listeners[0].endpoint) == ("/mail/page", endpoint)
    assert config.warnings == ()


def test_its_secret_is_shown_nowhere() -> None:
    config = loaded("page: {token_secret: verysecret}\n")
    assert config.page.token_secret == "verysecret"
    assert "verysecret" not in repr(config)

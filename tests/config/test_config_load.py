"""Where the configuration comes from: the search order, the environment over it, the embedded default under it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sesmail.config.files import search_order
from sesmail.config.kinds import Text
from sesmail.config.listeners import Listener
from sesmail.config.load import load
from sesmail.config.option import options
from sesmail.config.problems import ConfigError
from sesmail.config.table import Config, sections


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "sesmail.yaml"
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def refusal(path: str | None, environ: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, environ)
    return str(caught.value).splitlines()


def test_without_any_file_it_is_the_embedded_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = load(environ={"HOME": str(tmp_path)})
    assert config.source is None
    assert config.warnings == ()
    assert config.service.state_dir == f"{tmp_path}/.local/state/sesmail"
    assert config.storage.url == f"file://{tmp_path}/.local/state/sesmail/mail"
    assert config.tls.self_signed
    assert [(one.endpoint, one.tls) for one in config.pop3.listeners] == [
        ("tcp:2110:interface=127.0.0.1", "starttls"),
        ("tcp:2995:interface=127.0.0.1", "implicit"),
    ]


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "storage:\npop3:\n", "null\n", "{}"])
def test_an_empty_file_is_the_embedded_default(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"HOME": str(tmp_path)}
    plain = load(environ=environ)
    path = written(tmp_path, text)
    read = load(path, environ)
    assert read.source == path
    assert all(getattr(read, name) == getattr(plain, name) for name in sections())


def test_the_state_folder_is_that_of_systemd(tmp_path: Path) -> None:
    environ = {"HOME": "/root", "STATE_DIRECTORY": "/var/lib/sesmail:/var/lib/other"}
    assert load(written(tmp_path, ""), environ).service.state_dir == "/var/lib/sesmail"
    assert load(written(tmp_path, ""), {"HOME": "/a b#c"}).storage.url == "file:///a%20b%23c/.local/state/sesmail/mail"
    assert load(written(tmp_path, ""), {}).service.state_dir == "/var/lib/sesmail"
    assert load(written(tmp_path, "service: {state_dir: /srv/mail}"), environ).service.state_dir == "/srv/mail"


def test_files_are_looked_for_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert search_order({"HOME": "/home/tom"}) == [
        "/etc/sesmail/sesmail.yaml",
        "/home/tom/.config/sesmail/sesmail.yaml",
        "./sesmail.yaml",
    ]
    monkeypatch.chdir(tmp_path)
    environ = {"HOME": str(tmp_path)}
    here = written(tmp_path, "pop3: {stall: 11}")
    assert load(environ=environ).pop3.stall == 11
    own = tmp_path / ".config" / "sesmail"
    own.mkdir(parents=True)
    written(own, "pop3: {stall: 12}")
    found = load(environ=environ)
    assert (found.pop3.stall, found.source) == (12, f"{own}/sesmail.yaml")
    assert load(here, environ).pop3.stall == 11


def test_a_found_file_that_cannot_be_read_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sesmail.yaml").symlink_to("/nonexistent/sesmail.yaml")
    assert refusal(None, {}) == ["./sesmail.yaml: cannot be read: No such file or directory"]


def test_values_are_what_was_written_and_not_what_yaml_guesses(tmp_path: Path) -> None:
    config = load(
        written(
            tmp_path,
            "mailboxes: {default_domain: no, nested: Yes}\n"
            "pop3: {stall: 1m, autologout: 0.5h, login_delay: 2m, expire_days: 030}\n"
            "read_ahead: {session_bytes: 1 MiB, total_bytes: 2MB}\n"
            "auth: {users: [{name: tom@example.com, password: 0123}, {name: eve@example.com, password: 2026-01-01}]}\n",
        ),
        {},
    )
    assert config.mailboxes.default_domain == "no"
    assert config.mailboxes.nested
    assert (config.pop3.stall, config.pop3.autologout, config.pop3.login_delay, config.pop3.expire_days) == (60, 1800, 120, 30)
    assert (config.read_ahead.session_bytes, config.read_ahead.total_bytes) == (1 << 20, 2_000_000)
    assert [user.password for user in config.auth.users] == ["0123", "2026-01-01"]


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "sesmail.yaml"
    path.write_bytes(b"\xef\xbb\xbfpop3:\r\n  stall: 33\r\n")
    assert load(str(path), {}).pop3.stall == 33


def test_an_alias_means_what_its_anchor_holds(tmp_path: Path) -> None:
    text = """
        storage: {url: s3://example-mail}
        tls: {self_signed: true}
        mailboxes:
          domains: &ours [example.com, Example.ORG]
          places:
            - {for: example.com, prefix: &old old/}
            - {for: example.org, prefix: *old}
    """
    config = load(written(tmp_path, text), {})
    assert config.mailboxes.domains == ("example.com", "example.org")
    assert [place.prefix for place in config.mailboxes.places] == ["old/", "old/"]


def test_aliases_of_aliases_cost_no_time(tmp_path: Path) -> None:
    lines = ["a: &a [x]"] + [f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]" for n in range(24)]
    assert len(refusal(written(tmp_path, "\n".join(lines)), {})) == 25


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "pop3: {stall: 11, strikes: 4}\nmailboxes: {domains: [example.com]}\n")
    environ = {
        "SESMAIL__POP3__STALL": "1m",
        "SESMAIL__MAILBOXES__DOMAINS": "[example.org, example.net]",
        "SESMAIL__POP3__LISTENERS": "[{endpoint: 'tcp6:2995:interface=\\:\\:1', tls: implicit}]",
        "SESMAIL__AUTH__USERS": "[{name: tom@example.org, password: 'env:TOM'}]",
        "TOM": "secret",
    }
    config = load(path, environ)
    assert (config.pop3.stall, config.pop3.strikes) == (60, 4)
    assert config.mailboxes.domains == ("example.org", "example.net")
    assert config.pop3.listeners == (Listener(endpoint="tcp6:2995:interface=\\:\\:1", tls="implicit"),)
    assert config.auth.users[0].password == "secret"


def test_a_variable_mends_a_bad_value_of_the_file(tmp_path: Path) -> None:
    assert load(written(tmp_path, "pop3: {stall: soon}"), {"SESMAIL__POP3__STALL": "5"}).pop3.stall == 5


def test_a_variable_is_taken_as_it_is(tmp_path: Path) -> None:
    environ = {
        "SESMAIL__STORAGE__URL": "s3://example-mail",
        "SESMAIL__STORAGE__ACCESS_KEY_ID": "AKIAEXAMPLE",
        "SESMAIL__STORAGE__SECRET_ACCESS_KEY": "'*x: [# ",
        "SESMAIL__STORAGE__REGION": "",
        "SESMAIL__STORAGE__PROFILE": "null",
        "SESMAIL__TLS__SELF_SIGNED": "true",
    }
    storage = load(written(tmp_path, ""), environ).storage
    assert (storage.secret_access_key, storage.region, storage.profile) == ("'*x: [# ", None, None)


def test_problems_of_variables_name_the_variable(tmp_path: Path) -> None:
    environ = {
        "SESMAIL__POP3__STAL": "5",
        "SESMAIL__POP3__STRIKES": "many",
        "SESMAIL__MAILBOXES__DOMAINS": "[example.com",
        "SESMAIL__AUTH__CHECKERS": "passwd",
        "SESMAIL__pop3__stall": "5",
        "SESMAIL__XYZZY": "",
        "SESMAIL_POP3_STALL": "nobody's business",
    }
    assert refusal(written(tmp_path, "limits: {connections: 0}"), environ) == [
        f"{tmp_path}/sesmail.yaml:1: limits.connections: must be a whole number from 1 to 1000000",
        "SESMAIL__MAILBOXES__DOMAINS: not valid YAML: while parsing a flow sequence, expected ',' or ']', but got '<stream end>'",
        'SESMAIL__POP3__STAL: unknown option, did you mean "SESMAIL__POP3__STALL"?',
        "SESMAIL__XYZZY: unknown option",
        'SESMAIL__pop3__stall: unknown option, did you mean "SESMAIL__POP3__STALL"?',
        "SESMAIL__AUTH__CHECKERS: auth.checkers: must be a list of checkers",
        "SESMAIL__POP3__STRIKES: pop3.strikes: must be a whole number from 1 to 100",
    ]


@pytest.mark.parametrize("section", sections())
def test_every_option_has_a_variable_that_takes_its_default(section: str, tmp_path: Path) -> None:
    for key, one in options(sections()[section]).items():
        default = one.metadata["written"]
        if isinstance(one.metadata["kind"], Text) and key != "self_signed":
            load(written(tmp_path, ""), {f"SESMAIL__{section}__{key}".upper(): "null" if default is None else default})


@pytest.mark.parametrize("section", sections())
def test_every_option_has_a_variable_that_is_checked(section: str, tmp_path: Path) -> None:
    for key, one in options(sections()[section]).items():
        if not getattr(one.metadata["kind"], "secret", False):
            variable = f"SESMAIL__{section}__{key}".upper()
            (line,) = refusal(written(tmp_path, ""), {variable: "\a"})
            assert line.startswith(f"{variable}: ")


def test_the_environment_alone_needs_no_yaml_and_no_twisted(tmp_path: Path) -> None:
    code = (
        "import sys; from sesmail.config.load import load;"
        "config = load(environ={'SESMAIL__STORAGE__URL': 's3://example-mail', 'SESMAIL__TLS__SELF_SIGNED': 'on'});"
        "assert config.storage.url == 's3://example-mail';"
        "print([name for name in ('yaml', 'twisted', 'boto3') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_no_secret_is_in_the_repr() -> None:
    environ = {
        "SESMAIL__STORAGE__URL": "s3://example-mail",
        "SESMAIL__STORAGE__ACCESS_KEY_ID": "AKIAEXAMPLE",
        "SESMAIL__STORAGE__SECRET_ACCESS_KEY": "verysecret",
        "SESMAIL__STORAGE__SESSION_TOKEN": "verysecret",
        "SESMAIL__SES__SECRET_ACCESS_KEY": "verysecret",
        "SESMAIL__SES__ACCESS_KEY_ID": "AKIAEXAMPLE",
        "SESMAIL__SMARTHOST__USERNAME": "tom",
        "SESMAIL__SMARTHOST__PASSWORD": "verysecret",
        "SESMAIL__AUTH__USERS": "[{name: tom@example.com, password: verysecret}]",
        "SESMAIL__TLS__SELF_SIGNED": "true",
    }
    config = load("/dev/null", environ)
    assert config.storage.session_token == config.auth.users[0].password == "verysecret"
    assert "verysecret" not in repr(config)


def test_questionable_settings_are_warned_of(tmp_path: Path) -> None:
    text = """
        mailboxes: {template: mail/%u/}
        auth: {checkers: [passwd], users: [{name: tom, password: x}]}
        pop3: {plaintext: always, autologout: 60, listeners: []}
        submission: {listeners: []}
        page: {listeners: []}
    """
    assert [one.partition(":")[0].split(" ")[0] for one in load(written(tmp_path, text), {}).warnings] == [
        "mailboxes.template",
        "auth.users",
        "pop3.listeners",
        "pop3.plaintext",
        "pop3.autologout",
    ]


def test_options_of_a_courier_that_carries_nothing_are_warned_of(tmp_path: Path) -> None:
    text = """
        relay: {courier: outbox}
        ses: {region: eu-west-1, tags: [team=mail]}
        smarthost: {host: smtp.example.net, port: 587}
    """
    assert list(load(written(tmp_path, text), {}).warnings) == [
        "ses.region is never used, as relay.courier is outbox",
        "ses.tags is never used, as relay.courier is outbox",
        "smarthost.host is never used, as relay.courier is outbox",
    ]


def test_the_embedded_default_sends_into_a_folder_and_to_its_own_domains(tmp_path: Path) -> None:
    config = load(written(tmp_path, "mailboxes: {domains: [example.com]}\nservice: {state_dir: /srv/sesmail}"), {})
    assert [(one.endpoint, one.tls) for one in config.submission.listeners] == [
        ("tcp:2587:interface=127.0.0.1", "starttls"),
        ("tcp:2465:interface=127.0.0.1", "implicit"),
    ]
    assert not config.submission.check_domains
    assert [(one.endpoint, one.tls) for one in config.page.listeners] == [("tcp:8080:interface=127.0.0.1", "none")]
    assert (config.relay.courier, config.relay.local_domains) == ("outbox", ("example.com",))
    assert (config.relay.spool, config.relay.outbox) == ("/srv/sesmail/spool", "/srv/sesmail/outbox")


def test_what_the_embedded_default_is_told_it_does(tmp_path: Path) -> None:
    text = """
        submission: {listeners: [], check_domains: true}
        relay: {courier: ses, local_domains: [example.org], spool: /srv/spool}
        tls: {self_signed: false}
        pop3: {listeners: []}
    """
    config = load(written(tmp_path, text), {})
    assert (config.submission.listeners, config.submission.check_domains, config.tls.self_signed) == ((), True, False)
    assert (config.relay.courier, config.relay.local_domains) == ("ses", ("example.org",))
    assert config.relay.spool == "/srv/spool"


def test_with_a_store_nothing_is_sent_until_it_is_said_where_and_then_through_ses(tmp_path: Path) -> None:
    config = load(written(tmp_path, "storage: {url: s3://example-mail}\ntls: {self_signed: true}"), {})
    assert (config.submission.listeners, config.submission.check_domains, config.page.listeners) == ((), True, ())
    assert (config.relay.courier, config.relay.local_domains) == ("ses", ())


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Config().pop3.stall = 5  # type: ignore[misc]

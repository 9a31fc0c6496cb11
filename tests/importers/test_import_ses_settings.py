"""What each setting of aws-ses-pop3-server comes to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from sesmail.config.foreign import listening, ses_pop3
from sesmail.config.foreign.draft import Draft
from sesmail.config.load import from_text, load
from sesmail.config.problems import ConfigError

STORE = {
    "POP3_AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "POP3_AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG",
    "POP3_AWS_S3_REGION": "eu-central-1",
    "POP3_AWS_S3_BUCKET": "example-mail",
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory in which no file is."""
    monkeypatch.chdir(tmp_path)


def written(content: str, home: Path) -> dict[str, str]:
    """An environment with this config.yaml in the home directory."""
    file = home / ".aws-ses-pop3-server" / "config.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(content)
    return {"HOME": str(home)}


def made(environ: Mapping[str, str]) -> Draft:
    def beside(name: str, content: str) -> str:
        return f"/beside/{name}"

    return ses_pop3.draft(ses_pop3.read(environ), beside)


def result(environ: Mapping[str, str]) -> Any:
    return yaml.safe_load(made(environ).text())


def refusal(environ: Mapping[str, str]) -> str:
    """The problems, the first of the reading, else those of what comes of it."""
    with pytest.raises(ConfigError) as caught:
        _taken_over(environ)
    return str(caught.value)


def _taken_over(environ: Mapping[str, str]) -> None:
    draft = made(environ)
    text = draft.text()
    try:
        from_text(text, "result", {})
    except ConfigError as error:
        raise ConfigError(draft.explained(error)) from None


def test_one_user_with_a_bucket() -> None:
    found = result({**STORE, "POP3_USER": "jane", "POP3_PASSWORD": "0123", "POP3_AWS_S3_PREFIX": "in"})
    assert found["storage"] == {
        "url": "s3://example-mail",
        "region": "eu-central-1",
        "access_key_id": "AKIAIOSFODNN7EXAMPLE",
        "secret_access_key": "wJalrXUtnFEMI/K7MDENG",
    }
    assert found["auth"] == {"checkers": ["static"], "users": [{"name": "jane", "password": "0123", "prefix": "in/"}]}
    assert found["mailboxes"] == {"nested": True}
    assert "log" not in found


def test_a_session_token_goes_along() -> None:
    assert result({**STORE, "POP3_AWS_SESSION_TOKEN": "temporary"})["storage"]["session_token"] == "temporary"


@pytest.mark.parametrize(("given", "expected"), [("", ""), ("in", "in/"), ("in/", "in/"), ("a/b", "a/b/")])
def test_a_slash_is_put_behind_the_prefix(given: str, expected: str) -> None:
    assert result({**STORE, "POP3_AWS_S3_PREFIX": given})["auth"]["users"][0]["prefix"] == expected


@pytest.mark.parametrize("missing", ["POP3_AWS_ACCESS_KEY_ID", "POP3_AWS_SECRET_ACCESS_KEY"])
def test_without_both_keys_the_mailbox_is_empty(missing: str) -> None:
    draft = made({key: value for key, value in STORE.items() if key != missing})
    assert yaml.safe_load(draft.text())["storage"] == {"url": "none"}
    assert any("the mailbox is empty, as before" in warning for warning in draft.warnings)


def test_user_and_password_have_their_old_defaults_and_a_warning() -> None:
    draft = made(STORE)
    assert yaml.safe_load(draft.text())["auth"]["users"] == [{"name": "user", "password": "changeit", "prefix": ""}]
    assert 'password was not given and is "changeit", as before: change it' in draft.warnings


@pytest.mark.parametrize("missing", ["region", "bucket"])
def test_keys_without_a_region_or_a_bucket_are_refused(missing: str) -> None:
    given = {key: value for key, value in STORE.items() if missing.upper() not in key}
    assert refusal(given) == f"POP3_AWS_ACCESS_KEY_ID: aws-access-key-id: needs aws-s3-{missing} beside it"


def test_variables_go_before_the_file_and_an_empty_one_counts_as_none(tmp_path: Path) -> None:
    environ = written("user: of-the-file\npassword: of-the-file\nverbose: true\n", tmp_path)
    found = result({**environ, "POP3_USER": "of-the-variable", "POP3_PASSWORD": ""})
    assert found["auth"]["users"][0]["name"] == "of-the-variable"
    assert found["auth"]["users"][0]["password"] == "of-the-file"
    assert found["log"] == {"level": "debug"}


def test_the_first_file_is_taken_alone(tmp_path: Path) -> None:
    environ = written("user: of-the-home\n", tmp_path)
    (tmp_path / "config.yaml").write_text("user: of-the-directory\npassword: of-the-directory\n")
    assert result(environ)["auth"]["users"][0] == {"name": "of-the-home", "password": "changeit", "prefix": ""}
    assert result({})["auth"]["users"][0]["name"] == "of-the-directory"
    order = ["/etc/aws-ses-pop3-server/config.yaml", "/h/.aws-ses-pop3-server/config.yaml", "./config.yaml"]
    assert ses_pop3.search_order({"HOME": "/h"}) == order


def test_keys_may_have_any_case_and_null_counts_as_none(tmp_path: Path) -> None:
    environ = written("USER: jane\nPassWord: 12345\ntls-cert:\nport: ~\n", tmp_path)
    assert result(environ)["auth"]["users"][0] == {"name": "jane", "password": "12345", "prefix": ""}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"endpoint": listening.endpoint("", 2110), "tls": "none"}),
        ({"POP3_PORT": "110"}, {"endpoint": listening.endpoint("", 110), "tls": "none"}),
        ({"POP3_HOST": "localhost"}, {"endpoint": "tcp:2110:interface=localhost", "tls": "none"}),
        ({"POP3_HOST": "[::1]"}, {"endpoint": "tcp6:2110:interface=\\:\\:1", "tls": "none"}),
        (
            {"POP3_TLS_CERT_PATH": "/a.crt", "POP3_TLS_KEY_PATH": "/a.key", "POP3_HOST": "192.0.2.1"},
            {"endpoint": "tcp:2995:interface=192.0.2.1", "tls": "implicit"},
        ),
    ],
)
def test_it_listens_where_it_did(given: dict[str, str], expected: dict[str, str]) -> None:
    assert result(given)["pop3"]["listeners"] == [expected]


def test_every_interface_is_over_both_protocols_where_there_are_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "_has_ipv6", lambda: True)
    assert listening.endpoint("", 2110) == "tcp6:2110"
    monkeypatch.setattr(listening, "_has_ipv6", lambda: False)
    assert listening.endpoint("", 2110) == "tcp:2110"


@pytest.mark.parametrize(("host", "plaintext"), [("", "always"), ("192.0.2.1", "always"), ("127.0.0.1", None), ("::1", None)])
def test_logins_without_tls_go_on_from_where_they_came(host: str, plaintext: str | None) -> None:
    assert result({"POP3_HOST": host})["pop3"].get("plaintext") == plaintext


def test_with_tls_no_login_goes_without(tmp_path: Path) -> None:
    assert "plaintext" not in result({"POP3_TLS_CERT_PATH": "/a.crt", "POP3_TLS_KEY_PATH": "/a.key"})["pop3"]


def test_certificates_given_inline_go_before_paths(tmp_path: Path) -> None:
    pem = "tls-cert: |-\n  -----BEGIN CERTIFICATE-----\n  AAAA\n  -----END CERTIFICATE-----\ntls-key: k\n"
    environ = written(pem + "tls-cert-path: /a.crt\ntls-key-path: /a.key\n", tmp_path)
    found = result(environ)["tls"]["certificates"]
    assert found == [{"certificate": "/beside/tls-cert.pem", "key": "/beside/tls-key.pem"}]


def test_half_a_pair_is_ignored_with_a_warning() -> None:
    draft = made({"POP3_TLS_CERT": "x", "POP3_TLS_CERT_PATH": "/a.crt", "POP3_TLS_KEY_PATH": "/a.key"})
    assert yaml.safe_load(draft.text())["tls"]["certificates"] == [{"certificate": "/a.crt", "key": "/a.key"}]
    assert "POP3_TLS_CERT: tls-cert: was ignored, as it takes both tls-cert and tls-key" in draft.warnings


def test_relative_paths_are_from_where_it_was_started(tmp_path: Path) -> None:
    draft = made({"POP3_TLS_CERT_PATH": "etc/../a.crt", "POP3_TLS_KEY_PATH": "/a.key"})
    assert yaml.safe_load(draft.text())["tls"]["certificates"][0]["certificate"] == str(tmp_path / "a.crt")
    assert any("was relative" in warning for warning in draft.warnings)


def test_tokens_go_before_the_web_server_and_that_before_the_user() -> None:
    everything = {**STORE, "POP3_USER": "u", "POP3_JWT_SECRET": "s", "POP3_HTTP_BASIC_AUTH_URL": "https://example.com/a"}
    draft = made(everything)
    found = yaml.safe_load(draft.text())
    assert found["auth"] == {"checkers": ["jwt"], "jwt_secret": "s"}
    assert (found["storage"], found["mailboxes"]) == ({"url": "none"}, {"nested": True})
    assert any(
        warning.startswith("not used, as before, and left out: user, http-basic-auth-url, aws-") for warning in draft.warnings
    )
    del everything["POP3_JWT_SECRET"]
    found = result(everything)
    assert found["auth"] == {"checkers": ["http"], "http_url": "https://example.com/a"}
    assert found["storage"] == {"url": "none"}


def test_what_does_not_count_may_be_empty(tmp_path: Path) -> None:
    found = result(written('jwt-secret: s\nuser: ""\nhttp-basic-auth-url: ""\naws-access-key-id: ""\n', tmp_path))
    assert found["auth"] == {"checkers": ["jwt"], "jwt_secret": "s"}


@pytest.mark.parametrize("url", ["http://localhost/a", "http://127.0.0.1:8080/", "http://[::1]/", "https://example.com"])
def test_a_web_server_of_this_machine_needs_no_tls(url: str) -> None:
    from_text(made({"POP3_HTTP_BASIC_AUTH_URL": url}).text(), "result", {})


def test_another_web_server_needs_tls_unless_told_otherwise() -> None:
    given = {"POP3_HTTP_BASIC_AUTH_URL": "http://example.com/"}
    assert "http-basic-auth-url: must be https, unless the host is this machine" in refusal(given)
    assert "must be https" in refusal({**given, "POP3_HTTP_BASIC_AUTH_URL_INSECURE": "false"})
    auth = result({**given, "POP3_HTTP_BASIC_AUTH_URL_INSECURE": "TRUE"})["auth"]
    assert auth == {"checkers": ["http"], "http_url": "http://example.com/", "http_insecure": True}


def test_a_secret_that_looks_like_a_reference_stays_what_it_is() -> None:
    assert result({"POP3_PASSWORD": "env:HOME"})["auth"]["users"][0]["password"] == "file:/beside/password"
    assert load(None, {"POP3_PASSWORD": "env:HOME"}).auth.users[0].password == "env:HOME"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('jwt-secret: ""\n', ":1: jwt-secret: is empty; leave it out or fill it in"),
        ('user: x\npassword: ""\n', ":2: password: is empty; leave it out or fill it in"),
        ("port: 70000\n", ":1: port: must be a number from 1 to 65535"),
        ("verbose: maybe\n", ":1: verbose: must be true or false"),
        ("password: 0123\n", ":1: password: means something else without quotes; write what it was in quotes"),
        ("password: yes\n", ":1: password: means something else without quotes; write what it was in quotes"),
        ("password: 1e3\n", ":1: password: means something else without quotes; write what it was in quotes"),
        ("user: [a, b]\n", ":1: user: must be a single value"),
        ("user: a\nUSER: b\n", ":2: user: given twice"),
        ("- user\n", ":1: must hold keys and values"),
        ("user: 'a\n", ":2: not valid YAML: while scanning a quoted scalar, found unexpected end of stream"),
        ("user: a/b\n", ":1: user: must be a name such as tom or tom@example.com"),
        ("authorization-lambda: arn\n", ":1: authorization-lambda: logins by a Lambda function are not taken over"),
    ],
)
def test_what_cannot_be_taken_over_is_said_with_file_and_line(content: str, said: str, tmp_path: Path) -> None:
    assert f"/.aws-ses-pop3-server/config.yaml{said}" in refusal(written(content, tmp_path))


def test_problems_of_the_result_are_told_of_the_old_setting() -> None:
    said = refusal({**STORE, "POP3_AWS_S3_BUCKET": "not/a/bucket", "POP3_AWS_S3_REGION": "Frankfurt am Main"})
    assert "POP3_AWS_S3_BUCKET: aws-s3-bucket: must name a bucket alone" in said
    assert "POP3_AWS_S3_REGION: aws-s3-region: must be a region" in said


def test_unknown_settings_are_reported(tmp_path: Path) -> None:
    draft = made({**written("paswort: x\n", tmp_path), "POP3_USRE": "x"})
    assert any('paswort: is not known and was left out, did you mean "password"?' in warning for warning in draft.warnings)
    assert 'POP3_USRE: is not known and was left out, did you mean "POP3_USER"?' in draft.warnings


def test_what_kubernetes_says_of_a_service_called_pop3_is_no_setting() -> None:
    environ = {"POP3_PORT": "tcp://10.3.240.7:110", "POP3_SERVICE_HOST": "10.3.240.7", "POP3_PORT_110_TCP_PROTO": "tcp"}
    assert not ses_pop3.is_meant(environ)
    assert not [warning for warning in made({**environ, "POP3_USER": "tom"}).warnings if "POP3" in warning]


def test_variables_alone_are_the_configuration(tmp_path: Path) -> None:
    config = load(None, {**STORE, "POP3_USER": "tom", "HOME": str(tmp_path)})
    assert [user.name for user in config.auth.users] == ["tom"]
    assert config.warnings[0].startswith("no sesmail.yaml; the gateway does what aws-ses-pop3-server did, by POP3_AWS_")


def test_a_file_of_sesmail_goes_before_the_variables(tmp_path: Path) -> None:
    (tmp_path / "sesmail.yaml").write_text("storage: {url: s3://of-sesmail}\ntls: {self_signed: true}\n")
    assert load(None, {**STORE, "POP3_USER": "tom"}).storage.url == "s3://of-sesmail"


def test_variables_of_sesmail_go_before_what_was_taken_over() -> None:
    config = load(None, {**STORE, "SESMAIL__STORAGE__REGION": "us-east-1"})
    assert (config.storage.url, config.storage.region) == ("s3://example-mail", "us-east-1")


def test_bad_variables_are_named() -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, {name: value for name, value in STORE.items() if "REGION" not in name})
    assert str(caught.value) == "POP3_AWS_ACCESS_KEY_ID: aws-access-key-id: needs aws-s3-region beside it"
    with pytest.raises(ConfigError) as caught:
        load(None, {"POP3_TLS_CERT_PATH": "/nowhere.crt", "POP3_TLS_KEY_PATH": "/nowhere.key"})
    assert "POP3_TLS_CERT_PATH: tls-cert-path: /nowhere.crt does not exist" in str(caught.value)


def test_a_file_that_is_not_used_is_pointed_out(tmp_path: Path) -> None:
    config = load(None, written("user: tom\n", tmp_path))
    assert config.auth.users == ()
    assert "`sesmail import-config aws-ses-pop3-server` makes a sesmail.yaml of it" in config.warnings[0]


@pytest.mark.parametrize(
    "secret", ["plain", " led by a space", "ends in:", "ünï¢ode 🔑", "a\nb\t", "'\"#&*!", "null", "~", "0x1F"]
)
def test_secrets_come_through_whatever_they_hold(secret: str) -> None:
    config = load(None, {**STORE, "POP3_PASSWORD": secret})
    assert config.auth.users[0].password == secret

"""Clients, credentials and addresses by store place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.utils import parse_timestamp

from sesmail.aws.sessions import Clients, bucket, moment
from sesmail.errors import Malformed, Unavailable
from sesmail.interfaces import Keys, StorePlace
from tests.servers import moto

_KEYS = Keys("AKIAEXAMPLE", "example", "token")
_AWS = StorePlace("s3://mail", region="eu-west-1", keys=_KEYS)
_OTHER = StorePlace("s3://mail", endpoint="http://127.0.0.1:8333", keys=_KEYS)


@pytest.mark.parametrize(
    "url", ["s3://", "s3://a", "s3://Mail", "s3://mail/folder", "file:///mail", "s3://evil.example#", "s3://a@b"]
)
def test_a_bucket_name_that_could_change_the_host_is_refused(url: str) -> None:
    with pytest.raises(Malformed):
        bucket(StorePlace(url))


@pytest.mark.parametrize(
    ("place", "host", "base"),
    [
        (_AWS, "mail.s3.eu-west-1.amazonaws.com", ""),
        (replace(_AWS, region="cn-north-1"), "mail.s3.cn-north-1.amazonaws.com.cn", ""),
        (replace(_AWS, addressing="path"), "s3.eu-west-1.amazonaws.com", "/mail"),
        (replace(_AWS, url="s3://mail.example.com"), "s3.eu-west-1.amazonaws.com", "/mail.example.com"),
        (_OTHER, "127.0.0.1", "/mail"),
        (replace(_OTHER, endpoint="https://s3.example.net", addressing="virtual"), "mail.s3.example.net", ""),
        (replace(_OTHER, endpoint="https://example.net/gate/"), "example.net", "/gate/mail"),
    ],
)
def test_requests_go_where_the_bucket_answers(place: StorePlace, host: str, base: str) -> None:
    address = Clients().address(place)
    assert (address.host, address.base) == (host, base)


def test_an_endpoint_decides_port_and_tls() -> None:
    address = Clients().address(_OTHER)
    assert (address.secure, address.port) == (False, 8333)
    assert Clients().address(_AWS).port == 443


def test_explicit_keys_come_back_whole() -> None:
    assert Clients().keys(_AWS) == _KEYS


def test_without_explicit_keys_the_chain_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIACHAIN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "from-the-environment")
    assert Clients().keys(replace(_AWS, keys=None)).access_key_id == "AKIACHAIN"


def test_no_credentials_at_all_is_trouble_of_ours_and_no_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(Unavailable):
        Clients().keys(replace(_AWS, keys=None))


def test_a_profile_names_its_own_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("[mail]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = x\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert Clients().keys(replace(_AWS, keys=None, profile="mail")).access_key_id == "AKIAPROFILE"
    with pytest.raises(Unavailable):
        Clients().keys(replace(_AWS, keys=None, profile="absent"))


def test_a_region_that_is_none_is_refused_before_it_becomes_a_host_name() -> None:
    with pytest.raises(Unavailable):
        Clients().s3(replace(_AWS, region="evil.example/#"))


def test_a_client_is_made_once_for_a_place() -> None:
    clients = Clients()
    assert clients.s3(_AWS) is clients.s3(replace(_AWS))
    assert clients.s3(_AWS) is not clients.s3(replace(_AWS, keys=Keys("AKIAOTHER", "x")))


def test_a_role_is_assumed_with_what_was_found_and_its_keys_are_used() -> None:
    clients = Clients(sts_endpoint=moto.running())
    role = replace(_AWS, role="arn:aws:iam::123456789012:role/mail-reader", external_id="shared-with-us")
    keys = clients.keys(role)
    assert keys.access_key_id.startswith("ASIA")
    assert keys.session_token
    assert keys != _KEYS
    assert clients.keys(role) == keys


def test_a_role_that_cannot_be_assumed_is_trouble_of_ours() -> None:
    with pytest.raises(Unavailable) as caught:
        Clients(sts_endpoint="http://127.0.0.1:9").keys(replace(_AWS, role="arn:aws:iam::123456789012:role/mail-reader"))
    assert "example" not in caught.value.public


@pytest.mark.parametrize(
    "value",
    [
        "Fri, 21 Nov 2026 09:30:00 GMT",
        "Fri,  1 Nov 2026 09:30:00 GMT",
        "21 Nov 2026 09:30 GMT",
        "2026-11-21T09:30:00Z",
        "2026-11-21T09:30:00.123Z",
        "2026-11-21T09:30:00.123456Z",
        "2026-11-21T09:30:00+01:00",
        "20261121T093000Z",
        "Friday, 21-Nov-26 09:30:00 GMT",
        "Fri Nov 21 09:30:00 2026",
        1795253400,
        1795253400.5,
        "1795253400",
    ],
)
def test_a_time_is_read_as_botocore_reads_it(value: object) -> None:
    expected = parse_timestamp(value)
    assert moment(value) == expected
    assert moment(value).tzinfo is not None or expected.tzinfo is None


@pytest.mark.parametrize("value", ["", "Z", "GMT", "tomorrow", "2026-13-41T09:30:00Z", "Fri, 41 Nov 2026 09:30:00 GMT"])
def test_what_is_no_time_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="timestamp"):
        moment(value)


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_request_is_tried_as_often_as_it_is_said(attempts: int) -> None:
    asked: list[object] = []
    client = Clients(attempts=attempts).s3(replace(_OTHER, endpoint="http://127.0.0.1:1"))
    client.meta.events.register("before-send.s3", lambda request, **_: asked.append(request))
    with pytest.raises(EndpointConnectionError):
        client.head_object(Bucket="mail", Key="x")
    assert len(asked) == attempts


def test_clients_read_times_so_and_say_who_they_are() -> None:
    client = Clients().s3(_AWS)
    parser = client._endpoint._response_parser_factory.create_parser("rest-xml")
    assert parser._timestamp_parser is moment
    assert client.meta.config.user_agent.startswith("sesmail ")

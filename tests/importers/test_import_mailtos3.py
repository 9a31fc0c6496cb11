"""The config.json of mailtos3 becomes a configuration with which the same mail goes into the same buckets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from sesmail.config.load import load
from sesmail.config.table import Config
from tests.importers.gateways import imported, sesmail

KEY = "arn:aws:kms:eu-west-1:123456:key/123456-123456-123456"
# The file as the README of mailtos3 shows it, with a comma missing behind each key, and comments.
AS_PRINTED = """{
    "requestConfig": {
        "region": "eu-west-1",
        "timeout": 10,
        "endpoint": false
    },
    "mailboxes": [
        {
            "address": "user@host.co.uk",
            "bucket": "my_bucket",
            "cmkKeyArn": "KEY" // cmkKey is optional
            "prefix": "user"
        },
        {
            "address": "user2@host.co.uk",
            "bucket": "my_bucket2",
            "cmkKeyArn": "KEY" // cmkKey is optional
            "prefix": "dateTimeFormat(20060102)"
        }
    ]
}
""".replace("KEY", KEY)
MENDED = AS_PRINTED.replace(" // cmkKey is optional", ",")


def taken_over(folder: Path, text: str) -> Config:
    (folder / "config.json").write_text(text)
    return load(str(imported("mailtos3", cwd=folder)), {})


def refused(folder: Path, text: str) -> str:
    (folder / "config.json").write_text(text)
    done = sesmail("import-config", "mailtos3", cwd=folder)
    assert (done.returncode, done.stdout) == (78, "")
    return done.stderr


def with_mailbox(**entry: Any) -> str:
    return json.dumps(
        {"requestConfig": {"region": "eu-west-1"}, "mailboxes": [{"address": "a@b.example", "bucket": "mail", **entry}]}
    )


def test_the_sample_as_printed_is_refused_at_line_and_column(tmp_path: Path) -> None:
    column = AS_PRINTED.splitlines()[10].index("//") + 1
    assert refused(tmp_path, AS_PRINTED) == f"./config.json:11:{column}: not valid JSON: a comment, which JSON does not have\n"


def test_the_sample_as_it_is_meant_is_taken_over_whole(tmp_path: Path) -> None:
    config = taken_over(tmp_path, MENDED)
    assert (config.storage.url, config.storage.region) == ("s3://my_bucket", "eu-west-1")
    assert (config.deliver.timeout, config.deliver.endpoint, config.deliver.log) == (10, None, "/var/log/mailtos3.log")
    assert [(one.address, one.url, one.prefix, one.kms_key, one.wrap) for one in config.deliver.mailboxes] == [
        ("user@host.co.uk", "s3://my_bucket", "user", KEY, "kms"),
        ("user2@host.co.uk", "s3://my_bucket2", "dateTimeFormat(20060102)", KEY, "kms"),
    ]
    assert [(one.for_, one.url, one.prefix, one.nested, one.sealed) for one in config.mailboxes.places] == [
        ("user@host.co.uk", "s3://my_bucket", "user/", None, True),
        ("user2@host.co.uk", "s3://my_bucket2", "", True, True),
    ]


def test_a_file_may_be_named_and_its_keys_are_in_any_case(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(MENDED.replace('"bucket"', '"Bucket"').replace('"requestConfig"', '"REQUESTCONFIG"'))
    done = sesmail("import-config", "mailtos3", "other.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["storage"]["region"] == "eu-west-1"


def test_without_a_file_both_places_are_named(tmp_path: Path) -> None:
    done = sesmail("import-config", "mailtos3", cwd=tmp_path)
    assert done.returncode == 78
    assert done.stderr == "/usr/local/bin/mailtos3/config.json and ./config.json: are not there; name its config.json\n"


def test_its_endpoint_is_that_of_the_region(tmp_path: Path) -> None:
    text = json.dumps(
        {
            "requestConfig": {"region": "eu-west-1", "endpoint": True, "timeout": 0},
            "mailboxes": [{"address": "catchall", "bucket": "mail"}],
        }
    )
    config = taken_over(tmp_path, text)
    assert config.deliver.endpoint == "https://s3.eu-west-1.amazonaws.com"
    assert config.deliver.timeout == 300
    assert (config.deliver.mailboxes[0].address, config.deliver.catch_all) == ("CatchAll", "unaddressed")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"prefix": "/user"}, "mailboxes[0].prefix: must not begin with a slash"),
        ({"prefix": 1}, "mailboxes[0].prefix: must be a text in double quotes"),
        ({"address": "tom"}, "mailboxes[0].address: must be an address such as tom@example.com"),
        ({"bucket": "x"}, "mailboxes[0].bucket: must be s3:// and the name of a bucket"),
        ({"bucket": ""}, "mailboxes[0]: needs bucket"),
        ({"cmkKeyArn": "no key"}, "mailboxes[0].cmkKeyArn: must be a key of KMS"),
    ],
)
def test_what_cannot_be_taken_over_is_told_where_it_is(tmp_path: Path, entry: dict[str, Any], said: str) -> None:
    told = refused(tmp_path, with_mailbox(**entry))
    assert told.startswith("./config.json:1:")
    assert said in told


@pytest.mark.parametrize(("request_", "said"), [({"timeout": "10"}, "a whole number"), ({"endpoint": 1}, "true or false")])
def test_values_of_another_type_are_refused(tmp_path: Path, request_: dict[str, Any], said: str) -> None:
    assert f"must be {said}" in refused(tmp_path, json.dumps({"requestConfig": request_, "mailboxes": []}))


def test_what_to_know_is_said(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        json.dumps(
            {
                "mailboxes": [
                    {"address": "a@b.example", "bucket": "mail", "prefix": "dateTimeFormat(mail/2006)", "color": "red"},
                    {"address": "A@B.example", "bucket": "mail"},
                ]
            }
        )
    )
    done = sesmail("import-config", "mailtos3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for said in ("no region is given", "left out letters", "color is not known", "cannot be read by POP3", "is there already"):
        assert said in done.stderr

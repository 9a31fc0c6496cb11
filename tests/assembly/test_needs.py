"""What a gateway needs is really asked: S3, SES, the table and the disk, sound and broken, and nothing is changed by it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from sesmail.assembly.needs import Question, questions, reason
from sesmail.assembly.stores import blocking_stores, clients
from sesmail.config.load import from_text
from tests.servers import moto, ses
from tests.servers.ports import free_port

KEYS = {
    "region": "eu-west-1",
    "access_key_id": "AKIAIOSFODNN7EXAMPLE",
    "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
SUBMITS = {"listeners": [{"endpoint": "tcp:2587:interface=127.0.0.1"}]}


def asked(folder: Path, end: ExitStack, **sections: Any) -> Mapping[str, Question]:
    """The questions of a configuration."""
    storage = {"url": folder.as_uri(), **sections.pop("storage", {})}
    made = {"storage": storage, "tls": {"self_signed": True}, "service": {"state_dir": str(folder)}, **sections}
    config = from_text(yaml.safe_dump(made), "test", {"HOME": str(folder)})
    return questions(config, blocking_stores(clients(config)), end)


def heard(question: Question) -> str | None:
    """What is wrong, as it would be shown."""
    try:
        question()
    except Exception as error:
        return reason(error)
    return None


def bucket(name: str, endpoint: str | None = None) -> dict[str, Any]:
    return {"url": f"s3://{name}", "endpoint": endpoint or moto.running(), "attempts": 1, "connect_timeout": 1, **KEYS}


def aws(service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=moto.running(),
        region_name="eu-west-1",
        aws_access_key_id=KEYS["access_key_id"],
        aws_secret_access_key=KEYS["secret_access_key"],
    )


@pytest.fixture
def end() -> Any:
    with ExitStack() as made:
        yield made


def test_a_gateway_with_a_folder_needs_that_and_its_disk(tmp_path: Path, end: ExitStack) -> None:
    found = asked(tmp_path, end)
    assert set(found) == {"storage", "disk"}
    before = sorted(tmp_path.rglob("*"))
    assert [heard(one) for one in found.values()] == [None, None]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_is_gone_is_not_an_empty_one(tmp_path: Path, end: ExitStack) -> None:
    found = asked(tmp_path, end, storage={"url": (tmp_path / "gone").as_uri()}, service={"state_dir": str(tmp_path / "gone")})
    assert all(heard(found[name]) == "FileNotFoundError" for name in ("storage", "disk"))


def test_a_bucket_is_listed_and_stays_as_it_was(tmp_path: Path, end: ExitStack) -> None:
    s3 = aws("s3")
    s3.create_bucket(Bucket="needs-there", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert heard(asked(tmp_path, end, storage=bucket("needs-there"))["storage"]) is None
    assert s3.list_objects_v2(Bucket="needs-there")["KeyCount"] == 0


def test_a_bucket_that_is_missing_or_cannot_be_reached_is_wrong(tmp_path: Path, end: ExitStack) -> None:
    missing = asked(tmp_path, end, storage=bucket("needs-missing"))["storage"]
    assert "NoSuchBucket" in (heard(missing) or "")
    dead = asked(tmp_path, end, storage=bucket("needs-there", f"http://127.0.0.1:{free_port()}"))["storage"]
    assert "EndpointConnectionError" in (heard(dead) or "")


def test_ses_is_asked_whether_the_account_may_send(tmp_path: Path, end: ExitStack) -> None:
    with ses.running() as server:
        found = asked(tmp_path, end, relay={"courier": "ses"}, ses={"endpoint": server.endpoint, **KEYS}, submission=SUBMITS)
        (tmp_path / "spool").mkdir()
        assert (heard(found["ses"]), heard(found["disk"])) == (None, None)
        server.set_account(SendingEnabled=False)
        assert heard(found["ses"]) == "sending is paused for this account"
        assert server.sent == []


def test_the_table_of_aliases_is_asked(tmp_path: Path, end: ExitStack) -> None:
    sqlite = asked(
        tmp_path, end, aliases={"table": "sqlite", "file": str(tmp_path / "aliases")}, mailboxes={"domains": ["a.example"]}
    )
    assert heard(sqlite["aliases"]) is None
    missing = {"table": "dynamodb", "dynamodb_table": "needs-missing", "endpoint": moto.running(), **KEYS}
    dynamodb = asked(tmp_path, end, aliases=missing, mailboxes={"domains": ["a.example"]})
    assert "ResourceNotFoundException" in (heard(dynamodb["aliases"]) or "")

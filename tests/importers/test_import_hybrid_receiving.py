"""Mail that ses-to-lmtp of hybrid-cloud-email took goes to Dovecot as before, and nothing of it is lost."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from sesmail.config.foreign import hybrid
from sesmail.config.foreign.draft import Draft
from sesmail.config.foreign.hybrid_receiving import Source
from sesmail.config.load import from_text
from sesmail.config.problems import ConfigError
from tests.aws import sesevents
from tests.importers.gateways import imported, sesmail
from tests.importers.hybrid import KEY_ID, SECRET, checkout
from tests.servers import moto, seaweed
from tests.servers.lmtpsink import keeping
from tests.servers.sqs import REGION, make_queue

TOPIC = "arn:aws:sns:us-east-2:123456789012:new-mail"
MAIL = b"Return-Path: <a@example.org>\r\nSubject: hello\r\n\r\nFrom here\r\n.\r\n"
SETTINGS = {
    "SNS_ENDPOINT_PORT": "127.0.0.1:8443",
    "DEAD_LETTER_QUEUE_URL": "https://sqs.us-east-2.amazonaws.com/123456789012/dead",
    "DEAD_LETTER_QUEUE_CHECK_INTERVAL": "3600",
    "LMTP_ADDRESS": "dovecot:2424",
}


def made(folder: Path, topic: str | None = TOPIC, environ: Mapping[str, str] | None = None) -> Draft:
    return hybrid.draft(folder, environ or {}, "example.com", None, Source("example-mail", topic))


def result(folder: Path, topic: str | None = TOPIC, environ: Mapping[str, str] | None = None) -> Any:
    text = made(folder, topic, environ).text()
    from_text(text, "the result", {"HOME": str(folder)})
    return yaml.safe_load(text)


def test_everything_that_took_mail_has_its_counterpart(tmp_path: Path) -> None:
    found = result(checkout(tmp_path / "hybrid", SETTINGS))
    assert {name: found[name] for name in ("storage", "incoming", "routing", "lmtp_out", "queue", "sns")} == {
        "storage": {"url": "s3://example-mail", "region": "us-east-2", "access_key_id": KEY_ID, "secret_access_key": SECRET},
        "incoming": {"prefix": "new/"},
        "routing": {"accounts": "lmtp"},
        "lmtp_out": {"host": "dovecot", "port": 2424},
        "queue": {"dead_letter_url": SETTINGS["DEAD_LETTER_QUEUE_URL"], "dead_letter_every": "3600"},
        "sns": {
            "listeners": [{"endpoint": "tcp:8443:interface=127.0.0.1", "tls": "implicit"}],
            "topics": [TOPIC],
            "username": "sns",
            "password": "secret",
        },
    }


def test_without_a_topic_mail_is_looked_for(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "hybrid", SETTINGS)
    found = result(folder, None)
    assert "sns" not in found
    assert found["incoming"] == {"prefix": "new/", "sweep_every": "15m"}
    assert any("--topic is not given" in warning for warning in made(folder, None).warnings)


def test_its_defaults_are_taken_and_said(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "hybrid", {})
    found = result(folder)
    assert found["lmtp_out"] == {"host": "127.0.0.1", "port": 24}
    assert found["sns"]["listeners"][0]["endpoint"].startswith(("tcp:443", "tcp6:443"))
    said = "\n".join(made(folder).warnings)
    assert "port 24 of the container dovecot must be published" in said
    assert "takes the place of the containers postfix-ses-relay and ses-to-lmtp" in said
    assert "secret" not in said.replace("secrets/", "")


def test_a_secret_with_colons_is_taken_whole(tmp_path: Path) -> None:
    found = result(
        checkout(tmp_path / "hybrid", {}), environ={"BASIC_AUTH_CREDENTIALS": "sns:a:b", "AWS_CREDENTIALS": "AKIAOTHER:x:y"}
    )
    assert (found["sns"]["username"], found["sns"]["password"]) == ("sns", "a:b")
    assert (found["storage"]["access_key_id"], found["storage"]["secret_access_key"]) == ("AKIAOTHER", "x:y")


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"BASIC_AUTH_CREDENTIALS": "sns"}, "BASIC_AUTH_CREDENTIALS must be two words with a colon between them"),
        ({"LMTP_ADDRESS": "dovecot"}, "LMTP_ADDRESS: must be a number from 1 to 65535"),
        ({"SNS_ENDPOINT_PORT": "https"}, "SNS_ENDPOINT_PORT: must be a number from 1 to 65535"),
    ],
)
def test_what_cannot_be_taken_over_is_refused(environ: dict[str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        made(checkout(tmp_path / "hybrid", {}), environ=environ).text()
    assert said in str(caught.value)


def test_a_topic_needs_its_bucket(tmp_path: Path) -> None:
    checkout(tmp_path / "hybrid", {})
    done = sesmail("import-config", "hybrid-cloud-email", "hybrid", "--topic", TOPIC, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (78, "--topic: needs --bucket beside it, the bucket in which SES stores mail\n")


class House:
    """A bucket, a queue of dead letters, a checkout, and the command on what was imported of it."""

    def __init__(self, folder: Path, lmtp_port: int) -> None:
        self.folder = folder
        self.server = seaweed.running()
        self.bucket = self.server.make_bucket(f"hybrid-{uuid.uuid4().hex[:12]}")
        self.dead = make_queue()
        settings = {"AWS_REGION": REGION, "DEAD_LETTER_QUEUE_URL": self.dead.url, "LMTP_ADDRESS": f"127.0.0.1:{lmtp_port}"}
        environ = {"AWS_CREDENTIALS": f"{self.server.access_key}:{self.server.secret_key}"}
        checkout(folder / "hybrid", settings)
        self.config = imported("hybrid-cloud-email", "hybrid", "-d", "example.com", "-b", self.bucket, cwd=folder, **environ)

    def arrived(self, name: str, *recipients: str) -> None:
        """SES stored a message, SNS could not tell of it, and so the notice is a dead letter."""
        self.server.client().put_object(Bucket=self.bucket, Key=f"new/{name}", Body=MAIL)
        notice = sesevents.notice(*recipients, action=sesevents.s3_action(f"new/{name}", self.bucket), source="a@example.org")
        notice["mail"]["messageId"] = name
        self.dead.send(json.dumps(sesevents.envelope(notice)))

    def sort(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        given = {
            "SESMAIL__STORAGE__ENDPOINT": self.server.endpoint,
            "SESMAIL__QUEUE__ENDPOINT": moto.running(),
            "SESMAIL__SERVICE__STATE_DIR": str(self.folder / "state"),
        }
        return sesmail("sort", *arguments, "--config", str(self.config), cwd=self.folder, **given)

    @property
    def keys(self) -> list[str]:
        return [one["Key"] for one in self.server.client().list_objects_v2(Bucket=self.bucket).get("Contents", ())]


def test_dead_letters_reach_dovecot_once_and_unknown_people_keep_their_mail_from_being_deleted(tmp_path: Path) -> None:
    with keeping() as dovecot:
        house = House(tmp_path, dovecot.port)
        house.arrived("one", "adam@example.com", "jack+abc@my.fqdn", "xyz@example.com")
        house.arrived("two", "adam@example.com", "ryan@my.fqdn")
        done = house.sort("--dlq")
        assert (done.returncode, done.stdout) == (0, "dead letters: 2 done, 0 left, 0 of them malformed\n"), done.stderr
        assert sorted((kept.sender, kept.recipients, kept.data) for kept in dovecot.kept) == [
            ("a@example.org", ("adam",), MAIL),
            ("a@example.org", ("adam", "jack", "ryan"), MAIL),
        ]
    assert [key for key in house.keys if key.startswith("new/")] == []
    assert [key for key in house.keys if key.startswith("held/")] == ["held/two"]
    assert house.dead.empty

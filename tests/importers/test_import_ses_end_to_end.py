"""Users of aws-ses-pop3-server log in as before and find the same mail under the same unique ids."""

from __future__ import annotations

import poplib
import ssl
from pathlib import Path

import pytest

from tests.importers.gateways import MAIL, config_file, fetched, fill, imported, removed, serving, variables
from tests.servers import seaweed
from tests.servers.certificates import Authority
from tests.servers.ports import free_port
from tests.servers.seaweed import S3Server

USER, PASSWORD = "jane.doe@example.com", "6xRkiWA4: mZBSaNmv"


@pytest.fixture(scope="module")
def server() -> S3Server:
    return seaweed.running()


def store(server: S3Server, bucket: str, prefix: str) -> dict[str, str]:
    """The keys that name the store."""
    return {
        "aws-access-key-id": server.access_key,
        "aws-secret-access-key": server.secret_key,
        "aws-s3-region": server.region,
        "aws-s3-bucket": bucket,
        "aws-s3-prefix": prefix,
    }


@pytest.mark.parametrize("prefix", ["", "incoming", "incoming/"])
def test_a_user_of_the_file_finds_his_mail(prefix: str, server: S3Server, tmp_path: Path) -> None:
    bucket, port = fill(server, f"{prefix.rstrip('/')}/" if prefix else ""), free_port()
    config_file(tmp_path, {"port": port, "user": USER, "password": PASSWORD, **store(server, bucket, prefix)})
    file = imported("aws-ses-pop3-server", cwd=tmp_path)
    with serving(port, "--config", str(file), cwd=tmp_path, server=server):
        assert fetched(port, USER, PASSWORD) == MAIL
        with pytest.raises(poplib.error_proto):
            fetched(port, USER, "another")
        removed(port, USER, PASSWORD, "1a1b2c3d4e5f60718293a4b5c6d7e8f9")
    left = {row["Key"].rpartition("/")[2] for row in server.client().list_objects_v2(Bucket=bucket)["Contents"]}
    assert left == {"0a1b2c3d4e5f60718293a4b5c6d7e8f9", "2a1b2c3d4e5f6071829"}


def test_a_container_with_variables_alone_goes_on(server: S3Server, tmp_path: Path) -> None:
    bucket, port = fill(server, "in/"), free_port()
    given = variables({"port": str(port), "user": USER, "password": PASSWORD, **store(server, bucket, "in")})
    with serving(port, cwd=tmp_path, server=server, **given) as gateway:
        assert fetched(port, USER, PASSWORD) == MAIL
        assert "the gateway does what aws-ses-pop3-server did, by POP3_AWS_ACCESS_KEY_ID" in gateway.tail()
        assert PASSWORD not in gateway.tail()
    assert {path.name for path in tmp_path.iterdir()} == {"log"}


def test_a_container_with_its_certificate_in_variables_goes_on(server: S3Server, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    issued = authority.issue("localhost")
    bucket, port = fill(server, ""), free_port()
    tls = {"tls-cert": issued.certificate.read_text(), "tls-key": issued.key.read_text()}
    # A password that would read as a reference is one all the same.
    keys = {"port": str(port), "user": USER, "password": "file:cabinet", **tls, **store(server, bucket, "")}
    with serving(port, cwd=tmp_path, server=server, **variables(keys)):
        trusting = ssl.create_default_context(cafile=str(authority.certificate))
        assert fetched(port, USER, "file:cabinet", tls=trusting) == MAIL


def test_a_certificate_within_the_file_is_served(server: S3Server, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    issued = authority.issue("localhost")
    bucket, port = fill(server, ""), free_port()
    tls = {"tls-cert": issued.certificate.read_text(), "tls-key": issued.key.read_text()}
    config_file(tmp_path, {"port": port, "user": USER, "password": PASSWORD, **tls, **store(server, bucket, "")})
    file = imported("aws-ses-pop3-server", cwd=tmp_path)
    with serving(port, "--config", str(file), cwd=tmp_path, server=server):
        trusting = ssl.create_default_context(cafile=str(authority.certificate))
        assert fetched(port, USER, PASSWORD, tls=trusting) == MAIL


def test_without_keys_the_mailbox_is_empty(tmp_path: Path) -> None:
    port = free_port()
    with serving(port, cwd=tmp_path, POP3_PORT=str(port), POP3_USER="tom", POP3_PASSWORD="pw"):
        assert fetched(port, "tom", "pw") == {}
    assert {path.name for path in tmp_path.iterdir()} == {"log"}

"""AWS's own client for sealed objects opens what we seal, and we what it seals, with moto's KMS and a real S3 server."""

from __future__ import annotations

import functools
import io
import itertools
import json
import os
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest

from sesmail.aws.kms import Kms
from sesmail.aws.sessions import Clients
from sesmail.interfaces import Keys, StorePlace
from sesmail.storage.datakeys import DataKeys
from sesmail.storage.s3 import S3Store
from sesmail.storage.sealed import SealingKey, seal
from sesmail.storage.sealedform import CannotOpen
from sesmail.storage.unsealing import Unsealing
from tests.servers import moto, seaweed

_ROOT = Path(__file__).parents[2]
_PYTHON = _ROOT / ".venv-oracle/bin/python"
_SCRIPT = _ROOT / "tests/oracle/s3encryption.py"
SIZES = (0, 1, 70_001)

_numbers = itertools.count()


class Oracle:
    """AWS's client, a bucket, and a key of KMS."""

    def __init__(self) -> None:
        if not _PYTHON.exists():
            raise FileNotFoundError(f"{_PYTHON}: `make test` installs it")
        self.server = seaweed.running()
        self.bucket = self.server.make_bucket("oracle")
        self.store = S3Store(self.server.client(), self.bucket)
        client = boto3.client("kms", endpoint_url=moto.running(), region_name=self.server.region)
        self.kms_key = str(client.create_key()["KeyMetadata"]["Arn"])
        self.place = StorePlace(
            f"s3://{self.bucket}",
            region=self.server.region,
            endpoint=self.server.endpoint,
            keys=Keys(self.server.access_key, self.server.secret_key),
        )
        self.kms = Kms(Clients(), endpoint=moto.running())

    def run(self, verb: str, key: str, mail: bytes = b"", *, committing: bool = False, **context: str) -> bytes:
        """What the client writes out."""
        given: dict[str, Any] = {
            "s3": self.server.endpoint,
            "kms": moto.running(),
            "region": self.server.region,
            "access_key": self.server.access_key,
            "secret_key": self.server.secret_key,
            "bucket": self.bucket,
            "key": key,
            "kms_key_id": self.kms_key,
            "context": context,
            "committing": committing,
        }
        command = [str(_PYTHON), str(_SCRIPT), verb, json.dumps(given)]
        done = subprocess.run(command, input=mail, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def ours(self, key: str) -> bytes:
        """What we make of the object."""
        unsealing = Unsealing(self.place, DataKeys(self.kms.decrypt, seconds=60))
        with closing(self.store.open(key)) as source:
            return unsealing.opened(self.store.head(key).metadata, source).read()

    def seal(self, key: str, mail: bytes, wrap: str, **context: str) -> None:
        """We write it."""
        generate = functools.partial(self.kms.generate, self.place)
        sealed, metadata = seal(io.BytesIO(mail), SealingKey(self.kms_key, generate, wrap, context))
        with sealed:
            self.store.put(key, sealed, metadata=metadata)


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle()


@pytest.mark.parametrize("octets", SIZES)
def test_what_awss_client_seals_we_open(oracle: Oracle, octets: int) -> None:
    mail, key = os.urandom(octets), f"m/{next(_numbers)}"
    oracle.run("put", key, mail, to="tom@example.com")
    assert oracle.ours(key) == mail


@pytest.mark.parametrize("octets", SIZES)
def test_what_we_seal_awss_client_opens(oracle: Oracle, octets: int) -> None:
    mail, key = os.urandom(octets), f"m/{next(_numbers)}"
    oracle.seal(key, mail, "kms+context", to="tom@example.com")
    assert oracle.run("get", key, to="tom@example.com") == mail
    assert oracle.ours(key) == mail


@pytest.mark.parametrize("octets", SIZES)
def test_what_we_seal_as_older_programs_do_awss_client_opens(oracle: Oracle, octets: int) -> None:
    mail, key = os.urandom(octets), f"m/{next(_numbers)}"
    oracle.seal(key, mail, "kms")
    assert oracle.run("get", key) == mail
    assert oracle.ours(key) == mail


def test_the_newer_envelope_of_awss_client_is_refused_by_its_name(oracle: Oracle) -> None:
    key = f"m/{next(_numbers)}"
    oracle.run("put", key, b"mail", committing=True)
    with pytest.raises(CannotOpen) as refused:
        oracle.ours(key)
    assert "version 3" in str(refused.value)

"""A real S3 server: SeaweedFS, one a process, started when first asked for."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import quote, urlsplit

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError

from tests.servers.ports import BEGINS, free_ports, wait_until
from tests.servers.process import Guarded

_WEED = Path(__file__).parents[2] / ".venv-tools/bin/weed"
_DAEMONS = ("master", "volume", "filer", "s3")
_WRITERS = 4
# One for all clients: each new one reads botocore's descriptions again.
_session = boto3.session.Session()
_making = Lock()


@dataclass(frozen=True)
class S3Server:
    """Where it answers, and one set of credentials that may do everything there."""

    endpoint: str
    access_key: str = "AKIASESMAILTESTS0001"
    secret_key: str = field(default="a-secret-of-the-tests-and-nothing-else", repr=False)
    region: str = "us-east-1"

    def client(self, **config: Any) -> Any:
        """A plain boto3 S3 client for arranging and checking; `config` goes into botocore's Config."""
        settings: dict[str, Any] = {
            "connect_timeout": 5,
            "read_timeout": 60,
            "retries": {"max_attempts": 4, "mode": "standard"},
        }
        # Making clients is not for several threads at a time.
        with _making:
            client = _session.client(
                "s3",
                endpoint_url=self.endpoint,
                region_name=self.region,
                aws_access_key_id=self.access_key,
                aws_secret_access_key=self.secret_key,
                config=Config(**{**settings, "s3": {"addressing_style": "path"}, **config}),
            )
        client.meta.events.register_last("before-call.s3.PutObject", _send_at_once)
        return client

    def make_bucket(self, name: str) -> str:
        """Create an empty bucket and return its name. Each takes a disk volume of its own: hundreds are fine, thousands are not."""
        self.client().create_bucket(Bucket=name)
        return name

    def put_all(self, bucket: str, pairs: Sequence[tuple[str, bytes]]) -> None:
        """Write these keys, at a quarter of what boto3 takes for it."""
        with ThreadPoolExecutor(_WRITERS) as pool:
            list(pool.map(lambda first: self._put(bucket, pairs[first::_WRITERS]), range(_WRITERS)))

    def _put(self, bucket: str, pairs: Sequence[tuple[str, bytes]]) -> None:
        signer = S3SigV4Auth(Credentials(self.access_key, self.secret_key), "s3", self.region)
        with closing(HTTPConnection(urlsplit(self.endpoint).netloc, timeout=60)) as connection:
            for key, data in pairs:
                path = f"/{bucket}/{quote(key)}"
                digest = {"x-amz-content-sha256": sha256(data).hexdigest()}
                request = AWSRequest("PUT", self.endpoint + path, digest, data)
                signer.add_auth(request)
                connection.request("PUT", path, data, dict(request.headers.items()))
                answer = connection.getresponse()
                said = answer.read()
                if answer.status != 200:
                    raise OSError(f"PUT {path}: {answer.status} {said!r}")


@functools.cache
def running() -> S3Server:
    """The one server of this process: the first call starts it (2-5 s), the process's end removes it with its data."""
    directory = Path(tempfile.mkdtemp(prefix="sesmail-seaweed-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    if not _WEED.exists():
        raise FileNotFoundError(f"{_WEED}: `make test` installs it")
    ports = free_ports(2 * len(_DAEMONS))
    server = S3Server(f"http://127.0.0.1:{ports[_DAEMONS.index('s3')]}")
    # Else a bucket takes seven volumes with its first key, and there is an end to them.
    environment = {**os.environ, "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}
    process = Guarded(_command(directory, server, ports), directory / "log", environment=environment)
    atexit.register(process.stop)
    # weed takes writes some time after it takes connections.
    wait_until(lambda: _takes_writes(server), seconds=BEGINS, what=process.tail)
    return server


def _send_at_once(params: dict[str, Any], **_: Any) -> None:
    # When a busy server says "100 Continue" late, old botocore takes that for the answer and hangs.
    params["headers"].pop("Expect", None)


def _command(directory: Path, server: S3Server, ports: list[int]) -> list[str]:
    identities = directory / "s3.json"
    identities.write_text(json.dumps({"identities": [_identity(server)]}))
    (directory / "data").mkdir()
    # Without both -ip and -ip.bind it listens on the network; each bucket takes a volume, hence volume.max.
    flags = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={directory / 'data'}", f"-s3.config={identities}", "-s3", "-filer"]
    flags += ["-volume.max=3000", "-master.volumeSizeLimitMB=1024", "-master.telemetry=false"]
    flags += ["-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    for number, daemon in enumerate(_DAEMONS):
        flags += [f"-{daemon}.port={ports[number]}", f"-{daemon}.port.grpc={ports[number + len(_DAEMONS)]}"]
    return [str(_WEED), "-logtostderr=true", "server", *flags]


def _identity(server: S3Server) -> dict[str, object]:
    keys = {"accessKey": server.access_key, "secretKey": server.secret_key}
    return {"name": "tests", "credentials": [keys], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}


def _takes_writes(server: S3Server) -> bool:
    client = server.client(retries={"max_attempts": 1}, connect_timeout=1, read_timeout=10)
    with suppress(BotoCoreError, ClientError):
        client.create_bucket(Bucket="is-it-up")
        client.put_object(Bucket="is-it-up", Key="probe", Body=b"probe")
        client.delete_object(Bucket="is-it-up", Key="probe")
        client.delete_bucket(Bucket="is-it-up")
        return True
    return False

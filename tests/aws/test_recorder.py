"""What AWS is asked for while the tests run is noted in every process, and found where no policy has it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.aws.rights import missing, noted
from tests.recorder.sitecustomize import FOLDER
from tests.servers import moto

_ROOT = Path(__file__).parents[2]
_ASKED = """
import boto3
from datetime import UTC, datetime
from sesmail.aws.sessions import Clients
from sesmail.aws.sigv4 import Scope, Signer
from sesmail.interfaces import Keys, StorePlace

client = Clients().s3(StorePlace("s3://some-mail", endpoint={endpoint!r}, region="eu-west-1"))

def ask(name, **arguments):
    try:
        getattr(client, name)(Bucket="some-mail", **arguments)
    except client.exceptions.ClientError:
        pass

def read(method, query, amz=(), service="s3"):
    Signer(Scope("eu-west-1", service)).sign(method, "host", "/", query, Keys("key", "secret"), datetime.now(UTC), amz)

ask("get_object_acl", Key="one")
# From now on as a module of ours.
__name__ = "sesmail.pretended"
ask("head_object", Key="one")
ask("delete_bucket")
read("GET", "list-type=2&prefix=a")
read("GET", "")
read("POST", "", [("x-amz-target", "TrentService.Decrypt")], "kms")
"""


def test_what_the_code_asks_for_is_noted_and_what_a_test_asks_for_is_not(tmp_path: Path) -> None:
    program = _ASKED.format(endpoint=moto.running())
    subprocess.run([sys.executable, "-c", program], env={**os.environ, FOLDER: str(tmp_path)}, check=True, timeout=60)
    found = noted(tmp_path)
    assert set(found.values()) == {"sesmail.pretended"}
    assert set(found) == {"s3:HeadObject", "s3:DeleteBucket", "s3:ListObjectsV2", "s3:GetObject", "kms:Decrypt"}
    assert missing(found) == {"s3:DeleteBucket": "sesmail.pretended"}


def test_a_run_of_tests_in_which_the_code_asks_for_more_fails(tmp_path: Path) -> None:
    test = tmp_path / "test_asking.py"
    test.write_text(f"def test_asking() -> None:\n    exec({_ASKED.format(endpoint=moto.running())!r}, {{}})\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "setup.cfg", "--rootdir", "."]
    environment = {name: value for name, value in os.environ.items() if name != FOLDER}
    done = subprocess.run(
        [*command, "-p", "tests.conftest", str(test)], env=environment, cwd=_ROOT, capture_output=True, timeout=100, check=False
    )
    assert (done.returncode, b"1 passed" in done.stdout) == (1, True), done.stdout + done.stderr
    assert b"s3:DeleteBucket, called by sesmail.pretended, is in no policy" in done.stderr

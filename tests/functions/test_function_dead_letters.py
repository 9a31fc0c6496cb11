"""What the function could not do waits in a dead-letter queue until `sesmail sort --dlq` does it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.aws.sesevents import lambda_event, s3_event, sns_event
from tests.aws.sesevents import notice as said
from tests.functions.incoming import MESSAGE, Bucket
from tests.functions.lambdas import Raised
from tests.functions.test_sorter_function import TOM, stamped
from tests.servers import faultproxy, moto, seaweed
from tests.servers.faultproxy import Rule
from tests.servers.sqs import KEYS, REGION, make_queue


def sort_dead_letters(bucket: Bucket, queue: str, folder: Path) -> str:
    """What the command says."""
    server = seaweed.running()
    keys = {"access_key_id": server.access_key, "secret_access_key": server.secret_key}
    theirs = {"access_key_id": KEYS.access_key_id, "secret_access_key": KEYS.secret_access_key}
    config: dict[str, Any] = {
        "storage": {"url": f"s3://{bucket.name}", "endpoint": server.endpoint, "region": server.region, **keys},
        "mailboxes": {"domains": ["example.com"]},
        "routing": {"open_domains": ["example.com"]},
        "queue": {"dead_letter_url": queue, "endpoint": moto.running(), "region": REGION, **theirs},
        "pop3": {"listeners": []},
        "service": {"state_dir": str(folder)},
    }
    file = folder / "sesmail.yaml"
    file.write_text(yaml.safe_dump(config))
    file.chmod(0o600)
    command = [sys.executable, "-m", "sesmail.cli.main", "sort", "--dlq", "--config", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_events_of_every_shape_are_done_from_the_queue(tmp_path: Path) -> None:
    bucket, queue = Bucket(), make_queue()
    ids = [bucket.arrive() for _ in range(3)]
    bucket.put(f"new/{ids[2]}", stamped(ids[2]))
    events = [
        bucket.about(shape, id)
        for shape, id in zip(
            (lambda_event("tom@example.com"), sns_event(said("tom@example.com")), s3_event()), ids, strict=True
        )
    ]
    with (
        faultproxy.before(seaweed.running().endpoint) as failing,
        bucket.function(STORAGE__ENDPOINT=failing.endpoint, STORAGE__ATTEMPTS="1") as sort,
    ):
        failing.fail(Rule(f"^PUT .*/{TOM}", "503"))
        for event in events:
            with pytest.raises(Raised, match="temporary failure"):
                sort(event)
            # What Lambda puts there is the event, as the function was given it.
            queue.send(json.dumps(event))
    assert set(bucket.listed()) == {f"new/{id}" for id in ids}
    assert "3 done, 0 left" in sort_dead_letters(bucket, queue.url, tmp_path)
    assert set(bucket.listed()) == {*(TOM + id for id in ids), f"swept/{ids[2]}"}
    assert bucket.get(TOM + ids[0]) == MESSAGE

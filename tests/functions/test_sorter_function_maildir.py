"""The function delivers into Maildirs on a file system that is mounted, as tacomail's s3handler did."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.aws.sesevents import lambda_event, sns_event
from tests.aws.sesevents import notice as said
from tests.functions.incoming import MESSAGE, Bucket, together
from tests.functions.lambdas import Raised
from tests.servers import proxy, seaweed

MEMORY = 128 << 20
"""What Lambda gives a function at least."""


def made(folder: Path) -> Path:
    for part in ("tmp", "new", "cur"):
        (folder / part).mkdir(parents=True)
    return folder


def routes(**people: Path) -> str:
    return ", ".join(f"{{address: {name}@example.com, to: ['maildir:{folder}']}}" for name, folder in people.items()).join("[]")


def delivered(folder: Path) -> list[bytes]:
    return [file.read_bytes() for part in ("new", "cur") for file in (folder / part).iterdir()]


def test_a_message_is_in_the_maildir_as_it_came_and_then_the_original_goes(tmp_path: Path) -> None:
    bucket, box = Bucket(), made(tmp_path / "tom")
    with bucket.function(ROUTING__ROUTES=routes(tom=box)) as sort:
        event = bucket.about(lambda_event("tom+tag@example.com"), bucket.arrive())
        sort(event)
        sort(event)
    assert delivered(box) == [MESSAGE]
    assert bucket.listed() == []
    assert list((box / "tmp").iterdir()) == []


def test_a_file_system_that_is_not_mounted_keeps_the_mail_where_it_is(tmp_path: Path) -> None:
    bucket, tom, ann = Bucket(), made(tmp_path / "tom"), tmp_path / "mnt/Maildir/ann"
    with bucket.function(ROUTING__ROUTES=routes(tom=tom, ann=ann)) as sort:
        id = bucket.arrive()
        event = bucket.about(sns_event(said("tom@example.com", "ann@example.com")), id)
        with pytest.raises(Raised, match="Unavailable"):
            sort(event)
        assert (delivered(tom), bucket.listed()) == ([MESSAGE], [f"new/{id}"])
        # Its reader has fetched and deleted it before the repeat.
        shutil.rmtree(tom)
        made(tom)
        made(ann)
        sort(event)
    assert (delivered(tom), delivered(ann), bucket.listed()) == ([], [MESSAGE], [])


def test_two_that_are_called_with_the_same_event_at_once_give_nobody_a_message_twice(tmp_path: Path) -> None:
    bucket, box = Bucket(), made(tmp_path / "tom")
    with proxy.delayed(seaweed.running().endpoint, 0.02) as far:
        options = {"ROUTING__ROUTES": routes(tom=box), "STORAGE__ENDPOINT": far}
        with bucket.function(**options) as one, bucket.function(**options) as other:
            bodies = [f"Subject: {number}\r\n\r\n".encode() for number in range(20)]
            ids = [bucket.arrive(body) for body in bodies]
            events = [bucket.about(lambda_event("tom@example.com", "ann@example.com"), id) for id in ids]
            one.begin(together(*events))
            other.begin(together(*events))
            assert one.end() == other.end() == {"disposition": "CONTINUE"}
    assert sorted(delivered(box)) == sorted(bodies)
    assert bucket.listed() == sorted(f"mailboxes/example.com/ann/{id}" for id in ids)


def test_the_largest_mail_of_ses_fits_into_the_smallest_function(tmp_path: Path) -> None:
    bucket, box = Bucket(), made(tmp_path / "tom")
    largest = MESSAGE + (b"0123456789abcdef" * 4 + b"\r\n") * 600_000
    with bucket.function(ROUTING__ROUTES=routes(tom=box)) as sort:
        sort(bucket.about(lambda_event("tom@example.com", "ann@example.com"), bucket.arrive(largest)))
        assert delivered(box) == [largest]
        assert [len(bucket.get(key)) for key in bucket.listed()] == [len(largest)]
        assert sort.last["peak"] < MEMORY

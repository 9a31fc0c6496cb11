"""curl fetches everything, octet for octet: it leaves out nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients import arrived, programs, stores
from tests.clients.conftest import ALL
from tests.clients.doors import Doors
from tests.clients.stores import Bucket
from tests.corpus.messages import Message

CERTIFICATE_REFUSED = 60
WEIRD_SERVER_REPLY = 8


@pytest.mark.limit(240)
def test_curl_fetches_every_message_as_it_was_stored(doors: Doors, everything: list[Message], into: Path) -> None:
    done = programs.curl(doors.pop3s.of(ALL), into, len(everything))
    assert (done.returncode, done.stdout) == (0, "")
    assert arrived.by_number(into, everything) == set()
    assert len(list(into.iterdir())) == len(everything) > 2000


@pytest.mark.parametrize("door", ["pop3s", "stls"])
def test_curl_deletes_what_it_says_and_nothing_else(
    doors: Doors, bucket: Bucket, few: list[Message], into: Path, door: str
) -> None:
    user = f"curl-{door}"
    stores.fill(bucket, user, few)
    stores.fill(bucket, user + "s", few[:3])
    mails = stores.in_order(bucket, user, few)
    before = stores.keys(bucket, "")
    done = programs.curl(doors[door].of(user), into, len(mails), delete=f"[1-{len(mails)}:2]")
    assert (done.returncode, done.stdout) == (0, "")
    assert arrived.by_number(into, mails) == set()
    assert before ^ stores.keys(bucket, "") == {stores.prefix_of(user) + mail.key for mail in mails[::2]}


@pytest.mark.parametrize("door", ["pop3s", "stls"])
def test_curl_is_told_of_a_message_that_is_not_there(
    doors: Doors, everything: list[Message], tmp_path: Path, door: str
) -> None:
    scheme = {"pop3s": "pop3s", "stls": "pop3"}[door]
    at = doors[door].of(ALL)
    url = f"{scheme}://{at.host}:{at.port}/{len(everything) + 1}"
    done = programs.run(
        ["curl", "-sS", "--ssl-reqd", "--cacert", str(at.authority), "-u", f"{at.user}:{at.password}", url], tmp_path
    )
    assert done.returncode == WEIRD_SERVER_REPLY, done.stdout


@pytest.mark.parametrize("door", ["pop3s", "stls"])
def test_curl_refuses_a_certificate_for_another_name(wrong_name: Doors, into: Path, door: str) -> None:
    done = programs.curl(wrong_name[door].of(ALL), into, 1)
    assert done.returncode == CERTIFICATE_REFUSED, done.stdout
    assert list(into.iterdir()) == []

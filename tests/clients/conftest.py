"""One gateway over a real S3 server for all mail programs, with the whole corpus in one mailbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients import stores
from tests.clients.doors import Doors, opened
from tests.clients.stores import Bucket
from tests.corpus.messages import Message, corpus, small_corpus
from tests.servers import seaweed
from tests.servers.certificates import Authority

ALL, FEW = "all", "few"
_PROGRAMS = tuple(f"{program}-{door}" for program in ("curl", "fetchmail", "getmail", "poplib") for door in ("pop3s", "stls"))
# They upset getmail's place in the dialog, so they must be the last it asks for.
OVER_A_MEGABYTE_A_LINE = frozenset({"line-of-1048575", "line-of-10-mb"})


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def bucket() -> Bucket:
    """A bucket with the whole corpus in the mailbox of ``all``, and in it every name that tests log in with."""
    store = Bucket(seaweed.running())
    stores.let_in(store, [ALL, FEW, *_PROGRAMS])
    stores.fill(store, ALL, corpus(), last=OVER_A_MEGABYTE_A_LINE)
    return store


@pytest.fixture(scope="session")
def everything(bucket: Bucket) -> list[Message]:
    """The mail of ``all`` in the order of its numbers."""
    return stores.in_order(bucket, ALL, corpus())


@pytest.fixture(scope="session")
def doors(bucket: Bucket, authority: Authority) -> Iterator[Doors]:
    with opened(bucket, authority, authority.issue("localhost")) as pair:
        yield pair


@pytest.fixture(scope="session")
def wrong_name(bucket: Bucket, authority: Authority) -> Iterator[Doors]:
    """Doors whose certificate is the authority's, for another host name."""
    with opened(bucket, authority, authority.issue("pop.example.net")) as pair:
        yield pair


@pytest.fixture(scope="session")
def few() -> list[Message]:
    """All hard cases under 100 kB and some ordinary mail."""
    return [mail for mail in small_corpus() if len(mail.stored) < 100_000]


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """A folder that does not exist yet."""
    return tmp_path / "fetched"

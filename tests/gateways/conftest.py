"""One bucket for all tests of many gateways, and two gateways that most of them can share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from tests.clients.stores import Bucket, let_in
from tests.gateways.sessions import NAMES, Mailbox, gateways
from tests.servers import seaweed
from tests.servers.gateway import Gateway


@pytest.fixture(scope="module")
def bucket() -> Bucket:
    store = Bucket(seaweed.running())
    let_in(store, NAMES)
    return store


@pytest.fixture
def mailbox(bucket: Bucket) -> Mailbox:
    return Mailbox(bucket)


@pytest.fixture(scope="module")
def pair(bucket: Bucket) -> Iterator[Sequence[Gateway]]:
    """Two gateways with leases of 3 seconds, where nobody is idle before 30."""
    with gateways(seaweed.running(), bucket) as both:
        yield both


@pytest.fixture(scope="module")
def impatient(bucket: Bucket) -> Iterator[Sequence[Gateway]]:
    """Two gateways where a session is idle after a second."""
    with gateways(seaweed.running(), bucket, lock_idle=1) as both:
        yield both

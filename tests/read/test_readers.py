"""Both readers keep the contract of their stores, over the real thing."""

from __future__ import annotations

import itertools
import random
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from sesmail.aws.sessions import Address, Clients
from sesmail.errors import NoSuchMessage, Unavailable
from sesmail.interfaces import Keys, StorePlace
from sesmail.storage.directory import DirectoryStore
from sesmail.storage.read.bodies import IN_MEMORY, collect
from sesmail.storage.read.readers import Readers
from sesmail.storage.s3 import S3Store
from sesmail.storage.store import Loaded, Reader, Row, Unchanged
from tests.read.scripted import clock
from tests.servers import seaweed
from tests.storage.store_contract import ReadingContract, write_all

_numbers = itertools.count()
_SES = "0123456789abcdefghijklmnopqrstuv"


async def listed(reader: Reader, prefix: str, *, nested: bool = False) -> list[Row]:
    """All rows."""
    rows: list[Row] = []
    await reader.list(prefix, nested=nested, page=lambda page: rows.extend(Row(*row) for row in page))
    return rows


class _Reading(ReadingContract):
    reader: Reader

    async def read_rows(self, prefix: str, *, nested: bool) -> list[Row]:
        return await listed(self.reader, prefix, nested=nested)

    async def read_folders(self, prefix: str) -> list[str]:
        return list(await self.reader.folders(prefix))

    async def read_small(self, key: str, *, limit: int, known: str | None = None) -> Loaded | Unchanged:
        return await self.reader.load(key, limit=limit, known=known)

    async def test_messages_of_every_size_come_whole(self) -> None:
        for size in (1, 1000, 70_000, IN_MEMORY, IN_MEMORY + 1, 3_000_000):
            data = random.Random(size).randbytes(size)
            self.store.put("box/one", data)
            for head in (False, True):
                body = await self.reader.open("box/one", size=size, head=head)
                self.assertEqual(body.size, size)
                self.assertEqual(await collect(body), data)
                body.close()

    async def test_the_size_of_the_listing_is_only_a_hint(self) -> None:
        self.store.put("box/one", b"x" * 2_000_000)
        for hint in (1, 5_000_000):
            self.assertEqual(len(await collect(await self.reader.open("box/one", size=hint))), 2_000_000)

    async def test_a_vanished_message_is_no_such_message(self) -> None:
        for head in (False, True):
            await self.raises(NoSuchMessage, self.reader.open("box/gone", size=100_000, head=head))

    async def test_a_body_can_be_left_in_the_middle(self) -> None:
        self.store.put("box/one", b"x" * 5_000_000)
        for _ in range(3):
            body = await self.reader.open("box/one", size=5_000_000)
            await body.read()
            body.close()
            body.close()


class DirectoryReading(_Reading, TestCase):
    def setUp(self) -> None:
        self.root = root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, root)
        self.store = DirectoryStore(root)
        readers = Readers(clock, deferToThread, Clients())
        self.reader = readers.reader(StorePlace(f"file://{root}"))

    def given_many(self, keys: Sequence[str]) -> None:
        write_all(self.root, keys)


class S3Reading(_Reading, TestCase):
    timeout = 60

    def setUp(self) -> None:
        self.server = server = seaweed.running()
        self.bucket = server.make_bucket(f"reading-{next(_numbers)}")
        self.place = StorePlace(
            f"s3://{self.bucket}",
            region=server.region,
            endpoint=server.endpoint,
            keys=Keys(server.access_key, server.secret_key),
        )
        self.store = S3Store(server.client(), self.bucket)
        self.readers = Readers(clock, deferToThread, Clients())
        self.addCleanup(self.readers.close)
        self.reader = self.readers.reader(self.place)
        self.addCleanup(server.client().delete_bucket, Bucket=self.bucket)
        self.addCleanup(lambda: self.store.delete([row.key.decode() for row in self.store.list("")]))

    def given_many(self, keys: Sequence[str]) -> None:
        self.server.put_all(self.bucket, [(key, key.encode()) for key in keys])

    async def test_a_big_mailbox_is_listed_whole_and_without_doubles_whatever_its_keys(self) -> None:
        chance = random.Random(7)
        ses = ["".join(chance.choices(_SES, k=40)) for _ in range(1300)]
        mixed = [
            *ses[:800],
            *(f"2026{number:06}.eml" for number in range(300)),
            *"_~Zzü",
            *(f"+x/{n}" for n in range(5)),
            "a/1",
            "a.b",
            "a-b",
            "a0",
        ]
        for name, keys in (("ses", ses), ("mixed", mixed)):
            self.given_many([f"{name}/{key}" for key in keys])
            rows = await listed(self.reader, f"{name}/")
            expected = sorted(f"{name}/{key}".encode() for key in keys if "/" not in key)
            self.assertEqual(sorted(row.key for row in rows), expected)
            self.assertEqual(len(await listed(self.reader, f"{name}/", nested=True)), len(keys))

    async def test_a_bucket_that_is_not_there_is_trouble_and_not_an_empty_mailbox(self) -> None:
        absent = self.readers.reader(StorePlace("s3://absent-bucket", "us-east-1", self.place.endpoint, keys=self.place.keys))
        await self.raises(Unavailable, listed(absent, "box/"))
        await self.raises(Unavailable, absent.open("box/one", size=1))
        await self.raises(Unavailable, absent.load("passwd.txt", limit=10))

    async def test_wrong_keys_are_trouble_and_not_an_empty_mailbox(self) -> None:
        wrong = StorePlace(self.place.url, "us-east-1", self.place.endpoint, keys=Keys("AKIAWRONG", "wrong"))
        with pytest.raises(Unavailable) as caught:
            await listed(self.readers.reader(wrong), "box/")
        self.assertNotIn("wrong", caught.value.public)

    async def test_few_are_kept_and_whoever_uses_another_goes_on_with_it(self) -> None:
        self.given(["box/one"])
        readers = Readers(clock, deferToThread, Clients(), kept=2)
        self.addCleanup(readers.close)
        mine = readers.reader(self.place)
        self.assertEqual(len(await listed(mine, "box/")), 1)
        for number in range(20):
            readers.reader(replace(self.place, keys=Keys(f"AKIA{number}", "x")))
        self.assertIsNot(readers.reader(self.place), mine)
        self.assertEqual(len(await listed(mine, "box/")), 1)
        self.assertLessEqual(len(readers._readers), 2)

    async def test_pools_without_connections_are_not_kept(self) -> None:
        readers = Readers(clock, deferToThread, Clients(), kept=2)
        self.addCleanup(readers.close)
        self.given(["box/one"])
        await listed(readers.reader(self.place), "box/")
        for number in range(20):
            readers._pools.to(Address(True, f"bucket-{number}.example", 443, "", "us-east-1", None))
        self.assertLessEqual(len(readers._pools._pools), 3)
        used = [pool for pool in readers._pools._pools.values() if not pool.unused]
        self.assertEqual(len(used), 1)

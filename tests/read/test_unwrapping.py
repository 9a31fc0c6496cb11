"""Data keys from KMS on the read path: what is asked for is what the blocking way asks for, and trouble is the same trouble."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import boto3
import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from sesmail.aws.kms import Kms
from sesmail.aws.sessions import Clients
from sesmail.errors import Unavailable
from sesmail.interfaces import Keys, StorePlace
from sesmail.storage.read.pools import Pools
from sesmail.storage.read.unwrapping import Unwrapping
from tests.read.scripted import clock
from tests.servers import moto
from tests.servers.kms import GOOD, KEY, answering, refusal
from tests.servers.ports import free_port

PLACE = StorePlace("s3://mail", region="eu-west-1", keys=Keys("AKIA", "a-secret", "a-token"))
CONTEXT = {"aws:ses:rule-name": "in", "kms_cmk_id": "ä"}


def _third(trouble: Any, number: int) -> Any:
    return GOOD if number == 3 else trouble


def _always(answer: Any, number: int) -> Any:
    return answer


class CountedClients(Clients):
    """Counts how often it is asked for credentials."""

    asked = 0

    def keys(self, place: StorePlace) -> Keys:
        self.asked += 1
        return super().keys(place)


class Unwrapped(TestCase):
    timeout = 60

    def _answering(self, script: Callable[[int], Any]) -> tuple[str, list[Any]]:
        server = answering(script)
        found = server.__enter__()
        self.addCleanup(server.__exit__, None, None, None)
        return found

    def _unwrapping(self, endpoint: str, *, read_timeout: float = 30, attempts: int = 4, **options: Any) -> Unwrapping:
        self.clients = CountedClients()
        kms = Kms(self.clients, endpoint=endpoint, attempts=attempts, chance=lambda: 0.01, **options)
        pools = Pools(clock, connections=4, connect_timeout=5, read_timeout=read_timeout)
        unwrapping = Unwrapping(clock, deferToThread, kms, pools)
        self.addCleanup(unwrapping.close)
        return unwrapping

    async def _refused(self, unwrapping: Unwrapping) -> Unavailable:
        with pytest.raises(Unavailable) as refused:
            await unwrapping.key(PLACE, b"wrapped", {})
        return refused.value

    async def test_a_data_key_is_unwrapped_with_its_context_alone(self) -> None:
        endpoint = moto.running()
        client = boto3.client("kms", endpoint_url=endpoint, region_name="eu-west-1")
        made = Kms(Clients(), endpoint=endpoint).generate(PLACE, client.create_key()["KeyMetadata"]["KeyId"], CONTEXT)
        unwrapping = self._unwrapping(endpoint)
        self.assertEqual(await unwrapping.key(PLACE, made.wrapped, CONTEXT), made.plain)
        with pytest.raises(Unavailable) as refused:
            await unwrapping.key(PLACE, made.wrapped, {**CONTEXT, "aws:ses:rule-name": "out"})
        self.assertIn("KMS refuses Decrypt: InvalidCiphertextException", str(refused.value))

    async def test_the_request_is_that_of_the_blocking_way(self) -> None:
        endpoint, asked = self._answering(lambda _: GOOD)
        self.assertEqual(await self._unwrapping(endpoint).key(PLACE, b"wrapped", CONTEXT), KEY)
        await deferToThread(Kms(Clients(), endpoint=endpoint).decrypt, PLACE, b"wrapped", CONTEXT)
        (path, ours, body), (other_path, blocking, other_body) = asked
        self.assertEqual((path, json.loads(body)), (other_path, json.loads(other_body)))
        ours, blocking = ({name.lower(): value for name, value in one.items()} for one in (ours, blocking))
        self.assertEqual(ours.keys(), blocking.keys())
        for name in ("host", "content-type", "content-length", "x-amz-target", "x-amz-content-sha256", "x-amz-security-token"):
            self.assertEqual(ours[name], blocking[name])
        if ours["x-amz-date"] == blocking["x-amz-date"]:
            self.assertEqual(ours["authorization"], blocking["authorization"])

    async def test_what_passes_is_asked_again_and_what_stays_is_trouble(self) -> None:
        for trouble in (
            refusal("ThrottlingException"),
            refusal("KMSInternalException", 500),
            (500, b"<html>"),
            (200, b"[]"),
            (200, b"[" * 60_000),
            None,
        ):
            endpoint, asked = self._answering(partial(_third, trouble))
            self.assertEqual(await self._unwrapping(endpoint).key(PLACE, b"wrapped", {}), KEY)
            self.assertEqual(len(asked), 3)
            endpoint, asked = self._answering(partial(_always, trouble))
            await self._refused(self._unwrapping(endpoint))
            self.assertEqual(len(asked), 4)

    async def test_a_refusal_is_asked_once_and_told_without_secrets_and_credentials_are_got_anew(self) -> None:
        endpoint, asked = self._answering(lambda _: refusal("ExpiredTokenException"))
        unwrapping = self._unwrapping(endpoint)
        refused = await self._refused(unwrapping)
        self.assertEqual((len(asked), self.clients.asked), (1, 1))
        self.assertIn("KMS refuses Decrypt: ExpiredTokenException: not you", str(refused))
        self.assertEqual(refused.public, Unavailable.default)
        self.assertFalse(any(secret in str(refused) for secret in ("a-secret", "a-token", "wrapped")))
        await self._refused(unwrapping)
        self.assertEqual((len(asked), self.clients.asked), (2, 2))

    async def test_an_answer_without_a_key_or_without_end_is_trouble(self) -> None:
        for document in ({}, {"Plaintext": "AAAA"}, {"Plaintext": 7}, {"Plaintext": "no base64!"}, b"{" * 100_000):
            endpoint, _ = self._answering(partial(_always, (200, document)))
            await self._refused(self._unwrapping(endpoint, attempts=1))

    async def test_silence_and_nobody_there_are_trouble(self) -> None:
        over = threading.Event()
        self.addCleanup(over.set)
        endpoint, _ = self._answering(lambda _: over.wait(30) and None)
        await self._refused(self._unwrapping(endpoint, attempts=1, read_timeout=0.1))
        await self._refused(self._unwrapping(f"http://127.0.0.1:{free_port()}"))

    async def test_a_connection_is_kept_and_one_that_died_meanwhile_costs_no_attempt(self) -> None:
        endpoint, asked = self._answering(lambda number: None if number == 2 else GOOD)
        unwrapping = self._unwrapping(endpoint, attempts=1)
        for _ in range(2):
            self.assertEqual(await unwrapping.key(PLACE, b"wrapped", {}), KEY)
        self.assertEqual((len(asked), self.clients.asked), (3, 1))

    async def test_who_leaves_gives_his_connection_up(self) -> None:
        over, came = threading.Event(), threading.Event()
        self.addCleanup(over.set)

        def silent(_: int) -> Any:
            came.set()
            return over.wait(30) and None

        endpoint, _ = self._answering(silent)
        unwrapping = self._unwrapping(endpoint)
        asking = Deferred.fromCoroutine(unwrapping.key(PLACE, b"wrapped", {}))
        await deferToThread(came.wait, 30)
        asking.cancel()
        with pytest.raises(CancelledError):
            await asking
        (way,) = unwrapping._ways.values()
        transport: Any = way.route.transport
        self.assertFalse(transport._idle)

    async def test_no_region_of_a_login_becomes_another_host(self) -> None:
        place = StorePlace("s3://mail", region="evil", endpoint="http://127.0.0.1:9", keys=Keys("AKIA", "a-secret"))
        pools = Pools(clock, connections=4, connect_timeout=5, read_timeout=5)
        with pytest.raises(Unavailable) as refused:
            await Unwrapping(clock, deferToThread, Kms(Clients()), pools).key(place, b"wrapped", {})
        self.assertIn("not a region", str(refused.value))

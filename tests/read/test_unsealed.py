"""Where sealed messages are opened, and how often KMS is asked."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, cast

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from sesmail.errors import Unavailable
from sesmail.interfaces import StorePlace
from sesmail.storage.datakeys import DataKeys
from sesmail.storage.read.unsealed import AT_ONCE, Unsealed
from sesmail.storage.read.unwrapping import Unwrapping
from sesmail.storage.sealedform import CannotOpen, Cipher, Envelope

PLACE = StorePlace("s3://mail")
KEY = bytes(range(32))
IV = bytes(12)
FOUND = Envelope(Cipher.GCM, IV, b"wrapped", {"a": "b"})


def _never(place: StorePlace, wrapped: bytes, context: Mapping[str, str]) -> bytes:
    raise AssertionError


class Desk:
    """KMS and the workers, counted."""

    def __init__(self, *, seconds: float = 60, cbc: bool = False) -> None:
        self.asked = 0
        self.workers = 0
        self.trouble: Exception | None = None
        self.unsealed = Unsealed(cast(Unwrapping, self), DataKeys(_never, seconds=seconds), self.run, cbc=cbc)

    async def key(self, place: StorePlace, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        self.asked += 1
        if self.trouble:
            raise self.trouble
        return KEY

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        self.workers += 1
        return function(*arguments)


class Opened(SynchronousTestCase):
    def _opening(self, desk: Desk, found: Envelope, sealed: bytes) -> Deferred[list[bytes]]:
        pieces = [sealed[start : start + 50_000] for start in range(0, len(sealed), 50_000)]
        return Deferred.fromCoroutine(desk.unsealed.pieces(PLACE, found, pieces))

    def test_what_is_large_is_opened_by_a_worker_and_nothing_else_is(self) -> None:
        for octets, workers in ((0, 0), (AT_ONCE - 16, 0), (AT_ONCE - 15, 1), (3_000_000, 1)):
            desk, mail = Desk(), os.urandom(octets)
            sealed = AESGCM(KEY).encrypt(IV, mail, None)
            opened = self.successResultOf(self._opening(desk, FOUND, sealed))
            self.assertEqual(b"".join(opened), mail)
            self.assertEqual(desk.workers, workers)

    def test_kms_is_asked_once_for_each_message_and_again_where_no_key_is_kept(self) -> None:
        sealed = AESGCM(KEY).encrypt(IV, b"mail", None)
        for seconds, asked in ((60, 1), (0, 2)):
            desk = Desk(seconds=seconds)
            for _ in range(2):
                self.assertEqual(self.successResultOf(self._opening(desk, FOUND, sealed)), [b"mail"])
            self.assertEqual(desk.asked, asked)

    def test_trouble_of_kms_is_not_remembered(self) -> None:
        desk = Desk()
        desk.trouble = Unavailable()
        sealed = AESGCM(KEY).encrypt(IV, b"mail", None)
        self.failureResultOf(self._opening(desk, FOUND, sealed), Unavailable)
        desk.trouble = None
        self.assertEqual(self.successResultOf(self._opening(desk, FOUND, sealed)), [b"mail"])

    def test_no_octet_of_what_was_changed_is_given_whatever_its_size(self) -> None:
        for octets in (100, AT_ONCE, 3_000_000):
            changed = bytearray(AESGCM(KEY).encrypt(IV, bytes(octets), None))
            changed[octets // 2] ^= 1
            self.failureResultOf(self._opening(Desk(), FOUND, bytes(changed)), CannotOpen)

    def test_cbc_is_refused_without_a_question_unless_it_is_allowed(self) -> None:
        found = Envelope(Cipher.CBC, bytes(16), b"wrapped", {})
        desk = Desk()
        self.failureResultOf(self._opening(desk, found, bytes(32)), CannotOpen)
        self.assertEqual(desk.asked, 0)
        desk = Desk(cbc=True)
        self.failureResultOf(self._opening(desk, found, bytes(32)), CannotOpen)
        self.assertEqual(desk.asked, 1)

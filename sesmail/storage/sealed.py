"""Opens what the S3 encryption client (and so SES) has sealed, and seals as it does: AES-256 with a key of its own for each message."""

from __future__ import annotations

import io
import json
import os
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher as Keyed
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, GCM
from cryptography.hazmat.primitives.padding import PKCS7

from sesmail.aws.kms import DataKey
from sesmail.storage import sealedform as form
from sesmail.storage.sealedform import TAG, CannotOpen, Cipher, Envelope

WRAPS = ("kms+context", "kms")
"""How a data key can be wrapped: the first is AWS's present way, the second that of version 1, which older readers need."""

_PIECE = 65_536
_IN_MEMORY = 262_144
_DAMAGED = "this message is damaged"
_UNTRUE = "it is not what was sealed with this key"


class Opening:
    """Takes what was sealed, piece by piece, and gives what it was. Nothing of that may be believed before `finish` has returned."""

    def __init__(self, envelope: Envelope, key: bytes) -> None:
        self._cipher = envelope.cipher
        if envelope.cipher is Cipher.GCM:
            self._decryptor: Any = Keyed(AES(key), GCM(envelope.iv)).decryptor()
        else:
            self._decryptor = Keyed(AES(key), CBC(envelope.iv)).decryptor()
            self._padding = PKCS7(AES.block_size).unpadder()
        self._last = b""

    def feed(self, data: bytes) -> bytes:
        """The next octets."""
        if self._cipher is Cipher.CBC:
            return self._padding.update(self._decryptor.update(data))
        data = self._last + data
        cut = max(0, len(data) - TAG)
        self._last = data[cut:]
        opened: bytes = self._decryptor.update(data[:cut])
        return opened

    def finish(self) -> bytes:
        """What is left. Raises CannotOpen when it is not, to the last octet, what was sealed with this key (with CBC: when it cannot be)."""
        try:
            if self._cipher is Cipher.CBC:
                return self._padding.update(self._decryptor.finalize()) + self._padding.finalize()
            return bytes(self._decryptor.finalize_with_tag(self._last))
        except (InvalidTag, ValueError):
            raise CannotOpen(_DAMAGED, cause=_UNTRUE) from None


def whole(envelope: Envelope, key: bytes, data: bytes) -> bytes:
    """What `data` was before it was sealed. Raises CannotOpen, as Opening.finish does."""
    if envelope.cipher is Cipher.CBC:
        opening = Opening(envelope, key)
        return opening.feed(data) + opening.finish()
    try:
        # A quarter of what it takes piece by piece.
        return AESGCM(key).decrypt(envelope.iv, data, None)
    except InvalidTag:
        raise CannotOpen(_DAMAGED, cause=_UNTRUE) from None


class _Opened(io.RawIOBase):
    """A file as it was before it was sealed. Its end comes only if all of it was true."""

    def __init__(self, source: BinaryIO, opening: Opening) -> None:
        self._source = source
        self._opening: Opening | None = opening
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and self._opening is not None:
            if data := self._source.read(_PIECE):
                self._ready = self._opening.feed(data)
            else:
                self._ready, self._opening = self._opening.finish(), None
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count


def opened(source: BinaryIO, opening: Opening) -> BinaryIO:
    """What was sealed, as a file, to be read to its end before any of it is used: then a read raises CannotOpen if it is not true.
    Does not close `source`."""
    return cast(BinaryIO, _Opened(source, opening))


@dataclass(frozen=True)
class SealingKey:
    """With which KMS key to seal. `generate` makes a data key for it and an encryption context; it blocks and raises Unavailable (see
    `aws.kms.Kms.generate`). `wrap` is one of WRAPS, `context` what else KMS shall bind the key to."""

    kms_key_id: str
    generate: Callable[[str, Mapping[str, str]], DataKey]
    wrap: str = WRAPS[0]
    context: Mapping[str, str] = field(default_factory=dict)


def seal(data: BinaryIO, key: SealingKey) -> tuple[BinaryIO, Mapping[str, str]]:
    """All that follows in `data`, sealed under a data key of its own, as a file at its first octet which the caller closes; and the metadata
    without which nobody can open it. Not durable. Raises Unavailable, and OSError when there is no room."""
    own = {"kms_cmk_id": key.kms_key_id} if key.wrap == "kms" else {form.BOUND: Cipher.GCM.value}
    context = {**key.context, **own}
    made = key.generate(key.kms_key_id, context)
    iv = os.urandom(12)
    # Whoever gets it closes it.
    sealed = cast(BinaryIO, SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115
    length = _encrypt(data, sealed, made.plain, iv)
    sealed.seek(0)
    return sealed, {
        form.KEY: b64encode(made.wrapped).decode("ascii"),
        form.IV: b64encode(iv).decode("ascii"),
        form.CIPHER: Cipher.GCM.value,
        form.TAG_BITS: str(TAG * 8),
        form.WRAP: key.wrap,
        form.CONTEXT: json.dumps(context),
        form.PLAIN_LENGTH: str(length),
    }


def _encrypt(data: BinaryIO, into: BinaryIO, key: bytes, iv: bytes) -> int:
    encryptor = Keyed(AES(key), GCM(iv)).encryptor()
    length = 0
    try:
        while piece := data.read(_PIECE):
            into.write(encryptor.update(piece))
            length += len(piece)
        into.write(encryptor.finalize() + encryptor.tag)
    except BaseException:
        into.close()
        raise
    return length

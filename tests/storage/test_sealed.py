"""Sealing and opening: what others sealed is opened, nothing else is taken for it, and metadata may say what it likes."""

from __future__ import annotations

import io
import json
import os
from base64 import b64encode
from collections.abc import Mapping

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from sesmail.aws.kms import DataKey
from sesmail.errors import Malformed, Unavailable
from sesmail.interfaces import Keys, StorePlace
from sesmail.storage.datakeys import DataKeys
from sesmail.storage.sealed import SealingKey, seal
from sesmail.storage.sealedform import ALL, CannotOpen, envelope, is_sealed
from sesmail.storage.unsealing import Unsealing, in_pieces

PLACE = StorePlace("s3://mail")
KEY = bytes(range(32))
MAIL = b"From: a\r\n\r\nhello\r\n"
# As SES writes it.
CONTEXT = {
    "aws:ses:message-id": "0123456789abcdefghijklmnopqrstuvwxyz0123",
    "aws:ses:rule-name": "in",
    "aws:ses:source-account": "123456789012",
    "kms_cmk_id": "arn:aws:kms:eu-west-1:123456789012:alias/aws/ses",
}


def _b64(octets: bytes) -> str:
    return b64encode(octets).decode()


def by_ses(mail: bytes, **changes: str | None) -> tuple[bytes, dict[str, str]]:
    """A message as SES seals it; `changes` to its metadata by names with ``_`` for ``-``."""
    iv = os.urandom(12)
    metadata: dict[str, str | None] = {
        "x-amz-key-v2": _b64(b"wrapped"),
        "x-amz-iv": _b64(iv),
        "x-amz-cek-alg": "AES/GCM/NoPadding",
        "x-amz-tag-len": "128",
        "x-amz-wrap-alg": "kms",
        "x-amz-matdesc": json.dumps(CONTEXT),
        "x-amz-unencrypted-content-length": str(len(mail)),
    }
    metadata |= {name.replace("_", "-"): value for name, value in changes.items()}
    return AESGCM(KEY).encrypt(iv, mail, None), {name: value for name, value in metadata.items() if value is not None}


class Asked:
    """A KMS with one key."""

    def __init__(self) -> None:
        self.asked: list[tuple[StorePlace, bytes, Mapping[str, str]]] = []

    def decrypt(self, place: StorePlace, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        self.asked.append((place, wrapped, context))
        return KEY


def unsealing(kms: Asked | None = None, *, cbc: bool = False) -> Unsealing:
    return Unsealing(PLACE, DataKeys((kms or Asked()).decrypt, seconds=60), cbc=cbc)


def read(metadata: Mapping[str, str], data: bytes, *, cbc: bool = False) -> bytes:
    return unsealing(cbc=cbc).opened(metadata, io.BytesIO(data)).read()


@pytest.mark.parametrize("octets", [0, 1, 15, 16, 17, 65_519, 65_520, 65_536, 65_537, 3_000_000])
def test_what_ses_sealed_is_opened_with_the_whole_matdesc_as_context(octets: int) -> None:
    mail = os.urandom(octets)
    data, metadata = by_ses(mail)
    assert is_sealed(metadata.keys())
    kms = Asked()
    assert unsealing(kms).opened(metadata, io.BytesIO(data)).read() == mail
    assert kms.asked == [(PLACE, b"wrapped", CONTEXT)]
    pieces = [data[start : start + 50_000] for start in range(0, len(data), 50_000)]
    assert b"".join(in_pieces(envelope(metadata), KEY, pieces)) == mail
    assert pieces == []


def test_a_small_message_comes_in_one_piece_and_a_large_one_in_many() -> None:
    for octets, count in (((1 << 20) - 16, 1), ((1 << 20) - 15, 2)):
        data, metadata = by_ses(bytes(octets))
        found = in_pieces(envelope(metadata), KEY, [data[:600_000], data[600_000:]])
        assert (len(found) > 1) == (count > 1)


@given(st.integers(0, len(MAIL) + 15), st.integers(1, 255), st.integers(0, len(MAIL) + 15))
def test_no_octet_of_what_was_changed_or_cut_is_given(place: int, change: int, left: int) -> None:
    data, metadata = by_ses(MAIL)
    changed = data[:place] + bytes([data[place] ^ change]) + data[place + 1 :]
    for wrong in (changed, data[:left], data + b"x"):
        with pytest.raises(CannotOpen):
            read(metadata, wrong)
        with pytest.raises(CannotOpen):
            in_pieces(envelope(metadata), KEY, [wrong])


@pytest.mark.parametrize(
    "changes",
    [
        {"x_amz_key_v2": None},
        {"x_amz_key_v2": None, "x_amz_key": "abcd"},
        {"x_amz_key_v2": ""},
        {"x_amz_key_v2": "no base64!"},
        {"x_amz_key_v2": _b64(bytes(6145))},
        {"x_amz_iv": None},
        {"x_amz_iv": _b64(bytes(11))},
        {"x_amz_iv": _b64(bytes(16))},
        {"x_amz_cek_alg": None},
        {"x_amz_cek_alg": "AES/CTR/NoPadding"},
        {"x_amz_tag_len": "96"},
        {"x_amz_wrap_alg": None},
        {"x_amz_wrap_alg": "AESWrap"},
        {"x_amz_wrap_alg": "RSA-OAEP-SHA1"},
        {"x_amz_wrap_alg": "kms+context"},
        {"x_amz_wrap_alg": "kms+context", "x_amz_matdesc": json.dumps({"aws:x-amz-cek-alg": "AES/CBC/PKCS5Padding"})},
        {"x_amz_matdesc": "[]"},
        {"x_amz_matdesc": '{"a": 1}'},
        {"x_amz_matdesc": '{"a": "\\ud800"}'},
        {"x_amz_matdesc": "[" * 8000},
        {"x_amz_matdesc": json.dumps({"a": "b" * 9000})},
        {"x_amz_key_v2": None, "x_amz_3": "abcd", "x_amz_c": "115"},
        {"x_amz_c": "115", "x_amz_d": "abcd", "x_amz_i": "abcd"},
    ],
)
def test_another_envelope_is_refused_without_asking_kms(changes: dict[str, str | None]) -> None:
    data, metadata = by_ses(MAIL, **changes)
    kms = Asked()
    assert is_sealed(metadata.keys())
    with pytest.raises(Malformed, match="sealed in a way that is not supported"):
        unsealing(kms).opened(metadata, io.BytesIO(data))
    assert kms.asked == []


def test_the_newer_envelope_is_called_by_its_name() -> None:
    with pytest.raises(CannotOpen) as refused:
        envelope({"x-amz-3": "abcd", "x-amz-c": "115"})
    assert "version 3" in str(refused.value)


@given(st.dictionaries(st.sampled_from(sorted(ALL)), st.text(max_size=40) | st.sampled_from(["kms", "128", "e30=", "{}"])))
def test_no_metadata_does_anything_but_be_refused(metadata: dict[str, str]) -> None:
    try:
        found = envelope(metadata)
    except CannotOpen:
        return
    assert len(found.iv) in (12, 16)


def test_what_has_no_envelope_is_not_sealed() -> None:
    assert not is_sealed({"sesmail-recipient", "x-amz-meta", "x-amz-tag-len"})


def test_cbc_is_opened_only_where_it_is_allowed() -> None:
    iv = os.urandom(16)
    mail = MAIL * 5000
    padding = 16 - len(mail) % 16
    encryptor = Cipher(algorithms.AES(KEY), modes.CBC(iv)).encryptor()
    data = encryptor.update(mail + bytes([padding]) * padding) + encryptor.finalize()
    _, metadata = by_ses(mail, x_amz_cek_alg="AES/CBC/PKCS5Padding", x_amz_iv=_b64(iv), x_amz_tag_len=None)
    assert read(metadata, data, cbc=True) == mail
    with pytest.raises(CannotOpen):
        read(metadata, data)
    for cut in (data[:-1], data[:-16], b""):
        with pytest.raises(CannotOpen):
            read(metadata, cut, cbc=True)


class Maker:
    """Makes a data key, and writes down for what."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, str]]] = []

    def generate(self, key_id: str, context: Mapping[str, str]) -> DataKey:
        self.asked.append((key_id, context))
        return DataKey(KEY, b"wrapped")


@pytest.mark.parametrize(
    ("wrap", "context"),
    [
        ("kms+context", {"aws:x-amz-cek-alg": "AES/GCM/NoPadding", "to": "tom"}),
        ("kms", {"kms_cmk_id": "alias/mail", "to": "tom"}),
    ],
)
@pytest.mark.parametrize("octets", [0, 17, 700_000])
def test_what_is_sealed_is_opened_again(wrap: str, context: dict[str, str], octets: int) -> None:
    mail = os.urandom(octets)
    maker, source = Maker(), io.BytesIO(b"before" + mail)
    source.seek(6)
    sealed, metadata = seal(source, SealingKey("alias/mail", maker.generate, wrap, {"to": "tom"}))
    with sealed:
        data = sealed.read()
    assert maker.asked == [("alias/mail", context)]
    assert metadata["x-amz-unencrypted-content-length"] == str(octets)
    assert json.loads(metadata["x-amz-matdesc"]) == context
    assert len(data) == octets + 16
    assert AESGCM(KEY).decrypt(envelope(metadata).iv, data, None) == mail
    assert read(metadata, data) == mail


def test_no_two_messages_are_sealed_alike() -> None:
    pairs = [seal(io.BytesIO(MAIL), SealingKey("k", Maker().generate)) for _ in range(2)]
    assert pairs[0][0].read() != pairs[1][0].read()
    assert pairs[0][1]["x-amz-iv"] != pairs[1][1]["x-amz-iv"]


def test_a_key_is_remembered_for_its_time_and_for_whom_it_was_given() -> None:
    kms, time = Asked(), [0.0]
    keys = DataKeys(kms.decrypt, seconds=60, most=2, now=lambda: time[0])
    other = StorePlace("s3://mail", keys=Keys("AKIA", "secret"))
    for place, wrapped, context, asked in (
        (PLACE, b"a", {"x": "1"}, 1),
        (PLACE, b"a", {"x": "1"}, 1),
        (other, b"a", {"x": "1"}, 2),
        (PLACE, b"a", {"x": "2"}, 3),
        (PLACE, b"a", {"x": "1"}, 4),
    ):
        assert keys.key(place, wrapped, context) == KEY
        assert len(kms.asked) == asked
        assert len(keys) <= 2
    time[0] = 60
    keys.key(PLACE, b"a", {"x": "1"})
    assert (len(kms.asked), len(keys)) == (5, 1)


def test_no_key_is_kept_where_none_is_wanted_or_none_was_given() -> None:
    kms = Asked()
    keys = DataKeys(kms.decrypt, seconds=0)
    assert [keys.key(PLACE, b"a", {}), keys.key(PLACE, b"a", {})] == [KEY, KEY]
    assert (len(kms.asked), len(keys)) == (2, 0)

    def refuse(place: StorePlace, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        raise Unavailable

    keys = DataKeys(refuse, seconds=60)
    with pytest.raises(Unavailable):
        keys.key(PLACE, b"a", {})
    assert len(keys) == 0

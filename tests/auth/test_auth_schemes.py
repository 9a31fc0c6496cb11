"""``{SCHEME}`` hashes: those that a real doveadm makes verify here, and those made here verify there."""

from __future__ import annotations

import importlib.util
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesmail.auth import hashes

PASSWORD = "pässword"
# On sets without argon2-cffi such a hash is an unknown one, and never matches.
ARGON2 = importlib.util.find_spec("argon2") is not None


def doveadm(*arguments: str) -> str:
    done = subprocess.run(["doveadm", "-O", "pw", *arguments], capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


def verify(stored: str, password: str = PASSWORD) -> bool:
    return hashes.verify(stored, "tom", password.encode())


@pytest.mark.parametrize(
    "scheme",
    [
        *("", "BLF-CRYPT", "SHA256-CRYPT", "SHA512-CRYPT", "MD5-CRYPT", "DES-CRYPT", "CRYPT", "PBKDF2"),
        *("SSHA", "SSHA256", "SSHA512", "SMD5", "SHA", "SHA1", "SHA256", "SHA512", "LDAP-MD5", "PLAIN-MD5"),
        *("SSHA512.HEX", "SHA256.HEX", "SHA512.B64", "PLAIN", "CLEARTEXT"),
    ],
)
def test_what_doveadm_prints_verifies(scheme: str) -> None:
    stored = doveadm("-p", PASSWORD, *(["-s", scheme] if scheme else []))
    assert stored.startswith("{")
    assert hashes.known(stored)
    assert verify(stored)
    assert not verify(stored, "Pässword")
    assert not verify(stored, "")


@pytest.mark.parametrize("scheme", ["ARGON2ID", "ARGON2I"])
def test_argon2_verifies_where_it_is_installed_and_never_matches_elsewhere(scheme: str) -> None:
    stored = doveadm("-p", PASSWORD, "-s", scheme)
    assert hashes.known(stored) is ARGON2
    assert verify(stored) is ARGON2
    assert not verify(stored, "Pässword")


def test_a_new_hash_is_of_the_best_kind_at_hand_and_verifies_with_doveadm() -> None:
    stored = hashes.fresh(PASSWORD.encode())
    assert stored.startswith("{ARGON2ID}$argon2id$" if ARGON2 else "{SHA512-CRYPT}$6$")
    assert verify(stored)
    assert not verify(stored, "pässword ")
    assert not hashes.outdated(stored)
    assert hashes.fresh(PASSWORD.encode()) != stored
    assert doveadm("-p", PASSWORD, "-t", stored).endswith("(verified)")


@pytest.mark.parametrize("stored", ["$2y$05$.I7mR90r8CsjfO81FnVcCeFe7kz6qyZ2axnNPpRLdfOkBz0Nih5ny"])
def test_a_hash_that_names_its_own_kind_needs_no_scheme(stored: str) -> None:
    assert hashes.known(stored)
    assert verify(stored, "secret")
    assert not verify(stored, "Secret")


def test_what_lies_behind_72_octets_does_not_count_for_bcrypt_and_does_no_harm() -> None:
    stored = doveadm("-p", "x" * 72, "-s", "BLF-CRYPT")
    assert verify(stored, "x" * 72)
    assert verify(stored, "x" * 5000)
    assert not verify(stored, "x" * 71)


@pytest.mark.parametrize(
    "stored",
    [
        *("", "!", "*", "x", "secret", "{}", "{", "{PLAIN", "{ROT13}frperg", "{SCRAM-SHA-1}4096,a=,b=,c=", "{CRYPT}"),
        *("{CRYPT}$y$j9T$x$y", "{SHA512.ROT13}x", "{SSHA512}", "{SSHA512}!!", "{SHA256}c2hvcnQ=", "{PBKDF2}x"),
        *("{PBKDF2}$1$salt$0$" + "0" * 40, "{CRYPT}$7$", "{SHA512-CRYPT}$6$salt", "{PLAIN.HEX}00", "f" * 127, "g" * 128),
    ],
)
def test_a_hash_that_is_none_never_matches(stored: str) -> None:
    for password in (b"", b"secret", stored.encode(), b"!", b"x"):
        assert not hashes.verify(stored, "tom", password)


@pytest.mark.parametrize("password", [b"a\0b", b"\xff\xfe", b"x" * 20_000])
def test_passwords_that_no_keyboard_types_are_wrong_and_no_error(password: bytes) -> None:
    for scheme in ("", "SHA512-CRYPT", "MD5-CRYPT", "DES-CRYPT", "SSHA512", "PBKDF2", "PLAIN"):
        stored = doveadm("-p", PASSWORD, *(["-s", scheme] if scheme else []))
        assert not hashes.verify(stored, "tom", password)


def test_a_password_with_a_nul_gets_no_hash() -> None:
    with pytest.raises(ValueError, match="NUL"):
        hashes.fresh(b"a\0b")


def test_hashes_that_are_quickly_guessed_are_outdated() -> None:
    old = [
        hashes.legacy("tom", b"x"),
        *(doveadm("-p", "x", "-s", scheme) for scheme in ("PLAIN", "SSHA512", "MD5-CRYPT", "SHA")),
    ]
    assert [hashes.outdated(one) for one in old] == [True] * len(old)
    new = [doveadm("-p", "x"), *(doveadm("-p", "x", "-s", scheme) for scheme in ("BLF-CRYPT", "SHA512-CRYPT", "PBKDF2"))]
    assert [hashes.outdated(one) for one in new] == [False] * len(new)
    assert not hashes.outdated("{ROT13}x")


@given(st.text(), st.binary())
def test_no_stored_text_makes_an_error(stored: str, password: bytes) -> None:
    hashes.verify(stored, "tom", password)
    hashes.outdated(stored)


_SCHEMES = ["CRYPT", "SHA512-CRYPT", "ARGON2ID", "SSHA512", "SHA", "SMD5", "PBKDF2", "PLAIN-MD5.B64", "PLAIN", "SSHA.HEX"]
_BODIES = st.text(st.characters(max_codepoint=127)) | st.sampled_from(
    ["$2y$05$", "$5$", "$6$rounds=1$", "$argon2id$v=19$", "$1$a$1$"]
)


@given(st.sampled_from(_SCHEMES), _BODIES, st.text(st.characters(max_codepoint=127)), st.binary(max_size=8))
def test_no_broken_hash_makes_an_error(scheme: str, begin: str, end: str, password: bytes) -> None:
    hashes.verify(f"{{{scheme}}}{begin}{end}", "tom", password)

"""crypt(3) of the system: agrees with everybody else who makes such hashes, keeps out of the way, and bears any text."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from passlib.hash import sha256_crypt, sha512_crypt

from sesmail.auth import hashes, libcrypt

PASSWORD = b"secret"
# As perl's crypt made them on Debian 12.
VECTORS = (
    "$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA",
    "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1",
    "$6$rounds=1000$$ItXvd09GbF48UthMn1jgF27i.UiFK6lQrMQFgQ..At.nPPv1mKG8frk6rDmddXVUHVAV.2.X7lBqxtKoTwrXx0",
    "$y$j9T$saltsaltsalt$AnbE4uovRUrp5W/7h65lVXbBxJijULPRqRjd39xI5w9",
    "$gy$j9T$saltsaltsalt$Wgwp6LRNOmeOrvri/pIlQeAg35m8ps9A/PGj8CAWTw9",
    "$7$CU..../....saltsalt$NUwJnl2EzU4ACwYC9BDHKGDt.PCVFKyF6Hlr/CUA09D",
)
YESCRYPT = VECTORS[3]


def verify(stored: str, password: bytes = PASSWORD) -> bool:
    return hashes.verify(stored, "tom", password)


def printed(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


@pytest.mark.parametrize("stored", VECTORS)
def test_what_the_system_makes_verifies_with_a_scheme_and_without(stored: str) -> None:
    assert libcrypt.knows(stored)
    for spelt in (stored, "{CRYPT}" + stored):
        assert hashes.known(spelt)
        assert verify(spelt)
        assert not verify(spelt, b"Secret")
        assert not verify(spelt, b"")
        assert not hashes.outdated(spelt)


@pytest.mark.parametrize("scheme", ["-5", "-6"])
def test_what_openssl_makes_verifies(scheme: str) -> None:
    stored = printed("openssl", "passwd", scheme, "pässword")
    assert libcrypt.knows(stored)
    assert verify(stored, "pässword".encode())
    assert not verify(stored)


@pytest.mark.parametrize("setting", ["$6$saltsalt", "$y$j9T$abcdefgh", "$gy$j9T$abcdefgh"])
def test_what_verifies_here_verifies_with_doveadm(setting: str) -> None:
    stored = printed("perl", "-e", "print crypt($ARGV[0], $ARGV[1])", "secret", setting)
    assert verify(stored)
    assert printed("doveadm", "-O", "pw", "-p", "secret", "-t", "{CRYPT}" + stored).endswith("(verified)")


@given(st.binary(max_size=80).filter(lambda password: b"\0" not in password), st.sampled_from([sha256_crypt, sha512_crypt]))
def test_it_agrees_with_passlib(password: bytes, kind: object) -> None:
    stored = kind.using(rounds=1000).hash(password)  # type: ignore[attr-defined]
    assert libcrypt.knows(stored)
    assert verify(stored, password)
    assert not verify(stored, password + b"x")


def test_a_new_hash_is_right_and_another_one_each_time() -> None:
    one, other = libcrypt.sha512(PASSWORD, 1000), libcrypt.sha512(PASSWORD, 1000)
    assert one is not None
    assert one != other
    assert one.startswith("$6$rounds=1000$")
    assert sha512_crypt.verify(PASSWORD, one)
    for bad in (b"a\0b", b"x" * 512):
        with pytest.raises(ValueError, match="NUL"):
            libcrypt.sha512(bad, 1000)


def test_what_follows_a_nul_counts_and_so_does_every_octet_of_a_long_password() -> None:
    stored = libcrypt.sha512(b"x" * libcrypt.LONGEST, 1000)
    assert stored is not None
    assert verify(stored, b"x" * libcrypt.LONGEST)
    assert not verify(stored, b"x" * (libcrypt.LONGEST - 1))
    assert not verify(stored, b"x" * (libcrypt.LONGEST + 1))
    assert not verify(VECTORS[1], b"secret\0more")


@pytest.mark.parametrize(
    "stored",
    [
        *("$5$saltsalt", "$6$saltsalt$", "$6$saltsalt$*0", "*0", "*1", "$6$rounds=999$x$" + "." * 86, "$y$j9T$abcd"),
        *("$6$rounds=1000$" + "s" * 17 + "$" + "." * 86, "$6$a:b$" + "." * 86, "$6$a\nb$" + "." * 86, "$6$ä$" + "." * 86),
        *("$y$j9T$a$b$" + "." * 43, YESCRYPT + "x", YESCRYPT + "\n", "$7$CU..../...$" + "." * 43),
        *("$3$$8846f7eaee8fb117ad06bdd830b7586c", "$sha1$40000$jtNX3nZ2$hBNaIXkt4wBI2o5rsi8KejSjNqIq"),
    ],
)
def test_what_is_no_whole_hash_is_not_known_and_never_matches(stored: str) -> None:
    assert not libcrypt.knows(stored)
    for password in (PASSWORD, b"", stored.encode()):
        assert not verify(stored, password)


@given(st.sampled_from(VECTORS[1:4]), st.integers(0, 60), st.characters())
def test_a_hash_with_one_wrong_character_never_matches(stored: str, place: int, char: str) -> None:
    changed = stored[:place] + char + stored[place + 1 :]
    # The cost of yescrypt may have become any other.
    if changed != stored and changed[:5] == stored[:5]:
        assert not verify(changed)


def test_others_run_meanwhile() -> None:
    stored = sha512_crypt.using(rounds=400_000).hash(PASSWORD)
    ticks, over = 0, threading.Event()

    def count() -> None:
        nonlocal ticks
        while not over.wait(0.001):
            ticks += 1

    # One switch that the interpreter forces would be one tick: it would let none through while C code runs.
    counting = threading.Thread(target=count)
    counting.start()
    began = time.monotonic()
    assert libcrypt.verify(PASSWORD, stored)
    took, seen = time.monotonic() - began, ticks
    over.set()
    counting.join()
    assert seen > took * 50


def test_many_at_once_do_not_meet() -> None:
    stored = [sha512_crypt.using(rounds=1000).hash(f"pass {number}") for number in range(8)]

    def right(number: int) -> bool:
        return all(verify(one, b"pass %d" % number) is (place == number) for place, one in enumerate(stored))

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(right, list(range(8)) * 4))


def test_without_the_library_passlib_does_what_it_can() -> None:
    program = f"""
import ctypes
def missing(*_):
    raise OSError("no such library")
ctypes.CDLL = missing
from sesmail.auth import hashes, libcrypt, schemes
schemes._ARGON2 = False
assert not libcrypt.knows({VECTORS[1]!r}) and libcrypt.sha512(b"x", 1000) is None
assert not libcrypt.verify(b"secret", {VECTORS[1]!r})
assert [hashes.known(one) for one in {VECTORS!r}] == [True] * 3 + [False] * 3
assert [hashes.verify(one, "", b"secret") for one in {VECTORS!r}] == [True] * 3 + [False] * 3
assert hashes.verify(hashes.fresh(b"new"), "", b"new")
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_what_these_tests_compare_with_is_there() -> None:
    assert [program for program in ("doveadm", "openssl", "perl") if shutil.which(program) is None] == []

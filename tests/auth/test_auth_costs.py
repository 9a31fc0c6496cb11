"""A hash that would hold a thread for hours is not known; what people use is."""

from __future__ import annotations

import time

import pytest

from sesmail.auth import hashes
from sesmail.auth.costs import affordable

DIGITS = "0" * 40


@pytest.mark.parametrize(
    "stored",
    [
        *("$5$salt$x", "$6$salt$x", "$6$rounds=5000$salt$x", "$6$rounds=656000$salt$x", "$5$rounds=1000000$salt$x"),
        *("$2y$05$x", "$2b$14$x", f"$1$salt$5000${DIGITS}", f"$1$salt$1300000${DIGITS}", "$1$salt$qJH7.N4xYta3aEG/dfqo/0"),
        *("$argon2id$v=19$m=19456,t=2,p=1$x$x", "$argon2id$v=19$m=65536,t=3,p=4$x$x", "$argon2i$v=19$m=102400,t=8,p=8$x$x"),
        *(
            "$y$j9T$salt$x",
            "$y$jBT$salt$x",
            "$gy$j9T$salt$x",
            "$7$CU..../....salt$x",
            "",
            "x",
            "$",
            "$$$",
            "$7$",
            "$y$j",
            "$6$rounds=",
        ),
    ],
)
def test_what_is_usual_is_affordable(stored: str) -> None:
    assert affordable(stored)


@pytest.mark.parametrize(
    "stored",
    [
        *("$6$rounds=999999999$salt$" + "." * 86, "$5$rounds=999999999$salt$" + "." * 43, "$6$rounds=5000001$x$" + "." * 86),
        *("$6$rounds=" + "9" * 5000 + "$x$" + "." * 86, "$2b$17$" + "." * 53, "$2y$31$" + "." * 53),
        *("{PBKDF2}$1$salt$99999999$" + DIGITS, "$argon2id$v=19$m=4294967295,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"),
        *(
            "$argon2id$v=19$m=65536,t=4294967295,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
            "$argon2id$m=" + "9" * 5000 + ",t=1,p=1$c2Fs$aGFz",
        ),
        *("$y$jzT$salt$" + "." * 43, "$y$jFT$salt$" + "." * 43, "$y$j9z5x$salt$" + "." * 43, "$gy$jzz$salt$" + "." * 43),
        *("$7$zU..../....salt$" + "." * 43, "$7$CUzzz./....salt$" + "." * 43, "$7$CU....zzzzzsalt$" + "." * 43),
    ],
)
def test_what_costs_too_much_is_not_known_and_not_tried(stored: str) -> None:
    began = time.monotonic()
    assert not hashes.known(stored)
    assert not hashes.verify(stored, "tom", b"secret")
    assert time.monotonic() - began < 1

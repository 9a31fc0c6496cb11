"""The fuzz in memory: a slice of it always, all of it as a proof."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.proof.answers import Wrong, statuses

_ROOT = Path(__file__).parents[2]
ONE, TWO = b"Subject: one\r\n\r\nbody\r\n", b"Subject: two\r\n\r\n..dot\r\n"
MAILS = {ONE: frozenset({22}), TWO: frozenset({20, 21})}


def run(seed: str, inputs: int, processes: int) -> Counter[str]:
    """So many inputs in processes side by side, each with a seed of its own."""
    each = inputs // processes
    command = [sys.executable, "-m", "tests.proof.fuzz", "--inputs", str(each)]
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    running = [
        subprocess.Popen(
            [*command, "--seed", f"{seed}-{number}"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for number in range(processes)
    ]
    happened = Counter[str]()
    for process in running:
        out, error = process.communicate()
        assert process.returncode == 0, error.decode(errors="replace")[-8000:]
        happened += Counter(json.loads(out))
    return happened


def check(happened: Counter[str], inputs: int) -> None:
    """That it was what it should be: much was said, and not all of it was noise."""
    assert happened["sessions"] >= inputs
    assert happened["logins"] > inputs / 5
    assert happened["messages"] > inputs / 50
    assert happened["removed"] > inputs / 100
    assert happened["under TLS"] > inputs / 20


def test_whatever_clients_say_and_stores_do_nobody_hears_or_loses_what_he_should_not() -> None:
    check(run("slice", 5_000, 2), 5_000)


@pytest.mark.proof
@pytest.mark.limit(7200)
def test_a_million_inputs() -> None:
    seed = os.environ.get("FUZZ_SEED") or f"{random.SystemRandom().randrange(1 << 32):x}"
    inputs = int(os.environ.get("FUZZ_INPUTS") or 1_000_000)
    check(run(seed, inputs, os.cpu_count() or 1), inputs)


def test_a_round_is_the_same_every_time() -> None:
    command = [sys.executable, "-m", "tests.proof.fuzz", "--seed", "same", "--first", "7", "--rounds", "20"]
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) for _ in range(2)]
    first, second = (json.loads(process.communicate(timeout=60)[0]) for process in both)
    for one in (first, second):
        del one["seconds"]
        one.pop("grown", None)
    assert first == second


@pytest.mark.parametrize(
    "heard",
    [
        b"+OK 22 octets\r\nSubject: one\r\n.\r\n",
        b"+OK 22 octets\r\nSubject: one\r\n\r\nbo-ERR [SYS/TEMP] try again\r\n",
        b"+OK 22 octets\r\nSubject: one\r\n\r\nbody\r\nmore\r\n.\r\n",
        b"+OK 21 octets\r\nSubject: two\r\n\r\n.dot\r\n.\r\n",
        b"+OK 22 octets\r\nSubject: two\r\n\r\n..dot\r\n.\r\n",
        b"+OK top of message follows\r\nSubject: three\r\n.\r\n",
        b"+OK unique ids follow\r\n1 a\r\nSubject: one\r\n.\r\n",
        b"+OK\r\nbody\r\n",
        b"body\r\n",
    ],
)
def test_what_no_client_may_hear_is_noticed(heard: bytes) -> None:
    with pytest.raises(Wrong):
        statuses(heard, MAILS)


def test_good_answers_cut_anywhere_are_good() -> None:
    heard = (
        b"+OK POP3 ready\r\n+OK 22 octets\r\n" + ONE + b".\r\n+OK top of message follows\r\nSubject: two\r\n\r\n.\r\n"
        b"+OK capabilities follow\r\nTOP\r\n.\r\n+OK unique ids follow\r\n.\r\n+OK 21 octets\r\n" + TWO + b".\r\n-ERR no\r\n"
    )
    assert len(statuses(heard, MAILS)) == 7
    for end in range(len(heard)):
        statuses(heard[:end], MAILS)

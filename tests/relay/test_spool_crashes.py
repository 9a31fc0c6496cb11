"""kill -9 before every single file operation of accepting, attempting and returning a message: nothing is lost, and nothing told twice
that had been recorded."""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import pytest

from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome, Verdict
from sesmail.relay.queue import Ear
from tests.relay.crashing import Crash, Say, Watched, crashes, operations
from tests.relay.post import BEGAN, EVERYWHERE, LATER, NO, OK, SENDER, Carry, Post, each, every, opened, to

BOB, EVE, JOE = "bob@example.net", "eve@example.net", "joe@example.net"
LIFETIME = 172_800.0


@dataclass(frozen=True)
class Case:
    """What the next hop says to each recipient the first time, and whether the client still listens."""

    answers: Mapping[str, Outcome]
    ear: bool


CASES = {
    "all accepted": Case({BOB: OK, EVE: OK}, True),
    "all refused, the client hears it": Case({BOB: NO, EVE: NO}, True),
    "all refused, the client is gone": Case({BOB: NO, EVE: NO}, False),
    "all later": Case({BOB: LATER, EVE: LATER}, True),
    "some of each": Case({BOB: OK, EVE: NO, JOE: LATER}, True),
    "some refused, some later": Case({BOB: NO, EVE: LATER}, True),
}


class Life:
    """One process that accepts a message and attempts it until nothing is left; it says what others hear of it."""

    def __init__(self, folder: Path, case: Case, say: Say) -> None:
        self.post = Post(folder, self._told(each(case.answers), "sent"), self._told(every(OK), "report"))
        self._case = case
        self._say = say

    def first(self) -> None:
        """Until the client has its answer."""
        self.post.spool.open()
        id = self.post.accept(to(*self._case.answers))
        self._say("durable")
        ear = Ear()
        if not self._case.ear:
            assert ear.gives_up()
        outcomes = self.post.queue.attempt(id, ear)
        refused = all(outcome.verdict is Verdict.REFUSED for outcome in outcomes.values())
        self._say("client heard a refusal" if refused and self._case.ear else "client heard 250")

    def rest(self) -> None:
        """Until nothing is left."""
        self.post.courier.say = self._told(lambda envelope, message: self._second(envelope.recipients), "sent")
        self.post.run(BEGAN + 2 * LIFETIME)

    def _second(self, recipients: tuple[str, ...]) -> dict[str, Outcome]:
        return {one: OK if self._case.answers[one] is LATER else self._case.answers[one] for one in recipients}

    def _told(self, carry: Carry, what: str) -> Carry:
        def tell(envelope: Envelope, message: bytes) -> Mapping[str, Outcome]:
            outcomes = carry(envelope, message)
            for recipient, outcome in outcomes.items():
                if outcome.verdict is Verdict.ACCEPTED:
                    # A mailbox knows a report again that it has.
                    named = [one for one in (BOB, EVE, JOE) if one.encode() in message]
                    self._say(f"sent {recipient}" if what == "sent" else f"report {hash(message)} of {' '.join(named)}")
            return outcomes

        return tell


Told = list[tuple[Crash, Counter[str]]]


@pytest.fixture(scope="module")
def lives() -> Iterator[Callable[[str], Told]]:
    """Of a case every crash, with what was said in its life and the one after it."""
    # Forked from a young process: this one may have grown by now, and then a fork takes ten times as long.
    with ProcessPoolExecutor(1, get_context("spawn")) as young:
        yield functools.cache(lambda name: young.submit(_all_lives, name).result())


def _all_lives(name: str) -> Told:
    with tempfile.TemporaryDirectory() as parent:
        return list(_lives(CASES[name], Path(parent) / "spool"))


def _lives(case: Case, folder: Path) -> Iterator[tuple[Crash, Counter[str]]]:
    for crash in crashes(lambda say: whole(Life(folder, case, say)), lambda: shutil.rmtree(folder, ignore_errors=True)):
        said = list(crash.said)
        after = Life(folder, case, said.append)
        with Watched(lambda name: None), opened(after.post):
            assert after.post.names("new", "wishes", "held") == []
            after.rest()
            assert after.post.names(*EVERYWHERE) == []
        yield crash, Counter(said)


def whole(life: Life) -> None:
    life.first()
    life.rest()


def reported(said: Counter[str], recipient: str) -> int:
    return len({line for line in said if line.startswith("report ") and recipient in line})


@pytest.mark.parametrize("name", CASES)
def test_no_crash_loses_a_recipient(name: str, lives: Callable[[str], Told]) -> None:
    case = CASES[name]
    for crash, said in lives(name):
        if not said["durable"]:
            continue
        for recipient, answer in case.answers.items():
            if answer is NO:
                told = bool(said["client heard a refusal"]) + reported(said, recipient)
                # Killed between the recorded refusal and the reply, nobody was promised anything: the client asks again.
                assert told == 1 or (told == 0 and case.ear and not said["client heard 250"]), (crash, said)
            else:
                assert said[f"sent {recipient}"] >= 1, (crash, said)


@pytest.mark.parametrize("name", CASES)
def test_no_undisturbed_run_does_anything_twice(name: str, lives: Callable[[str], Told]) -> None:
    case = CASES[name]
    crash, said = lives(name)[-1]
    assert crash.finished
    for recipient, answer in case.answers.items():
        assert said[f"sent {recipient}"] == (answer is not NO)
        assert reported(said, recipient) == (answer is NO and not said["client heard a refusal"])


@pytest.mark.parametrize("name", CASES)
def test_what_is_sent_twice_was_sent_in_an_attempt_whose_end_was_not_recorded(name: str, lives: Callable[[str], Told]) -> None:
    case, twice = CASES[name], list[int]()
    for crash, said in lives(name):
        for recipient in case.answers:
            if said[f"sent {recipient}"] > 1 or reported(said, recipient) > 1:
                twice.append(crash.step)
                # The last thing that was said before the kill is what was not yet recorded.
                assert crash.said[-1].startswith(("sent ", "report ")), (crash, said)
    # A kill leaves few such moments: the operations from the courier's answer to the record of it.
    assert len(set(twice)) <= 30


def test_a_message_is_durable_before_it_is_said_to_be(tmp_path: Path) -> None:
    post = Post(tmp_path / "spool")

    def accept(say: Say) -> None:
        post.accept()
        say("accepted")

    with opened(post):
        post.accept()
        assert operations(accept) == ["writev", "pwrite", "fdatasync", "rename", "fsync", "accepted"]


def test_a_message_that_comes_in_one_piece_is_written_in_one_call(tmp_path: Path) -> None:
    post = Post(tmp_path / "spool")
    with opened(post):
        done = operations(lambda say: post.spool.begin(to()).commit(b"line 1\r\n", b"line 2\r\n"))
        assert done == ["writev", "fdatasync", "rename", "fsync"]
        (name,) = post.names("queue")
        with post.spool.take(name.partition("/")[2]) as message:
            assert message.body().read() == b"line 1\r\nline 2\r\n"


def test_an_attempt_costs_no_fsync_before_and_none_after_when_all_goes_well(tmp_path: Path) -> None:
    post = Post(tmp_path / "spool")
    with opened(post):
        id = post.accept()
        post.courier.say = every(OK)
        assert operations(lambda say: say(f"{len(post.queue.attempt(id))} done")) == ["unlink", "1 done"]
        assert operations(lambda say: say(f"{len(post.queue.due())} due")) == ["fsync", "0 due"]
        assert operations(lambda say: say(f"{len(post.queue.due())} due")) == ["0 due"]


def test_a_later_attempt_is_recorded_before_it_starts(tmp_path: Path) -> None:
    post = Post(tmp_path / "spool", every(LATER))

    ids = list[str]()

    def attempt(say: Say) -> None:
        def carry(envelope: Envelope, message: bytes) -> Mapping[str, Outcome]:
            say("asked")
            return {BOB: LATER}

        post.courier.say = carry
        post.queue.attempt(ids[0])
        say("done")

    with opened(post):
        ids.append(post.accept())
        post.queue.attempt(ids[0])
        kept = ["writev", "utime", "fsync", "rename", "fsync"]
        assert operations(attempt) == ["pwrite", "fdatasync", "asked", *kept, "done"]


def test_a_refusal_has_left_the_spool_durably_before_the_client_hears_it(tmp_path: Path) -> None:
    post = Post(tmp_path / "spool", every(NO))
    with opened(post):
        id = post.accept()
        assert operations(lambda say: say(f"{len(post.queue.attempt(id, Ear()))} refused")) == ["unlink", "fsync", "1 refused"]


def test_a_report_is_durable_before_the_recipient_leaves(tmp_path: Path) -> None:
    post = Post(tmp_path / "spool", every(NO))

    ids = list[str]()

    def attempt(say: Say) -> None:
        def deliver(envelope: Envelope, message: bytes) -> Mapping[str, Outcome]:
            say("delivered")
            return {SENDER: OK}

        post.mailbox.say = deliver
        post.queue.attempt(ids[0])

    with opened(post):
        ids.append(post.accept())
        kept = ["writev", "utime", "fsync", "rename", "fsync"]
        assert operations(attempt) == [*kept, "delivered", "unlink", "fsync", "unlink"]

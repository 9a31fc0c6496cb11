"""One spool in several processes: whoever accepts a message tries it first, one tries it again, and nobody sends it twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from sesmail.errors import Unavailable
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome
from sesmail.relay.folders import Folders, Hold
from sesmail.relay.message import Message
from sesmail.relay.spool import UNCLAIMED
from sesmail.service.crew.desk import Desk
from sesmail.service.crew.mail import DeskMail, LineSchedule, SpoolHold, first_schedule
from tests.relay.post import LATER, NO, OK, Post, each, every, to, turns
from tests.service.crewhouse import NearWorker


class House:
    """A first worker and a second one over one spool, and one next hop that both carry to."""

    def __init__(self, folder: Path, say: Callable[[Envelope, bytes], Mapping[str, Outcome]]) -> None:
        self.folder = folder
        self.say = say
        self.desk = Desk([DeskMail(lambda: self.now)])
        self.hold = SpoolHold(folder)
        self.hold.startService()
        self.second_worker = NearWorker(self.desk, 1)
        self.second = Post(folder, self.carry, ids="two", schedule=LineSchedule(self.second_worker), held=True)
        self.second.spool.join()
        self.begin_first()
        self.got: list[tuple[str, ...]] = []

    def carry(self, envelope: Envelope, message: bytes) -> Mapping[str, Outcome]:
        self.got.append(envelope.recipients)
        return self.say(envelope, message)

    def begin_first(self) -> None:
        self.first_worker = NearWorker(self.desk, 0)
        schedule, _ = first_schedule(self.first_worker, self.first_worker.orders)
        self.first = Post(self.folder, self.carry, ids="one", schedule=schedule, held=True)
        self.first.spool.open()

    @property
    def now(self) -> float:
        return self.second.now

    def pass_time(self, seconds: float) -> list[str]:
        """So much later the first worker tries what is due."""
        self.second.now += seconds
        self.first.now = self.second.now
        self.first_worker.orders.obey()
        return self.first.work()

    def close(self) -> None:
        self.first.spool.close()
        self.second.spool.close()
        self.hold.stopService()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "spool", every(OK))
    yield house
    house.close()


def test_a_message_that_its_own_worker_sent_is_tried_by_nobody_else(house: House) -> None:
    id = house.second.accept()
    assert house.second.queue.attempt(id) == {"bob@example.net": OK}
    for seconds in (0, UNCLAIMED + 1, 1000):
        assert house.pass_time(seconds) == []
    assert len(house.got) == 1
    assert house.first.queue.next_due() is None


def test_a_message_that_was_not_taken_is_tried_again_by_the_first_worker_when_it_is_due(house: House) -> None:
    house.say = turns(every(LATER), every(OK))
    id = house.second.accept()
    house.second.queue.attempt(id)
    assert house.pass_time(1) == []
    due = house.first.queue.next_due()
    assert due is not None
    assert due > house.now
    assert house.second.work() == []
    assert house.pass_time(due - house.now) == [id]
    assert len(house.got) == 2
    assert house.second.names("queue", "state") == []


def test_while_a_message_waits_for_its_first_attempt_the_first_worker_leaves_it_alone(house: House) -> None:
    id = house.second.accept()
    house.first_worker.orders.obey()
    house.first.spool.adopt()
    assert house.pass_time(UNCLAIMED - 1) == []
    house.second.queue.attempt(id)
    assert len(house.got) == 1


def test_a_message_under_its_first_attempt_is_sent_once_however_long_that_takes(house: House) -> None:
    tried: list[list[str]] = []

    def slowly(envelope: Envelope, message: bytes) -> Mapping[str, Outcome]:
        tried.append(house.pass_time(UNCLAIMED + 1))
        tried.append(house.pass_time(UNCLAIMED + 1))
        return every(OK)(envelope, message)

    house.say = slowly
    id = house.second.accept()
    assert house.second.queue.attempt(id) == {"bob@example.net": OK}
    assert tried == [[id], [id]], "the first worker came for it"
    assert len(house.got) == 1, "and found it in other hands"


def test_a_message_whose_worker_is_killed_before_it_tried_it_is_picked_up_at_once(house: House) -> None:
    id = house.second.accept()
    house.second_worker.end()
    assert house.pass_time(2) == [id]
    assert len(house.got) == 1


def test_a_first_worker_that_begins_anew_sends_nothing_twice(house: House) -> None:
    house.say = every(LATER)
    waiting, accepted = house.second.accept(), house.second.accept()
    house.second.queue.attempt(waiting)
    house.first_worker.end()
    house.first.spool.close()

    def slowly(envelope: Envelope, message: bytes) -> Mapping[str, Outcome]:
        house.begin_first()
        house.pass_time(1)
        return every(OK)(envelope, message)

    house.say = slowly
    house.got.clear()
    assert house.second.queue.attempt(accepted) == {"bob@example.net": OK}
    assert len(house.got) == 1
    due = house.first.spool.schedule.due(waiting)
    assert due is not None
    assert due > house.now + 1


def test_a_message_that_another_worker_tried_first_is_told_as_not_yet_sent_and_its_record_is_true(house: House) -> None:
    house.say = turns(every(LATER), every(LATER), every(OK))
    id = house.second.accept()
    assert house.pass_time(UNCLAIMED + 1) == [id]
    house.second.queue.attempt(id)
    with house.first.spool.take(id) as message:
        assert message.record.progress.attempt == 3
        assert message.state.ended == 3
        assert not message.in_doubt


def test_a_report_that_its_worker_could_not_deliver_is_due_in_the_first(house: House) -> None:
    house.say = every(NO)
    house.second.mailbox.say = every(LATER)
    id = house.second.accept()
    house.second.queue.attempt(id)
    [report] = [name.removeprefix("queue/") for name in house.second.names("queue")]
    assert house.pass_time(1) == [report]
    assert house.first.mailbox.recipients() == ["ann@example.com"]


def test_what_cannot_be_written_about_a_message_keeps_others_from_sending_it_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.say = each({"bob@example.net": OK, "tom@example.net": LATER})

    def full(self: Message, due: float) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Message, "_write_state", full)
        house.second.queue.attempt(house.second.accept(to("bob@example.net", "tom@example.net")))
    for _ in range(3):
        house.pass_time(UNCLAIMED + 400)
    assert house.got == [("bob@example.net", "tom@example.net")]
    house.second.spool.settle()
    house.pass_time(UNCLAIMED + 1)
    assert house.got[1:] == [("tom@example.net",)]


def test_a_wish_is_left_to_the_first_worker(house: House) -> None:
    house.say = turns(every(LATER), every(OK))
    id = house.second.accept()
    house.second.queue.attempt(id)
    (house.folder / "wishes" / id).touch()
    house.second.spool.settle()
    assert house.pass_time(1) == [id]


def test_the_parent_holds_the_spool_against_other_gateways(house: House) -> None:
    with pytest.raises(Unavailable, match="another gateway"):
        Hold(house.folder)
    house.hold.stopService()
    Hold(house.folder).close()


def test_a_parent_without_the_spool_does_not_start(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended:
        SpoolHold(house.folder).startService()
    assert ended.value.code == 1
    assert "another gateway" in caplog.text


def test_what_is_half_written_by_another_worker_is_not_swept_away(house: House) -> None:
    id = house.second.accept()
    (house.folder / "state" / f"{id}.new").write_bytes(b"half written")
    (house.folder / "state" / "gone0001.new").write_bytes(b"of nobody")
    house.first.spool.close()
    house.begin_first()
    assert house.first.names("state") == [f"state/{id}.new"]


def test_drafts_of_one_worker_survive_the_start_of_another(house: House) -> None:
    draft = house.second.spool.begin(to())
    draft.write(b"x")
    house.first.spool.close()
    house.begin_first()
    draft.commit()
    assert house.first.names("queue") == [f"queue/{draft.id}"]


def test_the_spool_is_there_before_any_worker_begins(tmp_path: Path) -> None:
    hold = SpoolHold(tmp_path / "new")
    hold.startService()
    Folders(tmp_path / "new", make=False).close()
    hold.stopService()

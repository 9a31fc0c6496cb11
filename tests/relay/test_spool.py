"""The spool on disk: what a file of it is, who may have it, what it does with what it cannot read, how much of it fits."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesmail.errors import Busy, Malformed, NoSuchMessage, Unavailable
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome
from sesmail.relay.disk import Folder
from sesmail.relay.record import Progress, Record, State, is_id, read_record, read_state
from sesmail.relay.spool import Spool
from tests.relay.post import BEGAN, EVERYWHERE, LATER, MESSAGE, OK, Post, every, opened, to
from tests.servers.ports import wait_until


@pytest.fixture
def post(tmp_path: Path) -> Post:
    return Post(tmp_path / "spool")


def test_a_message_is_one_file_of_a_line_and_the_octets_that_will_be_sent(post: Post) -> None:
    with opened(post):
        id = post.accept(to("bob@example.net", "eve@example.net"))
        assert post.names(*EVERYWHERE) == [f"queue/{id}"]
        line, octets = (post.folder / "queue" / id).read_bytes().split(b"\n", 1)
    assert octets == MESSAGE
    assert json.loads(line) == {
        "sesmail": 1,
        "size": len(MESSAGE),
        "attempt": 1,
        "begun": int(BEGAN),
        "arrived": BEGAN,
        "report": False,
        "sender": "ann@example.com",
        "recipients": ["bob@example.net", "eve@example.net"],
        "returns": "ann@example.com",
        "account": "ann",
    }


def test_the_files_are_nobody_elses(post: Post) -> None:
    with opened(post):
        id = post.accept()
        post.courier.say = every(LATER)
        post.queue.attempt(id)
    for path in [post.folder, *post.folder.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize("cut", [1, 2, 7, len(MESSAGE)])
def test_how_a_message_is_cut_never_shows(post: Post, cut: int) -> None:
    with opened(post):
        draft = post.spool.begin(to())
        for start in range(0, len(MESSAGE), cut):
            draft.write(MESSAGE[start : start + cut])
        draft.commit()
        with post.spool.take(draft.id) as message:
            assert message.body().read() == MESSAGE
            assert message.head(10) == MESSAGE[:10]
            assert message.head(10_000) == MESSAGE


def test_a_body_is_read_from_any_place(post: Post) -> None:
    with opened(post), post.spool.take(post.accept()) as message:
        body = message.body()
        assert (body.seek(0, os.SEEK_END), body.read()) == (len(MESSAGE), b"")
        assert (body.seek(5), body.read(4), body.tell()) == (5, MESSAGE[5:9], 9)
        assert (body.seek(0), body.read()) == (0, MESSAGE)
        assert message.body().readline() == MESSAGE.splitlines(keepends=True)[0]


def test_an_empty_message_is_one_too(post: Post) -> None:
    with opened(post), post.spool.take(post.accept(message=b"")) as message:
        assert message.body().read() == b""


def test_a_discarded_draft_leaves_nothing(post: Post) -> None:
    with opened(post):
        draft = post.spool.begin(to())
        draft.write(MESSAGE)
        draft.discard()
        draft.discard()
        assert post.names(*EVERYWHERE) == []
        assert post.queue.next_due() is None


def test_discarding_what_is_committed_does_nothing(post: Post) -> None:
    with opened(post):
        draft = post.spool.begin(to())
        draft.commit()
        draft.discard()
        assert post.names(*EVERYWHERE) == [f"queue/{draft.id}"]


def test_an_id_that_is_in_use_is_not_given_again(tmp_path: Path) -> None:
    ids = iter(["aaaaaa", "aaaaaa", "aaaaaa", "bbbbbb", "bbbbbb", "cccccc"])
    spool = Spool(tmp_path, now=time.time, new_id=lambda: next(ids), reserve=0)
    spool.open()
    first = spool.begin(to())
    second = spool.begin(to())
    first.write(b"first")
    first.commit()
    assert (first.id, second.id) == ("aaaaaa", "bbbbbb")
    second.discard()
    with spool.take("aaaaaa") as message:
        message.hold()
    assert spool.begin(to()).id in ("bbbbbb", "cccccc")
    assert (tmp_path / "held" / "aaaaaa").read_bytes().endswith(b"\nfirst")
    spool.close()


def test_ids_that_repeat_themselves_for_ever_are_said_so(tmp_path: Path) -> None:
    spool = Spool(tmp_path, now=time.time, new_id=lambda: "aaaaaa", reserve=0)
    spool.open()
    spool.begin(to())
    with pytest.raises(Unavailable):
        spool.begin(to())
    spool.close()


@pytest.mark.parametrize("name", ["", "a", "../lock", "aaaaaa.new", "aaaaa/a", "aaaaaa\n", "a" * 41, "äääääää", "aaaa a"])
def test_what_is_no_id_is_no_path_either(post: Post, name: str) -> None:
    assert not is_id(name)
    with opened(post), pytest.raises(NoSuchMessage):
        post.spool.take(name)


def test_two_never_hold_one_spool_and_the_second_hears_who_does(post: Post, tmp_path: Path) -> None:
    with (
        opened(post),
        pytest.raises(Unavailable, match=rf"process {os.getpid()}\) uses this spool: stop it, or set relay.spool"),
    ):
        Post(tmp_path / "spool").spool.open()
    with opened(Post(tmp_path / "spool")):
        pass


def test_the_lock_ends_with_the_process_that_held_it(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from sesmail.relay.spool import Spool;"
        f"Spool(Path({str(tmp_path)!r}), now=time.time, new_id=str).open(); print('open', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"open\n"
    post = Post(tmp_path)
    with pytest.raises(Unavailable, match=rf"process {child.pid}\)"):
        post.spool.open()
    child.kill()
    child.communicate()
    with opened(post):
        pass


@pytest.mark.parametrize(
    ("said", "what_to_do"), [(b"2\n", "use the newer program that wrote it"), (b"", "is damaged"), (b"\xff\n", "is damaged")]
)
def test_a_spool_of_another_format_is_refused_and_left_alone(post: Post, said: bytes, what_to_do: str) -> None:
    with opened(post):
        id = post.accept()
    (post.folder / "format").write_bytes(said)
    with pytest.raises(Unavailable, match=what_to_do):
        post.spool.open()
    assert post.names(*EVERYWHERE) == [f"queue/{id}"]
    (post.folder / "format").write_bytes(b"1\n")
    with opened(post):
        assert len(post.spool.schedule) == 1


def test_who_joins_a_spool_that_is_not_there_hears_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="start the gateway once"):
        Post(tmp_path / "none").spool.join()
    assert not (tmp_path / "none").exists()


def test_a_closed_spool_takes_nothing(post: Post) -> None:
    for call in (lambda: post.spool.begin(to()), lambda: post.spool.take("aaaaaa")):
        with pytest.raises(Unavailable):
            call()


def test_opening_sweeps_away_what_was_never_accepted_and_keeps_the_rest(post: Post, tmp_path: Path) -> None:
    with opened(post):
        id = post.accept()
        post.queue.attempt(post.accept(), None)
        (post.folder / "new" / "half00").write_bytes(b"half a message")
        (post.folder / "state" / "gone00").write_bytes(b"of nobody")
        (post.folder / "state" / f"{id}.new").write_bytes(b"half written")
    with opened(Post(tmp_path / "spool")) as again:
        assert again.names(*EVERYWHERE) == [f"queue/{id}"]


def test_a_draft_of_another_process_is_not_swept_away(post: Post, tmp_path: Path) -> None:
    with opened(post):
        pass
    visitor = Post(tmp_path / "spool")
    visitor.spool.join()
    draft = visitor.spool.begin(to())
    draft.write(MESSAGE)
    with opened(post):
        draft.commit()
        assert post.names("new", "queue") == [f"queue/{draft.id}"]
    visitor.spool.close()


def test_a_message_has_one_holder_in_a_process_and_between_processes(post: Post, tmp_path: Path) -> None:
    with opened(post):
        id = post.accept()
        visitor = Post(tmp_path / "spool")
        visitor.spool.join()
        with post.spool.take(id):
            assert post.spool.busy(id)
            for other in (post, visitor):
                with pytest.raises(Busy):
                    other.spool.take(id)
        with visitor.spool.take(id), pytest.raises(Busy):
            post.spool.take(id)
        assert not post.spool.busy(id)
        visitor.spool.close()


def test_what_was_left_while_one_waited_for_the_lock_is_gone(post: Post, tmp_path: Path) -> None:
    with opened(post):
        id = post.accept()
        visitor = Post(tmp_path / "spool")
        visitor.spool.join()
        assert visitor.queue.attempt(id) == {"bob@example.net": OK}
        assert post.queue.attempt(id) == {}
        assert post.queue.next_due() is None
        visitor.spool.close()


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (b"", "its first line has no end"),
        (b"{" * 100_000 + b"\n", "it is no JSON"),
        (b"\xff\n", "it is no JSON"),
        (b"[]\n", "not of format 1"),
        (b'{"sesmail":2}\n', "not of format 1"),
        (b'{"sesmail":1}\n', "its sender is missing"),
    ],
)
def test_a_damaged_message_is_held_and_said_so(post: Post, caplog: pytest.LogCaptureFixture, damage: bytes, why: str) -> None:
    with opened(post):
        id = post.accept()
        (post.folder / "queue" / id).write_bytes(damage)
        assert post.queue.attempt(id) == {}
        assert post.names("queue", "held") == [f"held/{id}"]
        assert (post.folder / "held" / id).read_bytes() == damage
        assert post.queue.next_due() is None
    assert re.search(rf"message {id} cannot be read and is held: .*{why}", caplog.text)


def test_a_message_that_was_cut_off_is_held(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    with opened(post):
        id = post.accept()
        path = post.folder / "queue" / id
        os.truncate(path, path.stat().st_size - 1)
        assert post.queue.attempt(id) == {}
        assert post.names("queue", "held") == [f"held/{id}"]
    assert f"it has {len(MESSAGE) - 1} octets instead of {len(MESSAGE)}" in caplog.text


def test_a_message_whose_state_is_damaged_is_sent_to_nobody_a_second_time(post: Post) -> None:
    with opened(post):
        post.courier.say = every(LATER)
        id = post.accept()
        post.queue.attempt(id)
        (post.folder / "state" / id).write_bytes(b"{}")
        assert post.queue.attempt(id) == {}
        assert post.names("queue", "held", "state") == [f"held/{id}", f"state/{id}"]
    assert len(post.courier.got) == 1


@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_what_is_no_file_is_held(post: Post, kind: str, tmp_path: Path) -> None:
    with opened(post):
        path = post.folder / "queue" / "strange1"
        {"folder": path.mkdir, "link": lambda: path.symlink_to("/etc/passwd"), "pipe": lambda: os.mkfifo(path)}[kind]()
        post.spool.adopt()
        post.work()
        assert post.names("queue", "held") == ["held/strange1"]
        assert post.courier.got == []


def test_a_name_that_is_no_id_is_left_where_it_is(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    with opened(post):
        pass
    (post.folder / "queue" / "notes.txt").write_bytes(b"mine")
    with opened(post):
        assert post.work() == []
    assert "no message: 'notes.txt'" in caplog.text
    assert (post.folder / "queue" / "notes.txt").read_bytes() == b"mine"


@pytest.mark.limit(240)
def test_a_hundred_thousand_messages_start_in_seconds_and_little_memory(tmp_path: Path) -> None:
    post = Post(tmp_path / "spool")
    with opened(post):
        ids = [post.accept() for _ in range(4)]
    # A file bears some ten thousand names; so many files of their own would take the disk a minute.
    for number in range(100_000):
        os.link(post.folder / "queue" / ids[number % 4], post.folder / "queue" / f"many{number:06}")
    code = (
        "import resource, sys, time; from pathlib import Path; from sesmail.relay.spool import Spool;"
        f"spool = Spool(Path({str(tmp_path / 'spool')!r}), now=time.time, new_id=str);"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; began = time.monotonic(); spool.open();"
        "took = time.monotonic() - began; spool.schedule.take(time.time(), 50, 60, lambda id: False);"
        "print(len(spool.schedule), took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert int(said[0]) == 100_004
    assert float(said[1]) < 10
    assert int(said[2]) < 60_000, "kilobytes"


def test_those_who_come_while_an_fsync_runs_share_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(tmp_path)
    began, go, syncs = threading.Event(), threading.Event(), list[int]()

    def slow(fd: int) -> None:
        syncs.append(fd)
        began.set()
        assert go.wait(10)

    monkeypatch.setattr(os, "fsync", slow)
    first = threading.Thread(target=folder.sync)
    first.start()
    assert began.wait(10)
    others = [threading.Thread(target=folder.sync) for _ in range(10)]
    for thread in others:
        thread.start()
    wait_until(lambda: all(_waits(thread) for thread in others), seconds=10, what=lambda: "they do not wait")
    go.set()
    for thread in [first, *others]:
        thread.join()
    # The one that ran may have begun too early for those who came later.
    assert len(syncs) == 2
    folder.close()


def _waits(thread: threading.Thread) -> bool:
    frame = sys._current_frames().get(thread.ident or 0)
    return frame is not None and frame.f_code.co_name == "wait"


def test_all_who_wait_for_a_sync_hear_that_it_failed_and_the_next_one_is_asked_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, answers = Folder(tmp_path), [OSError(5, "Input/output error"), None]

    def sync(fd: int) -> None:
        if error := answers.pop(0):
            raise error

    monkeypatch.setattr(os, "fsync", sync)
    with pytest.raises(OSError, match="Input/output"):
        folder.sync()
    folder.sync()
    folder.close()


ADDRESSES = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)
OUTCOMES = st.builds(
    lambda code, text, id: Outcome(code, f"{code // 100}.1.1", text, id=id),
    st.sampled_from([250, 451, 550]),
    st.text(max_size=30),
    st.none() | st.text(max_size=10),
)


@given(ADDRESSES, st.lists(ADDRESSES, min_size=1, max_size=5), st.none() | st.text(max_size=10), st.binary(max_size=50))
def test_a_record_reads_as_it_was_written(sender: str, recipients: list[str], account: str | None, octets: bytes) -> None:
    record = Record(Envelope(sender, tuple(recipients), sender, account), BEGAN, False, Progress(len(octets), 3, 17))
    data = record.line() + octets
    assert read_record(io.BytesIO(data), len(data)) == (record, len(data) - len(octets))
    assert record.line().count(b"\n") == 1


@given(st.integers(0, 10**9), st.integers(0, 999_999), st.integers(0, 10**10))
def test_what_is_written_over_in_place_has_one_length_and_lies_in_one_sector(size: int, attempt: int, begun: int) -> None:
    assert len(Progress(size, attempt, begun).line()) == len(Progress(0, 0, 0).line()) < 512


@given(st.dictionaries(ADDRESSES, OUTCOMES, max_size=5), st.integers(0, 99), st.integers(0, 99))
def test_a_state_reads_as_it_was_written(outcomes: dict[str, Outcome], ended: int, tries: int) -> None:
    state = State(ended, tries, BEGAN, outcomes, set(list(outcomes)[:1]))
    assert read_state(io.BytesIO(state.octets())) == state


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ("size", "attempt", "begun", "arrived", "report", "sender", "recipients", "returns", "account", "ended", "tries", "at")


@given(
    st.binary(max_size=60)
    | st.dictionaries(st.sampled_from(FIELDS), JSON).map(lambda d: json.dumps({"sesmail": 1} | d).encode())
)
def test_no_content_of_a_file_is_worse_than_malformed(data: bytes) -> None:
    for read in (lambda: read_record(io.BytesIO(data + b"\n"), len(data) + 1), lambda: read_state(io.BytesIO(data))):
        try:
            read()
        except Malformed:
            continue

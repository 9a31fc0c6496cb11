"""The spool: messages that were accepted and have not yet reached everybody, each durable in a file of its own.

Accepting a message costs one file (temporary file, fsync, rename, fsync of the folder); the record that its first attempt begins is
in the same write. A crash at any point leaves a message that was accepted, or none.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from sesmail.disk import troubles
from sesmail.errors import Busy, Malformed, NoSuchMessage, Unavailable
from sesmail.mail.envelope import Envelope
from sesmail.relay.disk import Folder
from sesmail.relay.draft import Draft
from sesmail.relay.folders import Folders, Hold
from sesmail.relay.message import PARTIAL, Message, open_locked
from sesmail.relay.record import Progress, Record, State, is_id
from sesmail.relay.schedule import Due, Schedule

log = logging.getLogger(__name__)

RESERVE = 16 * 1024 * 1024
# Seconds after which a message is due whose first attempt was promised and not made.
UNCLAIMED = 60.0
# Messages that stay locked because the disk takes nothing: each is an open file.
MOST_KEPT = 200
# No wait is longer than this, so a time beyond it comes from a clock that was wrong.
_LONGEST_WAIT = 86_400.0
_PASSING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR, errno.EAGAIN})


class Spool:
    """Blocking and thread-safe. `now` gives Unix time, `new_id` a new id (`record.is_id`) that never repeats itself.

    `reserve`: octets of the disk that new messages leave free. `schedule` knows when each message is due. `held`: another process of
    this gateway holds the spool for all of them.
    """

    def __init__(
        self,
        folder: Path,
        *,
        now: Callable[[], float],
        new_id: Callable[[], str],
        reserve: int = RESERVE,
        schedule: Due | None = None,
        held: bool = False,
    ) -> None:
        self._root = folder
        self._now = now
        self._new_id = new_id
        self._reserve = reserve
        self.schedule: Due = Schedule() if schedule is None else schedule
        self._held = held
        self._hold: Hold | None = None
        self._open_folders: Folders | None = None
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        # Messages whose record says that attempt 1 has begun, while it has not.
        self._promised: set[str] = set()
        self._unwritten: dict[str, State] = {}
        self._joined = False
        # Locked for as long as what is known of them is written nowhere.
        self._kept: dict[str, BinaryIO] = {}

    def open(self) -> None:
        """Make it if it is not there, take it for this process alone, sweep, and see what is in it.

        Raises Unavailable when another process has it or its format is unknown, in words for the admin.
        """
        self._open_folders = folders = Folders(self._root, make=True)
        try:
            self._hold = None if self._held else Hold(self._root)
            with troubles():
                swept = _sweep_new(folders.new)
                self._scan(folders)
        except BaseException:
            self.close()
            raise
        if swept:
            log.info("%d messages that were not received to their end were removed", swept)
        log.info("%d messages are in the spool", len(self.schedule))

    def join(self) -> None:
        """Use it beside the gateway that holds it: to add messages and to make attempts, each under its own lock.

        The gateway finds what stays here. Raises Unavailable when there is no spool.
        """
        self._open_folders = Folders(self._root, make=False)
        self._joined = True

    def close(self) -> None:
        """Give it back. Nothing may be under way in it. May be called more than once."""
        for id in list(self._kept):
            self._give_up(id)
        if self._hold is not None:
            self._hold.close()
        if self._open_folders is not None:
            self._open_folders.close()
        self._hold = self._open_folders = None

    def _give_up(self, id: str) -> None:
        kept = self._kept.pop(id, None)
        if kept is not None:
            kept.close()

    @property
    def folders(self) -> Folders:
        """Raises Unavailable when it is not open."""
        if self._open_folders is None:
            raise Unavailable(cause="the spool is closed")
        return self._open_folders

    def begin(self, envelope: Envelope, *, attempt: bool = True, report: bool = False) -> Draft:
        """A new message. `attempt`: the first one follows at once, so it is recorded together with the message; else the message
        is due as soon as it is committed. `report`: it goes to a mailbox here and is never returned.

        Raises Limited (``452 4.3.1``), Unavailable.
        """
        now = self._now()
        progress = Progress(0, 1, int(now)) if attempt else Progress(0, 0, 0)
        told = _Promised(self) if attempt else _Unpromised(self)
        return Draft(self.folders, Record(envelope, now, report, progress), self._new_id, self._reserve, told)

    def promise(self, id: str) -> None:
        """The first attempt with the message that comes in is made by this process, or when that has not happened for a while."""
        self._promised.add(id)
        self.schedule.promise(id, self._now() + UNCLAIMED)

    def put(self, id: str) -> None:
        """The message that has come in is due."""
        self.schedule.put(id, self._now())

    def busy(self, id: str) -> bool:
        """True while somebody in this process has the message in his hands."""
        return id in self._busy

    def take(self, id: str) -> Message:
        """The message, locked. What cannot be read is set aside. Raises Busy, NoSuchMessage, Unavailable."""
        with self._lock:
            if id in self._busy:
                raise Busy("the message is in other hands")
            self._busy.add(id)
        try:
            return self._taken(id)
        except BaseException:
            self._release(id)
            raise

    def _taken(self, id: str) -> Message:
        if not is_id(id):
            raise NoSuchMessage
        folders = self.folders
        self._give_up(id)
        try:
            file = open_locked(folders.queue, id)
            try:
                begun = id in self._promised
                message = Message(
                    id, file, folders, self.schedule, self._unwritten, begun=begun, closed=lambda: self._let_go(id, file)
                )
            except BaseException:
                file.close()
                raise
        except NoSuchMessage:
            self.forget(id)
            raise
        except Malformed as error:
            raise self._set_aside(id, error.public) from error
        except OSError as error:
            if error.errno in _PASSING:
                raise Unavailable(cause=error) from error
            raise self._set_aside(id, str(error)) from error
        self._promised.discard(id)
        return message

    def _let_go(self, id: str, file: BinaryIO) -> None:
        if self._joined and id in self._unwritten and len(self._kept) < MOST_KEPT:
            # Only this process knows who has the message already: nobody else may try it.
            self._kept[id] = file
        else:
            file.close()
        self._release(id)

    def _release(self, id: str) -> None:
        self._busy.discard(id)

    def forget(self, id: str) -> None:
        """There is no such message."""
        self.schedule.drop(id)
        self._promised.discard(id)
        self._unwritten.pop(id, None)

    def _set_aside(self, id: str, why: str) -> NoSuchMessage:
        folders = self.folders
        with troubles():
            os.rename(id, id, src_dir_fd=folders.queue.fd, dst_dir_fd=folders.held.fd)
            folders.sync(folders.held, folders.queue)
        self.forget(id)
        log.error("message %s cannot be read and is held: %s", id, why)
        return NoSuchMessage(cause=why)

    def settle(self) -> None:
        """Make durable what has left the spool since the last time, and what is known of others and could not be written then.

        Raises Unavailable.
        """
        with troubles():
            self.folders.queue.settle()
        for id in list(self._unwritten):
            if not self._written(id):
                break

    def _written(self, id: str) -> bool:
        try:
            with self.take(id) as message:
                return message.keep(self.schedule.due(id) or self._now())
        except (Busy, NoSuchMessage):
            return True

    def wishes(self) -> list[str]:
        """What other processes want looked at now; told once. Raises Unavailable."""
        folders = self.folders
        with troubles():
            wished = [name for name in folders.wishes.names() if is_id(name)]
            for id in wished:
                folders.wishes.forget(id)
            return [id for id in wished if folders.queue.has(id)]

    def adopt(self) -> None:
        """Find messages that came in another way than through this object; they are due now. Raises Unavailable."""
        with troubles():
            for name in self.folders.queue.names():
                if is_id(name) and name not in self.schedule and not self.busy(name):
                    self.schedule.put(name, self._now())

    def _scan(self, folders: Folders) -> None:
        now = self._now()
        due = {name: min(time, now + _LONGEST_WAIT) for name, time in _times(folders.state)}
        for name in folders.queue.names():
            if is_id(name):
                self.schedule.put(name, due.pop(name, now))
            else:
                log.warning("there is a file in the queue that is no message: %r", name)
        # A message leaves before its state does, so what is left is of no message, or of one that is held, or half written.
        for name in due.keys() - set(folders.held.names()):
            # Where others are at work it may be one of them who writes it.
            if not (self._held and folders.queue.has(name.removesuffix(PARTIAL))):
                folders.state.forget(name)


def _times(folder: Folder) -> Iterator[tuple[str, float]]:
    for entry in folder.entries():
        yield entry.name, entry.stat(follow_symlinks=False).st_mtime


def _sweep_new(folder: Folder) -> int:
    """Remove what nobody writes any more. Returns how many that were."""
    swept = 0
    for name in list(folder.names()):
        try:
            with open_locked(folder, name):
                folder.forget(name)
                swept += 1
        except (Busy, NoSuchMessage):
            continue
    return swept


class _Promised:
    """See draft.Told. What is promised must be known to all who try messages before they can see it."""

    def __init__(self, spool: Spool) -> None:
        self.coming = spool.promise
        self.failed = spool.forget

    def committed(self, id: str) -> None:
        """Nothing new."""


class _Unpromised:
    """See draft.Told."""

    def __init__(self, spool: Spool) -> None:
        self.committed = spool.put

    def coming(self, id: str) -> None:
        """Who came for it now would find nothing."""

    def failed(self, id: str) -> None:
        """Nobody knew."""

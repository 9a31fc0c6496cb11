"""``sesmail queue``: the mail that was accepted and has not left yet, beside a running gateway or without one."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from sesmail.cli.main import EXIT_FAILED, EXIT_TEMPORARY
from sesmail.cli.shown import header, moment
from sesmail.config.load import load
from sesmail.errors import Busy, MailError
from sesmail.log import quoted
from sesmail.mail.outcome import Outcome, Verdict
from sesmail.relay.record import Record
from sesmail.relay.upkeep import Entry, Upkeep


def run(args: argparse.Namespace) -> int:
    """Do what ``args.action`` says. Raises ConfigError, and Unavailable when there is no spool."""
    root = Path(args.spool or load(args.config).relay.spool)
    with Upkeep(root) as upkeep:
        if args.action == "list":
            return _list(upkeep)
        if args.action == "show":
            return _for_each(args.ids, lambda id: _show(upkeep, id))
        done: dict[str, tuple[Callable[[str], None], str]] = {
            "retry": (upkeep.retry, "will be tried now"),
            "hold": (upkeep.hold, "is held"),
            "remove": (upkeep.remove, "is removed"),
        }
        ids = upkeep.ids() if args.action == "retry" and args.all else args.ids
        return _for_each(ids, _saying(*done[args.action]))


def _saying(act: Callable[[str], None], said: str) -> Callable[[str], None]:
    def act_and_say(id: str) -> None:
        act(id)
        print(f"{id}: {said}")

    return act_and_say


def _for_each(ids: Iterable[str], act: Callable[[str], None]) -> int:
    """Every one, whatever became of the others. Returns the exit status."""
    status = 0
    for id in ids:
        try:
            act(id)
        except Busy:
            print(f"sesmail queue: {quoted(id)}: it is being sent at this moment, try again", file=sys.stderr)
            status = status or EXIT_TEMPORARY
        except MailError as error:
            print(f"sesmail queue: {quoted(id)}: {error}", file=sys.stderr)
            status = EXIT_FAILED
    return status


def _list(upkeep: Upkeep) -> int:
    count = held = 0
    for entry in upkeep.entries():
        count, held = count + 1, held + entry.held
        print("\n".join(_summary(entry)))
    print(f"{count} messages, {held} of them held" if count else "no mail is waiting")
    return 0


def _summary(entry: Entry) -> list[str]:
    record = entry.record
    if record is None:
        return [f"{entry.id}  {_when(entry)}: it cannot be read: {entry.trouble}"]
    waiting = _waiting(record, entry)
    first = f"{entry.id}  {moment(record.arrived)}  {record.progress.size} octets  {_when(entry)}"
    second = f"    {_sender(record)} -> {quoted(waiting[0])}{f' and {len(waiting) - 1} more' if waiting[1:] else ''}"
    last = next((outcome for name in waiting if (outcome := entry.state.outcomes.get(name))), None)
    return [first, second, *([f"    {last.reply}"] if last else [])]


def _show(upkeep: Upkeep, id: str) -> None:
    entry = upkeep.entry(id)
    record, state = entry.record, entry.state
    if record is None:
        print("\n".join(_summary(entry)))
        return
    print(f"id: {entry.id}{' (a report)' if record.report else ''}")
    print(f"state: {_when(entry)}")
    print(f"arrived: {moment(record.arrived)}")
    print(f"size: {record.progress.size} octets")
    print(f"account: {quoted(record.envelope.account) if record.envelope.account else 'none'}")
    print(f"sender: {_sender(record)}")
    print(f"reports to: {quoted(record.envelope.returns) if record.envelope.returns else 'nobody'}")
    print(f"attempts: {_attempts(record, state.ended)}")
    for recipient in record.envelope.recipients:
        print(f"recipient: {quoted(recipient)}, {_fate(state.outcomes.get(recipient), recipient in state.returned)}")
    print(f"\n{header(upkeep.header(id))}", end="")


def _attempts(record: Record, ended: int) -> str:
    number = record.progress.attempt
    if not number:
        return "none yet"
    doubt = "" if number <= ended else "; it is under way, or was broken off and may have been sent"
    return f"{number}, the last one began {moment(record.progress.begun)}{doubt}"


def _fate(outcome: Outcome | None, returned: bool) -> str:
    if outcome is None:
        return "no answer yet"
    words = {Verdict.ACCEPTED: "sent", Verdict.LATER: "later", Verdict.REFUSED: "returned" if returned else "refused"}
    return f"{words[outcome.verdict]}: {outcome.reply}{f' ({quoted(outcome.id)})' if outcome.id else ''}"


def _waiting(record: Record, entry: Entry) -> list[str]:
    """The recipients who have not got it; all of them when nobody is left to be tried."""
    recipients = list(record.envelope.recipients)
    settled = {*entry.state.with_verdict(Verdict.ACCEPTED), *entry.state.with_verdict(Verdict.REFUSED)}
    return [recipient for recipient in recipients if recipient not in settled] or recipients


def _when(entry: Entry) -> str:
    if entry.held:
        return "held"
    seconds = round((entry.due or 0) - time.time())
    return f"tried again in {seconds} s" if seconds > 0 else "due"


def _sender(record: Record) -> str:
    return quoted(record.envelope.sender) if record.envelope.sender else "<>"

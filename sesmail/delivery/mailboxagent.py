"""The agent for mailboxes in a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sesmail.delivery.ends import failed
from sesmail.delivery.message import Message
from sesmail.delivery.plan import Mailbox, Step
from sesmail.errors import NoSuchMailbox, NoSuchMessage
from sesmail.log import fate, lists
from sesmail.mail.outcome import Outcome

_NO_MAILBOX = Outcome(550, "5.2.1", "this account has no mailbox")


class MailboxAgent:
    """See Agent."""

    def deliver(self, steps: Sequence[Step], message: Message) -> Mapping[str, Outcome]:
        """See Agent."""
        return {
            step.name: self._put(step, step.destination, message) for step in steps if isinstance(step.destination, Mailbox)
        }

    def _put(self, step: Step, box: Mailbox, message: Message) -> Outcome:
        try:
            new = message.put_into(box.place, box.folder, step.recipients)
        except NoSuchMessage:
            raise
        except NoSuchMailbox:
            return _NO_MAILBOX
        except Exception as error:
            return failed(step, message, error)
        arrival = message.arrival
        name = arrival.id.removesuffix(".eml")
        folder, again = box.folder or None, None if new else "yes"
        for to in lists(step.recipients):
            fate("sorted", id=arrival.id, sender=arrival.sender, to=to, by="mailbox", folder=folder, again=again)
        return Outcome(250, "2.1.5", f"Ok delivered as {name}", id=arrival.id)

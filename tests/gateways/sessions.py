"""Gateways over one bucket, and sessions with them."""

from __future__ import annotations

import poplib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.clients.stores import DOMAIN, PASSWORD, Bucket, prefix_of
from tests.servers import gateway
from tests.servers.gateway import Gateway
from tests.servers.ports import free_port, wait_until
from tests.servers.seaweed import S3Server

LEASE = 3
NAMES = tuple(f"user{number:02}" for number in range(60))
_names = iter(NAMES)
IN_USE = b"-ERR [IN-USE]"


class Mailbox:
    """An account of its own for one test, with three messages that are numbered 1, 2 and 3."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self.user = next(_names)
        for number in (1, 2, 3):
            bucket.put([(f"{prefix_of(self.user)}{number:032}", f"Subject: {number}\r\n\r\nHello {number}\r\n".encode())])

    def left(self) -> list[int]:
        """The numbers of the messages that are still in the bucket."""
        names = [key.removeprefix(prefix_of(self.user)) for _, key in self.bucket.arrivals(prefix_of(self.user))]
        return sorted(int(name) for name in names if name.isdigit())


@contextmanager
def gateways(server: S3Server, bucket: Bucket, count: int = 2, **mailboxes: Any) -> Iterator[Sequence[Gateway]]:
    """So many gateways over the bucket, which they reach by this server's endpoint, with these options of `mailboxes`."""
    with ExitStack() as stack:
        both = [stack.enter_context(gateway.started(_config(server, bucket, mailboxes))) for _ in range(count)]
        for one in both:
            one.wait_until_it_listens()
        yield both


def _config(server: S3Server, bucket: Bucket, mailboxes: dict[str, Any]) -> dict[str, Any]:
    return {
        "storage": {**bucket.storage(), "endpoint": server.endpoint},
        "mailboxes": {"lock": "bucket", "lock_lease": LEASE, **mailboxes},
        "auth": {"passwd_cache": 0},
        "pop3": {"listeners": [{"endpoint": f"tcp:{free_port()}:interface=127.0.0.1", "tls": "none"}]},
    }


def login(at: Gateway, mailbox: Mailbox) -> poplib.POP3:
    """A session. Raises poplib.error_proto with what the gateway said."""
    pop = poplib.POP3("127.0.0.1", at.ports[0], timeout=60)
    try:
        pop.user(f"{mailbox.user}@{DOMAIN}")
        pop.pass_(PASSWORD)
    except poplib.error_proto:
        pop.close()
        raise
    return pop


def is_in_use(at: Gateway, mailbox: Mailbox) -> bool:
    """Whether a login is told so; any other refusal is an error. A login that succeeds is ended again."""
    try:
        login(at, mailbox).quit()
    except poplib.error_proto as error:
        if not error.args[0].startswith(IN_USE):
            raise
        return True
    return False


def login_soon(at: Gateway, mailbox: Mailbox, seconds: float) -> poplib.POP3:
    """The first session that is let in. Raises TimeoutError after so many seconds of [IN-USE]."""
    sessions: list[poplib.POP3] = []

    def let_in() -> bool:
        try:
            sessions.append(login(at, mailbox))
        except poplib.error_proto as error:
            if not error.args[0].startswith(IN_USE):
                raise
        return bool(sessions)

    wait_until(let_in, seconds=seconds, what=at.log)
    return sessions[0]

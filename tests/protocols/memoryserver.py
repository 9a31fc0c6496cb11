"""A submission listener in a process of its own, so that its memory can be weighed: `python -m tests.protocols.memoryserver PORT PEM`.

A message is taken or, when its sender is slow@example.com, waited for at its first piece, for ever.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.ssl import PrivateCertificate
from twisted.protocols.tls import TLSMemoryBIOFactory

from sesmail.protocols.limits import Connections
from sesmail.protocols.smtp.factory import SubmissionFactory
from sesmail.protocols.smtp.policy import Policy
from tests.protocols.submission import MemoryLetter, SubmissionPost

reactor: Any = _reactor


class Sink(MemoryLetter):
    """Forgets what it is given."""

    async def write(self, piece: bytes) -> None:
        if self.sender == "slow@example.com":
            self.pieces.append(piece)
            await Deferred()


def main(port: int, pem: Path) -> None:
    post = SubmissionPost()
    post.submission.letter = Sink
    post.submission.forgets = True
    tls = PrivateCertificate.loadPEM(pem.read_bytes()).options()
    factory = SubmissionFactory(
        post.portal, Policy(strike_delay=0), Connections(10_000, 10_000), tls=tls, implicit=True, clock=reactor
    )
    reactor.listenTCP(port, TLSMemoryBIOFactory(tls, False, factory), interface="127.0.0.1", backlog=500)
    reactor.run()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))

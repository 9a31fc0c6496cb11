"""A DNS server of the tests' own: ``python -m tests.servers.dns PORT FILE`` knows the records of the zone file and no others."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.names import common, dns, error, server
from twisted.names.authority import FileAuthority

from tests.servers.ports import BEGINS, answers, free_port, wait_until
from tests.servers.process import Guarded

_ROOT = Path(__file__).parents[2]


class Zone(FileAuthority):
    """Knows these records and nothing else."""

    def __init__(self, records: dict[bytes, list[Any]]) -> None:
        common.ResolverBase.__init__(self)
        self._cache = {}
        self.soa: Any = (b"", dns.Record_SOA(mname="ns.test", rname="root.test"))
        self.records: Any = records

    def _lookup(self, name: bytes, cls: int, type: int, timeout: Any = None) -> Deferred[Any]:
        found = [record for record in self.records.get(name.lower(), ()) if record.TYPE in (type, dns.CNAME)]
        if not found:
            return fail(error.DNSNameError() if name.lower() not in self.records else error.DomainError())
        headers = [dns.RRHeader(name, record.TYPE, dns.IN, 60, record, auth=True) for record in found]
        done: Deferred[Any] = Deferred()
        done.callback((headers, [], []))
        return done


class _Server(server.DNSServerFactory):
    noisy = False

    def gotResolverError(self, failure: Any, protocol: Any, message: Any, address: Any) -> None:
        code = dns.ENAME if failure.check(error.DNSNameError) else dns.OK
        self.sendReply(protocol, self._responseFromMessage(message=message, rCode=code), address)


def record(type: str, data: list[str]) -> Any:
    """A record of a zone file."""
    if type == "TXT":
        return dns.Record_TXT(*(part.encode() for part in data))
    names = [part.rstrip(".") for part in data]
    if type == "MX":
        return dns.Record_MX(int(data[0]), names[1])
    if type == "SRV":
        return dns.Record_SRV(int(data[0]), int(data[1]), int(data[2]), names[3])
    return {"CNAME": dns.Record_CNAME, "A": dns.Record_A}[type](names[0])


def parsed(text: str) -> dict[bytes, list[Any]]:
    """The records of a zone file whose names are all whole ones."""
    found: dict[bytes, list[Any]] = {}
    for line in text.splitlines():
        if line and not line.startswith(";"):
            name, ttl, cls, type, *data = shlex.split(line)
            assert (name[-1], cls) == (".", "IN")
            assert ttl.isdigit()
            found.setdefault(name[:-1].encode(), []).append(record(type, data))
    return found


@contextmanager
def running(zone: str, directory: Path) -> Iterator[int]:
    """One that knows this zone file; its port on 127.0.0.1, for UDP and TCP."""
    port, file = free_port(), directory / "zone"
    file.write_text(zone)
    process = Guarded([sys.executable, "-m", "tests.servers.dns", str(port), str(file)], directory / "log", cwd=_ROOT)
    try:
        wait_until(lambda: answers(port), seconds=BEGINS, what=process.tail)
        yield port
    finally:
        process.stop()


def main(port: int, file: Path) -> None:
    """Answer until the process is ended."""
    from twisted.internet import reactor

    known: Any = reactor
    factory = _Server(authorities=[Zone(parsed(file.read_text()))])
    known.listenUDP(port, dns.DNSDatagramProtocol(factory), interface="127.0.0.1")
    known.listenTCP(port, factory, interface="127.0.0.1")
    known.run()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))

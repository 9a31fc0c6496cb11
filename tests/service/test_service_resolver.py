"""DNS, asked of a real server on this machine."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.names import client, common, dns, error, server
from twisted.names.authority import FileAuthority
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from sesmail.errors import Refused, Unavailable
from sesmail.relay.domains import Domains, NoSuchDomain
from sesmail.service.resolver import Resolver
from tests.service.tls import reactor

_SOA = dns.Record_SOA(mname="ns.test", rname="root.test", serial=1)


class Zone(FileAuthority):
    """Records of names below .test, which it is the authority for; under broken.test it fails, under silent.test it says nothing."""

    def __init__(self) -> None:
        common.ResolverBase.__init__(self)
        self._cache = {}
        self.soa: Any = (b"test", _SOA)
        self.records: Any = {
            b"test": [_SOA],
            b"mail.test": [dns.Record_MX(10, "mx1.mail.test"), dns.Record_MX(20, "mx2.mail.test")],
            b"address.test": [dns.Record_A("192.0.2.1")],
            b"six.test": [dns.Record_AAAA("2001:db8::1")],
            b"none.test": [dns.Record_MX(0, "")],
            b"text.test": [dns.Record_TXT(b"nothing else")],
        }

    def _lookup(self, name: bytes, cls: int, type: int, timeout: Any = None) -> Deferred[Any]:
        if name == b"broken.test":
            return fail(error.DNSServerError())
        if name == b"refused.test":
            return fail(error.DNSQueryRefusedError())
        if name == b"silent.test":
            return Deferred()
        found: Deferred[Any] = super()._lookup(name, cls, type, timeout)
        return found


class Server(server.DNSServerFactory):
    """Says what is wrong as a server that asks others does."""

    noisy = False

    def gotResolverError(self, failure: Failure, protocol: Any, message: Any, address: Any) -> None:
        codes: dict[Any, int] = {error.DNSServerError: dns.ESERVER, error.DNSQueryRefusedError: dns.EREFUSED}
        code = codes.get(failure.type)
        if code is None:
            super().gotResolverError(failure, protocol, message, address)
        else:
            self.sendReply(protocol, self._responseFromMessage(message=message, rCode=code), address)


class ResolverTest(TestCase):
    def setUp(self) -> None:
        udp = reactor.listenUDP(0, dns.DNSDatagramProtocol(Server(authorities=[Zone()])), interface="127.0.0.1")
        self.addCleanup(udp.stopListening)
        asked = client.Resolver(servers=[("127.0.0.1", udp.getHost().port)], reactor=reactor)
        self.resolver = Resolver(asked, reactor, (0.2, 0.2))
        self.domains = Domains(self.resolver, reactor.seconds)

    async def refusal(self, domain: str) -> str | None:
        with self.assertRaises((Refused, Unavailable)) as caught:
            await self.domains.check(domain)
        smtp: str | None = caught.exception.smtp
        return smtp

    async def test_mail_exchangers_are_found(self) -> None:
        self.assertEqual(sorted(await self.resolver.exchangers("mail.test")), ["mx1.mail.test", "mx2.mail.test"])
        await self.domains.check("mail.test")

    async def test_an_address_of_either_kind_will_do(self) -> None:
        self.assertEqual(await self.resolver.exchangers("address.test"), [])
        await self.domains.check("address.test")
        await self.domains.check("six.test")

    async def test_a_domain_that_takes_no_mail_says_so(self) -> None:
        self.assertEqual(await self.resolver.exchangers("none.test"), [""])
        self.assertEqual(await self.refusal("none.test"), "556 5.1.10")

    async def test_a_name_that_does_not_exist_is_told_from_one_that_has_nothing(self) -> None:
        with self.assertRaises(NoSuchDomain):
            await self.resolver.exchangers("nobody.test")
        self.assertEqual(await self.refusal("nobody.test"), "550 5.1.2")
        self.assertEqual(await self.refusal("text.test"), "550 5.1.2")

    async def test_a_server_that_fails_or_refuses_is_no_answer(self) -> None:
        self.assertEqual(await self.refusal("broken.test"), "451 4.4.3")
        self.assertEqual(await self.refusal("refused.test"), "451 4.4.3")

    async def test_without_an_answer_it_is_tried_again_later(self) -> None:
        self.assertEqual(await self.refusal("silent.test"), "451 4.4.3")

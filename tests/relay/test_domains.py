"""What DNS says of a recipient's domain, and how long it is believed."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.trial.unittest import TestCase

from sesmail.errors import MailError, Refused, Unavailable
from sesmail.relay.domains import EXISTS, REFUSED, Domains, NoSuchDomain


class Zone:
    """MX records and addresses by name."""

    def __init__(self) -> None:
        self.mx: dict[str, Sequence[str] | Exception] = {}
        self.addresses: dict[str, bool | Exception] = {}
        self.asked: list[str] = []

    async def exchangers(self, domain: str) -> Sequence[str]:
        self.asked.append(domain)
        found = self.mx.get(domain, NoSuchDomain())
        if isinstance(found, Exception):
            raise found
        return found

    async def has_address(self, domain: str) -> bool:
        found = self.addresses.get(domain, False)
        if isinstance(found, Exception):
            raise found
        return found


class DomainsTest(TestCase):
    def setUp(self) -> None:
        self.zone = Zone()
        self.time = 0.0
        self.domains = Domains(self.zone, lambda: self.time, limit=3)

    async def refusal(self, kind: type[MailError], domain: str = "example.net") -> str | None:
        with self.assertRaises(kind) as caught:
            await self.domains.check(domain)
        self.assertIn(domain, caught.exception.public)
        smtp: str | None = caught.exception.smtp
        return smtp

    async def test_a_domain_with_a_mail_exchanger_will_do(self) -> None:
        self.zone.mx["example.net"] = ["mx1.example.net", "mx2.example.net"]
        await self.domains.check("example.net")

    async def test_a_domain_with_only_an_address_will_do(self) -> None:
        self.zone.mx["example.net"] = []
        self.zone.addresses["example.net"] = True
        await self.domains.check("example.net")

    async def test_a_domain_that_takes_no_mail_is_refused(self) -> None:
        self.zone.mx["example.net"] = [""]
        self.assertEqual(await self.refusal(Refused), "556 5.1.10")

    async def test_a_domain_that_does_not_exist_is_refused(self) -> None:
        self.assertEqual(await self.refusal(Refused), "550 5.1.2")

    async def test_a_domain_with_nothing_is_refused(self) -> None:
        self.zone.mx["example.net"] = []
        self.assertEqual(await self.refusal(Refused), "550 5.1.2")

    async def test_a_look_up_that_fails_is_tried_again_later(self) -> None:
        self.zone.mx["example.net"] = Unavailable(cause="no answer")
        self.assertEqual(await self.refusal(Unavailable), "451 4.4.3")
        self.zone.mx["example.net"] = []
        self.zone.addresses["example.net"] = Unavailable(cause="no answer")
        self.assertEqual(await self.refusal(Unavailable), "451 4.4.3")
        self.zone.addresses["example.net"] = True
        await self.domains.check("example.net")

    async def test_answers_are_believed_for_a_while(self) -> None:
        self.zone.mx["example.net"] = ["mx.example.net"]
        await self.domains.check("example.net")
        await self.refusal(Refused, "example.org")
        self.time += REFUSED - 1
        await self.domains.check("example.net")
        await self.refusal(Refused, "example.org")
        self.assertEqual(self.zone.asked, ["example.net", "example.org"])
        self.time += 1
        self.zone.mx["example.org"] = ["mx.example.org"]
        await self.domains.check("example.org")
        self.time += EXISTS
        del self.zone.mx["example.net"]
        await self.refusal(Refused)

    async def test_domains_are_remembered_in_bounded_number(self) -> None:
        for number in range(5):
            self.zone.mx[f"d{number}.example"] = ["mx"]
            await self.domains.check(f"d{number}.example")
        await self.domains.check("d4.example")
        self.assertEqual(len(self.zone.asked), 5)
        await self.domains.check("d0.example")
        self.assertEqual(self.zone.asked[-1], "d0.example")

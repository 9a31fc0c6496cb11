"""Who may send as whom, and to whom."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase

from sesmail.errors import Limited, MailError, NoSuchMailbox, Refused, Unavailable
from sesmail.interfaces import Account
from sesmail.relay.hourly import Hourly
from sesmail.relay.policy import Policy, Rules, own_address

TOM = Account("tom@example.com", "tom@example.com", None)
NOBODY = Account("reports", None, None)


class PolicyTest(TestCase):
    def setUp(self) -> None:
        self.aliases: dict[tuple[str, str], bool | MailError] = {}
        self.mailboxes: set[str] = {"ann@example.com"}
        self.domains: dict[str, MailError] = {}
        self.looked_up: list[str] = []
        self.time = 1000.0

    async def _may_send_as(self, account: str, address: str) -> bool:
        found = self.aliases.get((account, address), False)
        if isinstance(found, MailError):
            raise found
        return found

    async def _accepts(self, address: str) -> bool:
        return address in self.mailboxes

    async def _check_domain(self, domain: str) -> None:
        self.looked_up.append(domain)
        if domain in self.domains:
            raise self.domains[domain]

    def policy(self, rate: int | None = None, **rules: Any) -> Policy:
        return Policy(
            Rules(**rules),
            may_send_as=self._may_send_as,
            accepts=self._accepts,
            check_domain=self._check_domain,
            hourly=Hourly(rate, lambda: self.time) if rate else None,
        )

    async def refusal(self, kind: type[MailError], coroutine: Any) -> str | None:
        with self.assertRaises(kind) as caught:
            await coroutine
        smtp: str | None = caught.exception.smtp
        return smtp

    async def test_an_account_sends_as_its_own_address_in_any_case_and_with_any_tag(self) -> None:
        policy = self.policy()
        for address in (
            "tom@example.com",
            "Tom@example.com",
            "TOM+shop@example.com",
            "tom+@example.com",
            "tom+a+b@example.com",
        ):
            await policy.check_sender(TOM, address)

    async def test_an_account_sends_as_nobody_else(self) -> None:
        policy = self.policy(grants={"ann@example.com": frozenset({"sales@example.com"})})
        for address in (
            "ann@example.com",
            "tom@example.org",
            "tom@sub.example.com",
            "tommy@example.com",
            "shop+tom@example.com",
            "to@example.com",
            '"tom x"@example.com',
            "sales@example.com",
        ):
            self.assertEqual(await self.refusal(Refused, policy.check_sender(TOM, address)), "553 5.7.1", address)

    async def test_a_tag_of_somebody_else_is_not_ours(self) -> None:
        tagged = Account("tom+shop@example.com", "tom+shop@example.com", None)
        policy = self.policy()
        await policy.check_sender(tagged, "tom+shop@example.com")
        await self.refusal(Refused, policy.check_sender(tagged, "tom@example.com"))

    async def test_an_account_without_a_verified_address_sends_as_nobody(self) -> None:
        await self.refusal(Refused, self.policy().check_sender(NOBODY, "reports@example.com"))

    async def test_a_verified_address_that_smtp_cannot_carry_is_none(self) -> None:
        self.assertEqual(own_address(Account("müller@example.com", "müller@example.com", None)), "")
        self.assertEqual(own_address(Account("tom@bücher.example", "tom@bücher.example", None)), "tom@xn--bcher-kva.example")

    async def test_a_grant_is_an_address_or_a_whole_domain(self) -> None:
        policy = self.policy(grants={"reports": frozenset({"sales@example.com", "@shop.example.com"})})
        for address in ("sales@example.com", "Sales@example.com", "sales+x@example.com", "any.body@shop.example.com"):
            await policy.check_sender(NOBODY, address)
        for address in ("boss@example.com", "x@sub.shop.example.com", "x@evilshop.example.com"):
            await self.refusal(Refused, policy.check_sender(NOBODY, address))

    async def test_what_aliases_lead_to_an_account_it_may_send_as(self) -> None:
        self.aliases["reports", "info@example.com"] = True
        await self.policy().check_sender(NOBODY, "info@example.com")
        await self.refusal(Refused, self.policy().check_sender(TOM, "info@example.com"))

    async def test_aliases_that_cannot_be_asked_are_no_refusal(self) -> None:
        self.aliases["tom@example.com", "info@example.com"] = Unavailable()
        await self.refusal(Unavailable, self.policy().check_sender(TOM, "info@example.com"))

    async def test_a_recipient_anywhere_is_looked_up_in_dns(self) -> None:
        await self.policy().check_recipient(TOM, "eve@example.net", 0)
        self.assertEqual(self.looked_up, ["example.net"])

    async def test_a_domain_that_cannot_get_mail_is_refused(self) -> None:
        self.domains["example.net"] = Refused(smtp="550 5.1.2")
        self.assertEqual(await self.refusal(Refused, self.policy().check_recipient(TOM, "eve@example.net", 0)), "550 5.1.2")

    async def test_a_domain_must_be_written_in_full(self) -> None:
        self.assertEqual(await self.refusal(Refused, self.policy().check_recipient(TOM, "root@localhost", 0)), "550 5.1.2")
        self.assertEqual(self.looked_up, [])

    async def test_a_recipient_here_must_have_a_mailbox_and_is_not_looked_up(self) -> None:
        policy = self.policy(local_domains=frozenset({"example.com"}))
        await policy.check_recipient(TOM, "ann@example.com", 0)
        self.assertEqual(await self.refusal(NoSuchMailbox, policy.check_recipient(TOM, "bob@example.com", 0)), "550 5.1.1")
        self.assertEqual(self.looked_up, [])

    async def test_recipients_over_the_limit_come_in_another_message(self) -> None:
        policy = self.policy(max_recipients=3)
        await policy.check_recipient(TOM, "eve@example.net", 2)
        self.assertEqual(await self.refusal(Limited, policy.check_recipient(TOM, "eve@example.net", 3)), "452 4.5.3")

    async def test_a_denied_recipient_gets_nothing(self) -> None:
        policy = self.policy(deny=frozenset({"eve@example.net", "@example.org"}))
        await policy.check_recipient(TOM, "ann@example.net", 0)
        for address in ("eve@example.net", "EVE+x@example.net", "anybody@example.org"):
            self.assertEqual(await self.refusal(Refused, policy.check_recipient(TOM, address, 0)), "550 5.7.1", address)

    async def test_with_a_list_of_allowed_recipients_all_others_get_nothing(self) -> None:
        policy = self.policy(allow=frozenset({"eve@example.net", "@example.org"}), deny=frozenset({"bob@example.org"}))
        await policy.check_recipient(TOM, "eve@example.net", 0)
        await policy.check_recipient(TOM, "ann@example.org", 0)
        for address in ("ann@example.net", "ann@sub.example.org", "bob@example.org"):
            self.assertEqual(await self.refusal(Refused, policy.check_recipient(TOM, address, 0)), "550 5.7.1", address)

    async def test_recipients_in_an_hour_are_counted_by_account(self) -> None:
        policy = self.policy(rate=10)
        await policy.check_recipient(TOM, "eve@example.net", 9)
        self.assertEqual(await self.refusal(Limited, policy.check_recipient(TOM, "eve@example.net", 10)), "452 4.7.1")
        policy.spend(TOM, 10)
        await self.refusal(Limited, policy.check_recipient(TOM, "eve@example.net", 0))
        await policy.check_recipient(NOBODY, "eve@example.net", 9)
        self.time += 360
        await policy.check_recipient(TOM, "eve@example.net", 0)
        await self.refusal(Limited, policy.check_recipient(TOM, "eve@example.net", 1))

    async def test_two_sessions_share_what_their_account_may_send(self) -> None:
        policy = self.policy(rate=10)
        policy.spend(TOM, 6)
        with self.assertRaises(Limited):
            policy.spend(TOM, 6)
        policy.spend(TOM, 4)


class HourlyTest(TestCase):
    def test_accounts_are_kept_in_bounded_number(self) -> None:
        hourly = Hourly(10, lambda: 0.0, accounts=3)
        for number in range(5):
            hourly.spend(f"user{number}", 10)
        with self.assertRaises(Limited):
            hourly.check("user4", 1)
        hourly.check("user0", 10)
        self.assertLessEqual(len(hourly._spent), 3)

    def test_an_hour_later_all_is_as_before(self) -> None:
        time = [0.0]
        hourly = Hourly(10, lambda: time[0])
        hourly.spend("tom", 10)
        time[0] = 100_000.0
        hourly.spend("tom", 10)
        with self.assertRaises(Limited):
            hourly.spend("tom", 1)

"""Whose mailbox an address leads to, and who may send as it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.trial.unittest import TestCase

from sesmail.auth.names import Name, Names
from sesmail.errors import Malformed, Unavailable
from sesmail.interfaces import Place, StorePlace
from sesmail.service.aliastable import AliasTable
from sesmail.service.residents import Residents
from tests.service.tls import temporary

STORE = StorePlace("file:///mail")
SALES = Place(STORE, "incoming/sales/")


def place(local: str, domain: str) -> Place:
    return Place(STORE, f"mailboxes/{domain}/{local}/")


class ResidentsTest(TestCase):
    def setUp(self) -> None:
        self.aliases: dict[str, tuple[str, ...]] = {}
        self.accounts = {"tom@example.com", "ann@example.com"}
        self.trouble = False
        names = Names(frozenset({"example.com"}), "example.com")
        self.residents = Residents(names, self._resolve, {"sales@example.com": SALES}, [self._known], place)

    async def _resolve(self, address: str) -> Sequence[str]:
        return self.aliases.get(address, ())

    async def _known(self, name: Name) -> bool:
        if self.trouble:
            raise Unavailable
        return str(name) in self.accounts

    async def test_an_account_lives_at_its_own_address_in_any_case_and_with_any_tag(self) -> None:
        for address in ("tom@example.com", "TOM@example.com", "tom+shop@example.com"):
            self.assertEqual(await self.residents.places(address), (place("tom", "example.com"),))

    async def test_a_user_of_the_configuration_may_live_elsewhere(self) -> None:
        self.assertEqual(await self.residents.places("Sales+x@example.com"), (SALES,))

    async def test_nobody_lives_at_any_other_address(self) -> None:
        for address in ("bob@example.com", "tom@example.org", "tommy+tom@example.com", '".."@example.com', '"a/b"@example.com'):
            self.assertFalse(await self.residents.accepts(address), address)

    async def test_an_alias_goes_before_an_account_and_may_lead_to_several(self) -> None:
        self.aliases["tom@example.com"] = ("ann", "sales@example.com", "ann@example.com")
        self.assertEqual(await self.residents.places("tom@example.com"), (place("ann", "example.com"), SALES))

    async def test_an_alias_to_nobody_is_nobody(self) -> None:
        self.aliases["info@example.com"] = ("gone",)
        self.assertFalse(await self.residents.accepts("info@example.com"))

    async def test_not_to_know_is_not_to_be_nobody(self) -> None:
        self.trouble = True
        with self.assertRaises(Unavailable):
            await self.residents.accepts("bob@example.com")

    async def test_an_alias_lets_its_account_send(self) -> None:
        self.aliases["info@example.com"] = ("ann", "sales")
        for account, may in (("ann@example.com", True), ("sales@example.com", True), ("tom@example.com", False)):
            self.assertEqual(await self.residents.may_send_as(account, "Info+x@example.com"), may, account)
        self.assertFalse(await self.residents.may_send_as("ann@example.com", "other@example.com"))


class AliasTableTest(TestCase):
    def setUp(self) -> None:
        self.file = Path(temporary(self)) / "table"
        self.file.write_text("/^(adam|jack)@example\\.com$/ ${1}\n")
        self.table = AliasTable(f"pcre:{self.file}", self._run_at_once)

    async def _run_at_once(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    async def test_it_says_whom_an_address_leads_to(self) -> None:
        self.assertEqual(await self.table.resolve("Adam@example.com"), ("adam",))
        self.assertEqual(await self.table.resolve("eve@example.com"), ())

    async def test_it_is_read_again_when_it_is_told(self) -> None:
        self.file.write_text("/^eve@example\\.com$/ ryan\n")
        self.assertEqual(await self.table.resolve("eve@example.com"), ())
        self.table.reload()
        self.assertEqual(await self.table.resolve("eve@example.com"), ("ryan",))

    async def test_one_that_cannot_be_used_changes_nothing(self) -> None:
        self.file.write_text("/(/ ryan\n")
        with self.assertLogs("sesmail.service.aliastable", "ERROR") as caught:
            self.table.reload()
        self.assertIn(str(self.file), caught.output[0])
        self.assertEqual(await self.table.resolve("adam@example.com"), ("adam",))

    def test_without_a_good_one_there_is_no_start(self) -> None:
        self.file.write_text("/(/ ryan\n")
        self.assertRaises(Malformed, AliasTable, f"pcre:{self.file}", self._run_at_once)
        self.assertRaises(Unavailable, AliasTable, "pcre:/nonexistent", self._run_at_once)

"""Figures of mailboxes: counted once for all who ask at a time, and not believed for long."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from sesmail.config.load import from_text
from sesmail.errors import Unavailable
from sesmail.interfaces import Account, Keys, Place, StorePlace
from sesmail.service.summaries import KEPT, Summaries, settings
from sesmail.storage.maildrop import Figures

STORE = StorePlace("s3://example-mail")
TOM = Account("tom@example.com", None, Place(STORE, "tom/"))


class Counting(TestCase):
    def setUp(self) -> None:
        self.now = 1000.0
        self.counted: list[Place | None] = []
        self.waiting: list[Deferred[None]] = []
        self.summaries = Summaries(self.count, lambda: self.now, [])

    async def count(self, place: Place | None) -> Figures:
        self.counted.append(place)
        turn: Deferred[None] = Deferred()
        self.waiting.append(turn)
        await turn
        return Figures(len(self.counted), 1000)

    def ask(self, account: Account = TOM) -> Deferred[int]:
        async def asked() -> int:
            said = await self.summaries.of(account)
            messages = said["messages"]
            assert isinstance(messages, int)
            return messages

        return Deferred.fromCoroutine(asked())

    def go_on(self) -> None:
        while self.waiting:
            self.waiting.pop().callback(None)

    def test_many_who_ask_at_a_time_cost_one_listing(self) -> None:
        asked = [self.ask() for _ in range(10)]
        self.go_on()
        self.assertEqual([self.successResultOf(one) for one in asked], [1] * 10)
        self.assertEqual(len(self.counted), 1)

    def test_figures_are_believed_for_seconds(self) -> None:
        for later, messages in ((0, 1), (9.9, 1), (0.2, 2), (100, 3)):
            self.now += later
            asked = self.ask()
            self.go_on()
            self.assertEqual(self.successResultOf(asked), messages)

    def test_who_brings_other_keys_is_not_shown_what_the_first_may_see(self) -> None:
        assert TOM.place is not None
        other = replace(TOM, place=replace(TOM.place, store=replace(STORE, keys=Keys("AKIA", "secret"))))
        asked = [self.ask(), self.ask(other)]
        self.go_on()
        self.assertEqual(len(self.counted), 2)
        for one in asked:
            self.successResultOf(one)

    def test_what_could_not_be_counted_is_asked_for_again(self) -> None:
        asked = [self.ask(), self.ask()]
        self.waiting.pop().errback(Unavailable())
        for one in asked:
            self.failureResultOf(one, Unavailable)
        again = self.ask()
        self.go_on()
        self.assertEqual(self.successResultOf(again), 2)

    def test_no_place_is_kept_for_longer_than_its_figures(self) -> None:
        asked = self.ask(replace(TOM, place=Place(replace(STORE, keys=Keys("AKIA", "verysecret")), "")))
        self.go_on()
        self.successResultOf(asked)
        self.now += 60
        other = self.ask()
        self.go_on()
        self.successResultOf(other)
        self.assertEqual(list(self.summaries._kept), [TOM.place])

    def test_so_many_are_kept_at_most(self) -> None:
        for number in range(KEPT + 20):
            asked = self.ask(replace(TOM, place=Place(STORE, f"{number}/")))
            self.go_on()
            self.successResultOf(asked)
        self.assertEqual(len(self.summaries._kept), KEPT)


class Told(TestCase):
    def test_mail_programs_are_told_the_ports_that_they_can_reach(self) -> None:
        text = """
            storage: {url: 's3://example-mail'}
            tls: {self_signed: true}
            pop3:
              listeners:
                - {endpoint: 'tcp:port=1995', tls: implicit}
                - {endpoint: 'haproxy:tcp:2110', tls: starttls, trusted: [10.0.0.5]}
                - {endpoint: 'unix:/run/x', tls: none}
            submission:
              hostname: mail.example.com
              listeners: [{endpoint: 'systemd:domain=INET:index=0', tls: implicit}, {endpoint: 'tcp6:587', tls: starttls}]
        """
        told = settings(from_text(text, "test", {"HOME": "/home/x"}))
        self.assertEqual(
            [(one["protocol"], one["host"], one["port"], one["tls"]) for one in told],
            [
                ("POP3", "mail.example.com", 1995, "implicit"),
                ("POP3", "mail.example.com", 110, "starttls"),
                ("SMTP", "mail.example.com", 465, "implicit"),
                ("SMTP", "mail.example.com", 587, "starttls"),
            ],
        )

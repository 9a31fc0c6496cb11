"""The door as SNS uses it: without the login at first, with a time for each answer, again after a 5xx and never after a 4xx."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from sesmail.errors import Unavailable
from sesmail.service.certificates import CertificateStore
from sesmail.service.keypair import Pair
from sesmail.service.presented import today
from tests.servers.certificates import Authority
from tests.service.tls import temporary, trusting
from tests.web.doorhouse import LOGIN, House, failing, later
from tests.web.snssender import Sender


class Sending(TestCase):
    def setUp(self) -> None:
        authority = Authority(temporary(self))
        issued = authority.issue("localhost")
        self.trust = trusting(authority.certificate)
        store = CertificateStore([Pair(issued.certificate, issued.key)], today)
        self.house = House(self, tls=store, login=LOGIN, patience=0.5)
        self.message = self.house.signer.notification("{}")

    def sender(self, login: str | None = "sns:geheim") -> Sender:
        return Sender(self.house.port, self.trust, login, timeout=2.0, retries=8)

    async def test_the_first_request_is_refused_and_the_second_does_it(self) -> None:
        self.assertEqual(await deferToThread(self.sender().deliver, self.message), [401, 200])
        self.assertEqual(self.house.taken, ["{}"])

    async def test_it_comes_again_until_the_store_is_back(self) -> None:
        self.house.taking = failing(Unavailable())
        delivered = deferToThread(self.sender().deliver, self.message)
        await later(0.3)
        self.house.taking = failing(None)
        seen = await delivered
        self.assertEqual((seen[1], seen[-1], self.house.taken), (503, 200, ["{}"]))

    async def test_slow_work_is_done_once_however_often_it_comes(self) -> None:
        begun: list[str] = []

        async def taking(text: str) -> None:
            begun.append(text)
            await later(1.5)

        self.house.taking = taking
        seen = await deferToThread(self.sender().deliver, self.message)
        self.assertEqual((seen[1], seen[-1]), (503, 200))
        self.assertEqual((begun, self.house.taken), (["{}"], ["{}"]))

    async def test_it_hears_in_time_that_it_must_come_again(self) -> None:
        go: Deferred[None] = Deferred()
        self.house.taking = lambda _: go
        sender = self.sender()
        sender.retries = 0
        self.assertEqual(await deferToThread(sender.deliver, self.message), [401, 503])
        go.callback(None)

    async def test_a_wrong_login_is_given_up(self) -> None:
        self.assertEqual(await deferToThread(self.sender("sns:falsch").deliver, self.message), [401, 401])
        self.assertEqual(await deferToThread(self.sender(None).deliver, self.message), [401])

    async def test_a_subscription_is_made_and_ended(self) -> None:
        for kind in ("SubscriptionConfirmation", "UnsubscribeConfirmation"):
            message = self.house.signer.confirmation(kind)
            self.assertEqual(await deferToThread(self.sender().deliver, message), [401, 200])
        self.assertEqual(len(self.house.confirmed), 1)

"""What SNS brings is done once, answered when it is done, and never lost, whatever else is down."""

from __future__ import annotations

import json
from threading import Event

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from sesmail.errors import Busy, Limited, Malformed, Refused, TooLarge, Unavailable
from sesmail.service.workers import Workers
from tests.aws.snssigner import TOKEN, TOPIC, Signer, rsa_key
from tests.service.tls import in_thread
from tests.web.doorhouse import BASIC, LOGIN, House, failing, later, post, reactor, request, until

_NOTICE = '{"notificationType":"Received","secret":"body-of-mail"}'


class Deliveries(TestCase):
    def setUp(self) -> None:
        self.house = House(self)
        self.signer = self.house.signer

    async def test_both_versions_of_signatures_are_taken(self) -> None:
        for version in ("1", "2"):
            self.assertEqual(await self.house.post(self.signer.notification(_NOTICE, version=version)), 200)
        self.assertEqual(self.house.taken, [_NOTICE, _NOTICE])
        self.assertEqual(len(self.signer.fetched), 1)

    async def test_the_older_version_can_be_kept_out(self) -> None:
        house = House(self, versions=("2",))
        self.assertEqual(await house.post(house.signer.notification(_NOTICE, version="1")), 403)
        self.assertEqual(await house.post(house.signer.notification(_NOTICE, version="2")), 200)

    async def test_nothing_is_answered_before_it_is_done(self) -> None:
        go: Deferred[None] = Deferred()
        self.house.taking = lambda _: go
        answered = Deferred.fromCoroutine(self.house.post(self.signer.notification(_NOTICE)))
        await later(0.2)
        self.assertFalse(answered.called)
        go.callback(None)
        self.assertEqual(await answered, 200)

    async def test_what_sns_may_have_brought_before_is_said_to_be_so(self) -> None:
        for age in (0, 5, 15, 3600):
            await self.house.post(self.signer.notification(_NOTICE, at=self.house.now - age))
        self.assertEqual(self.house.again, [False, False, True, True])

    async def test_only_what_sns_signed_for_our_topics_in_time_is_taken(self) -> None:
        signer = self.signer
        good = signer.notification(_NOTICE)
        thief = Signer(key=rsa_key(1))
        forged = [
            good | {"Message": "{}"},
            thief.notification(_NOTICE) | {"SigningCertURL": signer.certificate_url},
            Signer(TOPIC + "-2").notification(_NOTICE),
            signer.notification(_NOTICE, at=self.house.now - 4000),
            signer.notification(_NOTICE, at=self.house.now + 4000),
            good | {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com.example/SimpleNotificationService-a.pem"},
            good | {"SigningCertURL": "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-a.pem"},
            good | {"SigningCertURL": "https://s3.amazonaws.com/SimpleNotificationService-a.pem"},
        ]
        for message in forged:
            self.assertEqual(await self.house.post(message), 403)
        self.assertEqual(self.house.taken, [])
        self.assertLessEqual(set(signer.fetched), {signer.certificate_url})

    async def test_a_certificate_that_cannot_be_had_is_asked_for_again_later(self) -> None:
        message = self.signer.notification(_NOTICE)
        pem, self.signer.pem = self.signer.pem, b"<html>"
        self.assertEqual(await self.house.post(message), 503)
        self.signer.pem = pem
        self.assertEqual(await self.house.post(message), 503)
        self.assertEqual(len(self.signer.fetched), 1)
        self.house.now += 31
        self.assertEqual(await self.house.post(message), 200)

    async def test_made_up_certificates_are_not_fetched_without_end(self) -> None:
        for number in range(50):
            url = f"https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-{number}.pem"
            status = await self.house.post(self.signer.notification(_NOTICE) | {"SigningCertURL": url})
            self.assertEqual(status, 503)
        self.assertLessEqual(len(self.signer.fetched), 20)

    async def test_messages_that_come_together_fetch_their_certificate_once(self) -> None:
        posts = [Deferred.fromCoroutine(self.house.post(self.signer.notification(str(n)))) for n in range(8)]
        self.assertEqual([await one for one in posts], [200] * 8)
        self.assertEqual(len(self.signer.fetched), 1)

    async def test_what_fails_for_now_comes_again(self) -> None:
        message = self.signer.notification(_NOTICE)
        for error in (Unavailable(), Limited(), Busy()):
            self.house.taking = failing(error)
            self.assertEqual(await self.house.post(message), 503)
        self.house.taking = failing(None)
        self.assertEqual(await self.house.post(message), 200)
        self.assertEqual(self.house.taken, [_NOTICE])

    async def test_what_is_signed_but_not_understood_stays_with_sns(self) -> None:
        for error in (Malformed(), TooLarge(), Refused()):
            self.house.taking = failing(error)
            self.assertEqual(await self.house.post(self.signer.notification("no event of mail")), 500)

    async def test_what_no_worker_has_room_for_comes_again_and_waits_nowhere(self) -> None:
        workers, go = Workers(reactor, "few", 1, 1), Event()
        workers.startService()
        self.addCleanup(workers.stopService)
        self.addCleanup(go.set)

        async def taking(text: str) -> None:
            await workers.run(go.wait, 60)

        self.house.taking = taking
        posts = [Deferred.fromCoroutine(self.house.post(self.signer.notification(str(n)))) for n in range(3)]
        await until(lambda: any(one.called for one in posts))
        self.assertEqual(sum(one.called for one in posts), 1)
        go.set()
        self.assertEqual(sorted([await one for one in posts]), [200, 200, 503])

    async def test_a_bug_is_logged_and_comes_again(self) -> None:
        self.house.taking = failing(ZeroDivisionError("at home"))
        with self.assertLogs("sesmail.web") as logged:
            self.assertEqual(await self.house.post(self.signer.notification(_NOTICE)), 500)
        self.assertIn("ZeroDivisionError", "\n".join(logged.output))

    async def test_what_is_done_is_not_done_again(self) -> None:
        message = self.signer.notification(_NOTICE)
        for _ in range(3):
            self.assertEqual(await self.house.post(message), 200)
        self.assertEqual(self.house.taken, [_NOTICE])

    async def test_a_repeat_waits_for_the_work_that_is_under_way(self) -> None:
        go: Deferred[None] = Deferred()
        begun: list[str] = []

        async def taking(text: str) -> None:
            begun.append(text)
            await go

        self.house.taking = taking
        message = self.signer.notification(_NOTICE)
        posts = [Deferred.fromCoroutine(self.house.post(message)) for _ in range(5)]
        await until(lambda: begun)
        await later(0.2)
        go.callback(None)
        self.assertEqual([await one for one in posts], [200] * 5)
        self.assertEqual((begun, self.house.taken), ([_NOTICE], [_NOTICE]))

    async def test_work_that_fails_is_told_to_all_who_wait_and_begun_again_by_the_next(self) -> None:
        go: Deferred[None] = Deferred()
        self.house.taking = lambda _: go
        message = self.signer.notification(_NOTICE)
        posts = [Deferred.fromCoroutine(self.house.post(message)) for _ in range(3)]
        await later(0.3)
        go.errback(Unavailable())
        self.assertEqual([await one for one in posts], [503] * 3)
        self.house.taking = failing(None)
        self.assertEqual(await self.house.post(message), 200)

    async def test_what_takes_too_long_goes_on_and_the_repeat_finds_it(self) -> None:
        house = House(self, patience=0.3)
        go: Deferred[None] = Deferred()
        begun: list[str] = []

        async def taking(text: str) -> None:
            begun.append(text)
            await go

        house.taking = taking
        message = house.signer.notification(_NOTICE)
        with self.assertLogs("sesmail.web") as logged:
            self.assertEqual(await house.post(message), 503)
            self.assertEqual(await house.post(message), 503)
            go.callback(None)
            self.assertEqual(await house.post(message), 200)
        self.assertEqual((begun, house.taken), ([_NOTICE], [_NOTICE]))
        self.assertIn('why="not done yet, the work goes on"', logged.output[0])

    async def test_a_sender_who_leaves_does_not_stop_the_work(self) -> None:
        go: Deferred[None] = Deferred()
        begun: list[str] = []

        async def taking(text: str) -> None:
            begun.append(text)
            await go

        self.house.taking = taking
        message = self.signer.notification(_NOTICE)
        client = await deferToThread(self.house.client)
        client.send(post(message))
        await until(lambda: begun)
        client.socket.close()
        await until(lambda: not self.house.site.channels)
        go.callback(None)
        self.assertEqual(self.house.taken, [_NOTICE])
        self.assertEqual(await self.house.post(message), 200)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_raw_delivery_is_refused_and_the_log_says_why(self) -> None:
        def talk() -> int:
            with self.house.client() as client:
                client.send(request("POST", {"x-amz-sns-rawdelivery": "true"}, _NOTICE.encode()))
                return client.status()

        with self.assertLogs("sesmail.web") as logged:
            self.assertEqual(await in_thread(talk), 400)
        self.assertIn("raw delivery", logged.output[0])


class Subscriptions(TestCase):
    async def test_they_are_confirmed_while_the_store_is_down(self) -> None:
        house = House(self)
        house.taking = failing(Unavailable())
        self.assertEqual(await house.post(house.signer.notification(_NOTICE)), 503)
        for version in ("1", "2"):
            self.assertEqual(await house.post(house.signer.confirmation(version=version)), 200)
        self.assertEqual([message.token for message in house.confirmed], [TOKEN, TOKEN])

    async def test_only_those_of_our_topics_are_confirmed(self) -> None:
        house = House(self)
        forged = [
            Signer(TOPIC + "-2").confirmation(),
            house.signer.confirmation() | {"Token": "other"},
            house.signer.confirmation() | {"SubscribeURL": "https://169.254.169.254/"},
            house.signer.notification(_NOTICE) | {"Type": "SubscriptionConfirmation", "Token": "x", "SubscribeURL": "x"},
        ]
        for message in forged:
            self.assertEqual(await house.post(message), 403)
        self.assertEqual(house.confirmed, [])

    async def test_a_confirmation_that_fails_comes_again(self) -> None:
        house = House(self)
        message = house.signer.confirmation()
        house.confirming = failing(Unavailable())
        self.assertEqual(await house.post(message), 503)
        house.confirming = failing(None)
        self.assertEqual(await house.post(message), 200)

    async def test_the_end_of_a_subscription_is_a_warning_and_nothing_else(self) -> None:
        house = House(self)
        with self.assertLogs("sesmail.web", "WARNING") as logged:
            self.assertEqual(await house.post(house.signer.confirmation("UnsubscribeConfirmation")), 200)
        self.assertIn("unsubscribes", logged.output[0])
        self.assertIn(TOPIC, logged.output[0])
        self.assertEqual((house.confirmed, house.taken), ([], []))


class Log(TestCase):
    async def test_there_is_one_line_for_each_outcome_and_no_secret_in_it(self) -> None:
        house = House(self, login=LOGIN)
        house.taking = failing(None)
        notice, confirmation = house.signer.notification(_NOTICE), house.signer.confirmation()
        with self.assertLogs("sesmail", "DEBUG") as logged:
            for message in (notice, confirmation, house.signer.notification(_NOTICE) | {"Message": "forged"}):
                self.assertEqual(await house.post(message), 401)
                await house.post(message, basic=BASIC)
            await house.post(notice, basic="Basic d3Jvbmc6Z3Vlc3M=")
        text = "\n".join(logged.output)
        self.assertEqual([line.split("answer=")[1][:3] for line in logged.output], ["200", "200", "403", "401"])
        signature = str(notice["Signature"])
        for secret in ("body-of-mail", "forged", TOKEN, "geheim", BASIC[6:], "d3Jvbmc", signature, json.dumps(signature)):
            self.assertNotIn(secret, text)
        self.assertIn(f"type=Notification id={notice['MessageId']} topic={TOPIC} peer=127.0.0.1", text)

"""From MAIL FROM to the answer to the final dot, into a real spool."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from sesmail.errors import Limited, MailError, Malformed, Refused, TooLarge, Unavailable
from sesmail.interfaces import Account, Hop, Letter
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome
from sesmail.relay.draft import Draft
from sesmail.relay.hourly import Hourly
from sesmail.relay.policy import Policy, Rules
from sesmail.relay.spool import Spool
from sesmail.relay.submission import ALL_PIECES, LEAST_PIECE, LONGEST_HEADER, MOST_PIECE, Settings, Submissions

TOM = Account("tom@example.com", "tom@example.com", None)
REPORTS = Account("reports", None, None)
HOP = Hop("192.0.2.7", "laptop", "ESMTPSA", "TLSv1.3 TLS_AES_256_GCM_SHA384")
RECIPIENTS = ("ann@example.net",)

COMPLETE = (
    b"Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: <1@example.com>\r\nFrom: Tom <tom@example.com>\r\n"
    b"To: ann@example.net\r\n\r\nDear Ann,\r\n\r\nyours\r\n"
)
ID = re.compile(rb"Received: from laptop \(\[192\.0\.2\.7\]\)\r\n\tby mx\.example\.com with ESMTPSA id (\w+)\r\n")


class SubmissionTest(TestCase):
    def setUp(self) -> None:
        directory = TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.folder = Path(directory.name) / "spool"
        self.ids = count(1)
        self.spool = Spool(self.folder, now=lambda: 1e9, new_id=lambda: f"{next(self.ids):016x}", reserve=0)
        self.spool.open()
        self.addCleanup(self.spool.close)
        self.calls: list[str] = []
        self.attempted: list[str] = []
        self.outcome: Outcome | None = Outcome(250, "2.0.0", "Ok 0100", id="0100")
        self.gate: Deferred[None] | None = None
        self.run_fails = False

    async def _call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        self.calls.append(function.__name__)
        if self.run_fails:
            raise Unavailable
        if self.gate is not None:
            await self.gate
        return function(*args, **kwargs)

    async def _first_attempt(self, id: str) -> Outcome | None:
        self.attempted.append(id)
        return self.outcome

    async def _never(self, account: str, address: str) -> bool:
        return (account, address) == ("reports", "reports@example.com")

    async def _always(self, address: str) -> bool:
        return True

    def submissions(self, rate: int | None = None, **settings: Any) -> Submissions:
        hourly = Hourly(rate, lambda: 0.0) if rate else None
        return Submissions(
            Policy(Rules(), may_send_as=self._never, accepts=self._always, hourly=hourly),
            self.spool,
            self._call,
            self._first_attempt,
            Settings("mx.example.com", **settings),
            now=lambda: 1e9,
            unique=lambda: "unique",
        )

    async def sent(
        self,
        message: bytes,
        *,
        account: Account = TOM,
        sender: str = "tom@example.com",
        to: tuple[str, ...] = RECIPIENTS,
        pieces: int = 1 << 20,
        **settings: Any,
    ) -> Outcome:
        letter = await self.submissions(**settings).of(account).begin(sender, to, HOP)
        return await self.written(letter, message, pieces)

    async def written(self, letter: Letter, message: bytes, pieces: int = 1 << 20) -> Outcome:
        try:
            for start in range(0, len(message), pieces):
                await letter.write(message[start : start + pieces])
            return await letter.finish()
        except MailError:
            await letter.discard()
            raise

    def spooled(self) -> tuple[Envelope, bytes]:
        with self.spool.take(self.attempted[-1]) as message:
            return message.envelope, message.body().read()

    async def refusal(self, sending: Awaitable[object], kind: type[MailError] = Refused) -> str | None:
        with self.assertRaises(kind) as caught:
            await sending
        self.assertEqual([path for path in self.folder.rglob("*") if path.is_file() and path.stat().st_size > 100], [])
        smtp: str | None = caught.exception.smtp
        return smtp

    async def test_a_message_is_spooled_as_it_came_behind_the_field_that_tells_its_way(self) -> None:
        outcome = await self.sent(COMPLETE)
        envelope, octets = self.spooled()
        self.assertEqual(envelope, Envelope("tom@example.com", RECIPIENTS, "tom@example.com", "tom@example.com"))
        found = ID.match(octets)
        assert found is not None
        self.assertEqual(found[1].decode(), self.attempted[0])
        self.assertTrue(octets.endswith(b"+0000\r\n" + COMPLETE))
        self.assertEqual(octets.count(b"\r\n"), COMPLETE.count(b"\r\n") + octets.partition(b"\r\nDate:")[0].count(b"\r\n") + 1)
        self.assertEqual(outcome, self.outcome)

    async def test_how_it_was_cut_never_shows(self) -> None:
        await self.sent(COMPLETE)
        whole = self.spooled()[1]
        for pieces in (1, 2, 3, 7, 100):
            await self.sent(COMPLETE, pieces=pieces)
            octets = self.spooled()[1]
            self.assertEqual(octets.partition(b";")[2], whole.partition(b";")[2])

    async def test_a_small_message_takes_one_call_of_a_worker(self) -> None:
        await self.sent(COMPLETE, pieces=10)
        self.assertEqual(len(self.calls), 1)

    async def test_a_large_message_goes_to_the_disk_in_pieces(self) -> None:
        message = COMPLETE + b"x" * 70 + b"\r\n" + b"y" * (5 * MOST_PIECE) + b"\r\n"
        await self.sent(message, pieces=16384)
        self.assertTrue(self.spooled()[1].endswith(message))
        self.assertIn(len(self.calls), (5, 6))

    async def test_many_letters_at_once_share_the_memory(self) -> None:
        shared = self.submissions()
        letters = [await shared.of(TOM).begin("tom@example.com", RECIPIENTS, HOP) for _ in range(ALL_PIECES // LEAST_PIECE)]
        self.assertEqual(shared.piece, LEAST_PIECE)
        await letters[0].write(COMPLETE + b"x" * LEAST_PIECE)
        self.assertEqual(self.calls, ["write"])
        await self.written(letters.pop(), COMPLETE)
        while letters:
            await letters.pop().discard()
        self.assertEqual(shared.piece, MOST_PIECE)

    async def test_it_is_durable_before_it_is_attempted(self) -> None:
        seen = []

        async def attempt(id: str) -> Outcome | None:
            with self.spool.take(id) as message:
                seen.append(message.body().read().endswith(COMPLETE))
            return None

        self._first_attempt = attempt  # type: ignore[method-assign]
        await self.sent(COMPLETE)
        self.assertEqual(seen, [True])

    async def test_who_need_not_wait_hears_the_queue_id(self) -> None:
        self.outcome = None
        outcome = await self.sent(COMPLETE)
        self.assertEqual((outcome.code, outcome.text), (250, f"Ok queued as {self.attempted[0]}"))

    async def test_a_verdict_of_the_next_hop_is_the_answer(self) -> None:
        self.outcome = Outcome(554, "5.6.0", "no")
        self.assertEqual(await self.sent(COMPLETE), self.outcome)

    async def test_missing_fields_are_added(self) -> None:
        await self.sent(b"Subject: hello\r\n\r\nbody\r\n")
        head, _, body = self.spooled()[1].partition(b"\r\n\r\n")
        added = head.partition(b"+0000\r\n")[2]
        self.assertEqual(
            added,
            b"Date: Sun, 09 Sep 2001 01:46:40 +0000\r\nFrom: tom@example.com\r\nMessage-ID: <unique@mx.example.com>\r\n"
            b"Subject: hello",
        )
        self.assertEqual(body, b"body\r\n")

    async def test_a_message_without_a_header_gets_one(self) -> None:
        for message in (b"hello\r\n", b"\r\nhello\r\n", b"hello\r\n" * 3):
            await self.sent(message)
            head, _, body = self.spooled()[1].partition(b"\r\n\r\n")
            self.assertTrue(head.endswith(b"Message-ID: <unique@mx.example.com>"))
            self.assertEqual(body, message.removeprefix(b"\r\n"))

    async def test_a_message_without_a_header_may_be_cut_anywhere(self) -> None:
        for pieces in (1, 2, 3, 5, 6):
            await self.sent(b"hello\r\n" * 3, pieces=pieces)
            self.assertTrue(self.spooled()[1].endswith(b"Message-ID: <unique@mx.example.com>\r\n\r\n" + b"hello\r\n" * 3))

    async def test_a_message_may_end_within_its_header(self) -> None:
        await self.sent(b"Subject: hello\r\n")
        self.assertTrue(self.spooled()[1].endswith(b"\r\nSubject: hello\r\n\r\n"))

    async def test_nothing_at_all_is_a_message_too(self) -> None:
        await self.sent(b"")
        self.assertTrue(self.spooled()[1].endswith(b"Message-ID: <unique@mx.example.com>\r\n\r\n"))

    async def test_hidden_recipients_get_the_message_and_are_not_in_it(self) -> None:
        to = ("ann@example.net", "secret@example.org")
        await self.sent(b"Bcc: secret@example.org\r\n" + COMPLETE, to=to)
        envelope, octets = self.spooled()
        self.assertEqual(envelope.recipients, to)
        self.assertNotIn(b"secret", octets)

    async def test_what_steers_ses_is_taken_out_unless_it_is_allowed(self) -> None:
        message = b"X-SES-Source-ARN: arn:aws:ses\r\nReturn-Path: <x@example.net>\r\n" + COMPLETE
        await self.sent(message)
        self.assertTrue(self.spooled()[1].endswith(b"+0000\r\n" + COMPLETE))
        await self.sent(message, allow_ses_headers=True)
        self.assertTrue(self.spooled()[1].endswith(message))

    async def test_the_client_can_be_hidden(self) -> None:
        await self.sent(COMPLETE, hide_client=True)
        octets = self.spooled()[1]
        self.assertTrue(octets.startswith(b"Received: by mx.example.com with ESMTPSA id "))
        self.assertNotIn(b"192.0.2.7", octets)
        self.assertNotIn(b"laptop", octets)

    async def test_from_and_sender_must_be_the_accounts(self) -> None:
        for forged in (
            b"From: boss@example.com\r\n\r\n",
            b"From: Tom <tom@example.com>, boss@example.com\r\n\r\n",
            b"From: team: tom@example.com, boss@example.com;\r\n\r\n",
            b"From: tom@example.com\r\nSender: boss@example.com\r\n\r\n",
            b"From:\r\n boss@example.com\r\n\r\n",
            b"FROM:boss@example.com (tom@example.com)\r\n\r\n",
        ):
            with self.assertRaises(MailError) as caught:
                await self.sent(forged)
            self.assertIn(caught.exception.smtp, ("553 5.7.1", "554 5.6.0"), forged)
        self.assertEqual((self.attempted, self.calls), ([], []))

    async def test_two_fields_from_are_refused_whatever_they_say(self) -> None:
        twice = b"From: tom@example.com\r\nFrom: tom@example.com\r\n\r\n"
        self.assertEqual(await self.refusal(self.sent(twice), Malformed), "554 5.6.0")

    async def test_an_address_hidden_in_an_encoded_word_is_no_way_around(self) -> None:
        for forged in (
            b"From: =?utf-8?q?boss=40example=2Ecom?=\r\n\r\n",
            b"From: =?utf-8?q?boss=40example.com=3E?= <tom@example.com>\r\n\r\n",
            b"From: =?utf-8?b?Ym9zc0BleGFtcGxlLmNvbQ==?= <boss@example.com>\r\n\r\n",
        ):
            with self.assertRaises(MailError):
                await self.sent(forged)
        self.assertEqual(self.attempted, [])

    async def test_the_header_is_not_looked_at_when_the_envelope_is_enough(self) -> None:
        message = COMPLETE.replace(b"tom@", b"boss@")
        await self.sent(message, check_header=False)
        self.assertTrue(self.spooled()[1].endswith(message))

    async def test_the_null_sender_goes_out_as_the_account_and_nothing_returns(self) -> None:
        await self.submissions().of(TOM).sender("")
        await self.sent(COMPLETE, sender="")
        self.assertEqual(self.spooled()[0], Envelope("tom@example.com", RECIPIENTS, "", "tom@example.com"))

    async def test_without_an_address_of_its_own_an_account_has_no_null_sender(self) -> None:
        self.assertEqual(await self.refusal(self.submissions().of(REPORTS).sender("")), "553 5.7.1")

    async def test_an_account_with_a_grant_alone_sends_and_gets_its_reports_there(self) -> None:
        await self.submissions().of(REPORTS).sender("reports@example.com")
        await self.sent(b"\r\nbody\r\n", account=REPORTS, sender="reports@example.com")
        envelope, octets = self.spooled()
        self.assertEqual(envelope, Envelope("reports@example.com", RECIPIENTS, "reports@example.com", "reports"))
        self.assertIn(b"\r\nFrom: reports@example.com\r\n", octets)

    async def test_sender_and_recipients_are_asked_of_the_policy(self) -> None:
        session = self.submissions().of(TOM)
        await session.sender("tom+x@example.com")
        self.assertEqual(await self.refusal(session.sender("ann@example.com")), "553 5.7.1")
        await session.recipient("ann@example.net", 0)
        self.assertEqual(await self.refusal(session.recipient("root@localhost", 0)), "550 5.1.2")

    async def test_an_account_over_its_limit_cannot_begin(self) -> None:
        session = self.submissions(rate=1).of(TOM)
        await session.begin("tom@example.com", RECIPIENTS, HOP)
        self.assertEqual(await self.refusal(session.begin("tom@example.com", RECIPIENTS, HOP), Limited), "452 4.7.1")

    async def test_a_header_without_an_end_is_refused_in_bounded_memory(self) -> None:
        letter = await self.submissions().of(TOM).begin("tom@example.com", RECIPIENTS, HOP)
        with self.assertRaises(TooLarge) as caught:
            for _ in range(2 * LONGEST_HEADER // 8192):
                await letter.write(b"X: " + b"y" * 8187 + b"\r\n")
        self.assertEqual(caught.exception.smtp, "552 5.3.4")
        await letter.discard()

    async def test_a_header_that_comes_octet_by_octet_costs_no_more_than_its_length(self) -> None:
        head = b"From: tom@example.com\r\n" + b"X: y\r\n" * 20_000
        await self.sent(head + b"\r\nbody\r\n", pieces=5)
        self.assertTrue(self.spooled()[1].endswith(head + b"\r\nbody\r\n"))

    async def test_mail_that_goes_in_circles_is_refused(self) -> None:
        self.assertEqual(await self.refusal(self.sent(b"Received: x\r\n" * 101 + COMPLETE)), "554 5.4.6")

    async def test_nothing_stays_of_a_message_that_was_given_up(self) -> None:
        letter = await self.submissions().of(TOM).begin("tom@example.com", RECIPIENTS, HOP)
        await letter.write(COMPLETE + b"x" * 2 * MOST_PIECE)
        await letter.discard()
        await letter.discard()
        self.assertEqual(self.files(), [])

    async def test_who_leaves_while_a_worker_is_asked_leaves_nothing_behind(self) -> None:
        letter = await self.submissions().of(TOM).begin("tom@example.com", RECIPIENTS, HOP)
        gate = self.gate = Deferred()
        writing = Deferred.fromCoroutine(letter.write(COMPLETE + b"x" * 2 * MOST_PIECE))
        discarding = Deferred.fromCoroutine(letter.discard())
        gate.callback(None)
        await self.assertFailure(writing, Unavailable)
        await discarding
        self.assertEqual(self.files(), [])

    async def test_giving_up_needs_no_worker(self) -> None:
        letter = await self.submissions().of(TOM).begin("tom@example.com", RECIPIENTS, HOP)
        await letter.write(COMPLETE + b"x" * 2 * MOST_PIECE)
        self.run_fails = True
        await letter.discard()
        self.assertEqual(self.files(), [])

    async def test_what_was_accepted_stays(self) -> None:
        letter = await self.submissions().of(TOM).begin("tom@example.com", RECIPIENTS, HOP)
        await self.written(letter, COMPLETE)
        await letter.discard()
        self.assertTrue(self.spooled()[1].endswith(COMPLETE))

    async def test_a_disk_that_is_full_is_said_before_anything_is_accepted(self) -> None:
        def full(envelope: Envelope) -> Draft:
            raise Limited(smtp="452 4.3.1")

        self.spool.begin = full  # type: ignore[assignment, method-assign]
        self.assertEqual(await self.refusal(self.sent(COMPLETE), Limited), "452 4.3.1")
        self.assertEqual(self.attempted, [])

    async def test_one_line_says_that_it_was_accepted(self) -> None:
        with self.assertLogs("sesmail.fate", "INFO") as caught:
            await self.sent(COMPLETE, to=("ann@example.net", "eve@example.org"))
        (line,) = (record.getMessage() for record in caught.records)
        octets = len(self.spooled()[1])
        self.assertEqual(
            line,
            f"accepted id={self.attempted[0]} account=tom@example.com sender=tom@example.com recipients=2 octets={octets}"
            ' message_id="<1@example.com>"',
        )

    def files(self) -> list[str]:
        return [path.name for path in self.folder.rglob("*") if re.fullmatch(r"[0-9a-f]{16}", path.name)]

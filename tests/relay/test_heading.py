"""The header of a submitted message: whom it names, and what submission does to it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sesmail.errors import MailError, Malformed, Refused
from sesmail.relay.heading import MOST_HOPS, Heading

PLAIN = b"From: Tom <tom@example.com>\r\nTo: ann@example.com\r\nSubject: folded\r\n\t line\r\n\r\n"


def edited(octets: bytes, *new: bytes, steering: bool = False) -> bytes:
    return Heading.read(octets).edited(new, steering=steering)


class HeadingTest(SynchronousTestCase):
    def test_the_authors_are_those_of_from_and_sender(self) -> None:
        self.assertEqual(Heading.read(PLAIN).authors(), ("tom@example.com",))
        both = b"FROM: tom@example.com, Ann <ann@example.com>\r\nsender: <sec@example.com>\r\n\r\n"
        self.assertEqual(Heading.read(both).authors(), ("tom@example.com", "ann@example.com", "sec@example.com"))
        self.assertEqual(Heading.read(b"Subject: x\r\n\r\n").authors(), ())

    def test_several_fields_of_a_kind_are_refused(self) -> None:
        for name in (b"From", b"Sender", b"fRoM"):
            field = name + b": tom@example.com\r\n"
            heading = Heading.read(b"From: tom@example.com\r\n" * (name == b"Sender") + field + field + b"\r\n")
            with self.assertRaises(Malformed) as caught:
                heading.authors()
            self.assertEqual(caught.exception.smtp, "554 5.6.0")

    def test_a_field_that_names_nobody_is_refused(self) -> None:
        for value in (b"undisclosed:;", b""):
            with self.assertRaises(MailError):
                Heading.read(b"From: " + value + b"\r\n\r\n").authors()

    def test_a_header_that_programs_read_differently_is_refused(self) -> None:
        for octets in (
            b"From: tom@example.com\r\nno field\r\nFrom: ann@example.com\r\n\r\n",
            b"From : tom@example.com\r\n\r\n",
            b"From: tom@example.com\r\nX: a\rFrom: ann@example.com\r\n\r\n",
            b"From: tom@example.com\r\nX: \0\r\n\r\n",
        ):
            with self.assertRaises(Malformed):
                Heading.read(octets)

    def test_a_message_that_goes_in_circles_is_refused(self) -> None:
        hop = b"Received: by mx.example.net; Thu, 1 Jan 1970 00:00:00 +0000\r\n"
        Heading.read(hop * MOST_HOPS + PLAIN)
        with self.assertRaises(Refused) as caught:
            Heading.read(hop * (MOST_HOPS + 1) + PLAIN)
        self.assertEqual(caught.exception.smtp, "554 5.4.6")

    def test_hidden_recipients_are_taken_out_and_every_other_octet_stays(self) -> None:
        head = (
            b"Bcc: eve@example.net,\r\n\tmallory@example.net\r\nReceived: x\r\nFrom:tom@example.com\r\nResent-BCC: bob@example.net\r\n"
            b"Subject:  =?utf-8?q?=C3=A4?=\r\n \xc3\xa4 \r\nbcc: \r\nX-Bcc: stays\r\n\r\n"
        )
        left = b"Received: x\r\nFrom:tom@example.com\r\nSubject:  =?utf-8?q?=C3=A4?=\r\n \xc3\xa4 \r\nX-Bcc: stays\r\n\r\n"
        self.assertEqual(edited(head), left)

    def test_fields_that_steer_ses_are_taken_out_unless_allowed(self) -> None:
        head = (
            b"X-SES-CONFIGURATION-SET: other\r\nReturn-Path: <eve@example.net>\r\nx-ses-source-arn: arn:x\r\n"
            b"X-SESAME: stays\r\n" + PLAIN
        )
        self.assertEqual(edited(head), b"X-SESAME: stays\r\n" + PLAIN)
        self.assertEqual(edited(head, steering=True), head)

    def test_new_fields_come_first(self) -> None:
        self.assertEqual(edited(PLAIN, b"A: 1\r\n", b"B: 2\r\n"), b"A: 1\r\nB: 2\r\n" + PLAIN)

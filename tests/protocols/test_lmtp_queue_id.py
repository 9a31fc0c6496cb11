"""What a mail server calls a message goes with that message alone."""

from __future__ import annotations

from tests.protocols.reception import LHLO, Received

REST = b"RCPT TO:<ann@example.net>\r\nDATA\r\nx\r\n.\r\n"


def test_a_queue_id_is_that_of_one_message() -> None:
    received = Received()
    received.settle()
    received.say(LHLO)
    received.say(b"MAIL FROM:<joe@example.com> xqueueid=4XyZ\r\n" + REST)
    received.say(b"MAIL FROM:<joe@example.com>\r\n" + REST)
    received.say(b"MAIL FROM:<joe@example.com> XQUEUEID=5\r\nRSET\r\nMAIL FROM:<joe@example.com>\r\n" + REST)
    assert [parcel.hop.queue_id for parcel in received.reception.taken] == ["4XyZ", None, None]
    received.lose()

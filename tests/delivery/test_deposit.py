"""What a mail server delivers into mailboxes of its own is there once, however often it tries, and is never returned by mistake."""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping
from pathlib import Path

import pytest

from sesmail.delivery.deposit import CATCH_ALL, Box, Deposits
from sesmail.delivery.reception import Handover
from sesmail.errors import Malformed, Refused, Unavailable
from sesmail.interfaces import StorePlace
from sesmail.mail.envelope import Envelope
from sesmail.mail.outcome import Outcome
from tests.delivery.sorting import ANNE, BOB, ELSEWHERE, SENDER, Office, bucket, directory

USER, DATED, NOBODY = "user@host.example", "dated@host.example", "nobody@host.example"
HERE = StorePlace("s3://here")
NOW = 1_795_287_600.0  # 2026-11-21 19:00:00 UTC
MAIL = b"Subject: x\r\n\r\nbody\r\n"
TRACED = b"Received: by mx (Postfix) id 4XyZ; Wed, 18 Nov 2026 01:30:00 +0100\r\n" + MAIL


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(directory(tmp_path / "store"), directory(tmp_path / "other"))


def deposits(office: Office, **more: object) -> Deposits:
    rest = Handing(office)
    boxes = {USER: Box(HERE, "user"), DATED: Box(ELSEWHERE, "dateTimeFormat(2006/01/02)", utc=True)}
    tokens = (f"token{number}" for number in itertools.count())
    return Deposits(boxes, rest, office.store_of, now=lambda: NOW, token=lambda: next(tokens), **more)  # type: ignore[arg-type]


class Handing:
    def __init__(self, office: Office) -> None:
        self.plan = office.routing().plan
        self.deliver = office.local().deliver


def send(
    made: Deposits, *recipients: str, data: bytes = TRACED, sender: str = SENDER, queue_id: str | None = None
) -> Mapping[str, Outcome]:
    return made.deliver(Envelope(sender, recipients, queue_id=queue_id), io.BytesIO(data))


def test_each_address_has_its_store_and_its_folder(office: Office) -> None:
    outcomes = send(deposits(office), USER, "DATED@Host.example", ANNE)
    assert {outcome.code for outcome in outcomes.values()} == {250}
    (mine,) = office.listed("user/")
    assert office.read(mine) == TRACED
    assert mine == f"user/{outcomes[USER].id}"
    assert office.other is not None
    (dated,) = [row.key.decode() for row in office.other.list("")]
    # When the mail server took it, by UTC: not when it was tried.
    assert dated.startswith("2026/11/18/")
    assert len(office.listed("mail/example.com/anne/")) == 1


@pytest.mark.parametrize("date", [b"", b"; Wed, 18 Nov 2015 01:30:00 +0000", b"; Wed, 18 Nov 2037 01:30:00 +0000", b"; soon"])
def test_a_date_that_cannot_be_that_of_the_delivery_is_not_believed(office: Office, date: bytes) -> None:
    send(deposits(office), DATED, data=b"Received: by mx id A" + date + b"\r\n" + MAIL)
    assert office.other is not None
    assert [row.key[:11] for row in office.other.list("")] == [b"2026/11/21/"]


def test_a_retry_is_there_once_and_what_was_sent_twice_is_there_twice(office: Office) -> None:
    made = deposits(office)
    first, again = (send(made, USER)[USER] for _ in range(2))
    assert (first.code, again.code, first.id) == (250, 250, again.id)
    assert len(office.listed("user/")) == 1
    send(made, USER, data=TRACED.replace(b"4XyZ", b"4XyW"))
    send(made, USER, queue_id="other")
    send(made, USER, sender="y@example.org")
    send(made, USER, data=TRACED + b"more\r\n")
    assert len(office.listed("user/")) == 5
    for _ in range(2):
        send(made, USER, data=MAIL)
    assert len(office.listed("user/")) == 7


def test_a_lone_cr_has_the_same_name_where_lmtp_mends_it(office: Office) -> None:
    made = deposits(office)
    ids = {send(made, USER, data=TRACED + end)[USER].id for end in (b"a\rb\r\n", b"a\r\nb\r\n")}
    assert len(ids) == 1


def test_the_envelope_is_in_the_metadata(office: Office) -> None:
    real = bucket()
    office = Office(real)
    send(deposits(office), USER, sender="")
    (key,) = office.listed("user/")
    metadata = real.head(key).metadata
    assert metadata["sesmail-sender"] == "<>"
    assert metadata["sesmail-recipient"] == USER
    assert metadata["sesmail-received"] == "2026-11-21T19:00:00Z"


def test_an_unknown_address_is_refused_and_the_catch_all_is_no_fallback(office: Office) -> None:
    made = deposits(office, catch_all=Box(HERE, "rest"))
    assert send(made, NOBODY)[NOBODY].reply.startswith("550 5.1.1")
    with pytest.raises(Refused):
        Handover(made.plan, made.deliver).check(NOBODY)
    assert send(made, CATCH_ALL)[CATCH_ALL].code == 250
    assert len(office.listed("")) == 1


def test_the_catch_all_takes_what_nobody_has_where_it_is_meant_to(office: Office) -> None:
    made = deposits(office, catch_all=Box(HERE, "rest"), everybody=True)
    for recipient in (NOBODY, USER, ANNE):
        Handover(made.plan, made.deliver).check(recipient)
    outcomes = send(made, NOBODY, USER, BOB)
    assert [outcome.code for outcome in outcomes.values()] == [250, 250, 250]
    assert [len(office.listed(prefix)) for prefix in ("rest/", "user/", "mail/example.com/bob/")] == [1, 1, 1]


def test_without_a_catch_all_mail_without_an_address_is_for_nobody(office: Office) -> None:
    assert send(deposits(office), CATCH_ALL)[CATCH_ALL].code == 550


@pytest.mark.parametrize("error", [Unavailable(), Malformed(), OSError("disk"), ValueError("a bug")])
def test_whatever_fails_in_the_store_is_tried_again(office: Office, error: Exception) -> None:
    office.store.set(0, error=error)
    assert send(deposits(office), USER)[USER].reply.startswith("451 4.3.0")
    assert office.listed("") == []


def test_what_cannot_be_asked_about_is_never_returned(office: Office) -> None:
    made = deposits(office, catch_all=Box(HERE, "rest"), everybody=True)

    class Broken(Handing):
        def __init__(self) -> None:
            self.deliver = _broken

    made._rest = Broken()
    assert send(made, NOBODY)[NOBODY].code == 451
    assert office.listed("") == []


def _broken(envelope: Envelope, message: object) -> Mapping[str, Outcome]:
    raise RuntimeError("a bug")

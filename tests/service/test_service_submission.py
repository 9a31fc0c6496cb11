"""Submission from end to end: a gateway process, an SES of the tests' own, and clients that keep to the rules or do not."""

from __future__ import annotations

import poplib
import re
import signal
import smtplib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import ses as fake
from tests.servers.certificates import Authority
from tests.servers.gateway import started
from tests.servers.ports import wait_until
from tests.servers.sesknows import Fault, Sent
from tests.service import house as houses
from tests.service.house import ANN, PASSWORD, TOM, House
from tests.service.tls import trusting

HEAD = b"Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: <%d@laptop>\r\nFrom: %s\r\nTo: eve@example.net\r\n"
BODY = b"\r\n.a dot\r\n..two\r\n\xe4\xf6 8-bit \x00\r\n" + b"x" * 900 + b"\r\n\r\n"


def message(number: int = 1, author: bytes = b"Tom <tom@example.com>", extra: bytes = b"") -> bytes:
    return HEAD % (number, author) + extra + BODY


@pytest.fixture(scope="module")
def ses() -> Iterator[fake.Server]:
    with fake.running() as server:
        yield server


@pytest.fixture(scope="module")
def everyday(tmp_path_factory: pytest.TempPathFactory, ses: fake.Server) -> Iterator[House]:
    sections = houses.through(ses.endpoint)
    with houses.opened(tmp_path_factory.mktemp("house"), **sections, submission={"hold": 2, "max_recipients": 100}) as house:
        yield house


@pytest.fixture
def house(everyday: House, ses: fake.Server) -> House:
    ses.clear()
    return everyday


def refusal(house: House, data: bytes, sender: str = TOM, user: str = TOM, to: str = "eve@example.net") -> tuple[int, str]:
    """The code and enhanced status with which something about this message is refused."""
    smtp = house.smtp(user)
    with pytest.raises(smtplib.SMTPException) as caught:
        smtp.sendmail(sender, [to], data)
    smtp.close()
    error = caught.value
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        ((code, text),) = error.recipients.values()
        return code, text.split()[0].decode()
    assert isinstance(error, smtplib.SMTPResponseException)
    assert isinstance(error.smtp_error, bytes)
    return error.smtp_code, error.smtp_error.split()[0].decode()


def sent_to(ses: fake.Server, *recipients: str) -> Sent:
    """The only message that SES took, which went to these."""
    (sent,) = ses.wait_for(1)
    assert sorted(sent.recipients) == sorted(recipients)
    return sent


def test_a_message_goes_out_once_to_its_recipients_and_as_it_was(house: House, ses: fake.Server) -> None:
    smtp = house.smtp()
    assert smtp.sendmail(TOM, ["eve@example.net", "bob@example.org"], message()) == {}
    sent = sent_to(ses, "eve@example.net", "bob@example.org")
    received, _, rest = sent.data.partition(b"\r\nDate: ")
    assert b"Date: " + rest == message()
    assert received.startswith(b"Received: from laptop ([127.0.0.1])\r\n\tby mx.example.com with ESMTPSA id ")
    assert (sent.sender, sent.configuration_set, sent.tags) == (TOM, "outgoing", {"team": "mail"})


def test_the_client_hears_the_id_of_ses_and_the_log_joins_it_to_its_own(house: House, ses: fake.Server) -> None:
    smtp = house.smtp()
    smtp.mail(TOM)
    smtp.rcpt("eve@example.net")
    code, text = smtp.data(message(77))
    id = ses.sent[0].id
    assert (code, text.decode()) == (250, f"2.0.0 Ok {id}")
    line = house.gateway.wait_for_log(rf"sent id=\w+ account={TOM} .*next_id={id}.*")[0]
    assert '"<77@laptop>"' in line


def test_hidden_recipients_get_it_and_nobody_sees_them(house: House, ses: fake.Server) -> None:
    data = message(extra=b"Bcc: bob@example.org,\r\n\tcarol@example.org\r\n")
    house.smtp().sendmail(TOM, ["eve@example.net", "bob@example.org", "carol@example.org"], data)
    sent = sent_to(ses, "eve@example.net", "bob@example.org", "carol@example.org")
    assert b"example.org" not in sent.data
    assert sent.data.endswith(message().partition(b"Date: ")[2])
    assert sent.destination == {"BccAddresses": ["eve@example.net", "bob@example.org", "carol@example.org"]}


def test_mail_for_here_is_in_the_mailbox_and_the_rest_goes_out(house: House, ses: fake.Server) -> None:
    house.smtp().sendmail(TOM, [ANN, "eve@example.net", "Tom+copy@example.com"], message(2))
    assert sent_to(ses, "eve@example.net").data.endswith(BODY)
    for user in (ANN, TOM):
        found = house.wait_for_mail(user, b"<2@laptop>")
        assert found.startswith(b"Return-Path: <tom@example.com>\r\n")
        assert found.endswith(message(2))


def test_more_recipients_than_ses_takes_at_once_go_in_several_requests(house: House, ses: fake.Server) -> None:
    everybody = [f"user{number}@example.net" for number in range(100)]
    assert house.smtp().sendmail(TOM, everybody, message()) == {}
    sent = ses.wait_for(2)
    assert sorted(address for one in sent for address in one.recipients) == sorted(everybody)


def test_recipients_over_the_limit_are_put_off(house: House, ses: fake.Server) -> None:
    everybody = [f"user{number}@example.net" for number in range(102)]
    refused = house.smtp().sendmail(TOM, everybody, message())
    assert {code for code, _ in refused.values()} == {452}
    assert set(refused) == set(everybody[100:])


@pytest.mark.parametrize("sender", [ANN, "eve@example.net", "tom@example.org", "tomtom@example.com", "reports@example.com"])
def test_nobody_sends_under_anothers_address(house: House, ses: fake.Server, sender: str) -> None:
    assert refusal(house, message(), sender) == (553, "5.7.1")
    assert ses.sent == []


@pytest.mark.parametrize(
    "author",
    [
        b"ann@example.com",
        b"Tom <ann@example.com>",
        b'"tom@example.com" <ann@example.com>',
        b"tom@example.com, ann@example.com",
        b"Tom: tom@example.com, ann@example.com;",
        b"ann@example.com (tom@example.com)",
        b"=?utf-8?q?tom=40example.com?= <ann@example.com>",
        b"=?utf-8?b?YW5uQGV4YW1wbGUuY29t?=",
        b"=?utf-8?q?=22ann=40example=2Ecom=22_=3Cann=40example=2Ecom=3E=2C?= <tom@example.com>",
        b"tom@example.com\r\nFrom: ann@example.com",
        b"tom@example.com\r\nfROM: tom@example.com",
        b"tom@example.com\r\nSender: ann@example.com",
        b"tom@example.com\r\nno field\r\nFrom: ann@example.com",
        b"tom@example.com\r\n \r\nFrom: ann@example.com",
        b"<ann@example.com>, <tom@example.com",
        b"@tom.example:ann@example.com",
        b"undisclosed:;",
        b"",
    ],
)
def test_a_header_that_names_another_or_can_be_read_so_is_refused(house: House, ses: fake.Server, author: bytes) -> None:
    assert refusal(house, message(author=author)) in ((553, "5.7.1"), (554, "5.6.0"))
    assert ses.sent == []


def test_whoever_was_granted_an_address_sends_under_it(house: House, ses: fake.Server) -> None:
    smtp = house.smtp("reports")
    smtp.sendmail("reports@example.com", ["eve@example.net"], message(author=b"reports@example.com"))
    smtp.sendmail("any@shop.example.com", ["eve@example.net"], message(author=b"Shop <any@shop.example.com>"))
    assert [sent.sender for sent in ses.sent] == ["reports@example.com", "any@shop.example.com"]


def test_without_a_verified_address_or_a_grant_nobody_sends(house: House, ses: fake.Server) -> None:
    assert refusal(house, message(), "", "reports") == (553, "5.7.1")
    assert refusal(house, message(author=b"reports@example.com"), "reports@my.fqdn", "reports") == (553, "5.7.1")
    assert ses.sent == []


@pytest.mark.parametrize(
    ("user", "address"),
    [
        ("adam", "adam@hybrid.example"),
        ("jack", "jack+abc@my.fqdn"),
        ("ryan", "xyz@hybrid.example"),
        ("ryan", "ryan@hybrid.example"),
        ("Adam", "ADAM@my.fqdn"),
    ],
)
def test_the_table_of_hybrid_cloud_email_says_who_may_send_as_what(
    house: House, ses: fake.Server, user: str, address: str
) -> None:
    house.smtp(user).sendmail(address, ["eve@example.net"], message(author=address.encode()))
    assert sent_to(ses, "eve@example.net").sender == address


@pytest.mark.parametrize(
    ("user", "address"),
    [("ryan", "adam@hybrid.example"), ("adam", "xyz@hybrid.example"), ("ryan", "ryan@my.fqdn"), ("jack", "adam@my.fqdn")],
)
def test_the_table_of_hybrid_cloud_email_refuses_who_may_not(house: House, ses: fake.Server, user: str, address: str) -> None:
    assert refusal(house, message(author=address.encode()), address, user) == (553, "5.7.1")
    assert ses.sent == []


def test_a_read_receipt_goes_out_under_the_accounts_address_and_returns_nothing(house: House, ses: fake.Server) -> None:
    ses.plant(Fault("MessageRejected", message="Email address is not verified.", recipient="bob@example.org", times=None))
    house.smtp().sendmail("", ["eve@example.net"], message(31))
    assert sent_to(ses, "eve@example.net").sender == TOM
    before = len(house.mailbox(TOM))
    house.smtp().sendmail("", [ANN, "bob@example.org"], message(32))
    house.gateway.wait_for_log(r"returned id=\w+ .*to=bob@example.org")
    assert len(house.mailbox(TOM)) == before


def test_nobody_logs_in_or_sends_before_tls(house: House) -> None:
    smtp = house.connected()
    smtp.ehlo()
    assert not smtp.has_extn("auth")
    assert smtp.has_extn("starttls")
    assert smtp.docmd("AUTH", "PLAIN AHRvbQBo")[0] in (530, 538)
    for command in ("MAIL FROM:<tom@example.com>", "RCPT TO:<eve@example.net>", "DATA"):
        assert smtp.docmd(command)[0] in (503, 530), command
    smtp.close()


def test_it_is_no_open_relay(house: House, ses: fake.Server) -> None:
    smtp = smtplib.SMTP_SSL("localhost", house.implicit, context=trusting(house.authority), timeout=60)
    smtp.ehlo()
    for sender in (TOM, "", "eve@example.net"):
        assert smtp.docmd(f"MAIL FROM:<{sender}>")[0] == 530
    with pytest.raises(smtplib.SMTPAuthenticationError):
        smtp.login(TOM, "wrong")
    assert smtp.docmd(f"MAIL FROM:<{TOM}>")[0] == 530
    assert smtp.docmd("RCPT TO:<eve@example.net>")[0] in (503, 530)
    smtp.close()
    assert ses.sent == []


def test_a_recipient_here_must_live_here(house: House, ses: fake.Server) -> None:
    assert refusal(house, message(), to="nobody@example.com") == (550, "5.1.1")
    assert refusal(house, message(), to="root@localhost") == (550, "5.1.2")
    assert ses.sent == []


def test_a_mailbox_that_is_being_read_does_not_keep_its_owner_from_sending(house: House, ses: fake.Server) -> None:
    pop = poplib.POP3_SSL("localhost", house.gateway.ports[0], context=trusting(house.authority), timeout=60)
    pop.user(TOM)
    pop.pass_(PASSWORD)
    house.smtp().sendmail(TOM, ["eve@example.net"], message())
    assert len(ses.sent) == 1
    pop.quit()


def test_what_ses_refuses_its_client_hears_and_nothing_stays(house: House, ses: fake.Server) -> None:
    ses.plant(Fault("MessageRejected", message="Email address is not verified.", times=None))
    code, status = refusal(house, message(41))
    assert (code, status[0]) == (550, "5") or (code, status) == (554, "5.6.0")
    assert not any(one.is_file() for one in (house.folder / "state/spool/queue").iterdir())


def test_when_ses_throttles_the_client_hears_that_it_is_queued_and_it_goes_out_later(house: House, ses: fake.Server) -> None:
    ses.throttle(3)
    smtp = house.smtp()
    smtp.mail(TOM)
    smtp.rcpt("eve@example.net")
    code, text = smtp.data(message(42))
    assert (code, bool(re.match(rb"2\.0\.0 Ok queued as \w+", text))) == (250, True)
    assert sent_to(ses, "eve@example.net").data.endswith(BODY)


def test_when_ses_is_slow_the_client_is_not_held_for_long(house: House, ses: fake.Server) -> None:
    ses.plant(Fault(delay=6))
    smtp = house.smtp()
    smtp.mail(TOM)
    smtp.rcpt("eve@example.net")
    began = time.monotonic()
    code, text = smtp.data(message(43))
    assert (code, b"queued as" in text) == (250, True)
    assert time.monotonic() - began < 5
    assert sent_to(ses, "eve@example.net").data.endswith(BODY)
    assert len(ses.requests()) == 1


def test_who_was_refused_while_others_were_not_is_reported_to_the_sender(house: House, ses: fake.Server) -> None:
    ses.plant(Fault("MessageRejected", message="Email address is not verified.", recipient="bob@example.org", times=None))
    assert house.smtp().sendmail(TOM, ["eve@example.net", "bob@example.org"], message(44)) == {}
    assert sent_to(ses, "eve@example.net").sender == TOM
    report = house.wait_for_mail(TOM, b"Final-Recipient: rfc822; bob@example.org")
    assert b"Return-Path: <>\r\n" in report
    assert b"<44@laptop>" in report


def test_two_gateways_never_share_a_spool(house: House, tmp_path: Path) -> None:
    second = houses.config(tmp_path, Authority(tmp_path), relay={"spool": str(house.folder / "state/spool")})
    with started(second) as gateway:
        assert gateway.wait_until_it_ends() == 1
        assert "spool" in gateway.log()
        assert "Traceback" not in gateway.log()


def test_a_client_that_is_held_at_a_stop_hears_the_end(tmp_path: Path) -> None:
    with fake.running() as ses, houses.opened(tmp_path, **houses.through(ses.endpoint)) as house:
        ses.plant(Fault(delay=3))
        smtp, answers = house.smtp(), []
        sending = threading.Thread(target=lambda: answers.append(smtp.sendmail(TOM, ["eve@example.net"], message())))
        sending.start()
        wait_until(lambda: len(ses.requests()) == 1, seconds=20, what=house.gateway.log)
        assert house.gateway.stop() == -signal.SIGTERM
        sending.join(20)
        assert answers == [{}]
        assert len(ses.sent) == 1
        assert "stopped" in house.gateway.log()


def test_what_is_in_the_spool_at_a_stop_goes_out_after_the_next_start(tmp_path: Path) -> None:
    with fake.running() as ses:
        options = houses.through(ses.endpoint)
        ses.throttle(3600)
        with houses.opened(tmp_path, **options) as house:
            house.smtp().sendmail(TOM, ["eve@example.net"], message())
            assert house.gateway.stop() == -signal.SIGTERM
        ses.heal()
        assert ses.sent == []
        with houses.opened(tmp_path, **options):
            assert ses.wait_for(1)[0].data.endswith(BODY)


def test_an_attempt_that_hangs_does_not_keep_the_gateway_from_ending(tmp_path: Path) -> None:
    with fake.running() as ses:
        options = {**houses.through(ses.endpoint), "submission": {"hold": 0}, "service": {"drain": 1}}
        ses.plant(Fault(delay=60))
        with houses.opened(tmp_path, **options) as house:
            house.smtp().sendmail(TOM, ["eve@example.net"], message())
            wait_until(lambda: len(ses.requests()) == 1, seconds=20, what=house.gateway.log)
            assert house.gateway.stop(seconds=20) == -signal.SIGTERM
            assert "attempts are still under way" in house.gateway.log()
        assert len(list((tmp_path / "state/spool/queue").iterdir())) == 1


def test_the_table_is_read_again_on_a_hangup(tmp_path: Path) -> None:
    with houses.opened(tmp_path) as house:
        assert refusal(house, message(author=b"new@my.fqdn"), "new@my.fqdn", "ryan") == (553, "5.7.1")
        with (tmp_path / "table").open("a") as file:
            file.write("/^new@my\\.fqdn$/ ryan\n")
        house.gateway.signal(signal.SIGHUP)
        house.gateway.wait_for_log("reloaded; changed in the configuration")
        house.smtp("ryan").sendmail("new@my.fqdn", ["eve@example.net"], message(author=b"new@my.fqdn"))


def test_certificates_for_the_smarthost_that_cannot_be_used_refuse_to_start(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("no certificate\n")
    sections = {"relay": {"courier": "smtp"}, "smarthost": {"host": "localhost", "ca_file": str(garbage)}}
    with started(houses.config(tmp_path, Authority(tmp_path), **sections)) as gateway:
        assert gateway.wait_until_it_ends() == 78
        assert f"{garbage} holds no certificates" in gateway.log()
        assert "Traceback" not in gateway.log()


def test_a_table_that_cannot_be_read_refuses_to_start(tmp_path: Path) -> None:
    options = houses.config(tmp_path, Authority(tmp_path))
    (tmp_path / "table").write_text("/(/ ryan\n")
    with started(options) as gateway:
        assert gateway.wait_until_it_ends() == 78
        assert f"{tmp_path / 'table'}:1" in gateway.log()

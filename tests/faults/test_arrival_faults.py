"""S3, LMTP, SES, SQS and SNS each fail at each step while mail comes in: no message is lost, no original is deleted too early, nobody has
one twice where anything shows that he had it, and afterwards all is tidy by itself."""

from __future__ import annotations

import base64
import itertools
import random
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.aws.snssigner import body, headers
from tests.faults.arrivalfaults import DOMAIN, Case, Mail, World, check_log, world
from tests.faults.strucklmtp import ANYBODY, Strike
from tests.servers.faultproxy import Rule
from tests.servers.ses import Fault
from tests.service.tls import trusting

ATTEMPTS = 3
"""How often the gateway asks S3 in one try: see cases.config."""

# After `short` and `reset` the request was carried out, after `stall` too.
FAULTS = (
    Rule("", "503"),
    Rule("", "reset"),
    Rule("", "refuse"),
    Rule("", "500"),
    Rule("", "stall"),
    Rule("", "403"),
    Rule("", "short"),
)
HALF = tuple(Rule("", fault, 300) for fault in ("reset", "short", "stall"))
# Those after which it was done, whatever is said of it.
LOST_ANSWERS = frozenset({"reset", "short", "stall"})

TOM, ANN = (rf"^PUT \S*/mailboxes/{DOMAIN}/{name}/{{id}}" for name in ("tom", "ann"))
RECORD = r"^PUT \S*/\.sesmail/progress/{id}"
CALLS = {
    "look": r"^HEAD \S*/new/{id}",
    "read the record": r"^GET \S*/\.sesmail/progress/{id}",
    "copy": TOM,
    "copy again": ANN,
    "fetch": r"^GET \S*/new/{id}",
    "delete": r"(?s)^POST \S*\?delete.*new/{id}",
}
HELD_CALLS = {
    "record of what is held": r"^PUT \S*/\.sesmail/held/{id}",
    "copy of what is held": r"^PUT \S*/held/{id}",
}
ONE_FAILS = Rule(ANN, "503", times=ATTEMPTS)


def s3_case(name: str, request: str, fault: Rule, times: int, *, held: bool = False) -> Case:
    """`times` requests fail."""
    case = Case(f"{name}: {times} {fault.fault} {fault.octets}", (replace(fault, request=request, times=times),), held=held)
    if request == TOM and fault.fault in LOST_ANSWERS:
        # Who took it before the answer came cannot be told from who never had it.
        return replace(case, reads=False)
    return case


def recording_case(fault: Rule, times: int) -> Case:
    """One destination fails, and then it cannot be written down which did not: the gateway remembers it."""
    return Case(f"record: {times} {fault.fault}", (ONE_FAILS, replace(fault, request=RECORD, times=times)))


def forgetting_case(fault: Rule, times: int) -> Case:
    """One destination fails, and in the end the record of that cannot be removed."""
    rules = (ONE_FAILS, replace(fault, request=r"(?s)^POST \S*\?delete.*progress/{id}", times=times))
    return Case(f"forgotten: {times} {fault.fault}", rules, leaves=(".sesmail/progress/{id}",))


def all_s3_cases() -> list[Case]:
    """Every request of a journey, in each way, once and until the try has failed."""
    cases = []
    for fault, times in itertools.product(FAULTS, (1, ATTEMPTS)):
        cases += [s3_case(name, request, fault, times) for name, request in CALLS.items()]
        cases += [s3_case(name, request, fault, times, held=True) for name, request in HELD_CALLS.items()]
        cases += [recording_case(fault, times), forgetting_case(fault, times)]
    cases += [s3_case("fetch", CALLS["fetch"], fault, times) for fault, times in itertools.product(HALF, (1, ATTEMPTS))]
    return cases


def some_s3_cases() -> list[Case]:
    """Every request, and every fault, the try failing by it."""
    faults = itertools.cycle(FAULTS)
    cases = [s3_case(name, request, next(faults), ATTEMPTS) for name, request in [*CALLS.items()] * 2]
    cases += [s3_case(name, request, next(faults), ATTEMPTS, held=True) for name, request in HELD_CALLS.items()]
    cases += [s3_case("fetch", CALLS["fetch"], fault, ATTEMPTS) for fault in HALF]
    return [*cases, recording_case(FAULTS[0], ATTEMPTS), forgetting_case(FAULTS[2], ATTEMPTS)]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("faults")) as made:
        yield made


@pytest.fixture(autouse=True)
def no_error_of_ours(here: World) -> Iterator[None]:
    before = len(here.gateway.log())
    yield
    check_log(here.gateway.log()[before:])


def by_sns(here: World, mails: Sequence[Mail], tries: int = 12) -> None:
    """SNS tells of all of them."""
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda mail: here.deliver(mail, tries), mails))


def s3_fails(here: World, cases: Sequence[Case]) -> dict[str, int]:
    mails = [here.bring(case) for case in cases]
    rules = [replace(rule, request=rule.request.replace("{id}", mail.id)) for mail in mails for rule in mail.case.rules]
    here.s3_proxy.fail(*rules)
    try:
        by_sns(here, mails)
    finally:
        applied = here.s3_proxy.fail()
    assert all(applied), [rule for rule, times in zip(rules, applied, strict=True) if not times]
    return dict(here.check(mails))


@pytest.mark.limit(200)
def test_s3_fails_at_each_call(here: World) -> None:
    s3_fails(here, some_s3_cases())


@pytest.mark.proof
@pytest.mark.limit(1800)
def test_s3_fails_at_each_call_in_each_way(here: World, capsys: pytest.CaptureFixture[str]) -> None:
    cases = all_s3_cases()
    doubles = s3_fails(here, cases)
    with capsys.disabled():
        print(f"\n{len(cases)} messages, each with its fault; came twice: {doubles}")


def test_what_could_not_be_removed_expires(here: World) -> None:
    (mail,) = [here.bring(forgetting_case(Rule("", "503"), ATTEMPTS))]
    here.s3_proxy.fail(*(replace(rule, request=rule.request.replace("{id}", mail.id)) for rule in mail.case.rules))
    here.deliver(mail)
    here.s3_proxy.fail()
    record = f".sesmail/progress/{mail.id}"
    assert here.keys(record) == [record]
    assert here.keys("new/") == []
    here.expire()
    assert here.keys(record) == []


LATER = ("451 4.2.0 not now", "421 4.3.2 going down")
BROKEN = ("close", "reset", "silence", "half", "rubbish")
STRIKES = [
    *(Strike(step, what) for step in ("GREETING", "LHLO") for what in (*LATER, *BROKEN)),
    *(Strike(step, what, 0) for step in ("MAIL", "RCPT", "DATA", "END") for what in (*LATER, *BROKEN)),
    *(Strike("END", f"kept-{what}", 0) for what in BROKEN),
]


def lmtp_fails(here: World, strikes: Sequence[Strike]) -> dict[str, int]:
    # Only the server knows that it has it.
    cases = [Case(str(one), twice=frozenset({"far1"} if one.what.startswith("kept-") else set[str]())) for one in strikes]
    mails = [here.bring(case) for case in cases]
    pairs = list(zip(strikes, mails, strict=True))
    here.lmtp.strike(*(replace(strike, number=mail.number) for strike, mail in pairs if strike.number != ANYBODY))
    by_sns(here, [mail for strike, mail in pairs if strike.number != ANYBODY])
    for strike, mail in pairs:
        if strike.number == ANYBODY:
            # Before the server knows what it is about, in a conversation of its own.
            here.lmtp.hang_up()
            here.lmtp.strike(replace(strike))
            here.deliver(mail)
    assert here.lmtp.waiting == []
    return dict(here.check(mails))


def test_lmtp_fails_at_each_step(here: World) -> None:
    lmtp_fails(here, STRIKES[::3])


@pytest.mark.proof
@pytest.mark.limit(600)
def test_lmtp_fails_at_each_step_in_each_way(here: World, capsys: pytest.CaptureFixture[str]) -> None:
    doubles = lmtp_fails(here, STRIKES)
    with capsys.disabled():
        print(f"\n{len(STRIKES)} messages, each with its fault; came twice: {doubles}")


def test_a_server_that_is_not_there_keeps_nobody_else_from_his_mail(here: World) -> None:
    mail = here.bring(Case("refused"))
    with here.lmtp.away():
        with pytest.raises(AssertionError, match="was never taken"):
            here.deliver(mail, tries=2)
        assert here.is_there(mail.key)
        assert {name for name, count in here.copies(mail).items() if not count} == {"far0", "far1"}
    here.deliver(mail)
    here.check([mail])


@pytest.mark.parametrize(
    ("fault", "twice"),
    [
        (Fault("TooManyRequestsException", 429, "Maximum sending rate exceeded."), False),
        (Fault("InternalServiceErrorException", 500), False),
        (Fault("AccessDeniedException", 403), False),
        (Fault(reset="unread"), False),
        (Fault(reset="read"), False),
        # SES has no token by which a second request would be known for the first.
        (Fault(reset="recorded"), True),
        (Fault("InternalServiceErrorException", 500, delay=2), False),
        (Fault(body="<html>", status=502), False),
    ],
    ids=lambda value: str(value) if isinstance(value, bool) else f"{value.code or value.reset or value.status}",
)
def test_ses_fails_where_mail_is_sent_on(here: World, fault: Fault, twice: bool) -> None:
    mail = here.bring(Case("forwarded", twice=frozenset({"out"} if twice else set[str]())))
    here.out.plant(replace(fault))
    here.deliver(mail)
    here.out.heal()
    assert here.check([mail]) == ({"out": 1} if twice else {})


# What is in the body of each request to SQS, whichever protocol of AWS this boto3 speaks.
RECEIVE = "WaitTimeSeconds"
DELETE = "(?s)^(?!.*VisibilityTimeout).*ReceiptHandle"
SQS_FAULTS = (*FAULTS[:4], FAULTS[5], Rule("", "short"), Rule("", "short", 40))


def by_sqs(here: World, mails: Sequence[Mail]) -> None:
    here.queue.send(*(here.notice(mail) for mail in mails))


def sqs_fails(here: World, request: str, faults: Sequence[Rule], seconds: float) -> None:
    """One after the other, each once, while mail comes in."""
    for fault in faults:
        mails = [here.bring(Case(f"{request} {fault.fault} {number}")) for number in range(3)]
        here.sqs_proxy.fail(replace(fault, request=request, times=1))
        by_sqs(here, mails)
        here.wait_until_quiet(mails, seconds)
        (applied,) = here.sqs_proxy.fail()
        assert applied
        assert here.check(mails) == {}


@pytest.mark.proof
@pytest.mark.limit(900)
@pytest.mark.parametrize("request_", [RECEIVE, DELETE])
def test_sqs_fails_in_each_way(here: World, request_: str) -> None:
    sqs_fails(here, request_, SQS_FAULTS, 120)


def test_what_fails_for_a_notice_of_sqs_comes_again_by_itself(here: World) -> None:
    mails = [here.bring(s3_case(name, CALLS[name], FAULTS[0], ATTEMPTS)) for name in ("look", "copy", "delete")]
    mails += [here.bring(Case(name)) for name in ("lmtp", "nothing", "nothing again")]
    here.lmtp.strike(Strike("END", "451 4.2.0 not now", mails[3].number))
    rules = [replace(rule, request=rule.request.replace("{id}", mail.id)) for mail in mails for rule in mail.case.rules]
    here.s3_proxy.fail(*rules)
    # And the queue itself fails meanwhile.
    ways = [(RECEIVE, "503"), (RECEIVE, "refuse"), (DELETE, "reset"), (DELETE, "503"), (DELETE, "refuse")]
    here.sqs_proxy.fail(*(Rule(request, fault, times=1) for request, fault in ways))
    by_sqs(here, [*mails, *mails[4:]])
    here.wait_until_quiet(mails, 90)
    assert all((*here.s3_proxy.fail(), *here.sqs_proxy.fail()))
    assert here.check(mails) == {}


def leaves(here: World, mail: Mail, octets: int | None, seconds: float) -> None:
    """SNS says so much of its request (None: all of it), and leaves without having heard an answer."""
    message = here.signed(mail)
    content = body(message)
    basic = base64.b64encode(b"sns:geheim").decode()
    named = {"Host": "localhost", "Authorization": f"Basic {basic}", "Content-Length": str(len(content)), **headers(message)}
    head = "POST / HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in named.items()) + "\r\n"
    with (
        socket.create_connection(("127.0.0.1", here.ports["sns"]), 10) as plain,
        trusting(here.authority.certificate).wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall((head.encode() + content)[:octets])
        time.sleep(seconds)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize(("octets", "seconds"), [(0, 0), (40, 0), (600, 0), (None, 0), (None, 0.02), (None, 0.1), (None, 0.5)])
def test_sns_leaves_at_any_point_and_comes_again(here: World, octets: int | None, seconds: float) -> None:
    mails = [here.bring(Case(f"left at {octets} after {seconds}")) for _ in range(3)]
    for mail in mails:
        leaves(here, mail, octets, seconds)
    by_sns(here, mails)
    assert here.check(mails) == {}


@pytest.mark.proof
@pytest.mark.limit(300)
def test_a_certificate_that_cannot_be_fetched_keeps_the_notice_with_sns(here: World) -> None:
    told = []
    for fault in ("refuse", "close", "silence", "half", "500"):
        mail = here.bring(Case(f"certificate: {fault}"))
        here.cloud.renew()
        here.cloud.fault = fault
        told.append((mail, here.signed(mail)))
        assert here.sender(retries=0).deliver(told[-1][1]) == [401, 503]
        assert here.is_there(mail.key)
    here.cloud.fault = ""
    # A certificate that could not be had is not asked for again at once.
    assert [here.sender(retries=60, pause=1).deliver(message)[-1] for _, message in told] == [200] * len(told)
    assert here.check([mail for mail, _ in told]) == {}


def storm(here: World, count: int, seed: int) -> dict[str, int]:
    """Anything may fail at any time, in any way, while mail comes in by both doors."""
    chance = random.Random(seed)
    # What is kept without anybody's knowing may come twice where nothing shows that it was there.
    case = Case("storm", twice=frozenset({"far0", "far1", "out"}), leaves=(".sesmail/progress/{id}",), reads=False)
    mails = [here.bring(replace(case, held=chance.random() < 0.1)) for _ in range(count)]
    here.s3_proxy.fail(*(replace(fault, request=".", chance=0.04) for fault in (*FAULTS, *HALF)))
    here.sqs_proxy.fail(*(replace(fault, request=".", chance=0.02) for fault in SQS_FAULTS))
    here.lmtp.strike(*(replace(one, number=ANYBODY) for one in chance.choices(STRIKES, k=count // 2)))
    here.out.plant(*(Fault(reset=chance.choice(("unread", "read", "recorded"))) for _ in range(count // 8)))
    try:
        by_sqs(here, mails[::2])
        by_sns(here, mails[1::2], tries=60)
    finally:
        here.s3_proxy.fail()
        here.sqs_proxy.fail()
        here.lmtp.heal()
        here.out.heal()
    here.wait_until_quiet(mails, 900)
    doubles = here.check(mails)
    here.expire()
    assert here.keys(".sesmail/progress/") == sorted(f".sesmail/progress/{mail.id}" for mail in here.mails if mail.case.held)
    return dict(doubles)


@pytest.mark.proof
@pytest.mark.limit(1800)
def test_a_storm_loses_nothing(here: World, capsys: pytest.CaptureFixture[str]) -> None:
    doubles = storm(here, 150, seed=3)
    with capsys.disabled():
        print(f"\n150 messages in a storm; came twice: {doubles}")

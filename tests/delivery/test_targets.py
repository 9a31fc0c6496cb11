"""Targets in words become destinations, and no name that a stranger chose leaves its own mailbox."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sesmail.aliases.model import AddressRules, Disposition, Model, Target
from sesmail.delivery.plan import Bounce, Destination, Drop, Forward, Hold, Lmtp, Mailbox, Maildir, Pipe, Reason
from sesmail.delivery.route import route
from sesmail.delivery.targets import Targets, in_places, look_up
from sesmail.errors import NoSuchMailbox, Unavailable
from sesmail.interfaces import StorePlace
from sesmail.mail.envelope import Envelope
from sesmail.storage.keys import Places

STORE = StorePlace("s3://bucket")
PLACES = Places("mail/%d/%u/", "mail/%d/passwd.txt", STORE, False, {})
HOSTILE = [
    "../x@example.com",
    '"../x"@example.com',
    "..@example.com",
    '".."@example.com',
    "a/b@example.com",
    '"/"@example.com',
    "a\0b@example.com",
    '"a\0b"@example.com',
    "%2e%2e%2fx@example.com",
    "a%2fb@example.com",
    "%u@example.com",
    "%d/%u@example.com",
    f"{'x' * 300}@example.com",
    f"{'x' * 64}@example.com",
    ".sesmail@example.com",
    '".sesmail"@example.com',
    "+Junk@example.com",
    '"a@b/c"@example.com',
    '"bob "@example.com',
    "bob@../example.com",
    "bob@example.com/../x",
    "bob@[127.0.0.1]",
    "a\\..\\b@example.com",
    "\u202ebob@example.com",
    "\udc80@example.com",
    "bob\r\nRCPT TO:<x@example.com>@example.com",
]


def home(name: str) -> Destination | None:
    if name == "broken":
        raise Unavailable
    return Lmtp(name) if name in ("bob", "bob@example.com") else None


def read(text: str, *, trusted: bool = True, targets: Targets | None = None) -> Destination:
    targets = targets or Targets(home, {"example.com"})
    return targets.destination(Target(Disposition.DELIVER, text, trusted))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bob", Lmtp("bob")),
        ("BOB@Example.com", Lmtp("bob@example.com")),
        ("mailbox:bob", Lmtp("bob")),
        ("lmtp: Bob.Smith", Lmtp("Bob.Smith")),
        ("LMTP:bob@example.com", Lmtp("bob@example.com")),
        ("maildir:/var/mail/bob/", Maildir("/var/mail/bob")),
        ("pipe:/usr/bin/sort -u 'a b'", Pipe("/usr/bin/sort -u 'a b'")),
        ("forward:bob@example.com", Forward("bob@example.com")),
        ("Bob+Tag@Elsewhere.example", Forward("Bob+Tag@elsewhere.example")),
        ("drop:", Drop()),
        ("bounce:", Bounce()),
        ("hold:", Hold()),
    ],
)
def test_every_kind_of_target_is_read(text: str, expected: Destination) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "eve spaces",
        "é",
        "@example.com",
        "a b@example.com",
        "nothing:",
        "lmtp:",
        "lmtp:a>b",
        'lmtp:"a"',
        "lmtp:a b",
        "lmtp:bob\r\nDATA",
        "maildir:",
        "maildir:relative",
        "maildir:/a\0b",
        "pipe:",
        "pipe: ",
        "forward:bob",
        "drop:all",
        "x" * 5000,
    ],
)
def test_a_target_that_cannot_be_used_holds_the_mail(text: str) -> None:
    assert read(text) == Hold(Reason.BAD_TARGET)


@pytest.mark.parametrize("text", ["pipe:/bin/sh", "maildir:/etc", "lmtp:root", "mailbox:bob", "drop:", "hold:", "PIPE:/bin/sh"])
def test_only_the_administrator_may_name_programs_and_files(text: str) -> None:
    assert read(text, trusted=False) == Hold(Reason.BAD_TARGET)
    assert read("bob", trusted=False) == Lmtp("bob")
    assert read("eve@elsewhere.example", trusted=False) == Forward("eve@elsewhere.example")


def test_nobody_of_ours_is_forwarded_to_and_nobody_is_lost() -> None:
    assert read("eve@example.com") == Hold(Reason.UNKNOWN)
    assert read("eve") == Hold(Reason.UNKNOWN)
    assert read("mailbox:eve@example.com") == Hold(Reason.UNKNOWN)


def test_the_store_has_one_mailbox_for_tacomails_aliases() -> None:
    assert read("S3", trusted=False, targets=Targets(home, (), in_store="lmtp:all")) == Lmtp("all")
    assert read("s3", targets=Targets(home, (), in_store="eve")) == Hold(Reason.UNKNOWN)
    assert read("S3") == Hold(Reason.BAD_TARGET)


def test_what_no_table_delivers_has_a_rule_of_its_own() -> None:
    usual = Targets(home, ())
    chosen = Targets(home, (), instead={Disposition.UNKNOWN: Bounce(Reason.UNKNOWN), Disposition.DENIED: Bounce(Reason.DENIED)})
    for disposition, by_default, otherwise in (
        (Disposition.UNKNOWN, Hold(Reason.UNKNOWN), Bounce(Reason.UNKNOWN)),
        (Disposition.INACTIVE, Bounce(Reason.INACTIVE), Bounce(Reason.INACTIVE)),
        (Disposition.DENIED, Drop(Reason.DENIED), Bounce(Reason.DENIED)),
        (Disposition.IGNORE, Drop(Reason.IGNORED), Drop(Reason.IGNORED)),
    ):
        assert usual.destination(Target(disposition)) == by_default
        assert chosen.destination(Target(disposition)) == otherwise
    assert read("eve", targets=chosen) == Bounce(Reason.UNKNOWN)


def test_no_such_mailbox_is_the_same_as_nobody() -> None:
    def nobody(name: str) -> Destination | None:
        raise NoSuchMailbox

    assert read("bob", targets=Targets(nobody, ())) == Hold(Reason.UNKNOWN)


def test_trouble_with_an_account_is_not_taken_for_its_absence() -> None:
    with pytest.raises(Unavailable):
        read("broken")


def test_mailboxes_lie_where_the_store_has_them() -> None:
    at = in_places(PLACES.place)
    assert at("bob@example.com") == Mailbox(PLACES.place("bob", "example.com"))
    flat = Places("mail/%u/", "passwd.txt", STORE, False, {})
    assert in_places(flat.place)("bob") == Mailbox(flat.place("bob", ""))


def test_every_recipient_is_looked_up_and_has_each_destination_once() -> None:
    def targets_of(address: str) -> Sequence[Target]:
        user = address.partition("@")[0]
        return [Target(Disposition.DELIVER, text) for text in (user, user.upper(), "eve@elsewhere.example")]

    found = look_up(Envelope("a@example.org", ("bob@example.com", "x@example.com")), targets_of, Targets(home, {"example.com"}))
    assert found == {
        "bob@example.com": (Lmtp("bob"), Forward("eve@elsewhere.example")),
        "x@example.com": (Hold(Reason.UNKNOWN), Forward("eve@elsewhere.example")),
    }


def prefixes(address: str) -> list[str]:
    """Where mail for the address goes when everybody at example.com has a mailbox; what does not go into one must be held."""
    model = Model(AddressRules(open_domains=frozenset({"example.com"})), ())
    envelope = Envelope("a@example.org", (address,))
    plan = route(envelope, look_up(envelope, model.resolve, Targets(in_places(PLACES.place), {"example.com"})))
    found = [step.destination for step in plan.steps]
    assert found
    assert all(isinstance(destination, Mailbox | Hold) for destination in found)
    return [destination.place.prefix for destination in found if isinstance(destination, Mailbox)]


def check_prefixes(address: str) -> None:
    for prefix in prefixes(address):
        mail, domain, user, rest = prefix.split("/")
        assert (mail, domain, rest) == ("mail", "example.com", "")
        assert user
        assert user[0] not in ".+"
        assert ".." not in user
        assert user.isprintable()


@pytest.mark.parametrize("address", HOSTILE)
def test_a_hostile_name_is_held_or_stays_in_its_own_mailbox(address: str) -> None:
    check_prefixes(address)


@pytest.mark.parametrize(
    ("address", "user"),
    [
        ("a%2fb@example.com", "a%2fb"),
        ("%2e%2e%2fx@example.com", "%2e%2e%2fx"),
        ("%u@example.com", "%u"),
        (f"{'x' * 64}@example.com", "x" * 64),
        ("prvs=0123456789=bob@example.com", "prvs=0123456789=bob"),
        ("Bob+shop@example.com", "bob"),
    ],
)
def test_an_odd_name_is_one_part_of_a_key(address: str, user: str) -> None:
    assert prefixes(address) == [f"mail/example.com/{user}/"]


@given(st.text(alphabet='abx./\\%+"@\0\r\n\u202e \t2fe~-', max_size=80).map(lambda local: f"{local}@example.com"))
@example("/@example.com")
def test_no_name_at_all_leaves_its_own_mailbox(address: str) -> None:
    check_prefixes(address)

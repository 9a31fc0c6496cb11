"""What addresses lead to: tags, case, domains under other names, catch-alls, the deny list, tables that lead to tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesmail.aliases.model import (
    MOST_LOOK_UPS,
    UNKNOWN,
    AddressRules,
    Disposition,
    LookUp,
    Model,
    Target,
    in_entries,
    in_map,
    without_tag,
)
from sesmail.aliases.postfixmap import PostfixMap
from sesmail.errors import Unavailable

_TACOMAIL = ("+", "--", "#", "=")
_HYBRID = r"""
/^(adam|jack)(\+[^@]*)?@(example\.com|my\.fqdn)$/ ${1}
/^[^@]*@example\.com$/ ryan
"""


def model(*look_ups: LookUp, **rules: object) -> Model:
    return Model(AddressRules(**rules), look_ups)  # type: ignore[arg-type]


def table(**entries: str) -> LookUp:
    """Users at example.com and the accounts that they lead to."""
    return in_entries({f"{user}@example.com": text.split() for user, text in entries.items()})


def among(is_account: Callable[[str], bool]) -> LookUp:
    """Those addresses that are accounts, each by itself."""

    def look_up(address: str) -> Sequence[Target]:
        return [Target(Disposition.DELIVER, address)] if is_account(address) else []

    return look_up


def texts(found: Sequence[Target]) -> list[str]:
    assert all(target.disposition is Disposition.DELIVER for target in found)
    return [target.text for target in found]


@pytest.mark.parametrize(
    ("local", "bare"),
    [
        ("testing.trumpet=abcd+123845", "testing.trumpet"),
        ("testing.trumpet--abcd#12345", "testing.trumpet"),
        ("testing.trumpet", "testing.trumpet"),
        ("a-b--c", "a-b"),
        ("a--b+c", "a"),
        ("+x", "+x"),
        ("--", "--"),
        ("=", "="),
        ("prvs=0123456789=bob", "prvs=0123456789=bob"),
        ("PRVS=0123456789=bob+tag", "PRVS=0123456789=bob+tag"),
        ("prvs=bob/0123456789", "prvs=bob/0123456789"),
        ("btv1==0123==bob", "btv1==0123==bob"),
        ("msprvs1=17000=bounces", "msprvs1=17000=bounces"),
        ("SRS0=HHH=TT=example.org=bob", "SRS0=HHH=TT=example.org=bob"),
        ("srs0+HHH=TT=example.org=bob", "srs0+HHH=TT=example.org=bob"),
        ("SRS1-HHH=example.org==HHH=TT=example.net=bob", "SRS1-HHH=example.org==HHH=TT=example.net=bob"),
        ("srs.fan+tag", "srs.fan"),
        ("prvs+tag", "prvs+tag"),
    ],
)
def test_a_tag_is_cut_at_the_first_separator_and_never_from_a_signed_name(local: str, bare: str) -> None:
    assert without_tag(local, _TACOMAIL) == bare


def test_only_the_configured_separators_begin_a_tag() -> None:
    assert without_tag("a=b--c+d", ("+",)) == "a=b--c"
    assert without_tag("a+b", ()) == "a+b"


@given(st.text(alphabet="abprvs01=+-#/.", max_size=30))
def test_cutting_a_tag_leaves_a_beginning_that_is_not_empty(local: str) -> None:
    bare = without_tag(local, _TACOMAIL)
    assert local.startswith(bare)
    assert bool(bare) == bool(local)
    assert without_tag(bare, _TACOMAIL) == bare


@pytest.mark.parametrize(
    "rules", [{"separators": ("+", "")}, {"domain_aliases": {"a.example": "b.example", "b.example": "c.example"}}]
)
def test_rules_without_a_meaning_are_refused(rules: Mapping[str, object]) -> None:
    with pytest.raises(ValueError, match=r"separator|alias"):
        AddressRules(**rules)  # type: ignore[arg-type]


def test_tables_are_asked_in_lower_case_with_the_tag_first() -> None:
    asked = []

    def look_up(address: str) -> Sequence[Target]:
        asked.append(address)
        return ()

    found = model(look_up, domain_aliases={"example.net": "example.com"}).resolve("Bob+Shop@EXAMPLE.NET")
    assert asked == ["bob+shop@example.net", "bob@example.net", "bob+shop@example.com", "bob@example.com"]
    assert found == (UNKNOWN,)


def test_a_domain_in_u_labels_is_looked_up_in_a_labels() -> None:
    assert texts(model(in_entries({"bob@xn--bcher-kva.example": ["bob"]})).resolve("bob@BÜCHER.example")) == ["bob"]


def test_an_entry_for_the_tag_goes_before_one_for_the_person() -> None:
    both = model(table(**{"bob": "bob", "bob+shop": "alice"}))
    assert texts(both.resolve("bob+shop@example.com")) == ["alice"]
    assert texts(both.resolve("bob+other@example.com")) == ["bob"]


def test_the_first_table_that_knows_an_address_decides() -> None:
    first, second = table(bob="one"), table(bob="two", eve="two")
    assert texts(model(first, second).resolve("bob@example.com")) == ["one"]
    assert texts(model(first, second).resolve("eve@example.com")) == ["two"]


def test_a_domain_by_another_name_has_the_same_people() -> None:
    known = model(among({"bob@example.com"}.__contains__), domain_aliases={"example.net": "example.com"})
    assert texts(known.resolve("Bob+tag@example.net")) == ["bob@example.com"]


def test_what_is_left_of_a_domain_goes_to_its_catch_all() -> None:
    rules = model(
        table(bob="bob"),
        catch_all={"example.com": ("eve", "pipe:/bin/count"), "example.org": ("org",)},
        domain_aliases={"example.net": "example.com"},
    )
    assert texts(rules.resolve("bob@example.com")) == ["bob"]
    assert texts(rules.resolve("nobody@example.com")) == ["eve", "pipe:/bin/count"]
    assert texts(rules.resolve("nobody@example.net")) == ["eve", "pipe:/bin/count"]
    assert texts(rules.resolve("nobody@example.org")) == ["org"]
    assert rules.resolve("nobody@example.edu") == (UNKNOWN,)
    assert all(target.trusted for target in rules.resolve("nobody@example.com"))


def test_a_catch_all_of_the_other_name_goes_before_the_domains_own() -> None:
    rules = model(catch_all={"example.com": ("own",), "example.net": ("other",)}, domain_aliases={"example.net": "example.com"})
    assert texts(rules.resolve("nobody@example.net")) == ["other"]


def test_in_an_open_domain_everybody_has_a_mailbox_without_the_tag() -> None:
    rules = model(open_domains=frozenset({"example.com"}), domain_aliases={"example.net": "example.com"})
    assert texts(rules.resolve("Anybody+tag@example.com")) == ["anybody@example.com"]
    assert texts(rules.resolve("anybody+tag@example.net")) == ["anybody@example.com"]
    assert rules.resolve("anybody@example.org") == (UNKNOWN,)
    assert not rules.resolve("anybody@example.com")[0].trusted


@pytest.mark.parametrize(
    ("denied", "address", "is_denied"),
    [
        ("bob@example.com", "Bob@example.com", True),
        ("bob@example.com", "bob+shop@example.com", True),
        ("bob+shop@example.com", "bob+shop@example.com", True),
        ("bob+shop@example.com", "bob@example.com", False),
        ("bob@example.com", "bob@example.net", True),
        ("bob@example.net", "bob@example.com", False),
        ("@example.net", "bob@example.net", True),
        ("@example.com", "bob@example.net", True),
        ("@example.com", "bob@sub.example.com", False),
    ],
)
def test_what_is_denied_is_denied_with_every_tag_and_in_every_name_of_the_domain(
    denied: str, address: str, is_denied: bool
) -> None:
    rules = model(
        in_entries({address.lower(): ["bob"], "bob@example.com": ["bob"]}),
        deny=frozenset({denied}),
        domain_aliases={"example.net": "example.com"},
        catch_all={"sub.example.com": ("bob",)},
    )
    assert (rules.resolve(address)[0].disposition is Disposition.DENIED) is is_denied


@pytest.mark.parametrize(
    "address", ["", "bob", "@example.com", "a b@example.com", "a\0b@example.com", "é@example.com", "../x@example.com"]
)
def test_what_is_no_address_is_known_to_nobody(address: str) -> None:
    assert model(catch_all={"example.com": ("eve",)}, open_domains=frozenset({"example.com"})).resolve(address) == (UNKNOWN,)


def test_a_table_may_lead_to_another_table() -> None:
    rules = model(table(info="bob@example.com eve@example.com"), table(eve="eve"), among({"bob@example.com"}.__contains__))
    assert texts(rules.resolve("info@example.com")) == ["bob@example.com", "eve"]


def test_what_a_table_leads_to_does_not_fall_to_the_catch_all() -> None:
    rules = model(table(info="nobody@example.com"), catch_all={"example.com": ("eve",)})
    assert texts(rules.resolve("info@example.com")) == ["nobody@example.com"]


def test_an_address_that_leads_to_itself_is_meant_as_it_is() -> None:
    rules = model(table(bob="bob@example.com copy@elsewhere.example"))
    assert texts(rules.resolve("bob+tag@example.com")) == ["bob@example.com", "copy@elsewhere.example"]


def test_a_circle_ends() -> None:
    rules = model(table(a="b@example.com", b="c@example.com", c="a@example.com"))
    assert texts(rules.resolve("a@example.com")) == ["a@example.com"]


def test_two_ways_to_one_person_are_one() -> None:
    rules = model(
        table(all="left@example.com right@example.com", left="both@example.com", right="both@example.com", both="bob")
    )
    assert texts(rules.resolve("all@example.com")) == ["bob"]


def test_a_table_without_end_is_not_followed_for_ever() -> None:
    asked = []

    def endless(address: str) -> Sequence[Target]:
        asked.append(address)
        number = int(address.partition("@")[0]) + 1
        return [
            Target(Disposition.DELIVER, f"{number}@example.com"),
            Target(Disposition.DELIVER, f"{number * 1000}@example.com"),
        ]

    assert UNKNOWN in model(endless).resolve("1@example.com")
    assert len(asked) <= MOST_LOOK_UPS + 1


def test_an_address_elsewhere_keeps_its_case_and_tag() -> None:
    rules = model(table(bob="Bob.Smith+In@Elsewhere.Example"))
    assert texts(rules.resolve("bob@example.com")) == ["Bob.Smith+In@elsewhere.example"]


def test_programs_are_not_looked_up() -> None:
    rules = model(table(bob="pipe:/bin/mail@example.com"), among(lambda address: True))
    assert texts(rules.resolve("bob@example.com")) == ["pipe:/bin/mail@example.com"]


def test_a_table_may_ignore_and_retire_an_address() -> None:
    def retired(address: str) -> Sequence[Target]:
        return [Target(Disposition.INACTIVE)] if address == "old@example.com" else []

    rules = model(retired, table(list="old@example.com bob"))
    assert rules.resolve("old+x@example.com") == (Target(Disposition.INACTIVE),)
    assert rules.resolve("list@example.com") == (Target(Disposition.INACTIVE), Target(Disposition.DELIVER, "bob", trusted=True))


def test_trouble_with_a_table_is_no_answer() -> None:
    def down(address: str) -> Sequence[Target]:
        raise Unavailable

    with pytest.raises(Unavailable):
        model(down, catch_all={"example.com": ("eve",)}).resolve("bob@example.com")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("adam@example.com", ["adam"]),
        ("jack+abc@my.fqdn", ["jack"]),
        ("xyz@example.com", ["ryan"]),
    ],
)
def test_hybrid_cloud_emails_table_leads_where_it_always_did(address: str, expected: list[str]) -> None:
    rules = model(in_map(PostfixMap.parse("pcre", _HYBRID)))
    assert texts(rules.resolve(address)) == expected
    assert rules.resolve("ryan@my.fqdn") == (UNKNOWN,)


def test_what_a_postfix_map_says_is_not_trusted_with_programs() -> None:
    found = model(in_map(PostfixMap.parse("hash", "bob@example.com pipe:/bin/sh,bob"))).resolve("bob@example.com")
    assert [target.trusted for target in found] == [False, False]

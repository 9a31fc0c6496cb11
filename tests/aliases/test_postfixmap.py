"""Tables both ways, what is refused in them with which words, and that no address takes long."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

from sesmail.aliases.lines import LINE_CHARACTERS, TABLE_OCTETS
from sesmail.aliases.postfixmap import PostfixMap, load
from sesmail.aliases.rules import RULES
from sesmail.errors import Malformed, Unavailable

HYBRID = """\
/^(adam|jack)(\\+[^@]*)?@(example\\.com|my\\.fqdn)$/   ${1}
/^[^@]*@example\\.com$/   ryan
"""


@pytest.mark.parametrize("kind", ["pcre", "regexp"])
@pytest.mark.parametrize(
    ("address", "user"),
    [
        ("adam@example.com", "adam"),
        ("jack+abc@my.fqdn", "jack"),
        ("ryan@example.com", "ryan"),
        ("xyz@example.com", "ryan"),
        ("ryan@my.fqdn", None),
    ],
)
def test_the_look_ups_of_hybrid_cloud_email(kind: str, address: str, user: str | None) -> None:
    table = PostfixMap.parse(kind, HYBRID)
    assert table.look_up(address) == user
    assert table.resolve(address) == (() if user is None else (user,))


def test_what_an_address_brings_into_its_result_is_in_lower_case() -> None:
    assert PostfixMap.parse("pcre", HYBRID).resolve("ADAM+x@EXAMPLE.com") == ("adam",)


def test_an_address_may_lead_to_several_users() -> None:
    table = PostfixMap.parse("texthash", "all@example.com  Ann, bob,,ann  carl@Example.com\n")
    assert table.resolve("ALL@example.com") == ("ann", "bob", "carl@example.com")


@pytest.mark.parametrize("kind", ["hash", "texthash", "btree", "lmdb", "cdb", "dbm"])
@pytest.mark.parametrize(
    ("address", "user"),
    [
        ("ann+work@example.com", "worker"),
        ("ANN+Home@example.com", "ann"),
        ("ann@example.com", "ann"),
        ("anybody@example.com", "catch"),
        ("+x@example.com", "catch"),
        ("anybody@example.org", None),
        ("ann", None),
        ("@example.com", "catch"),
    ],
)
def test_of_keys_the_whole_address_counts_then_the_untagged_then_its_domain(kind: str, address: str, user: str | None) -> None:
    text = "@example.com catch\nAnn@example.com ann\nann+WORK@example.com worker\n"
    assert PostfixMap.parse(kind, text).look_up(address) == user


def test_the_first_of_two_lines_with_one_key_counts_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        table = PostfixMap.parse("hash", "a@x one\nb@x two\nA@x three\n")
    assert table.look_up("a@x") == "one"
    assert "line 3" in caplog.text


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("pcre", "  /a/ b\n", "1: a table cannot begin"),
        ("pcre", "# c\n\n/a/ b\n/(a/ b\n", "4: the regular expression is not understood"),
        ("pcre", "/a b\n", "1: the regular expression has no second /"),
        ("pcre", "/a\\/ b\n", "1: the regular expression has no second /"),
        ("pcre", "!\n", "1: a regular expression is missing"),
        ("pcre", "foo bar\n", "1: a regular expression is missing"),
        ("pcre", "/a/q b\n", "1: the flag q is not known"),
        ("pcre", "/a/U b\n", "1: the flag U"),
        ("pcre", "/a/b/ c\n", "1: the flag b"),
        ("regexp", "/a/x b\n", "1: basic regular expressions"),
        ("regexp", "/a/s b\n", "1: the flag s is not known"),
        ("pcre", "/(a)/ $2\n", "1: $2 has no pair of parentheses; the expression has 1"),
        ("pcre", "/(a)/ $0\n", "1: $0 has no pair"),
        ("pcre", "/(a)/ $99999999999\n", "1: $99999999999 has no pair"),
        ("pcre", "/(a)/ $1x\n", "1: $1x is not $ and a number"),
        ("pcre", "/(a)/ ${1 }\n", "1: ${1 } is not $ and a number"),
        ("pcre", "/(a)/ ${1\n", "1: $ is not $ and a number"),
        ("pcre", "/(a)/ $\u0661\n", "1: $\u0661 is not $ and a number"),
        ("pcre", "/(a)/ 5$\n", "1: $ is not $ and a number"),
        ("pcre", "!/(a)/ $1\n", "1: what does not match has no $1"),
        ("pcre", "if /a/\n/b/ c\n", "1: this if has no endif"),
        ("pcre", "if /a/\nif /c/\n/b/ c\nendif\n", "1: this if has no endif"),
        ("pcre", "/b/ c\nendif\n", "2: this endif has no if"),
        ("pcre", "if /a/\n  /b/ c\nendif\n", "1: there is text behind the if"),
        ("pcre", "if /a/\nendif b\n", "2: there is text behind the endif"),
        ("pcre", "/a(?|b)/ c\n", "1: (?|b) is not known"),
        ("pcre", "/(?R)/ c\n", "1: (?R) is not known"),
        ("pcre", "/(a)(?1)/ c\n", "1: (?1) is not known"),
        ("pcre", "/a(*ACCEPT)/ c\n", "1: (*ACC is not known"),
        ("pcre", "/a(?i)b/ c\n", "1: (?i)b is not known"),
        ("pcre", "/\\p{L}/ c\n", "1: \\p is not known"),
        ("pcre", "/\\Ka/ c\n", "1: \\K is not known"),
        ("pcre", "/[[.a.]]/ c\n", "1: [. is not known"),
        ("pcre", "/[[:alfa:]]/ c\n", "1: [:alfa:] is not known"),
        ("pcre", "/[[:^alpha:]]/ c\n", "1: [: is not known"),
        ("pcre", "/[\\H]/ c\n", "1: \\H is not known"),
        ("pcre", "/[a/ c\n", "1: a [ has no ]"),
        ("pcre", "/[]/ c\n", "1: a [ has no ]"),
        ("pcre", "/[\\]/ c\n", "1: a [ has no ]"),
        ("pcre", "/a #c/x d\n", "1: a comment within an expression"),
        ("pcre", "/(?<=a+)b/ c\n", "1: the regular expression is not understood"),
        ("pcre", "/a**/ c\n", "1: the regular expression is not understood"),
        ("pcre", "/" + "a" * 5000 + "/ c\n", "1: a regular expression has at most"),
        ("pcre", "/" + "(" * 1500 + ")" * 1500 + "/ c\n", "1: the regular expression is not understood"),
        ("regexp", "/a+?/ c\n", "1: it has a repetition of nothing, or a repetition twice"),
        ("regexp", "/*a/ c\n", "1: it has a repetition of nothing"),
        ("regexp", "/(?:a)/ c\n", "1: ( must not be followed by a repetition"),
        ("regexp", "/\\d/ c\n", "1: \\d is not known"),
        ("regexp", "/a\\/ c\n", "1: the regular expression has no second /"),
        ("hash", "a@x\n", "1: a line has the form"),
        ("hash", "# aliases\nann: bob\n", "2: there is a colon behind the address"),
        ("hash", '"a b@x c\n', "1: a line has the form"),
        ("hash", "a b\n" + " c" * LINE_CHARACTERS + "\n", "1: the line has more than"),
        ("pcre", "/a/ b\n" * (RULES + 1), f"{RULES + 1}: a table of regular expressions has at most"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_a_table_is_refused_with_its_name_its_line_and_what_is_wrong(kind: str, text: str, says: str) -> None:
    with pytest.raises(Malformed) as caught:
        PostfixMap.parse(kind, text, "TABLE")
    assert caught.value.public.startswith(f"TABLE:{says}")


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$", "^([a-z0-9]+)*@", "(.*)*x", "(a|aa)+$", "(a|a)*b", "(ab|a|b)*c", "^info-([a-z]+)*@", "^(([a-z])+.)+@", "^([a-z0-9]+[-.]?)+@",
        "(\\w+\\s?)*$", "(?:[^@]+)+x", "((a*)b?)*c", "(x+x+)+y", "([a-z]+){2,}@",
    ],
)  # fmt: skip
def test_an_expression_that_could_take_for_ever_is_refused(pattern: str) -> None:
    with pytest.raises(Malformed, match="for ever"):
        PostfixMap.parse("pcre", f"/{pattern}/ x\n")


@pytest.mark.parametrize(
    "pattern",
    [
        "^([^.@]+\\.)*example$", "^([a-z0-9-]+\\.)+com$", "^(adam|jack)(\\+[^@]*)?@", "^([^+]*)(\\+.*)?@(.*)$", "^(.*)\\.(.*)@(.*)$", "^(a|b|c)+@",
        "^(?:[0-9]{1,3}\\.){3}[0-9]{1,3}$", "^[a-z]+(-[a-z]+)*@", "^(a+b)*@", "^((?>a+))*b", "(ab)*(ab)*x",
    ],
)  # fmt: skip
def test_an_expression_that_repeats_groups_in_one_way_is_taken_and_fast_on_the_longest_address(pattern: str) -> None:
    table = PostfixMap.parse("pcre", f"/{pattern}/ x\n")
    began = time.process_time()
    for unit in ("a", "1", "a.", "a-", "ab", "+", "@", "aab", "a1."):
        table.look_up((unit * 320)[:320])
    assert time.process_time() - began < 1


@pytest.mark.parametrize("address", ["a" * 321, "a\n@x", "a@x\n", "a\0@x", "a\u2028@x"])
def test_what_is_no_address_leads_nowhere(address: str) -> None:
    table = PostfixMap.parse("pcre", "/./ all\n!/never/ all\n")
    assert table.look_up(address) is None
    assert table.resolve(address) == ()
    assert table.look_up("a@x") == "all"


def test_an_empty_result_is_nobody() -> None:
    table = PostfixMap.parse("pcre", "/^root@/\n/./ all\n")
    assert table.look_up("root@x") == ""
    assert table.resolve("root@x") == ()


def test_a_table_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "table:x"
    file.write_text(HYBRID.replace("\n", "\r\n"))
    assert load(f"pcre:{file}").look_up("jack+x@my.fqdn") == "jack"
    assert load(f"pcre:{file}").look_up("xyz@example.com") == "ryan"


def test_a_file_that_cannot_be_a_table_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="nowhere: cannot be read: No such file"):
        load(f"pcre:{tmp_path}/nowhere")
    with pytest.raises(Unavailable, match="cannot be read"):
        load(f"pcre:{tmp_path}")
    binary = tmp_path / "aliases.db"
    binary.write_bytes(b"\x00\x61\x15\x06\xff\xfe")
    with pytest.raises(Malformed, match="for hash name the text file"):
        load(f"hash:{binary}")
    bad = tmp_path / "bad"
    bad.write_text("/a/ b\n\n/(/ c\n")
    with pytest.raises(Malformed, match=f"^{bad}:3: "):
        load(f"pcre:{bad}")
    large = tmp_path / "large"
    large.write_bytes(b"#" * (TABLE_OCTETS + 1))
    with pytest.raises(Malformed, match="at most"):
        load(f"hash:{large}")


@pytest.mark.parametrize("spec", ["", "pcre", "pcre:", "pcre:{ {/a/ b} }", "/etc/aliases"])
def test_a_table_is_named_by_type_and_path(spec: str) -> None:
    with pytest.raises(Malformed, match="a table is named as TYPE:PATH"):
        load(spec)


@pytest.mark.parametrize("kind", ["", "mysql", "PCRE", "pcre "])
def test_an_unknown_type_is_refused_with_those_that_are_known(kind: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("a b\n")
    known = "known are btree, cdb, dbm, hash, lmdb, pcre, regexp, texthash"
    with pytest.raises(Malformed, match=known):
        load(f"{kind}:{tmp_path}/x")
    with pytest.raises(Malformed, match=known):
        PostfixMap.parse(kind, "")

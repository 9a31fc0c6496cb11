"""The same tables and addresses to Postfix and to us: the same results."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sesmail.aliases.postfixmap import PostfixMap
from sesmail.errors import Malformed
from tests.aliases.postmap import asked

LOCALS = [
    "adam",
    "ADAM",
    "jack",
    "jack+abc",
    "ryan",
    "xyz",
    "a.b",
    "a-b_c",
    "a+b+c",
    "x1",
    "12",
    "aab",
    "abab",
    "o'neil",
    "a/b",
    "a b",
    "a{2}",
    "#x",
    "b]c",
]
DOMAINS = ["example.com", "EXAMPLE.com", "my.fqdn", "sub.example.com", "example.org", "1.example.com", "exampleXcom"]
ADDRESSES = [f"{local}@{domain}" for local, domain in product(LOCALS, DOMAINS)] + [
    "adam",
    "@example.com",
    "a\\b@example.com",
    "$1@x",
    "-@-",
    "x",
]

PCRE = {
    "hybrid": "/^(adam|jack)(\\+[^@]*)?@(example\\.com|my\\.fqdn)$/   ${1}\n/^[^@]*@example\\.com$/   ryan\n",
    "case": "/^adam@/i small\n/^adam@/ any\n",
    "references": "/^([^+]*)\\+(.*)@(.*)$/ $1,${2}x,$(3)$$\n/^(x)?([^@]*)@/ <$1|$2>\n",
    "negated": "!/@/ none\n! /@example/ elsewhere\n!!/adam/ adam\n/./ rest\n",
    "nested": "if /@example\\.com$/\nif !/^a/\n/^j/ jay\n/^r(.*)@/ r-$1\nendif\n/^a/ ay\nENDIF\nIf /@my\\./\n/(.)@/ my-$1\nendif\n/org/ org\n",
    "layout": "# first\n\n/adam@/\n  one,\n# between\n\n\ttwo   \n   \n~^jack@~\tjack  \n,^a/b@,x slash\n/x\\/y/ y\n/a\\/b/ ab\n'ryan'i r\n",
    "empty": "/adam/\n/./ rest\n",
    "delimiter": '%^adam@% percent\n|jack| pipe\n(ryan( paren\n"xyz" quote\n',
    "classes": "/^[[:alpha:]]+@[[:alnum:].]+$/ word\n/^[[:digit:][:punct:]a-c]+@/ mixed\n/^[^[:space:][:upper:]]+ /i space\n/[]]c/ bracket\n/[^]@a-z0-9.+_-]/ odd\n",
    "escapes": "/\\Aadam\\b/ A\n/\\d{2}\\x40/ d\n/^\\w+\\.\\w@/ w\n/\\x{2b}\\x61/ plus\n/\\Qa{2}\\E/ q\n/fqdn\\z/ z\n/org\\Z/ Z\n/\\h/ h\n/\\Ba\\b/ B\n/[\\d\\-]$/ dash\n",
    "groups": "/^(?:a|b)+@/ nc\n/^(?<n>.)(?P<m>.)\\k<n>\\g{2}/ named-$1$2\n/^(.)\\1/ twice-$1\n/^(?=j)(?!jx)j(?>ack)(?<=k)(?<!x)@/ around\n/(?#no)ryan/ c\n",
    "inline flags": "/(?-i)^ADAM@/ big\n/(?x) j a c k @/ x\n/^(?i:R)yan@/i ryan\n",
    "flags": "/^ j a c k @/x spaced\n/adam/A anchored\n/example/A no\n/org$/E end\n/my.fqdn/s s\n/^xyz@.*$/m m\n",
    "counts": "/^[a-z]{4}@/ four\n/^[a-z]{2,3}@/ two\n/^a{2,}/ many\n/a{/ brace\n/^x{0,1}\\d/ zero\n/^.+?@e.*?m$/ lazy\n/^[^@]++@my/ possessive\n",
    "first": "/^(a|ab)(c|bab)?/ $1-$2\n/^(j|ja|jac)(.*)@/ $1-$2\n",
}
REGEXP = {
    "hybrid": PCRE["hybrid"],
    "case": PCRE["case"],
    "references": PCRE["references"],
    "nested": PCRE["nested"],
    "negated": PCRE["negated"],
    "brackets": "/[\\.]b/ either\n/^[[:alpha:]]+@my/ word\n/[]]c/ bracket\n/^[^[:alnum:]]/ odd\n/[a\\]b@/ never\n",
    "gnu": "/\\<b@/ start\n/m\\>@/ end\n/^\\w+@my/ w\n/\\W\\w@org/ W\n/\\`jack/ tick\n/fqdn\\'/ quote\n/\\Bn@/ B\n",
    "counts": "/^[a-z]{4}@example.c/ four\n/^a{1,2}b/ two\n/^x?[0-9]+@/ q\n/a\\{2/ brace\n/^(ab)*@/ star\n/^(a)(b)\\1\\2/ back\n",
    "flags": "/^adam@/i small\n/^ryan@.*$/m m\n/my\\.fqdn$/ end\n",
}
TEXTHASH = '# users\nadam@example.com\tadam\nJACK@my.fqdn   jack,ryan\n  xyz\n\n@example.org\tall\n"a b"@example.com spaced\nadam@example.com second\n'


@pytest.mark.parametrize("name", PCRE)
def test_pcre_tables_give_what_postfix_gives(name: str, tmp_path: Path) -> None:
    found, warnings = asked("pcre", PCRE[name], ADDRESSES, tmp_path)
    assert "skipping" not in warnings
    table = PostfixMap.parse("pcre", PCRE[name])
    assert {address: result for address in ADDRESSES if (result := table.look_up(address)) is not None} == found
    assert found


@pytest.mark.parametrize("name", REGEXP)
def test_regexp_tables_give_what_postfix_gives(name: str, tmp_path: Path) -> None:
    found, warnings = asked("regexp", REGEXP[name], ADDRESSES, tmp_path)
    assert "warning" not in warnings
    table = PostfixMap.parse("regexp", REGEXP[name])
    assert {address: result for address in ADDRESSES if (result := table.look_up(address)) is not None} == found
    assert found


def test_tables_of_keys_give_what_postfix_gives_for_whole_keys(tmp_path: Path) -> None:
    keys = [
        "adam@example.com",
        "ADAM@example.com",
        "jack@my.fqdn",
        "@example.org",
        '"a b"@example.com',
        "a b@example.com",
        "ryan@example.com",
    ]
    found, _ = asked("texthash", TEXTHASH, keys, tmp_path)
    table = PostfixMap.parse("texthash", TEXTHASH)
    assert {key: result for key in keys if (result := table.look_up(key)) is not None} == found
    assert len(found) == 5


PIECES = st.sampled_from(
    ["a", "b", ".", "^", "$", "@", "(", ")", "(?:", "|", "*", "+", "?", "[ab]", "[^@]", "[[:alpha:]]", "\\.", "\\w", "\\d", "{2}", "{1,2}", "\\b", "x", "(?=", "-"]
)  # fmt: skip
SUBJECTS = ["", "a", "b", "ab", "aab", "a@b", "ab@x.b", "A.b@a", "bb", "x-a@b.a", "a1", "12@a"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES, min_size=1, max_size=7).map("".join))
def test_any_pattern_we_take_finds_what_postfix_finds(tmp_path: Path, pattern: str) -> None:
    text = f"/{pattern}/ found\n"
    try:
        table = PostfixMap.parse("pcre", text)
    except Malformed:
        return
    found, warnings = asked("pcre", text, SUBJECTS[1:], tmp_path)
    assert "skipping" not in warnings
    assert "error in regex" not in warnings
    assert [address for address in SUBJECTS[1:] if table.look_up(address) == "found"] == list(found)

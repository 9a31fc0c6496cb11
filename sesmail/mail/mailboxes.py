"""Whom a From or Sender field names (RFC 5322 sections 3.4 and 4.4), read so that no mail program can find anybody else in it.

Programs differ over comments, quotes, routes and encoded words; some decode first and parse then. Whatever one of them could take
for another address is refused, so a field that passes means the same to all.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple, NoReturn

from sesmail.errors import Malformed
from sesmail.mail.address import NOT_ASCII, Address

VALUE_OCTETS = 8192

_ATOM = r"(?P<a>[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+)"
_TOKEN = re.compile(rf'(?P<s>[ \t]+)|(?P<q>"(?:[^"\\]|\\.)*")|{_ATOM}|(?P<p>[<>@,;:.])')
_PARENTHESIS = re.compile(r"\\.|[()]")
# Over the kinds of tokens, a letter or the sign itself each. No white space or comment may be within an address.
_SPEC = r"((?:a(?:\.a)*|q)@a(?:\.a)*)"
_MAILBOX = re.compile(rf"[aqsc.]*<s?{_SPEC}s?>[sc]*|[sc]*{_SPEC}[sc]*")
_PHRASE = re.compile(r"[sc]*[aq][aqsc.]*")
_ENCODED = re.compile(r"=\?([^?\s]+)\?([bBqQ])\?([^?]*)\?=")
# Those that keep ASCII as it is. A fixed list: the table of codecs remembers every unknown name it is asked for.
_CHARSET = re.compile(
    r"(?:utf-?8|us-ascii|iso-8859-(?:[1-9]|1[013-6])|windows-(?:125[0-8]|874)|cp125[0-8]|koi8-[ru]|gb2312|gbk|gb18030|big5"
    r"|big5-hkscs|euc-jp|iso-2022-jp|shift_jis|euc-kr|iso-2022-kr|ks_c_5601-1987|tis-620)(?:\*[a-z0-9-]*)?",
    re.IGNORECASE,
)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_ADDRESS_LIKE = re.compile(r"\S@\S")
_MEANINGFUL = re.compile(r'[<>,;:"\\()]')
_BREAKS_QUOTES = re.compile(r'[<>"\\()]')


class _Token(NamedTuple):
    kind: str
    text: str


# Whoever sends writes the same From each time.
@lru_cache(maxsize=256)
def mailboxes(value: bytes) -> tuple[str, ...]:
    """The addresses of the field with this unfolded value, as `str(Address)` gives them, those of groups too; none for an empty group.

    At most VALUE_OCTETS long. Raises Malformed for all that is not certain.
    """
    text = _text(value)
    tokens = tuple(_tokens(text))
    _check_asides([token.text[1:-1] for token in tokens if token.kind in "qc"], _decoded(text))
    return tuple(_address(piece) for piece in _pieces(tokens) if any(token.kind not in "sc" for token in piece))


def _malformed(why: str, smtp: str = "554 5.6.0") -> NoReturn:
    raise Malformed(f"the From or Sender field of the message {why}", smtp=smtp)


def _text(value: bytes) -> str:
    if len(value) > VALUE_OCTETS:
        _malformed("is too long")
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        _malformed("is not ASCII")
    if _CONTROL.search(text):
        _malformed("has control characters in it")
    if not text.isascii() and "\\" in text:
        # Read as another character set, an octet before a backslash swallows it.
        _malformed("has both a backslash and characters that are not ASCII")
    return text


def _tokens(text: str) -> Iterator[_Token]:
    start = 0
    while start < len(text):
        if text[start] == "(":
            end = _comment_end(text, start)
            yield _Token("c", text[start:end])
        else:
            found = _TOKEN.match(text, start)
            if found is None:
                _malformed("is misspelt")
            end = found.end()
            yield _Token(found[0] if found.lastgroup == "p" else str(found.lastgroup), found[0])
        start = end


def _comment_end(text: str, start: int) -> int:
    depth = 0
    for sign in _PARENTHESIS.finditer(text, start):
        depth += {"(": 1, ")": -1}.get(sign[0], 0)
        if depth == 0:
            return sign.end()
    _malformed("has a comment without an end")


def _pieces(tokens: Iterable[_Token]) -> Iterator[list[_Token]]:
    """What stands between commas, groups opened."""
    piece: list[_Token] = []
    in_group = group_ended = False
    for token in tokens:
        if group_ended and token.kind not in "sc,":
            _malformed("has something between a group and a comma")
        if token.kind == ":":
            if in_group or not _PHRASE.fullmatch(_kinds(piece)):
                _malformed("is misspelt at a colon")
            in_group, piece = True, []
        elif token.kind in ",;":
            if token.kind == ";" and not in_group:
                _malformed("is misspelt at a semicolon")
            yield piece
            piece, group_ended, in_group = [], token.kind == ";", in_group and token.kind == ","
        else:
            piece.append(token)
    if in_group:
        _malformed("has a group without an end")
    yield piece


def _kinds(piece: Iterable[_Token]) -> str:
    return "".join(token.kind for token in piece)


def _address(piece: list[_Token]) -> str:
    found = _MAILBOX.fullmatch(_kinds(piece))
    if found is None:
        _malformed("is misspelt, or in a form that mail programs understand differently")
    spec = piece[slice(*found.span(found.lastindex or 0))]
    written = "".join(token.text for token in spec)
    if not written.isascii():
        _malformed("has an address that is not ASCII", NOT_ASCII)
    if "=?" in written or (spec[0].kind == "q" and ("@" in spec[0].text or _MEANINGFUL.search(spec[0].text[1:-1]))):
        _malformed("has an address that mail programs understand differently")
    return str(Address.parse(written))


def _decoded(text: str) -> list[str]:
    """All encoded words (RFC 2047) wherever they stand, for some programs decode them anywhere."""
    if "=?" in _ENCODED.sub("", text):
        _malformed("has a broken encoded word")
    runs: list[tuple[str, bytes]] = []
    for charset, encoding, encoded in _ENCODED.findall(text):
        if not _CHARSET.fullmatch(charset):
            _malformed("is encoded in a character set that is not known here")
        octets = _octets(encoding, encoded)
        if runs and runs[-1][0] == charset:
            # A character may be cut between two words.
            octets = runs.pop()[1] + octets
        runs.append((charset, octets))
    return [octets.decode(charset.partition("*")[0], "replace") for charset, octets in runs]


def _octets(encoding: str, encoded: str) -> bytes:
    try:
        if encoding in "qQ":
            return binascii.a2b_qp(encoded, header=True)
        return binascii.a2b_base64(encoded + "=" * (-len(encoded) % 4))
    except ValueError:
        _malformed("has a broken encoded word")


def _check_asides(asides: list[str], words: list[str]) -> None:
    """Quoted strings, comments and encoded words must not contain what could be an address elsewhere."""
    if any("@" in aside and _MEANINGFUL.search(aside) for aside in asides):
        _malformed("shows another address in quotes or in a comment")
    if any(_CONTROL.search(word) or _ADDRESS_LIKE.search(word) for word in words):
        _malformed("shows another address in an encoded word")
    if any(_BREAKS_QUOTES.search(word) for word in words) and any("@" in aside for aside in asides):
        _malformed("has a form that mail programs understand differently")

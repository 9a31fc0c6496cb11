"""PCRE patterns (pcre2pattern(3)) as Python writes them. What Python does not have is refused, never guessed."""

from __future__ import annotations

import re

from sesmail.aliases.brackets import bracket
from sesmail.errors import Malformed

_TOKEN = re.compile(
    r"""
      \\Q(?P<literal>.*?)(?:\\E|\Z)
    | \\x\{(?P<hex>[0-9A-Fa-f]{1,2})\}
    | \\(?:g(?P<number>[1-9]) | g\{(?P<braced>[1-9][0-9]?)\})
    | \\k(?:<(?P<named>[A-Za-z_]\w*)> | \{(?P<curly>[A-Za-z_]\w*)\} | '(?P<quoted>[A-Za-z_]\w*)')
    | \\(?P<same> x[0-9A-Fa-f]{2} | [0-9]{1,3} | [dDwWsSbBAnrtfa] | [^0-9A-Za-z] )
    | \\(?P<escape>.?)
    | (?P<set>\[)
    | \(\?\#(?P<comment>[^)]*)\)
    | \(\?(?P<new><(?=[A-Za-z_])|'(?=[A-Za-z_]))(?P<name>\w+)[>']
    | (?P<group>\((?:\?(?: P<[A-Za-z_]\w*> | : | = | ! | <= | <! | > | [imsx]*(?:-[imsx]+)?: | \([0-9]+\) ))?(?![?*]))
    | (?P<back>\(\?P=[A-Za-z_]\w*\))
    | (?P<refused>\([?*].{0,3})
    | (?P<brace>\{(?![0-9]+(?:,[0-9]*)?\}))
    | (?P<dollar>\$)
    | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {
    "z": r"\Z",
    "Z": r"(?=\n?\Z)",
    "h": r"[ \t]",
    "H": r"[^ \t]",
    "v": r"[\n\x0b\x0c\r]",
    "V": r"[^\n\x0b\x0c\r]",
    "R": r"(?>\r\n|[\n\x0b\x0c\r])",
    "N": r"[^\n]",
    "e": r"\x1b",
}
_OPTIONS = re.compile(r"\(\?([imsx]+(?:-[imsx]+)?|-[imsx]+)\)")


def translated(pattern: str, *, extended: bool = False, dollar: str = "$") -> str:
    """The pattern in Python's words. `extended`: under the flag ``x``. `dollar`: what ``$`` becomes. Raises Malformed."""
    options = _OPTIONS.match(pattern)
    if options:
        inside = translated(pattern[options.end() :], extended=extended or "x" in options[1].partition("-")[0], dollar=dollar)
        return f"(?{options[1]}:{inside})"
    parts = []
    at = 0
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if token is None:
            raise Malformed("this is no regular expression")
        if token["set"]:
            part, at = bracket(pattern, at, escapes=True)
        else:
            part, at = _part(token, extended, dollar), token.end()
        parts.append(part)
    return "".join(parts)


def _part(token: re.Match[str], extended: bool, dollar: str) -> str:
    kind = token.lastgroup or "literal"
    text = token[kind] or ""
    if kind in ("number", "braced"):
        return rf"(?:\{text})"
    if kind in ("named", "curly", "quoted"):
        return f"(?P={text})"
    if kind == "sign" and text == "#" and extended:
        raise Malformed("a comment within an expression is not known here")
    if kind == "refused" or (kind == "escape" and text not in _ESCAPES):
        raise Malformed(f"{token[0]} is not known here")
    plain = {
        "literal": lambda: re.escape(text),
        "hex": lambda: rf"\x{int(text, 16):02x}",
        "same": lambda: "\\" + text,
        "escape": lambda: _ESCAPES[text],
        "comment": lambda: "",
        "name": lambda: f"(?P<{text}>",
        "brace": lambda: r"\{",
        "dollar": lambda: dollar,
    }
    return plain.get(kind, lambda: text)()

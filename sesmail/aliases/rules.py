"""Tables of regular expressions: pcre_table(5) and regexp_table(5)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sesmail.aliases.expressions import Expression, read
from sesmail.aliases.lines import logical_lines
from sesmail.aliases.template import Template
from sesmail.errors import Malformed

RULES = 5000

_KEYWORD = re.compile(r"(?P<word>if|endif)(?![0-9A-Za-z])[ \t]*", re.IGNORECASE)


@dataclass
class _Rule:
    """A rule with a result, or an ``if`` without one: then `skip` is the number of the rule behind its ``endif``."""

    expression: Expression
    result: Template | None
    skip: int = 0


class Rules:
    """The first rule that applies gives the result."""

    def __init__(self, kind: str, text: str) -> None:
        """`kind` is ``pcre`` or ``regexp``. Raises Malformed, which begins with the number of the line.

        What Postfix only warns of and skips is refused: a rule that is not there could give the mail to another one's user.
        """
        self._kind = kind
        self._rules: list[_Rule] = []
        self._open: list[tuple[int, _Rule]] = []
        for number, line in logical_lines(text):
            try:
                self._add(number, line)
            except Malformed as error:
                raise Malformed(f"{number}: {error.public}") from None
        if self._open:
            raise Malformed(f"{self._open[-1][0]}: this if has no endif")

    def look_up(self, address: str) -> str | None:
        """The result for the whole address, in the case in which it comes; None when no rule applies."""
        at = 0
        while at < len(self._rules):
            rule = self._rules[at]
            found = rule.expression.match(address)
            at += 1
            if (found is not None) == rule.expression.wanted:
                if rule.result is not None:
                    return rule.result.filled(found)
            elif rule.result is None:
                at = rule.skip
        return None

    def _add(self, number: int, line: str) -> None:
        keyword = _KEYWORD.match(line)
        if keyword and keyword["word"].lower() == "endif":
            self._end(line[keyword.end() :])
            return
        if len(self._rules) >= RULES:
            raise Malformed(f"a table of regular expressions has at most {RULES} rules")
        expression, rest = read(self._kind, line[keyword.end() :] if keyword else line)
        if keyword:
            if rest:
                raise Malformed("there is text behind the if; do not indent the rules between if and endif")
            self._open.append((number, _Rule(expression, None)))
            self._rules.append(self._open[-1][1])
        else:
            self._rules.append(_Rule(expression, _template(expression, rest)))

    def _end(self, rest: str) -> None:
        if rest or not self._open:
            raise Malformed("there is text behind the endif" if rest else "this endif has no if")
        self._open.pop()[1].skip = len(self._rules)


def _template(expression: Expression, text: str) -> Template:
    result = Template(text, expression.pattern.groups)
    if result.refers and not expression.wanted:
        raise Malformed("what does not match has no $1; write the result in full")
    return result

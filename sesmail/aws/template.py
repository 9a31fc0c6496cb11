"""The CloudFormation template with everything that has to be in AWS, written out for one domain or several.

CloudFormation has no loop that its checkers understand: what each domain has is repeated here, comments and all.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib.resources import files

from sesmail.errors import Malformed

_BEGINS = "AWSTemplateFormatVersion"
_ONE, _EACH, _END = "# For one domain", "# For each domain", "# End"
_REF = re.compile(r"!Ref Domain$", re.MULTILINE)
_NEEDLESS = re.compile(r'!Sub (?="[^$]*$)', re.MULTILINE)
_ESCAPES = {".": "Dot", "-": "Dash"}

# A receipt rule takes a hundred recipients, and a managed policy 6144 characters: what the gateway's has for each domain beside the
# name, what all of them may take together, and how long the id of a resource may be.
_MOST = 100
_ARN = 64
_ARNS = 3900
_LONGEST_ID = 240


def template(domains: Sequence[str]) -> str:
    """The template, in YAML, for these domains: different ones, in lower-case A-labels. Raises Malformed for more than one stack can have."""
    if len(domains) > _MOST or sum(_ARN + len(domain) for domain in domains) > _ARNS:
        raise Malformed(
            "too many domains for one stack: make several, and name one receipt rule set in all of them (ReceiptRuleSet)"
        )
    text = "\n".join(_written(source().splitlines(), domains)) + "\n"
    return f"# For {', '.join(domains)}. Written by `sesmail cfn`.\n\n{text[text.index(_BEGINS) :]}"


def source() -> str:
    """The template as it is kept, for one domain that is a parameter."""
    return files("sesmail.aws").joinpath("cloudformation.yaml").read_text("utf-8")


def logical_id(domain: str) -> str:
    """What stands for the domain in the ids of resources, which have letters and digits alone: no two domains have the same, in any order
    of stacks. Capital letters escape, as domains have none."""
    escaped = "".join(_ESCAPES.get(sign, sign) for sign in domain)
    if len(escaped) > _LONGEST_ID:
        raise Malformed(f"too long for a stack: {domain}")
    return escaped


def _written(lines: Sequence[str], domains: Sequence[str]) -> Iterator[str]:
    block: list[str] = []
    kind = ""
    for line in lines:
        mark = line.strip()
        if mark in (_ONE, _EACH):
            kind, block = mark, []
        elif mark == _END and kind:
            if kind == _EACH:
                yield from (_for("\n".join(block), domain) for domain in domains)
            kind = ""
        elif kind:
            block.append(line)
        else:
            yield _for(line, domains[0])


def _for(text: str, domain: str) -> str:
    text = _REF.sub(f'"{domain}"', text)
    return _NEEDLESS.sub("", text.replace("${Domain}", domain).replace("OfDomain", f"Of{logical_id(domain)}"))

"""``sesmail cfn``: the CloudFormation template for these domains."""

from __future__ import annotations

import argparse
import sys

from sesmail.aws.template import template
from sesmail.cli.domainnames import domain_names


def run(args: argparse.Namespace) -> int:
    """Print it. Raises Malformed for what is no domain, and for too many."""
    sys.stdout.write(template(domain_names(args.domain)))
    return 0

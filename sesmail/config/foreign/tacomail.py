"""tacomail: the environment of its functions becomes a gateway over the same table of aliases and the same bucket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sesmail.config.foreign.draft import Draft
from sesmail.config.foreign.settings import Given, from_environ
from sesmail.config.problems import ConfigError, Problem, Where

SYSTEM = "tacomail"
VARIABLE = "POSTFIX_DYNAMODB_TABLE"
REGION = "us-east-1"
"""Where its table is: it knew no other region."""
SEPARATORS = ("+", "--", "#", "=")

_MAILBOX = "--mailbox"


def draft(environ: Mapping[str, str], bucket: str, mailbox: str, domains: Sequence[str]) -> Draft:
    """`bucket`: where SES stores mail. `mailbox`: the account whose mail that of destination S3 is. `domains` are those of accounts.
    Raises ConfigError where the table is not named."""
    table = from_environ(environ, {VARIABLE: VARIABLE}).get(VARIABLE)
    if table is None:
        raise ConfigError([Problem(Where(VARIABLE), "", "is not set: it names the table of tacomail in DynamoDB")])
    made = Draft(SYSTEM, f"the variable {VARIABLE}", None)
    made.put("storage.url", f"s3://{bucket}", Given("--bucket", bucket, Where("--bucket")))
    made.put("storage.region", REGION)
    made.put("mailboxes.domains", list(domains), Given("--domain", ", ".join(domains), Where("--domain")))
    _aliases(made, table, mailbox)
    made.put("pop3.listeners", [])
    _warn(made)
    return made


def _aliases(made: Draft, table: Given, mailbox: str) -> None:
    made.put("aliases.table", "dynamodb")
    made.put("aliases.dynamodb_table", table.text, table)
    made.put("aliases.region", REGION)
    made.put("aliases.mailbox", mailbox, Given(_MAILBOX, mailbox, Where(_MAILBOX)))
    made.put("routing.separators", list(SEPARATORS))
    made.put("page.tacomail", True)


def _warn(made: Draft) -> None:
    made.warn("incoming.prefix must be the prefix under which the receipt rule stores mail")
    made.warn("the receipt rule must tell a topic of each message, and that a queue: name it in queue.url, see docs/aws.rst")
    made.warn("mail for addresses elsewhere is held without routing.forward_from; tacomail put it into the mailbox of one user")
    made.warn("what else becomes of mail that did not before is told by sesmail alias check, and in the log of the first start")
    made.warn("nobody can read mail or use the page before there are pop3.listeners, page.listeners and users")
    made.warn("page.tacomail answers tacomail's own paths where page.listeners are given")

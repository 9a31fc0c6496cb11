"""What ses-to-lmtp of hybrid-cloud-email did: SNS tells of mail in a bucket, and Dovecot gets it by LMTP."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sesmail.config.foreign.draft import Draft
from sesmail.config.foreign.listening import port_of, published
from sesmail.config.foreign.settings import Given
from sesmail.config.problems import Problem, Where

# Where its CloudFormation template has SES store mail.
_PREFIX = "new/"
_LMTP = "127.0.0.1:24"
_FILES = {"BASIC_AUTH_CREDENTIALS": "sns_basic_auth_credentials", "AWS_CREDENTIALS": "aws_iam_credentials"}


class Settings(Protocol):
    """See hybrid.Checkout."""

    def given(self, name: str) -> Given | None: ...
    def secret(self, name: str) -> Path: ...
    def in_secret(self, name: str, path: Path) -> Given | None: ...


@dataclass(frozen=True)
class Source:
    """What it learned from each notice, and its configuration does not say: the bucket, and the topic that may tell of mail."""

    bucket: str
    topic: str | None


def put(made: Draft, checkout: Settings, source: Source) -> None:
    """Put into the draft what takes the place of ses-to-lmtp."""
    made.put("storage.url", f"s3://{source.bucket}", Given("--bucket", source.bucket, Where("--bucket")))
    region = checkout.given("AWS_REGION")
    if region is not None:
        made.put("storage.region", region.text, region)
    for option, part in zip(("access_key_id", "secret_access_key"), _halves(made, checkout, "AWS_CREDENTIALS"), strict=False):
        made.put(f"storage.{option}", made.secret(part) if option == "secret_access_key" else part.text, part)
    made.put("incoming.prefix", _PREFIX)
    made.put("routing.accounts", "lmtp")
    _lmtp(made, checkout)
    _dead_letters(made, checkout)
    if source.topic is None:
        # Nothing would be looked for where nothing tells of mail.
        made.put("incoming.sweep_every", "15m")
        made.warn("--topic is not given, so SNS is not listened to: mail comes late, by looking for it every 15 minutes")
    else:
        _sns(made, checkout, source.topic)
    made.warn(
        "mail for addresses that postfix_lookup_table does not have is held, see sesmail held; it used to be left or lost"
    )


def _lmtp(made: Draft, checkout: Settings) -> None:
    given = checkout.given("LMTP_ADDRESS")
    if given is None:
        made.warn(f"LMTP_ADDRESS is not set: port 24 of the container dovecot must be published as {_LMTP}")
        given = Given("LMTP_ADDRESS", _LMTP, Where("LMTP_ADDRESS"))
    host, _, port = given.text.rpartition(":")
    made.put("lmtp_out.host", host.strip("[]"), given)
    made.put("lmtp_out.port", port_of(made, Given(given.name, port, given.where), 24), given)


def _dead_letters(made: Draft, checkout: Settings) -> None:
    for option, name in (
        ("dead_letter_url", "DEAD_LETTER_QUEUE_URL"),
        ("dead_letter_every", "DEAD_LETTER_QUEUE_CHECK_INTERVAL"),
    ):
        given = checkout.given(name)
        if given is not None:
            made.put(f"queue.{option}", given.text, given)


def _sns(made: Draft, checkout: Settings, topic: str) -> None:
    given = checkout.given("SNS_ENDPOINT_PORT")
    where = published(made, given, 443)
    made.put("sns.listeners", [{"endpoint": where, "tls": "implicit"}])
    made.came_from("sns.listeners[0].endpoint", given)
    made.put("sns.topics", [topic])
    made.came_from("sns.topics[0]", Given("--topic", topic, Where("--topic")))
    for option, part in zip(("username", "password"), _halves(made, checkout, "BASIC_AUTH_CREDENTIALS"), strict=False):
        made.put(f"sns.{option}", made.secret(part) if option == "password" else part.text, part)


def _halves(made: Draft, checkout: Settings, name: str) -> list[Given]:
    """The two parts of a secret that has a colon between them; nothing where there is none."""
    given, file = checkout.given(name), checkout.secret(_FILES[name])
    if given is None and file.is_file():
        given = checkout.in_secret(name, file)
    if given is None:
        return []
    first, colon, second = given.text.partition(":")
    if not colon or not first or not second:
        made.refuse(Problem(given.where, "", f"{name} must be two words with a colon between them"))
        return []
    return [Given(given.name, first, given.where), Given(given.name, second, given.where)]

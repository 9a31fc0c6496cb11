"""Each right that the printed policies ask for, tried out."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from secrets import token_hex
from typing import Any

from botocore.exceptions import ClientError

from sesmail.aws import probes
from sesmail.aws.policies import Statement
from sesmail.aws.probes import Probe, Right, words_of
from sesmail.aws.sessions import bucket as name_of
from sesmail.cli import iampolicy
from sesmail.cli.doctor.aws import Aws
from sesmail.cli.doctor.bucket import places, where
from sesmail.cli.doctor.finding import Finding, good, note, unknown, wrong
from sesmail.cli.doctor.together import Look
from sesmail.config.receivingchecks import is_told
from sesmail.config.table import Config
from sesmail.errors import Malformed

_INDEX = "/index/*"
_INDEXES = ("identifier-index", "application-identifier-index")


@dataclass(frozen=True)
class Trial:
    """One request that shows whether these actions on this resource are allowed; `client` makes who asks."""

    actions: tuple[str, ...]
    resource: str
    client: Callable[[], Any]
    probe: Probe
    condition: Mapping[str, Any] | None = None

    @property
    def about(self) -> str:
        """As a line names it."""
        return f"right {', '.join(self.actions)} on {self.resource}"

    def look(self) -> Iterator[Finding]:
        """Blocks for one request, or two."""
        try:
            known = self.probe.ask(self.client())
        except ClientError as error:
            # Lines of their own say that bucket, queue or table are not there, or that nobody knows these credentials.
            yield unknown(self.about, f"cannot be tried: {words_of(error)}")
            return
        if known.right is Right.DENIED:
            yield wrong(self.about, known.said, self._statement())
        elif known.right is Right.UNSURE:
            yield note(self.about, f"not denied; AWS tells no more without a real message ({known.said})")
        else:
            yield good(self.about, "allowed")

    def _statement(self) -> str:
        action = list(self.actions) if len(self.actions) > 1 else self.actions[0]
        condition = {"Condition": self.condition} if self.condition else {}
        return json.dumps({"Effect": "Allow", "Action": action, "Resource": self.resource, **condition})


def purposes(config: Config) -> list[str]:
    """What this configuration does in AWS, in the words of `sesmail iam-policy`."""
    in_bucket = config.storage.url.startswith("s3://")
    sorts = is_told(config) or bool(config.incoming.sweep_every)
    found = {
        "pop3": in_bucket and bool(config.pop3.listeners),
        "sort": sorts and (config.incoming.url or "").startswith("s3://"),
        "submit": bool(config.submission.listeners) and config.relay.courier == "ses",
        "deliver": bool(config.deliver.mailboxes) or (in_bucket and bool(config.lmtp.listeners)),
        "aliases": bool(config.page.listeners) and config.aliases.table == "dynamodb",
    }
    return [name for name, does in found.items() if does]


def looks(config: Config, domains: Sequence[str], aws: Aws) -> list[Look]:
    """One for each right, whatever it is for; a note for what has no policy."""
    found: dict[str, Look] = {}
    for purpose in purposes(config):
        args = argparse.Namespace(region=None, account=None, domain=list(domains), key=[], table=None)
        try:
            statements = iampolicy.statements(purpose, config, args)
        except Malformed as error:
            about = f"rights for {purpose}"
            found[about] = Look(about, partial(_said, about, str(error)))
            continue
        for trial in (one for statement in statements for one in trials(statement, config, aws)):
            found.setdefault(trial.about, Look(trial.about, trial.look))
    return list(found.values())


def _said(about: str, text: str) -> list[Finding]:
    return [note(about, text)]


def trials(statement: Statement, config: Config, aws: Aws) -> Iterator[Trial]:
    """How the rights of a statement are tried."""
    actions, resources = _list(statement["Action"]), _list(statement["Resource"])
    services = {action.partition(":")[0] for action in actions}
    ways = {"s3": _s3, "sqs": _sqs, "sns": _sns, "ses": _ses, "kms": _kms, "dynamodb": _dynamodb}
    for service in services:
        yield from ways[service](actions, resources, statement.get("Condition"), config, aws)


Ways = Iterator[Trial]
Condition = Mapping[str, Any] | None


def _s3(actions: Sequence[str], resources: Sequence[str], condition: Condition, config: Config, aws: Aws) -> Ways:
    of = {name_of(place): place for place in reversed(places(config))}
    for resource in resources:
        bucket, _, pattern = resource.rpartition(":")[2].partition("/")
        if bucket not in of:
            continue
        there, client = where(of[bucket]), partial(aws.s3, of[bucket])
        for action in actions:
            for prefix in _listed(condition) if action == "s3:ListBucket" else [pattern]:
                yield Trial((action,), resource, client, _of_object(action, there, prefix), condition)


def _listed(condition: Condition) -> list[str]:
    """The beginnings of keys that may be listed; all keys where there is no condition."""
    return _list(condition["StringLike"]["s3:prefix"])[:1] if condition else ["*"]


def _of_object(action: str, there: Mapping[str, str], pattern: str) -> Probe:
    first, absent = pattern.partition("*")[0], pattern.replace("*", f"sesmail-doctor-{token_hex(8)}")
    if action == "s3:ListBucket":
        return probes.list_bucket(there, absent)
    if action == "s3:GetObject":
        return probes.get_object(there, first, absent)
    return {"s3:PutObject": probes.put_object, "s3:DeleteObject": probes.delete_object}[action](there, absent)


def _sqs(actions: Sequence[str], resources: Sequence[str], condition: Condition, config: Config, aws: Aws) -> Ways:
    ways = {
        "sqs:ReceiveMessage": probes.receive_message,
        "sqs:DeleteMessage": probes.delete_message,
        "sqs:ChangeMessageVisibility": probes.change_message_visibility,
    }
    urls = [url for url in (config.queue.url, config.queue.dead_letter_url) if url]
    for resource in resources:
        url = next(one for one in urls if one.rpartition("/")[2] == resource.rpartition(":")[2])
        for action in actions:
            yield Trial((action,), resource, partial(aws.sqs, url), ways[action](url))


def _sns(actions: Sequence[str], resources: Sequence[str], condition: Condition, config: Config, aws: Aws) -> Ways:
    for topic in resources:
        yield Trial(tuple(actions), topic, partial(aws.sns, topic), probes.confirm_subscription(topic))


def _ses(actions: Sequence[str], resources: Sequence[str], condition: Condition, config: Config, aws: Aws) -> Ways:
    set_, other = config.ses.configuration_set, config.ses.source_arn
    for resource in resources:
        name = resource.rpartition("/")[2]
        if "ses:SendBounce" in actions:
            sender = config.routing.bounce_from or f"postmaster@{name}"
            yield Trial(tuple(actions), resource, partial(aws.ses, "ses"), probes.send_bounce(sender))
        elif "ses:GetAccount" in actions:
            yield Trial(tuple(actions), resource, aws.ses, probes.get_account())
        elif "ses:PutSuppressedDestination" in actions:
            yield Trial(tuple(actions), resource, aws.ses, probes.put_suppressed_destination())
        elif ":identity/" in resource:
            # Whoever sends with a configuration set needs the right to that as well.
            yield Trial(tuple(actions), resource, aws.ses, probes.send_email(name, configuration_set=set_, identity=other))


def _kms(actions: Sequence[str], resources: Sequence[str], condition: Condition, config: Config, aws: Aws) -> Ways:
    ways = {"kms:Decrypt": probes.decrypt, "kms:GenerateDataKey": probes.generate_data_key}
    for key in resources:
        for action in actions:
            yield Trial((action,), key, partial(aws.kms, key.split(":")[3]), ways[action](key))


def _dynamodb(actions: Sequence[str], resources: Sequence[str], condition: Condition, config: Config, aws: Aws) -> Ways:
    name = config.aliases.dynamodb_table or ""
    for resource in resources:
        if not resource.endswith(_INDEX):
            for action in actions:
                yield Trial((action,), resource, aws.table, probes.table(action, name))
        elif "dynamodb:Query" in actions:
            for index in _INDEXES:
                yield Trial(
                    ("dynamodb:Query",), resource.replace("*", index), aws.table, probes.table("dynamodb:Query", name, index)
                )


def _list(values: str | Sequence[str]) -> list[str]:
    return [values] if isinstance(values, str) else list(values)

"""Buckets: whether they are there, where, and whether SES writes into that in which mail comes in."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from sesmail.assembly.deposits import store_place
from sesmail.assembly.stores import incoming_store
from sesmail.aws.objects import SETUP_NOTE
from sesmail.aws.policies import Account
from sesmail.aws.probes import code_of, is_denied
from sesmail.aws.sessions import bucket as name_of
from sesmail.cli.doctor.aws import Aws, trouble
from sesmail.cli.doctor.finding import Finding, good, note, wrong
from sesmail.config.stores import default_store, store_of
from sesmail.config.table import Config
from sesmail.interfaces import StorePlace

_S3 = "s3://"
_PATIENCE = 3600.0


def places(config: Config) -> list[StorePlace]:
    """All buckets of the configuration, each once for each that asks, without what says how to write."""
    found = [default_store(config), incoming_store(config)]
    found += [store_of(place, config) for place in config.mailboxes.places]
    found += [store_place(config, one) for one in config.deliver.mailboxes]
    bare = (replace(one, encryption=None, encryption_key=None) for one in found if one.url.startswith(_S3))
    return list(dict.fromkeys(bare))


def where(place: StorePlace) -> dict[str, str]:
    """The bucket, and its owner where that matters, as boto3 is told."""
    return {"Bucket": name_of(place)} | ({"ExpectedBucketOwner": place.owner} if place.owner else {})


def bucket(place: StorePlace, aws: Aws) -> Iterator[Finding]:
    """There, and in the region that is configured."""
    about, client = f"bucket {name_of(place)}", aws.s3(place)
    region = str(client.meta.region_name)
    try:
        answer = client.head_bucket(**where(place))
    except ClientError as error:
        yield _missing(about, error, place, region)
        return
    found = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", region)
    if found != region:
        yield wrong(about, f"it is in {found}, and {region} is asked for it", f"storage.region: {found}")
    else:
        yield good(about, f"there, {f'in {region}' if not place.endpoint else f'at {place.endpoint}'}")


def _missing(about: str, error: ClientError, place: StorePlace, region: str) -> Finding:
    code, name = code_of(error), name_of(place)
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders") or {}
    found = headers.get("x-amz-bucket-region", region)
    if found != region:
        return wrong(about, f"it is in {found}, and {region} is asked for it", f"storage.region: {found}")
    if code in ("404", "NoSuchBucket"):
        return wrong(about, "there is none", f"aws s3 mb s3://{name} --region {region}")
    if is_denied(error):
        whose = f", or its owner is not {place.owner}" if place.owner else ""
        right = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": Account(region).objects(name)}
        return wrong(about, f"it may not be listed, or the key is wrong{whose}", json.dumps(right))
    return trouble(about, error)


def arrivals(config: Config, aws: Aws, now: Callable[[], float] = time.time) -> Iterator[Finding]:
    """What SES has put where mail comes in, and how long it has been lying there."""
    place, prefix = incoming_store(config), config.incoming.prefix
    about = f"mail in {config.incoming.url}/{prefix}"
    listed = aws.s3(place).list_objects_v2(Prefix=prefix, Delimiter="/", MaxKeys=1000, **where(place))
    found: list[dict[str, Any]] = listed.get("Contents") or []
    mail = [one for one in found if not one["Key"].endswith(SETUP_NOTE)]
    if len(mail) < len(found):
        yield good(about, "SES has written its setup object there")
    elif not mail:
        yield note(
            about,
            f"nothing: neither mail nor {SETUP_NOTE}, which SES writes once and which is gone after a day",
            f"aws s3api list-objects-v2 --bucket {name_of(place)} after a mail to yourself; without it the receipt rule is wrong",
        )
    if mail:
        yield _waiting(about, len(mail), now() - min(one["LastModified"].timestamp() for one in mail), config)


def _waiting(about: str, count: int, age: float, config: Config) -> Finding:
    number = f"{'1000 or more' if count >= 1000 else count} to be sorted, the oldest for {age / 60:.0f} minutes"
    if age > config.incoming.sweep_after + _PATIENCE:
        return wrong(about, number, "sesmail sort --once, and see that the gateway runs: systemctl status sesmail")
    return good(about, number)

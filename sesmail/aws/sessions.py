"""boto3 clients and credentials by store place: made once, under a lock, kept in a bounded cache.

Everything here blocks (a client costs a tenth of a second, credentials may come from the network): call it from a worker.
"""

from __future__ import annotations

import gc
import ipaddress
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.utils import parse_timestamp

from sesmail.aws.counted import count
from sesmail.errors import Malformed, Unavailable
from sesmail.interfaces import Keys, StorePlace

_CACHED = 256
_ENCRYPTIONS = {"sse-s3": "AES256", "sse-kms": "aws:kms"}
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]+\Z")


def bucket(place: StorePlace) -> str:
    """The bucket of an ``s3://`` place. Raises Malformed: a bucket's name becomes part of a host name."""
    parts = urlsplit(place.url)
    if place.url.rstrip("/") != f"s3://{parts.netloc}" or not _BUCKET.match(parts.netloc):
        raise Malformed(cause=f"not a bucket: {place.url!r}")
    return parts.netloc


def is_region(name: str) -> bool:
    """Whether it may become part of a host name of AWS."""
    return _REGION.match(name) is not None


def check(place: StorePlace) -> None:
    """Raises Malformed unless bucket and region, where one is named, may become part of a host name."""
    bucket(place)
    if place.region is not None and not is_region(place.region):
        raise Malformed(cause=f"not a region: {place.region!r}")


@dataclass(frozen=True)
class Address:
    """Where requests for one bucket go and how they are signed: `host` with its port where that is not the scheme's own, and
    what stands before the key in a path."""

    secure: bool
    host: str
    port: int
    base: str
    region: str
    ca_bundle: str | None


def _address(client: Any, place: StorePlace, ca_bundle: str | None) -> Address:
    name = bucket(place)
    parts = urlsplit(client.meta.endpoint_url)
    secure = parts.scheme == "https"
    host = parts.hostname or ""
    virtual = _virtual(place, name, host, secure)
    if virtual:
        host = f"{name}.{host}"
    port = parts.port or (443 if secure else 80)
    base = parts.path.rstrip("/") + ("" if virtual else f"/{name}")
    return Address(secure, host, port, base, client.meta.region_name, ca_bundle)


def _virtual(place: StorePlace, name: str, host: str, secure: bool) -> bool:
    """Whether the bucket goes into the host name. `auto`: on AWS yes, unless a dot in it would break the certificate's wildcard;
    elsewhere no, since few servers have a wildcard name."""
    if place.addressing != "auto":
        return place.addressing == "virtual"
    return not place.endpoint and not (secure and "." in name) and not _is_address(host)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class Clients:
    """Makes and keeps what is needed to reach a store place. Thread-safe.

    `sts_endpoint` is where a role is assumed (None: AWS's own for the region).
    """

    def __init__(
        self, *, connect_timeout: float = 5, read_timeout: float = 30, attempts: int = 4, sts_endpoint: str | None = None
    ) -> None:
        self._timeouts = {"connect_timeout": connect_timeout, "read_timeout": read_timeout}
        self._attempts = attempts
        self._sts_endpoint = sts_endpoint
        self._made: OrderedDict[StorePlace, tuple[Any, botocore.session.Session]] = OrderedDict()
        self._lock = threading.Lock()

    def s3(self, place: StorePlace) -> Any:
        """A boto3 S3 client. Raises Unavailable when the place's credentials or region make none."""
        return self._of(place)[0]

    def address(self, place: StorePlace) -> Address:
        """Where the read path sends its requests; the same endpoint and region that the client uses."""
        client, session = self._of(place)
        return _address(client, place, session.get_config_variable("ca_bundle"))

    def region(self, place: StorePlace) -> str:
        """The region of the place."""
        return str(self.s3(place).meta.region_name)

    def keys(self, place: StorePlace) -> Keys:
        """Credentials valid now; refreshed here when they are about to run out."""
        return keys_of(self._of(place)[1])

    def _of(self, place: StorePlace) -> tuple[Any, botocore.session.Session]:
        with self._lock:
            made = self._made.get(place)
            if made is None:
                try:
                    made = self._made[place] = self._make(place)
                except Exception as error:
                    raise Unavailable(cause=error) from error
                if len(self._made) == 1:
                    _keep_for_ever()
                if len(self._made) > _CACHED:
                    self._made.popitem(last=False)
            self._made.move_to_end(place)
            return made

    def _make(self, place: StorePlace) -> tuple[Any, botocore.session.Session]:
        session = session_as(place, sts_endpoint=self._sts_endpoint)
        region = session.get_config_variable("region")
        client = boto3.Session(botocore_session=session).client(
            "s3", region_name=region, endpoint_url=place.endpoint, config=self._config(place, region)
        )
        _encrypt(client, place)
        count(client)
        return client, session

    def _config(self, place: StorePlace, region: str) -> Config:
        style = place.addressing
        if style == "auto" and place.endpoint:
            style = "path"
        settings: dict[str, Any] = {
            **self._timeouts,
            "retries": {"mode": "standard", "total_max_attempts": self._attempts},
            "s3": {"addressing_style": style, "us_east_1_regional_endpoint": "regional"},
            "signature_version": "s3v4",
            # A thread that finds none free opens one, and closes it after its request.
            "max_pool_connections": 64,
            "tcp_keepalive": True,
            # botocore puts its own together anew, twice a request, which is a tenth of all it does.
            "user_agent": f"sesmail Boto3/{boto3.__version__}",
        }
        if place.endpoint and "request_checksum_calculation" in Config.OPTION_DEFAULTS:
            # Since 1.36 botocore sends checksums of its own accord, which servers other than AWS's refuse.
            settings |= {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
        return Config(**settings)


def _keep_for_ever() -> None:
    """Take all objects there are from the garbage collector: botocore's description of S3 alone is some 35,000, and to look
    through them on each full pass would hold every thread for 30 ms."""
    gc.collect()
    gc.freeze()


def _encrypt(client: Any, place: StorePlace) -> None:
    """Have S3 encrypt what this client writes (https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html)."""
    if place.encryption is None:
        return
    wanted = {"ServerSideEncryption": _ENCRYPTIONS[place.encryption]}
    wanted |= {"SSEKMSKeyId": place.encryption_key} if place.encryption_key else {}

    def ask(params: dict[str, Any], **_: object) -> None:
        params.update(wanted)

    for operation in ("PutObject", "CopyObject"):
        client.meta.events.register(f"before-parameter-build.s3.{operation}", ask, unique_id=f"sesmail-encryption-{operation}")


class Whom(Protocol):
    """As whom AWS is asked, and in which region; see StorePlace."""

    @property
    def region(self) -> str | None: ...
    @property
    def endpoint(self) -> str | None: ...
    @property
    def keys(self) -> Keys | None: ...
    @property
    def profile(self) -> str | None: ...
    @property
    def role(self) -> str | None: ...
    @property
    def external_id(self) -> str | None: ...


def moment(value: Any) -> datetime:
    """The time that an answer of AWS names, in any of the forms that botocore reads. dateutil, which botocore asks, takes ten times as
    long for the two forms that S3 writes, and most of the time that a listing takes. Raises ValueError."""
    if isinstance(value, str):
        try:
            if value.endswith("Z"):
                return datetime.fromisoformat(value)
            if value.endswith("GMT"):
                return parsedate_to_datetime(value)
        except ValueError:
            pass
    parsed: datetime = parse_timestamp(value)
    return parsed


def session_as(whom: Whom, *, sts_endpoint: str | None) -> botocore.session.Session:
    """A session with these credentials; its ``region`` variable is set. Raises Unavailable, and what botocore raises."""
    session = botocore.session.Session(profile=whom.profile)
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=moment)
    region = whom.region or session.get_config_variable("region") or "us-east-1"
    if not whom.endpoint and not is_region(region):
        raise Unavailable(cause=f"not a region: {region!r}")
    session.set_config_variable("region", region)
    if whom.keys:
        session.set_credentials(whom.keys.access_key_id, whom.keys.secret_access_key, whom.keys.session_token)
    if whom.role:
        _assume(session, whom, region, sts_endpoint)
    return session


def keys_of(session: botocore.session.Session) -> Keys:
    """The credentials of a session, valid now. Raises Unavailable where there are none, or where none can be got."""
    try:
        found = session.get_credentials()
        if found is None:
            raise Unavailable(cause="no AWS credentials found")
        frozen = found.get_frozen_credentials()
    except Unavailable:
        raise
    except Exception as error:
        raise Unavailable(cause=error) from error
    return Keys(frozen.access_key, frozen.secret_key, frozen.token)


def _assume(session: botocore.session.Session, whom: Whom, region: str, sts_endpoint: str | None) -> None:
    extra = {"RoleSessionName": "sesmail"} | ({"ExternalId": whom.external_id} if whom.external_id else {})

    def create_client(service: str, **given: Any) -> Any:
        return session.create_client(service, region_name=region, endpoint_url=sts_endpoint, **given)

    source = session.get_credentials()
    if source is None:
        raise Unavailable(cause="no AWS credentials found to assume the role with")
    fetcher = AssumeRoleCredentialFetcher(create_client, source, whom.role, extra_args=extra)
    # There is no public way to hand a session credentials that refresh themselves.
    session._credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")

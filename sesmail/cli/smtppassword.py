"""``sesmail smtp-password``: the credentials that other mail programs and servers need for the SMTP endpoint of SES."""

from __future__ import annotations

import argparse

from sesmail.aws.ses import SesPlace
from sesmail.aws.sessions import keys_of, session_as
from sesmail.aws.smtppassword import TEMPORARY, of_keys
from sesmail.cli.typed import secret
from sesmail.config.credentials import WHO, Who
from sesmail.config.load import load
from sesmail.config.sendingchecks import region_of
from sesmail.config.table import Config
from sesmail.errors import Malformed, Unavailable
from sesmail.interfaces import Keys


def run(args: argparse.Namespace) -> int:
    """Print user name, password and server. Raises ConfigError, Malformed, and Unavailable where there are no credentials."""
    config = load(args.config)
    region = args.region or region_of(config.smarthost) or config.ses.region or config.storage.region
    if not region:
        raise Malformed("the password is good in one region: name it with --region")
    keys = _typed(args.access_key_id) if args.access_key_id else _configured(config, region)
    password = of_keys(keys, region)
    print(f"username: {keys.access_key_id}")
    print(f"password: {password}")
    print(f"server: email-smtp.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}")
    return 0


def _typed(access_key_id: str) -> Keys:
    if access_key_id.startswith("ASIA"):
        raise Malformed(TEMPORARY)
    return Keys(access_key_id, secret("Secret access key"))


def _configured(config: Config, region: str) -> Keys:
    given = config.smarthost
    if given.username and given.secret_access_key:
        return Keys(given.username, given.secret_access_key)
    who: Who = config.ses if any(getattr(config.ses, name) for name in WHO) else config.storage
    if who.assume_role:
        raise Malformed(TEMPORARY)
    if who.access_key_id:
        return Keys(who.access_key_id, who.secret_access_key or "", who.session_token)
    try:
        return keys_of(session_as(SesPlace(region, profile=who.profile), sts_endpoint=None))
    except Unavailable:
        raise
    except Exception as error:
        raise Unavailable("no AWS credentials can be got; give --access-key-id", cause=error) from error

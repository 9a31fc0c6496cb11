"""``sesmail token``: make a signed token, which is the password of whoever gets it, or lets a program use the API."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from sesmail.api import tokens
from sesmail.auth.tokens import SECRET_OCTETS, make
from sesmail.cli.typed import secret
from sesmail.config.kinds import duration
from sesmail.config.load import load
from sesmail.config.problems import BadValue
from sesmail.errors import Malformed

# RFC 2449 section 4: a command line has at most 255 octets, with "PASS " before and CRLF behind.
PASS_OCTETS = 255 - len("PASS \r\n")
# No limit of Gmail's is documented; a token of this length was refused.
GMAIL_REFUSED = 311


def run(args: argparse.Namespace) -> int:
    """Print the token on standard output, its length and warnings on standard error. Raises ConfigError, Malformed."""
    key = _key(args)
    token = make(api_claims(args) if args.api else claims(args), key, args.algorithm)
    print(token)
    print(f"{len(token)} characters", file=sys.stderr)
    for warning in weak(key) if args.api else warnings(token, key):
        print(f"warning: {warning}", file=sys.stderr)
    return 0


def claims(args: argparse.Namespace) -> dict[str, object]:
    """What the token says; the secrets of an S3 token are asked for."""
    said: dict[str, object] = {} if args.provider == "s3" else {"provider": args.provider}
    if args.provider == "s3":
        said |= _access(args)
    if args.email:
        said["email"] = args.email
    now = int(time.time())
    if args.issued:
        said["iat"] = now
    if args.expires:
        said["exp"] = now + _seconds(args.expires)
    return said


def api_claims(args: argparse.Namespace) -> dict[str, object]:
    """What a token for the API says. Raises Malformed."""
    if not args.email or not args.expires:
        raise Malformed("a token for the API needs --email, whose it is, and --expires")
    return tokens.claims(args.email, int(time.time()) + _seconds(args.expires))


def warnings(token: str, key: str) -> Iterator[str]:
    """Where this token may not do."""
    if len(token) > PASS_OCTETS:
        yield (
            f"PASS with more than {PASS_OCTETS} characters is longer than RFC 2449 allows; sesmail takes it, but not every mail "
            "program sends it"
        )
    if len(token) >= GMAIL_REFUSED:
        yield "Gmail refuses passwords of this length; shorter names of bucket and prefix may help, or the checker http"
    yield from weak(key)


def weak(key: str) -> Iterator[str]:
    """What is wrong with the secret."""
    if len(key.encode()) < SECRET_OCTETS:
        yield f"the secret has less than {SECRET_OCTETS} octets: who holds a token may guess it"


def _access(args: argparse.Namespace) -> dict[str, object]:
    missing = [f"--{name}" for name in ("access-key-id", "bucket") if not getattr(args, name.replace("-", "_"))]
    if missing:
        raise Malformed(f"a token for S3 needs {' and '.join(missing)}")
    said = {"awsAccessKeyID": args.access_key_id, "awsSecretAccessKey": secret("Secret access key")}
    if args.session_token:
        said["awsSessionToken"] = secret("Session token")
    optional = {"region": args.region, "bucket": args.bucket, "prefix": args.prefix}
    return said | {name: value for name, value in optional.items() if value}


def _key(args: argparse.Namespace) -> str:
    if args.secret_file:
        key = Path(args.secret_file).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    else:
        config = load(args.config)
        key = (config.page.token_secret if args.api else config.auth.jwt_secret) or ""
    if not key:
        option = "page.token_secret" if args.api else "auth.jwt_secret"
        raise Malformed(f"there is no secret: set {option}, or name a file with --secret-file")
    return key


def _seconds(text: str) -> int:
    try:
        return int(duration(1, 100 * 365 * 86400).parse(text))
    except BadValue as error:
        raise Malformed(f"--expires {error}") from None

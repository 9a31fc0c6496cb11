"""AWS POP3 Server: its variables and options become a sesmail.yaml with which the same programs read the same mail."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import quote

from sesmail.config.foreign.draft import Beside, Draft
from sesmail.config.foreign.listening import listen, port_of
from sesmail.config.foreign.settings import Given, from_environ
from sesmail.config.problems import Problem, Where

SYSTEM = "AWS POP3 Server"
AWS, FILESYSTEM = "aws", "filesystem"
# The names that people log in with have no domain there; this one stands for it.
DOMAIN = "localhost"

_VARIABLES = {name: name for name in ("awskey", "awssecret", "bucket", "prefix", "email_folder")}
_OPTIONS = {"ip-address": "0.0.0.0", "port": "110", "mail-store-type": AWS}  # noqa: S104
_REGIONS = {name: name for name in ("AWS_REGION", "AWS_DEFAULT_REGION")}


def draft(environ: Mapping[str, str], options: Mapping[str, str], beside: Beside | None) -> Draft:
    """What the variables and the options (``port`` and so on, without those not given) come to. Problems are kept in the draft."""
    variables = from_environ(environ, _VARIABLES)
    kind = options.get("mail-store-type", AWS).lower()
    used = {name: one for name, one in variables.items() if (name == "email_folder") == (kind == FILESYSTEM)}
    origin = [*(f"--{name}" for name in _OPTIONS if name in options), *used]
    made = Draft(SYSTEM, ", ".join(origin) or "its defaults", beside)
    _listener(made, options)
    if kind == AWS:
        _bucket(made, used, from_environ(environ, _REGIONS))
    elif kind == FILESYSTEM:
        _folder(made, used.get("email_folder"))
    else:
        made.refuse(Problem(Where("--mail-store-type"), "", f"must be {FILESYSTEM} or {AWS}"))
    made.put("auth.checkers", ["passwd"])
    return made


def _listener(made: Draft, options: Mapping[str, str]) -> None:
    port, address = (
        Given(f"--{name}", options.get(name, _OPTIONS[name]), Where(f"--{name}")) for name in ("port", "ip-address")
    )
    try:
        ip_address(address.text)
    except ValueError:
        made.refuse(address.problem("must be an IPv4 or IPv6 address"))
    listen(made, address.text, port_of(made, port, 110), tls=False, source=address)


def _bucket(made: Draft, given: Mapping[str, Given], regions: Mapping[str, Given]) -> None:
    if "bucket" not in given:
        made.refuse(Problem(Where("bucket"), "", "is not set; it names the bucket in which the mail lies"))
        return
    made.put("storage.url", f"s3://{given['bucket'].text}", given["bucket"])
    region = next(iter(regions.values()), None)
    if region is not None:
        made.put("storage.region", region.text, region)
    else:
        made.warn("no region is given: as before, it is that of the AWS settings of the machine")
    _keys(made, given)
    start = _start(made, given.get("prefix"))
    for option, name in (("template", "%u/"), ("passwd", "passwd.txt")):
        made.put(f"mailboxes.{option}", f"{start}%d/{name}", given.get("prefix"))
    made.put("mailboxes.nested", True)
    # Its rule had no prefix, and its sorter took mail from the top of the bucket.
    made.put("incoming.prefix", "")
    made.warn(
        "the Lambda function that sorts mail may go on, or sesmail sorts, see receiving.rst; then mail for an address without an account "
        "is held, see sesmail held, and with its domain in routing.open_domains it goes into a folder as before"
    )


def _keys(made: Draft, given: Mapping[str, Given]) -> None:
    found = [given[name] for name in ("awskey", "awssecret") if name in given]
    if len(found) == 1:
        made.refuse(found[0].problem("needs awskey and awssecret together"))
    elif found:
        made.put("storage.access_key_id", found[0].text, found[0])
        made.put("storage.secret_access_key", made.secret(found[1]), found[1])
    else:
        made.warn("awskey and awssecret are not set: credentials are found as every AWS program finds them")


def _start(made: Draft, prefix: Given | None) -> str:
    text = prefix.text.rstrip("/") if prefix else ""
    if prefix is None or text != prefix.text:
        # It put a slash behind the prefix whatever that was, and so never found what the sorter had written there.
        made.warn(
            f'prefix {"is not set" if prefix is None else "ends in a slash"}: mail is taken to lie under "{text and text + "/"}DOMAIN/"'
        )
    return f"{text}/".replace("%", "%%") if text else ""


def _folder(made: Draft, given: Given | None) -> None:
    if given is None:
        made.refuse(Problem(Where("email_folder"), "", "is not set; it names the folder in which the mail lies"))
        return
    if not given.text.startswith("/"):
        made.refuse(given.problem("must be an absolute path of this machine; copy the folder here and give its new path"))
        return
    root = Path(os.path.normpath(given.text))
    made.put("storage.url", f"file://{quote(str(root))}", given)
    made.put("mailboxes.template", "%u/")
    made.put("mailboxes.passwd", "passwd.txt")
    made.put("mailboxes.domains", [DOMAIN])
    made.put("mailboxes.default_domain", DOMAIN)
    for warning in _looked_at(root):
        made.warn(warning)


def _looked_at(root: Path) -> Iterator[str]:
    if not (root / "passwd.txt").is_file():
        yield f"{root}/passwd.txt is not there; nobody can log in without it"
        astray = Path(f"{root}\\passwd.txt")
        if astray.is_file():
            yield f"copy {astray}, which the old server read on this machine, to {root}/passwd.txt"
    else:
        yield from _names(root / "passwd.txt")
    with suppress(OSError):
        dotted = next((path for path in root.glob("*/*.*") if path.is_file()), None)
        if dotted is not None:
            yield (
                f"files such as {dotted} have a dot in their names: their unique ids (UIDL) were without the last part and are "
                "now the whole names, so programs that leave mail on the server fetch such mail once more"
            )


def _names(file: Path) -> Iterator[str]:
    with suppress(OSError):
        lines = file.read_bytes().decode("utf-8", "replace").splitlines()
        count = sum("@" in line.partition(":")[0] for line in lines)
        if count:
            yield f"{file}: {count} names have an @; people log in without a domain here, so these cannot"

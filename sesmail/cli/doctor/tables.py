"""The table of aliases."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import quote

from botocore.exceptions import ClientError

from sesmail.aws.probes import Right, code_of, table
from sesmail.cli.doctor.aws import Aws, trouble
from sesmail.cli.doctor.finding import Finding, good, wrong
from sesmail.config.table import Config

_PATIENCE = 3.0


def in_file(path: str) -> Iterator[Finding]:
    """The one of SQLite: sound, or not made yet."""
    about = f"aliases in {path}"
    if not os.path.lexists(path):
        yield good(about, "none yet; the file is made when it is needed")
        return
    try:
        with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=_PATIENCE)) as file:
            said = file.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        yield wrong(about, str(error), f"ls -l {path}; if its rights are good: sqlite3 {path} .recover | sqlite3 {path}.new")
        return
    if said != "ok":
        yield wrong(about, f"damaged: {said}", f"systemctl stop sesmail; sqlite3 {path} .recover | sqlite3 {path}.new")
    else:
        yield good(about, "sound")


def in_dynamodb(config: Config, aws: Aws) -> Iterator[Finding]:
    """The one of DynamoDB: there, with the keys that it has to have."""
    name = config.aliases.dynamodb_table or ""
    about = f"aliases in table {name}"
    region = config.aliases.region or config.storage.region or "REGION"
    try:
        known = table("dynamodb:GetItem", name).ask(aws.table())
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            mend = f"aliases.region, if it is elsewhere; else AliasTable=yes for the stack of `sesmail cfn` in {region}"
            yield wrong(about, f"there is none in {region}", mend)
        elif code_of(error) == "ValidationException":
            mend = "aliases.dynamodb_table: a table with the keys sub_domain and alias_address, as `sesmail cfn` has it"
            yield wrong(about, "it has other keys than a table of aliases", mend)
        else:
            yield trouble(about, error)
        return
    if known.right is Right.DENIED:
        yield wrong(about, known.said, "sesmail iam-policy --for sort")
    else:
        yield good(about, "there")

"""How long a table of aliases takes, in SQLite and in DynamoDB as moto plays it.

    python -m bench.aliases [--sqlite 100000] [--dynamodb 300]

The figures for SQLite are those of this machine. moto is far slower than DynamoDB and holds all in one process: what it tells is how many
requests a thing costs, which at AWS take some milliseconds each.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from sesmail.aliases.cached import Cached
from sesmail.aliases.lookups import Reading, in_table
from sesmail.aliases.records import Alias, Domain
from sesmail.aliases.sqlite import SqliteTable
from sesmail.aliases.table import Query, Table
from tests.aliases.tables import new_dynamodb, opened

_BATCH = 500
_DOMAINS = 20


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--sqlite", type=int, default=100_000)
    arguments.add_argument("--dynamodb", type=int, default=300)
    given = arguments.parse_args()
    os.environ.update(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x", AWS_EC2_METADATA_DISABLED="true")
    with TemporaryDirectory(prefix="sesmail-bench-") as folder:
        path = Path(folder) / "aliases.db"
        table = SqliteTable(str(path))
        _measure("SQLite", table, given.sqlite)
        table.close()
        print(f"  size of the file: {path.stat().st_size / 2**20:.1f} MiB")
    if given.dynamodb:
        _measure("DynamoDB by moto", opened(new_dynamodb()), given.dynamodb)


def _measure(what: str, table: Table, count: int) -> None:
    print(f"{what}, {count} aliases in {_DOMAINS} domains")
    for number in range(_DOMAINS):
        table.add_domain(Domain(_domain(number)))
    began = time.perf_counter()
    rows = _aliases(count)
    while batch := list(islice(rows, _BATCH)):
        table.add_all(batch)
    print(f"  import: {count / (time.perf_counter() - began):.0f} aliases/s")
    some = [_alias(number) for number in range(0, count, max(1, count // 500))]
    _each("get", [partial(table.get, alias.local, alias.domain) for alias in some])
    _each("get what is not there", [partial(table.get, alias.local, "example.net") for alias in some])
    look_up = in_table(table, Reading("tom"))
    _each("look up, as mail comes in", [partial(look_up, alias.address) for alias in some])
    cached = in_table(Cached(table, seconds=60, now=time.monotonic), Reading("tom"))
    look_ups = [partial(cached, alias.address) for alias in some]
    for call in look_ups:
        call()
    _each("look up, cached", look_ups)
    _each("identified", [partial(table.identified, alias.identifier) for alias in some])
    _each("count a use", [partial(table.count_use, alias.local, alias.domain) for alias in some[:100]])
    _each("first page of a domain", [lambda: table.find(Query(domain=_domain(3)), limit=50)] * 20)
    _each("search that finds one", [lambda: _all(table, Query(text=f"{_alias(count // 2).local}@"))] * 3)
    _each("all of one owner", [lambda: _all(table, Query(owner="owner7"))] * 3)
    _each("all of them", [lambda: _all(table, Query())])


def _all(table: Table, query: Query) -> int:
    page = table.find(query, limit=1000)
    count = len(page.aliases)
    while page.after:
        page = table.find(query, limit=1000, after=page.after)
        count += len(page.aliases)
    return count


def _each(what: str, calls: Sequence[Callable[[], object]]) -> None:
    times = []
    for call in calls:
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1000)
    print(f"  {what}: {statistics.median(times):.3f} ms in the median, {max(times):.3f} at most")


def _aliases(count: int) -> Iterator[Alias]:
    return map(_alias, range(count))


def _alias(number: int) -> Alias:
    return Alias(
        f"alias.{number:06}", _domain(number), ("S3",), f"id-{number}", owner=f"owner{number % 1000}", description="a shop"
    )


def _domain(number: int) -> str:
    return f"d{number % _DOMAINS}.example.com"


if __name__ == "__main__":
    main()

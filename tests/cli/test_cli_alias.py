"""`sesmail alias` on real tables, beside whoever else uses them."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sesmail.aliases.records import Alias
from sesmail.aliases.sqlite import SqliteTable
from tests.aliases.tables import REGION, client, new_dynamodb
from tests.aliases.tacomail import legacy_alias

ETL = """alias_id,identifier,alias_address,subdomain,full_address,destination,created,modified,active_alias,ignore_alias,use_count,application
1,6f1c1a52-9c0b-4a0e-8f4e-0a6a6d1b0001,Shop,mail.example.com,Shop@mail.example.com,S3,2020-09-13 12:26:40,2020-09-13 12:28:20,1,0,17,tacomail
2,6f1c1a52-9c0b-4a0e-8f4e-0a6a6d1b0002,news,mail.example.com,news@mail.example.com,Tom@example.net,NULL,NULL,0,1,NULL,tacomail
"""


class Admin:
    """Runs the command on one table."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.path = folder / "aliases.db"
        self.environ = {**os.environ, "SESMAIL__SERVICE__STATE_DIR": str(folder), **variables}

    def run(self, *arguments: str, given: str = "") -> tuple[int, str, str]:
        command = [sys.executable, "-m", "sesmail.cli.main", "alias", *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, env=self.environ, input=given, cwd=self.path.parent
        )
        return done.returncode, done.stdout, done.stderr

    def get(self, local: str, domain: str) -> Alias:
        table = SqliteTable(str(self.path))
        found = table.get(local, domain)
        table.close()
        assert found is not None
        return found


@pytest.fixture
def admin(tmp_path: Path) -> Admin:
    return Admin(tmp_path)


def test_an_alias_is_made_changed_renamed_and_removed(admin: Admin) -> None:
    made = admin.run("add", " Shop@Example.com", "--owner", "tom@example.com", "--description", "for shops")
    assert made == (0, "shop@example.com\tS3\tactive\ttom@example.com\t0\tfor shops\n", "")
    first = admin.get("shop", "example.com")
    assert (len(first.identifier), first.created > 1_700_000_000, first.version) == (36, True, 1)
    changed = admin.run("set", "shop@example.com", "--to", "s3", "--to", "Eve@example.net", "--ignore", "--owner", "")
    assert changed == (0, "shop@example.com\tS3, eve@example.net\tignored\t-\t0\tfor shops\n", "")
    assert admin.run("set", "shop@example.com", "--inactive")[1].split("\t")[2] == "inactive"
    assert admin.run("set", "shop@example.com", "--active")[1].split("\t")[2] == "active"
    assert admin.run("rename", "shop@example.com", "kiosk@bücher.example")[1].startswith("kiosk@xn--bcher-kva.example\tS3")
    assert admin.get("kiosk", "xn--bcher-kva.example").identifier == first.identifier
    assert admin.run("remove", "kiosk@bücher.example") == (0, "kiosk@bücher.example: is removed\n", "")
    assert admin.run("list") == (1, "", "")


def test_a_list_has_what_was_asked_for(admin: Admin) -> None:
    admin.run("add", "shop@example.com", "--owner", "tom")
    admin.run("add", "news@example.com", "--to", "eve@example.net")
    admin.run("add", "news@example.org")

    def listed(*arguments: str) -> list[str]:
        return [line.split("\t")[0] for line in admin.run("list", *arguments)[1].splitlines()]

    assert listed() == ["news@example.com", "shop@example.com", "news@example.org"]
    assert listed("NEWS@") == ["news@example.com", "news@example.org"]
    assert listed("--domain", "Example.com") == ["news@example.com", "shop@example.com"]
    assert listed("--owner", "tom") == ["shop@example.com"]
    assert listed("--owner", "") == ["news@example.com", "news@example.org"]
    assert listed("--destination", "eve@example.net") == ["news@example.com"]


def test_an_owner_is_named_as_people_name_him_and_known_as_logins_are(admin: Admin) -> None:
    admin.environ["SESMAIL__MAILBOXES__DEFAULT_DOMAIN"] = "example.com"
    admin.environ["SESMAIL__AUTH__CHECKERS"] = "[static]"
    admin.environ["SESMAIL__AUTH__USERS"] = "[{name: jim, password: x, address: james@example.com}]"
    admin.run("add", "shop@example.com", "--owner", "James@Example.com")
    admin.run("import", "-", "--owner", "jim", given='{"address": "news@example.com"}')
    admin.run("add", "other@example.com")
    admin.run("set", "other@example.com", "--owner", "Tom")
    owners = {line.split("\t")[0]: line.split("\t")[3] for line in admin.run("list")[1].splitlines()}
    assert owners == {
        "news@example.com": "jim@example.com",
        "other@example.com": "tom@example.com",
        "shop@example.com": "jim@example.com",
    }
    assert len(admin.run("list", "--owner", "jim")[1].splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "taken@example.com"], "there is such an entry already"),
        (["add", "nonsense"], "an address has the form name@domain"),
        (["add", "x@localhost"], "the domain of an alias has at least one dot"),
        (["add", "x@example.com", "--to", "nowhere"], "an address has the form name@domain"),
        (["add", "x@example.com", "--description", "a\tb"], "a description has no control characters"),
        (["set", "x@example.com", "--ignore"], "there is no alias x@example.com"),
        (["rename", "other@example.com", "taken@example.com"], "there is such an entry already"),
        (["rename", "x@example.com", "y@example.com"], "there is no alias x@example.com"),
        (["import", "missing.csv"], "missing.csv: No such file or directory"),
        (["list", "--domain", "a..b"], "not an address: the domain is misspelt"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(admin: Admin, arguments: list[str], said: str) -> None:
    admin.run("add", "taken@example.com")
    admin.run("add", "other@example.com")
    before = admin.run("list")
    status, printed, told = admin.run(*arguments)
    assert (status, printed, len(told.splitlines())) == (1, "", 1)
    assert said in told
    assert admin.run("list") == before


def test_all_are_removed_that_can_be(admin: Admin) -> None:
    admin.run("add", "a@example.com")
    admin.run("add", "b@example.com")
    assert admin.run("remove", "a@example.com", "missing@example.com", "b@example.com") == (
        1,
        "a@example.com: is removed\nb@example.com: is removed\n",
        "sesmail alias: missing@example.com: there is no alias missing@example.com\n",
    )


def test_without_a_table_there_is_nothing_to_do(admin: Admin) -> None:
    admin.environ["SESMAIL__ALIASES__TABLE"] = "none"
    status, _, told = admin.run("list")
    assert status == 78
    assert "aliases.table: is none: there is no table of aliases" in told


def test_what_tacomail_migrated_is_imported(admin: Admin, tmp_path: Path) -> None:
    (tmp_path / "etl.csv").write_text(ETL)
    assert admin.run("import", "etl.csv", "--owner", "tom") == (
        0,
        "2 added, 0 changed, 0 were there already, 0 refused\n",
        "",
    )
    shop, news = admin.get("shop", "mail.example.com"), admin.get("news", "mail.example.com")
    assert shop == Alias(
        local="shop",
        domain="mail.example.com",
        destinations=("S3",),
        identifier="6f1c1a52-9c0b-4a0e-8f4e-0a6a6d1b0001",
        owner="tom",
        created=1600000000,
        modified=1600000100,
        use_count=17,
        version=1,
    )
    assert (news.destinations, news.active, news.ignore, news.use_count) == (("tom@example.net",), False, True, 0)
    assert news.created > 1_700_000_000
    assert admin.run("import", "etl.csv", "--owner", "tom")[1] == "0 added, 0 changed, 2 were there already, 0 refused\n"


@pytest.mark.parametrize("form", ["csv", "json"])
def test_what_is_exported_can_be_imported_elsewhere(admin: Admin, tmp_path: Path, form: str) -> None:
    admin.run(
        "add", "shop@example.com", "--owner", "tom", "--description", 'für "Käse", Wurst', "--to", "S3", "--to", "a@b.example"
    )
    admin.run("set", "shop@example.com", "--ignore")
    admin.run("add", "news@example.com")
    assert admin.run("export", f"all.{form}") == (0, "", "")
    assert (tmp_path / f"all.{form}").stat().st_mode & 0o777 == 0o600
    (tmp_path / "other").mkdir()
    other = Admin(tmp_path / "other")
    assert other.run("import", f"../all.{form}")[0] == 0
    for local in ("shop", "news"):
        before, after = admin.get(local, "example.com"), other.get(local, "example.com")
        assert {**vars(after), "version": 0} == {**vars(before), "version": 0}


def test_an_export_in_either_form_says_what_its_readers_ask_for(admin: Admin) -> None:
    admin.run("add", "shop@example.com", "--to", "a@b.example", "--to", "S3")
    (row,) = csv.DictReader(admin.run("export", "-", "--format", "csv")[1].splitlines())
    assert (row["alias_address"], row["subdomain"], row["destination"], row["active_alias"]) == (
        "shop",
        "example.com",
        "a@b.example",
        "1",
    )
    said = json.loads(admin.run("export", "-")[1])
    assert (said["address"], said["destinations"], said["active"]) == ("shop@example.com", ["a@b.example", "S3"], True)


def test_lines_that_cannot_be_taken_are_told_with_their_numbers(admin: Admin) -> None:
    admin.run("add", "taken@example.com", "--owner", "eve")
    identifier = admin.get("taken", "example.com").identifier
    lines = [
        '{"address": "good@example.com"}',
        "",
        "nonsense",
        '["good@example.com"]',
        '{"address": "bad"}',
        '{"address": "x@example.com", "destinations": "S3"}',
        '{"address": "x@example.com", "active": "perhaps"}',
        '{"address": "x@example.com", "use_count": -1}',
        '{"address": "x@example.com", "created": "yesterday"}',
        '{"address": "taken@example.com", "owner": "tom"}',
        json.dumps({"address": "y@example.com", "identifier": identifier}),
        '{"address": "x@example.com", "description": "' + "x" * 70_000 + '"}',
    ]
    status, printed, told = admin.run("import", "-", given="\n".join(lines))
    assert (status, printed) == (1, "1 added, 0 changed, 0 were there already, 10 refused\n")
    assert [line.split(":")[:2] for line in sorted(told.splitlines(), key=lambda line: int(line.split(":")[1]))] == [
        ["-", str(number)] for number in range(3, 13)
    ]
    assert "-:10: taken@example.com: is there already, and differs; --replace changes it\n" in told
    assert "-:11: y@example.com: another alias has its identifier\n" in told
    assert admin.get("taken", "example.com").owner == "eve"


def test_what_differs_is_replaced_if_that_is_wanted(admin: Admin) -> None:
    admin.run("add", "taken@example.com", "--owner", "eve")
    before = admin.get("taken", "example.com")
    status, printed, _ = admin.run(
        "import", "-", "--replace", given='{"address": "taken@example.com", "owner": "tom", "ignore": true}'
    )
    assert (status, printed) == (0, "0 added, 1 changed, 0 were there already, 0 refused\n")
    after = admin.get("taken", "example.com")
    assert (after.owner, after.ignore, after.identifier, after.version) == ("tom", True, before.identifier, 2)


def test_a_file_that_is_no_csv_of_aliases_is_refused(admin: Admin, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("name,value\na,b\n")
    assert "the first line names the columns" in admin.run("import", "bad.csv")[2]
    (tmp_path / "bad.csv").write_bytes(b"full_address\nb\xfcb@example.com\n")
    assert "bad.csv is not UTF-8" in admin.run("import", "bad.csv")[2]


def test_tacomails_own_table_is_named_by_its_variable(tmp_path: Path) -> None:
    name, _, endpoint = new_dynamodb().removeprefix("dynamodb:").partition("@")
    client(endpoint).put_item(TableName=name, Item=legacy_alias("shop", "mail.example.com", use_count=17))
    admin = Admin(tmp_path, POSTFIX_DYNAMODB_TABLE=name, SESMAIL__ALIASES__ENDPOINT=endpoint, SESMAIL__ALIASES__REGION=REGION)
    assert admin.run("list") == (0, "shop@mail.example.com\tS3\tactive\t-\t17\n", "")
    (tmp_path / "etl.csv").write_text(ETL)
    status, printed, told = admin.run("import", "etl.csv")
    assert (status, printed, told) == (0, "1 added, 0 changed, 1 were there already, 0 refused\n", "")

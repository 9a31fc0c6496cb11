"""The table in DynamoDB keeps what every table promises, takes over tacomail's own, and is not misled by an index that is late."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sesmail.aliases.dynamodb import DynamoAliases
from sesmail.aliases.records import Alias, DestinationRecord, Domain
from sesmail.aliases.table import Changed, NoSuchRow, Query, Table, Taken
from sesmail.aws.dynamodb import DynamoTable, TablePlace
from sesmail.errors import Limited, Malformed, TooLarge, Unavailable
from tests.aliases.dynamodoor import between
from tests.aliases.table_contract import TableContract, addresses, alias, all_of
from tests.aliases.tables import REGION, client, new_dynamodb, opened
from tests.aliases.tacomail import LEGACY, legacy_alias


class TestDynamoTable(TableContract):
    @pytest.fixture
    def spec(self) -> Iterator[str]:
        name, _, endpoint = new_dynamodb().partition("@")
        # DynamoDB carries out each write by itself, which moto does not when they come at once.
        with between(endpoint, lambda operation, body: None, one_by_one=True) as door:
            yield f"{name}@{door}"


class Raw:
    """The table as tacomail itself sees it."""

    def __init__(self) -> None:
        self.spec = new_dynamodb()
        self.name, _, endpoint = self.spec.removeprefix("dynamodb:").partition("@")
        self.client = client(endpoint)
        self.endpoint = endpoint

    def put(self, item: dict[str, Any]) -> None:
        self.client.put_item(TableName=self.name, Item=item)

    def item(self, local: str, domain: str) -> dict[str, Any] | None:
        key = {"sub_domain": {"S": domain}, "alias_address": {"S": local}}
        found: dict[str, Any] | None = self.client.get_item(TableName=self.name, Key=key).get("Item")
        return found

    def table(self, endpoint: str | None = None, **more: Any) -> DynamoAliases:
        place = TablePlace(table=self.name, region=REGION, endpoint=endpoint or self.endpoint)
        return DynamoAliases(DynamoTable(place, pause=lambda seconds: None, **more), pause=lambda seconds: None)


@pytest.fixture
def raw() -> Raw:
    return Raw()


def test_an_alias_of_tacomail_is_read_as_tacomail_meant_it(raw: Raw) -> None:
    raw.put(legacy_alias("shop", "mail.example.com", destination="S3", use_count=17))
    found = raw.table().get("shop", "mail.example.com")
    assert found == Alias(
        "shop", "mail.example.com", ("S3",), LEGACY, created=1600000000, modified=1600000100, use_count=17, version=0
    )
    assert raw.table().identified(LEGACY) == found
    assert all_of(raw.table(), Query(text="shop@mail")) == [found]


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"destination": {"S": "Tom@Example.net"}}, {"destinations": ("tom@example.net",)}),
        ({"destination": {"S": "s3"}}, {"destinations": ("S3",)}),
        ({"destinations": {"M": {"x": {"S": "eve@example.net"}}}}, {"destinations": ("S3",)}),
        ({"destinations": {"L": [{"S": "old@example.net"}, {"S": "S3"}]}}, {"destinations": ("S3",)}),
        ({"active_alias": None}, {"active": False}),
        ({"ignore_alias": None, "use_count": None}, {"ignore": False, "use_count": 0}),
        ({"created_datetime": {"S": "2020-09-13"}, "modified_datetime": {"N": "1600000100.7"}}, {"created": 0}),
    ],
)
def test_what_is_odd_about_an_item_is_read_all_the_same(raw: Raw, change: dict[str, Any], wanted: dict[str, Any]) -> None:
    item = legacy_alias("shop", "example.com") | change
    raw.put({name: value for name, value in item.items() if value is not None})
    table = raw.table()
    found = table.get("shop", "example.com")
    assert found is not None
    assert {name: getattr(found, name) for name in wanted} == wanted
    changed = table.change(found, replace(found, description="noted", destinations=("a@example.com",)))
    table.remove(table.change(changed, replace(changed, local="kiosk")))
    assert all_of(table, Query()) == []


def test_tacomail_can_read_what_was_written(raw: Raw) -> None:
    raw.table().add(alias("bob@example.com", destinations=("tom@example.net", "S3"), use_count=1))
    item = raw.item("bob", "example.com")
    assert item is not None
    of_tacomail = {name: value for name, value in item.items() if name not in ("version", "destinations")}
    assert of_tacomail == {
        "sub_domain": {"S": "example.com"},
        "alias_address": {"S": "bob"},
        "application": {"S": "tacomail"},
        "identifier": {"S": "id-bob@example.com"},
        "full_address": {"S": "bob@example.com"},
        "destination": {"S": "tom@example.net"},
        "active_alias": {"BOOL": True},
        "ignore_alias": {"BOOL": False},
        "created_datetime": {"N": "100"},
        "modified_datetime": {"N": "200"},
        "use_count": {"N": "1"},
    }


def test_attributes_of_others_outlive_changes_and_renames(raw: Raw) -> None:
    raw.put(legacy_alias("shop", "example.com") | {"colour": {"S": "red"}, "tags": {"SS": ["a", "b"]}})
    table = raw.table()
    found = table.get("shop", "example.com")
    assert found is not None
    changed = table.change(found, replace(found, active=False))
    table.change(changed, replace(changed, local="kiosk"))
    item = raw.item("kiosk", "example.com")
    assert item is not None
    assert (item["colour"], item["full_address"], item["active_alias"]) == (
        {"S": "red"},
        {"S": "kiosk@example.com"},
        {"BOOL": False},
    )
    assert sorted(item["tags"]["SS"]) == ["a", "b"]


def test_a_change_by_tacomail_itself_is_seen(raw: Raw) -> None:
    table = raw.table()
    mine = table.add(alias("shop@example.com"))
    item = raw.item("shop", "example.com")
    assert item is not None
    raw.put(item | {"destination": {"S": "tom@example.net"}, "modified_datetime": {"N": "999"}})
    with pytest.raises(Changed):
        table.change(mine, replace(mine, ignore=True))
    with pytest.raises(Changed):
        table.remove(mine)


def test_a_key_in_upper_case_can_be_found_and_put_right(raw: Raw) -> None:
    raw.put(legacy_alias("Shop", "Example.com"))
    table = raw.table()
    (found,) = all_of(table, Query(text="shop@ex"))
    assert (found.local, found.domain) == ("Shop", "Example.com")
    assert table.get("shop", "example.com") is None
    right = table.change(found, replace(found, local="shop", domain="example.com"))
    assert all_of(table, Query()) == [right]


def maps(*names: str, **more: Any) -> dict[str, Any]:
    entry = {
        "description": {"S": "ours"},
        "active": {"BOOL": True},
        "created_datetime": {"N": "5"},
        "modified_datetime": {"N": "6"},
    }
    return {"L": [{"M": {"subdomain": {"S": name}, **entry, **more}} for name in names]}


def config_item(**attributes: Any) -> dict[str, Any]:
    return {"sub_domain": {"S": "tacomail-config"}, "alias_address": {"S": "sub_domains"}, **attributes}


@pytest.mark.parametrize(
    ("attributes", "wanted"),
    [
        ({"configValues": maps("mail.example.com")}, [Domain("mail.example.com", True, "ours", (), 5, 6)]),
        ({"configValues": maps("a.example.com", active={"BOOL": False})}, [Domain("a.example.com", False, "ours", (), 5, 6)]),
        ({"configValue": {"SS": ["b.example.com", "A.example.com"]}}, [Domain("a.example.com"), Domain("b.example.com")]),
        ({"configValues": {"SS": ["b.example.com"]}}, [Domain("b.example.com")]),
        ({"configValues": {"L": [{"S": "b.example.com"}]}}, [Domain("b.example.com")]),
        ({"configValues": {"L": []}, "configValue": {"SS": ["b.example.com"]}}, []),
        ({"configValues": maps("a.example.com", "A.example.com")}, [Domain("a.example.com", True, "ours", (), 5, 6)]),
        ({"configValues": maps(colour={"S": "red"}) | {"L": [{"M": {}}]}}, []),
        ({}, None),
    ],
)
def test_domains_are_read_as_the_code_and_the_readme_of_tacomail_have_them(
    raw: Raw, attributes: dict[str, Any], wanted: list[Domain] | None
) -> None:
    raw.put(config_item(**attributes))
    assert raw.table().domains() == (None if wanted is None else tuple(wanted))


@pytest.mark.parametrize("name", ["configValue", "configValues"])
def test_a_set_of_names_becomes_a_list_with_the_first_change(raw: Raw, name: str) -> None:
    raw.put(config_item(**{name: {"SS": ["a.example.com", "b.example.com"]}}))
    table = raw.table()
    table.add_domain(Domain("c.example.com", description="new"))
    assert [domain.name for domain in table.domains() or ()] == ["a.example.com", "b.example.com", "c.example.com"]
    item = raw.item("sub_domains", "tacomail-config")
    assert item is not None
    assert [one["M"]["subdomain"]["S"] for one in item["configValues"]["L"]] == [
        "a.example.com",
        "b.example.com",
        "c.example.com",
    ]


def test_what_others_say_of_a_domain_outlives_a_change(raw: Raw) -> None:
    raw.put(config_item(configValues=maps("a.example.com", "b.example.com", colour={"S": "red"})))
    table = raw.table()
    first, second = table.domains() or ()
    table.change_domain(second, replace(second, active=False, modified=7))
    item = raw.item("sub_domains", "tacomail-config")
    assert item is not None
    one, two = (entry["M"] for entry in item["configValues"]["L"])
    assert one == maps("a.example.com", colour={"S": "red"})["L"][0]["M"]
    assert (two["colour"], two["active"], two["modified_datetime"]) == ({"S": "red"}, {"BOOL": False}, {"N": "7"})
    table.remove_domain(first)
    assert [domain.name for domain in table.domains() or ()] == ["b.example.com"]


def test_destinations_of_the_readme_are_registered(raw: Raw) -> None:
    names = {"SS": ["S3", "Tom@example.net"]}
    raw.put({"sub_domain": {"S": "tacomail-config"}, "alias_address": {"S": "destinations"}, "configValue": names})
    assert raw.table().destinations() == (DestinationRecord("S3"), DestinationRecord("tom@example.net"))


def test_a_table_over_a_megabyte_is_read_to_its_end(raw: Raw) -> None:
    for number in range(24):
        raw.put(legacy_alias(f"a{number:04}", "example.com", notes="x" * 100_000, identifier=f"i{number}"))
    table = raw.table()
    assert raw.client.query(
        TableName=raw.name,
        KeyConditionExpression="sub_domain = :d",
        ExpressionAttributeValues={":d": {"S": "example.com"}},
    ).get("LastEvaluatedKey")
    assert [one.local for one in table.find(Query(text="a0023"), limit=10).aliases] == ["a0023"]
    assert len(all_of(table, Query(domain="example.com"), 1000)) == len(all_of(table, Query(active=True), 7)) == 24


def key_of(found: Alias) -> dict[str, Any]:
    return {"sub_domain": {"S": found.domain}, "alias_address": {"S": found.local}}


def test_what_was_just_made_is_found_though_the_index_is_late(raw: Raw) -> None:
    with between(
        raw.endpoint, lambda operation, body: (200, {"Items": [], "Count": 0}) if operation == "Query" else None
    ) as url:
        table = raw.table(url)
        first = table.add(alias())
        assert table.identified(first.identifier) == first
        renamed = table.change(first, replace(first, local="tim"))
        assert table.identified(first.identifier) == renamed
        # Another process knows the index alone.
        assert raw.table(url).identified(first.identifier) is None


def test_an_index_that_catches_up_is_waited_for(raw: Raw) -> None:
    asked: list[str] = []

    def late(operation: str, body: dict[str, Any]) -> tuple[int, Any] | None:
        if operation != "Query":
            return None
        asked.append(operation)
        return (200, {"Items": [], "Count": 0}) if len(asked) < 3 else None

    first = raw.table().add(alias())
    with between(raw.endpoint, late) as url:
        assert raw.table(url).identified(first.identifier) == first


def test_an_index_that_still_has_the_old_address_misleads_nobody(raw: Raw) -> None:
    first = raw.table().add(alias())
    renamed = raw.table().change(first, replace(first, local="tim"))
    other = raw.table().add(alias(identifier="other"))
    stale = {"Items": [key_of(first)], "Count": 1}
    with between(raw.endpoint, lambda operation, body: (200, stale) if operation == "Query" else None) as url:
        assert raw.table(url).identified(first.identifier) is None
        assert raw.table(url).get("tim", "example.com") == renamed
        assert raw.table(url).get("bob", "example.com") == other


def failing(status: int, code: str, message: str = "", *, times: int = 1000, at: str = "") -> tuple[Any, list[str]]:
    seen: list[str] = []

    def answer(operation: str, body: dict[str, Any]) -> tuple[int, Any] | None:
        if at and operation != at:
            return None
        seen.append(operation)
        return (
            (status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}) if len(seen) <= times else None
        )

    return answer, seen


@pytest.mark.parametrize(
    ("status", "code", "wanted", "attempts"),
    [
        (400, "ProvisionedThroughputExceededException", Limited, 5),
        (400, "ThrottlingException", Limited, 5),
        (500, "InternalServerError", Unavailable, 5),
        (400, "ResourceNotFoundException", Unavailable, 1),
        (400, "AccessDeniedException", Unavailable, 1),
        (400, "UnrecognizedClientException", Unavailable, 1),
    ],
)
def test_trouble_of_aws_looks_like_trouble(raw: Raw, status: int, code: str, wanted: type[Exception], attempts: int) -> None:
    answer, seen = failing(status, code)
    with between(raw.endpoint, answer) as url, pytest.raises(wanted):
        raw.table(url).get("bob", "example.com")
    assert len(seen) == attempts


def test_what_passes_is_got_over(raw: Raw) -> None:
    first = raw.table().add(alias())
    for status, code in ((400, "ThrottlingException"), (500, "InternalServerError")):
        answer, _ = failing(status, code, times=3)
        with between(raw.endpoint, answer) as url:
            assert raw.table(url).get("bob", "example.com") == first
    answer, _ = failing(400, "ThrottlingException", times=3, at="UpdateItem")
    with between(raw.endpoint, answer) as url:
        raw.table(url).count_use("bob", "example.com")
    found = raw.table().get("bob", "example.com")
    assert found is not None
    assert found.use_count == 1


def test_what_may_have_been_counted_is_not_counted_again(raw: Raw) -> None:
    raw.table().add(alias())
    answer, seen = failing(500, "InternalServerError", at="UpdateItem")
    with between(raw.endpoint, answer) as url, pytest.raises(Unavailable):
        raw.table(url).count_use("bob", "example.com")
    assert len(seen) == 1


def test_a_rename_whose_answer_was_lost_is_repeated_as_the_same_request(raw: Raw) -> None:
    first = raw.table().add(alias())
    tokens: list[str] = []

    def answer(operation: str, body: dict[str, Any]) -> tuple[int, Any] | None:
        if operation != "TransactWriteItems":
            return None
        tokens.append(body["ClientRequestToken"])
        return (500, {"__type": "x#InternalServerError"}) if len(tokens) < 3 else None

    with between(raw.endpoint, answer) as url:
        raw.table(url).change(first, replace(first, local="tim"))
    assert len(tokens) == 3
    assert len(set(tokens)) == 1


def test_a_server_that_is_not_there_is_unavailable(raw: Raw) -> None:
    with pytest.raises(Unavailable):
        raw.table("http://127.0.0.1:1").domains()


def test_too_many_domains_are_said_to_be_too_many(raw: Raw) -> None:
    answer, _ = failing(
        400, "ValidationException", "Item size to update has exceeded the maximum allowed size", at="UpdateItem"
    )
    with between(raw.endpoint, answer) as url, pytest.raises(TooLarge):
        raw.table(url).add_domain(Domain("example.com"))


def test_a_list_of_one_domain_is_not_continued_in_another(raw: Raw) -> None:
    table = raw.table()
    for number in range(3):
        table.add(alias(f"a{number}@example.com"))
    after = table.find(Query(domain="example.com"), limit=1).after
    with pytest.raises(Malformed):
        table.find(Query(domain="example.org"), limit=1, after=after)


def test_the_rows_of_the_configuration_are_out_of_reach(raw: Raw) -> None:
    table: Table = opened(raw.spec)
    table.add_domain(Domain("example.com"))
    config = Alias("sub_domains", "tacomail-config", ("S3",), "")
    with pytest.raises(NoSuchRow):
        table.change(config, alias())
    with pytest.raises(NoSuchRow):
        table.remove(config)
    with pytest.raises(Malformed):
        table.add(replace(config, identifier="x"))
    good = table.add(alias())
    with pytest.raises(Malformed):
        table.change(good, replace(good, domain="tacomail-config", local="sub_domains"))
    assert [domain.name for domain in table.domains() or ()] == ["example.com"]
    assert addresses(all_of(table, Query())) == ["bob@example.com"]


def test_an_address_taken_meanwhile_is_taken(raw: Raw) -> None:
    """The other one is written between the look at the index and the write."""
    other: list[Alias] = []

    def answer(operation: str, body: dict[str, Any]) -> tuple[int, Any] | None:
        if operation == "PutItem" and not other:
            other.append(raw.table().add(alias(identifier="quicker")))
        return None

    with between(raw.endpoint, answer) as url, pytest.raises(Taken):
        raw.table(url).add(alias())
    assert all_of(raw.table(), Query()) == other


def test_a_use_counted_in_the_middle_of_a_rename_is_kept(raw: Raw) -> None:
    first = raw.table().add(alias())
    seen: list[str] = []

    def answer(operation: str, body: dict[str, Any]) -> tuple[int, Any] | None:
        if operation == "TransactWriteItems" and operation not in seen:
            raw.table().count_use("bob", "example.com")
        seen.append(operation)
        return None

    with between(raw.endpoint, answer) as url:
        renamed = raw.table(url).change(first, replace(first, local="tim"))
    assert renamed.use_count == 1
    assert all_of(raw.table(), Query()) == [renamed]

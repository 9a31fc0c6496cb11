"""The API as a function behind a URL."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sesmail.aliases.records import Alias, Domain
from sesmail.aliases.sqlite import SqliteTable
from sesmail.auth import tokens
from tests.aliases.tables import client, new_dynamodb
from tests.aliases.tacomail import LEGACY, legacy_alias
from tests.functions.lambdas import Function, function
from tests.functions.urlevents import ARN, event

HANDLER = "sesmail.functions.api.answer"
SECRET = "a secret that is long enough for HS256, or nearly so"
_KEYS = {"AWS_ACCESS_KEY_ID": "AKIANOBODYNOBODY0000", "AWS_SECRET_ACCESS_KEY": "nobody-at-all"}
SHOP = "/api/v1/aliases/shop@example.com"
RECORDING = Path(__file__).parents[1] / "api" / "tacomail-frontend.jsonl"


def token(email: str, secret: str = SECRET, **more: object) -> str:
    return tokens.make({"email": email, "aud": "sesmail-api", "exp": int(time.time()) + 60, **more}, secret)


def variables(file: Path) -> dict[str, str]:
    return {
        "SESMAIL__ALIASES__TABLE": "sqlite",
        "SESMAIL__ALIASES__FILE": str(file),
        "SESMAIL__PAGE__TOKEN_SECRET": SECRET,
        "SESMAIL__PAGE__ADMINS": '["root@example.com"]',
        "SESMAIL__PAGE__TACOMAIL": "true",
    }


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("api") / "aliases.db"
    table = SqliteTable(str(file))
    table.add_domain(Domain("example.com", created=5, modified=5))
    table.add_domain(Domain("old.example", active=False, description="gone", created=5, modified=5))
    table.add(Alias("shop", "example.com", ("ann@example.com",), "uuid-1", owner="ann@example.com"))
    table.close()
    return file


@pytest.fixture(scope="module")
def answer(file: Path) -> Iterator[Function]:
    with function(variables(file), HANDLER) as called:
        yield called


def said(answer: dict[str, Any]) -> Any:
    assert 200 <= answer["statusCode"] < 300, answer
    return json.loads(answer["body"])


def test_who_signed_is_an_administrator(answer: Function) -> None:
    assert said(answer(event("GET", SHOP, arn=ARN)))["owner"] == "ann@example.com"
    made = answer(event("POST", "/api/v1/domains", {"name": "signed.example"}, arn=ARN))
    assert made["statusCode"] == 201
    assert made["headers"]["Location"] == "domains/signed.example"
    assert made["headers"]["Content-Type"] == "application/json"


def test_who_has_a_token_sees_what_is_his(answer: Function) -> None:
    assert said(answer(event("GET", SHOP, token=token("ann@example.com"))))["local"] == "shop"
    assert answer(event("GET", SHOP, token=token("bob@example.com")))["statusCode"] == 404
    assert answer(event("GET", "/api/v1/aliases?owner=ann@example.com", token=token("bob@example.com")))["statusCode"] == 403
    assert said(answer(event("GET", SHOP, token=token("root@example.com"))))["local"] == "shop"


def test_a_token_is_of_the_account_that_has_its_address_as_in_the_gateway(file: Path) -> None:
    more = {
        "SESMAIL__MAILBOXES__DEFAULT_DOMAIN": "example.com",
        "SESMAIL__PAGE__ADMINS": '["root"]',
        "SESMAIL__AUTH__CHECKERS": '["static"]',
        "SESMAIL__AUTH__USERS": "[{name: ann, password: x, address: anne.smith@example.com}]",
    }
    with function({**variables(file), **more}, HANDLER) as answer:
        assert said(answer(event("GET", SHOP, token=token("anne.smith@example.com"))))["owner"] == "ann@example.com"
        assert said(answer(event("GET", SHOP, token=token("root@example.com"))))["local"] == "shop"


def test_nothing_else_says_who_asks(answer: Function) -> None:
    bad = token("ann@example.com", "another secret, which is as long as that of the API")
    keys = {"awsAccessKeyID": "AKIANOBODYNOBODY0000", "awsSecretAccessKey": "s", "bucket": "mail", "email": "ann@example.com"}
    for asked in (
        event("GET", SHOP),
        event("GET", SHOP, cookies=("sesmail=1", "__Host-sesmail=1")),
        event("GET", SHOP, authorization="Basic YW5uOmFubg=="),
        event("GET", SHOP, x_forwarded_user="ann@example.com"),
        event("GET", SHOP, token=bad),
        event("GET", SHOP, token=tokens.make(keys, SECRET)),
        event("GET", SHOP, token=token("ann@example.com", exp=1)),
        event("GET", "/alias/uuid-1"),
        event("GET", "/api/v1/openapi.json"),
    ):
        answered = answer(asked)
        assert answered["statusCode"] == 401
        assert answered["headers"]["WWW-Authenticate"].startswith("Bearer")
        assert "shop" not in answered["body"]


def test_a_body_in_base64_is_read(answer: Function) -> None:
    body = {"local": "encoded", "domain": "example.com", "description": "Bücher"}
    made = said(answer(event("POST", "/api/v1/aliases", body, arn=ARN, encoded=True)))
    assert made["description"] == "Bücher"
    broken = event("POST", "/api/v1/aliases", body, arn=ARN) | {"isBase64Encoded": True}
    assert answer(broken)["statusCode"] == 400


def test_versions_are_minded(answer: Function) -> None:
    read = answer(event("GET", SHOP, arn=ARN))["headers"]["ETag"]
    assert said(answer(event("PATCH", SHOP, {"ignore": True}, arn=ARN, if_match=read)))["ignore"] is True
    assert answer(event("PATCH", SHOP, {"ignore": False}, arn=ARN, if_match=read))["statusCode"] == 412
    assert said(answer(event("PATCH", SHOP, {"ignore": False}, arn=ARN)))["ignore"] is False


def test_head_has_no_body(answer: Function) -> None:
    answered = answer(event("HEAD", SHOP, arn=ARN))
    assert (answered["statusCode"], "body" in answered, "ETag" in answered["headers"]) == (200, False, True)


def test_the_description_is_there(answer: Function) -> None:
    assert said(answer(event("GET", "/api/v1/openapi.json", arn=ARN)))["openapi"] == "3.1.0"
    assert answer(event("GET", "/api/v1/openapi.yaml", token=token("bob@example.com")))["body"].startswith("openapi: 3.1.0")


@pytest.mark.parametrize("asked", [{}, {"Records": []}, {"requestContext": None}, [], None, 7])
def test_what_is_no_request_is_a_teapot(answer: Function, asked: object) -> None:
    answered = answer(asked)
    assert (answered["statusCode"], json.loads(answered["body"])) == (418, {"message": "I am a teapot"})


@pytest.mark.parametrize(
    "context", [{"http": None}, {"http": {"method": 1, "path": "/"}}, {"http": {"method": "GET"}}, {"http": []}]
)
def test_half_a_request_is_refused(answer: Function, context: object) -> None:
    assert answer({"requestContext": context})["statusCode"] == 400


def test_the_frontend_of_tacomail_goes_on(answer: Function) -> None:
    identifier = ""
    for line in RECORDING.read_text().splitlines():
        recorded = json.loads(line)
        asked = recorded["asked"]
        answered = answer(event(asked["method"], asked["path"].replace("id-1", identifier), asked.get("body"), arn=ARN))
        assert answered["statusCode"] == recorded["status"], (line, answered)
        shown, wanted = json.loads(answered["body"]), recorded["said"]
        if asked["method"] == "POST" and answered["statusCode"] == 201:
            identifier = shown[0]["uuid"]
        if asked["path"] != "/domain":
            assert _timeless(shown) == _timeless(json.loads(json.dumps(wanted).replace("id-1", identifier))), line


def _timeless(shown: Any) -> Any:
    return [{**one, "created": 0, "modified": 0} for one in shown] if isinstance(shown, list) else shown


def test_it_logs_no_body_no_token_and_no_event(answer: Function) -> None:
    mine = token("ann@example.com")
    answer(
        event("POST", "/api/v1/aliases", {"local": "quiet", "domain": "example.com", "description": "between us"}, token=mine)
    )
    answer(event("GET", SHOP, token=mine + "x"))
    assert "between us" not in answer.log()
    assert mine not in answer.log()
    assert "requestContext" not in answer.log()


def test_without_a_table_it_says_so_in_the_log_and_can_be_asked_again() -> None:
    with function({"SESMAIL__PAGE__TOKEN_SECRET": SECRET, "SESMAIL__ALIASES__TABLE": "none"}, HANDLER) as answer:
        for _ in range(2):
            answered = answer(event("GET", SHOP, arn=ARN))
            assert answered["statusCode"] == 503
            assert "POSTFIX" not in answered["body"]
        assert "POSTFIX_DYNAMODB_TABLE" in answer.log()


def test_a_variable_that_is_wrong_is_told_in_the_log() -> None:
    with function({"SESMAIL__PAGE__ADMIN": "x", "SESMAIL__ALIASES__TABLE": "none"}, HANDLER) as answer:
        assert answer(event("GET", SHOP, arn=ARN))["statusCode"] == 503
        assert "SESMAIL__PAGE__ADMIN" in answer.log()


def test_without_a_secret_no_token_is_taken(tmp_path: Path) -> None:
    given = variables(tmp_path / "aliases.db")
    del given["SESMAIL__PAGE__TOKEN_SECRET"]
    with function(given, HANDLER) as answer:
        for secret in ("None", "x"):
            assert answer(event("GET", "/api/v1/aliases", token=token("ann@example.com", secret)))["statusCode"] == 401


def test_twisted_and_cryptography_are_not_loaded(answer: Function) -> None:
    answer(event("GET", SHOP, token=token("ann@example.com")))
    assert not {"twisted", "cryptography"} & set(answer.last["modules"])


def test_a_table_that_tacomail_has_made_is_served_as_it_is() -> None:
    spec = new_dynamodb()
    name, endpoint = spec.removeprefix("dynamodb:").split("@")
    rows = client(endpoint)
    rows.put_item(TableName=name, Item=legacy_alias("shop", "example.com"))
    domain = {"subdomain": {"S": "example.com"}, "description": {"S": ""}, "active": {"BOOL": True}}
    stamps = {"created_datetime": {"N": "1600000000"}, "modified_datetime": {"N": "1600000000"}}
    config = {"sub_domain": {"S": "tacomail-config"}, "alias_address": {"S": "sub_domains"}}
    rows.put_item(TableName=name, Item={**config, "configValues": {"L": [{"M": {**domain, **stamps}}]}})
    given = {"POSTFIX_DYNAMODB_TABLE": name, "SESMAIL__ALIASES__ENDPOINT": endpoint, **_KEYS}
    with function(given, HANDLER) as answer:
        assert [one["subdomain"] for one in said(answer(event("GET", "/domain", arn=ARN)))] == ["example.com"]
        assert said(answer(event("GET", f"/alias/{LEGACY}/ignore", arn=ARN)))[0]["ignore"] is True
        assert said(answer(event("GET", SHOP, arn=ARN)))["created"] == "2020-09-13T12:26:40Z"
        made = said(answer(event("POST", "/alias", {"alias": "New", "domain": "example.com", "destination": "S3"}, arn=ARN)))[0]
        assert said(answer(event("GET", f"/alias/{made['uuid']}", arn=ARN))) == [made]
        renamed = said(answer(event("PATCH", f"/alias/{made['uuid']}", {"alias": "newer"}, arn=ARN)))[0]
        assert (renamed["fullEmailAddress"], renamed["count"]) == ("newer@example.com", 1)
        assert answer(event("PATCH", "/api/v1/aliases/newer@example.com", {"local": "shop"}, arn=ARN))["statusCode"] == 409
        assert len(said(answer(event("GET", "/api/v1/aliases", arn=ARN)))["aliases"]) == 2

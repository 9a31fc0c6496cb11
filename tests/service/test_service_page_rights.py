"""Who may do what by the API in the gateway: people, administrators, and programs with tokens."""

from __future__ import annotations

import time

from sesmail.api.tokens import claims
from sesmail.auth.tokens import make
from tests.clients.browsing import Browser
from tests.service.house import ANN, TOM
from tests.service.pagehouse import ADMIN, JAMES, JIM, SECRET, logged_in, made


def test_what_is_anothers_is_not_there(tom: Browser, ann: Browser) -> None:
    path = made(tom, "toms-shop")
    etag = tom.ask("GET", path).headers["etag"]
    assert ann.ask("GET", path).status == 404
    assert ann.ask("PATCH", path, {"active": False}, If_Match=etag).status == 404
    assert ann.ask("PUT", path, {"active": False}, If_Match=etag).status in (404, 405)
    assert ann.ask("DELETE", path, If_Match=etag).status == 404
    assert b"toms-shop" not in ann.ask("GET", "/api/v1/aliases").body
    assert b"toms-shop" not in ann.ask("GET", "/api/v1/aliases?q=shop").body
    assert tom.ask("GET", path).said["active"] is True


def test_nobody_gives_away_or_takes_what_belongs_to_people(port: int, tom: Browser, ann: Browser) -> None:
    path = made(tom, "toms-own")
    etag = tom.ask("GET", path).headers["etag"]
    assert tom.ask("PATCH", path, {"owner": ANN}, If_Match=etag).status in (403, 422)
    stolen = {"local": "gift", "domain": "example.com", "owner": TOM}
    assert ann.ask("POST", "/api/v1/aliases", stolen).status in (403, 422)
    forwarded = {"local": "leak", "domain": "example.com", "destinations": ["victim@else.example"]}
    assert ann.ask("POST", "/api/v1/aliases", forwarded).status in (403, 422)
    admin = logged_in(port, ADMIN)
    assert admin.ask("PATCH", path, {"owner": ANN}, If_Match=etag).status == 200
    assert ann.ask("GET", path).status == 200
    assert tom.ask("GET", path).status == 404


def test_the_alias_of_another_account_cannot_be_made(tom: Browser) -> None:
    assert tom.ask("POST", "/api/v1/aliases", {"local": "ann", "domain": "example.com"}).status == 409


def test_programs_use_tokens_of_the_api_and_no_others(port: int) -> None:
    program = Browser(port)

    def status(token: str) -> int:
        return program.ask("GET", "/api/v1/aliases", Authorization=f"Bearer {token}").status

    good = make(claims(TOM, int(time.time()) + 60), SECRET)
    assert status(good) == 200
    assert status(make(claims(TOM, int(time.time()) - 60), SECRET)) == 401
    assert status(make(claims(TOM, int(time.time()) + 60), SECRET + "x")) == 401
    assert status(make({"email": TOM, "exp": int(time.time()) + 60}, SECRET)) == 401
    assert status(make({"provider": "demo", "email": TOM}, "another secret of thirty-two octets")) == 401
    assert status("") == status("x") == 401
    changed = program.ask(
        "POST", "/api/v1/aliases", {"local": "robot", "domain": "example.com"}, Authorization=f"Bearer {good}"
    )
    assert changed.status == 201
    assert program.ask("GET", "/mailbox", Authorization=f"Bearer {good}").status == 401


def test_a_bad_token_is_not_made_good_by_a_cookie(tom: Browser) -> None:
    assert tom.ask("GET", "/api/v1/aliases", Authorization="Bearer x").status == 401


def test_a_password_that_a_proxy_asks_for_does_not_get_in_the_way(tom: Browser) -> None:
    assert tom.ask("GET", "/api/v1/aliases", Authorization="Basic dG9tOng=").status == 200


def test_the_token_of_an_administrator_may_do_all(port: int, tom: Browser) -> None:
    path = made(tom, "seen-by-all")
    token = make(claims(ADMIN, int(time.time()) + 60), SECRET)
    assert Browser(port).ask("GET", path, Authorization=f"Bearer {token}").said["owner"] == TOM


def test_page_and_token_are_of_one_account_whatever_its_address(port: int) -> None:
    jim = logged_in(port, JIM)
    path = made(jim, "jims-shop")
    bearer = {"Authorization": f"Bearer {make(claims(JAMES, int(time.time()) + 60), SECRET)}"}
    assert Browser(port).ask("GET", path, **bearer).said["owner"] == JIM
    robot = Browser(port).ask("POST", "/api/v1/aliases", {"local": "jims-robot", "domain": "example.com"}, **bearer)
    assert (robot.status, robot.said["owner"], robot.said["destinations"]) == (201, JIM, [JAMES])
    assert jim.ask("GET", "/api/v1/aliases/jims-robot@example.com").status == 200


def test_an_owner_may_be_named_by_any_name_of_his(port: int) -> None:
    admin = logged_in(port, ADMIN)
    for number, name in enumerate((JAMES, "Jim", "jim")):
        gift = {"local": f"gift{number}", "domain": "example.com", "owner": name}
        answer = admin.ask("POST", "/api/v1/aliases", gift)
        assert (answer.status, answer.said["owner"]) == (201, JIM)
    assert len(admin.ask("GET", "/api/v1/aliases?q=gift&owner=jim").said["aliases"]) == 3
    path = "/api/v1/aliases/gift0@example.com"
    assert logged_in(port, JIM).ask("PATCH", path, {"owner": "James", "ignore": True}).said["ignore"] is True
    assert admin.ask("PATCH", path, {"owner": "tom"}).said["owner"] == TOM

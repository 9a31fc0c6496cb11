"""The words of sesmail deliver, as mailtos3 and Go read them."""

from __future__ import annotations

import pytest

from sesmail.cli.deliverwords import BadWords, Words, read

TOM = "tom@example.com"


@pytest.mark.parametrize("name", ["-a", "--a", "-address", "--address"])
@pytest.mark.parametrize("spaced", [True, False])
@pytest.mark.parametrize("address", [TOM, "-tom@example.com", "--a=b@example.com", "a=b@example.com"])
def test_an_address_may_be_given_in_every_form(name: str, spaced: bool, address: str) -> None:
    assert read([name, address] if spaced else [f"{name}={address}"]).addresses == (address,)


@pytest.mark.parametrize("name", ["-f", "--f", "-from", "--from"])
@pytest.mark.parametrize(("sender", "found"), [("", ""), ("x@y.example", "x@y.example"), ("MAILER-DAEMON", "")])
def test_a_sender_may_be_empty(name: str, sender: str, found: str) -> None:
    assert read([f"{name}={sender}", "-a", TOM]) == Words((TOM,), found)
    assert read([name, sender, "-a", TOM]) == Words((TOM,), found)


def test_several_recipients_are_each_named_once() -> None:
    assert read(["-a", TOM, "--address=ann@example.com", "-a", TOM]).addresses == (TOM, "ann@example.com")


@pytest.mark.parametrize("words", [[], ["-a="], ["-a", "CatchAll"], ["-address=catchall"]])
def test_without_an_address_it_is_for_the_catch_all(words: list[str]) -> None:
    assert read(words).addresses == ()


def test_the_rest_is_the_message() -> None:
    assert read(["-a", TOM, "body of it"]).message == "body of it"
    assert read(["-a", TOM, "--", "-f"]).message == "-f"
    assert read(["-a", TOM, "-"]).message == "-"
    assert read(["-a", TOM]).message is None


def test_ours_may_be_given_too() -> None:
    found = read(["--config=/c", "--queue-id", "4X", "--socket", "/s", "-a", TOM])
    assert (found.config, found.queue_id, found.socket) == ("/c", "4X", "/s")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-x", TOM], "there is no option -x"),
        (["-a"], "-a needs a value"),
        (["-a", TOM, "one", "two"], "more than one argument; a message is one, in quotes"),
        (["-a", TOM, "--queue-id"], "--queue-id needs a value"),
    ],
)
def test_words_that_cannot_be_meant_are_said(words: list[str], said: str) -> None:
    with pytest.raises(BadWords, match=said):
        read(words)

"""OAUTHBEARER and XOAUTH2 as conversations: what they take apart, and what they refuse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesmail.credentials import BearerToken
from sesmail.errors import Malformed
from sesmail.protocols.sasl import Conversation, failure, oauthbearer, xoauth2


def said(conversation: Conversation, response: bytes) -> object:
    """What comes out when this is the first response."""
    assert next(conversation) == b""
    with pytest.raises(StopIteration) as end:
        conversation.send(response)
    return end.value.value


def test_the_example_of_rfc_7628_is_understood() -> None:
    response = (
        b"n,a=user@example.com,\1host=server.example.com\1port=143\1auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1"
    )
    token = BearerToken(b"user@example.com", b"vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==")
    assert said(oauthbearer(), response) == token


def test_the_example_of_google_is_understood() -> None:
    assert said(xoauth2(), b"user=someuser@example.com\1auth=Bearer ya29.vF9dft4qmTc2\1\1") == BearerToken(
        b"someuser@example.com", b"ya29.vF9dft4qmTc2"
    )


@pytest.mark.parametrize(
    ("header", "name"), [(b"n,,", b""), (b"y,,", b""), (b"n,a=a=2Cb=3Dc,", b"a,b=c"), (b"n,a=\xc3\xa9,", b"\xc3\xa9")]
)
def test_the_name_is_unescaped_and_may_be_absent(header: bytes, name: bytes) -> None:
    assert said(oauthbearer(), header + b"\1auth=bearer  t \1\1") == BearerToken(name, b"t")


@pytest.mark.parametrize(
    "response",
    [
        *(
            b"",
            b"\1",
            b"n,,",
            b"n,,\1\1",
            b"n,,\1auth=Basic x\1\1",
            b"n,,\1auth=Bearer \1\1",
            b"n,,\1auth=Bearer x\1",
            b"n,,\1auth=Bearer x",
        ),
        *(b"p=x,,\1auth=Bearer x\1\1", b"n,b=x,\1auth=Bearer x\1\1", b"n\1auth=Bearer x\1\1", b"n,,x\1auth=Bearer x\1\1"),
    ],
)
def test_what_is_no_oauthbearer_response_is_refused(response: bytes) -> None:
    conversation = oauthbearer()
    next(conversation)
    with pytest.raises(Malformed):
        conversation.send(response)


@given(
    st.binary()
    | st.binary().map(lambda rest: b"user=" + rest)
    | st.binary().map(lambda rest: b"n,,\1auth=Bearer " + rest + b"\1\1")
)
def test_no_response_makes_another_error(response: bytes) -> None:
    for conversation in (oauthbearer(), xoauth2()):
        next(conversation)
        try:
            conversation.send(response)
        except (Malformed, StopIteration):
            continue
        raise AssertionError("asks for more")


def test_a_token_does_not_show_in_the_repr() -> None:
    assert "s3cret" not in repr(BearerToken(b"tom", b"s3cret"))


def test_only_bearer_tokens_have_a_failure_to_be_told() -> None:
    assert failure(BearerToken(b"", b"x")) is not None
    assert failure(object()) is None

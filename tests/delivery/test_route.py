"""Plans: everybody is in one, nothing is delivered twice, and what cannot be delivered is held."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesmail.delivery.plan import Bounce, Destination, Drop, Forward, Hold, Lmtp, Mailbox, Maildir, Pipe, Plan, Reason, Step
from sesmail.delivery.route import route
from sesmail.delivery.verdicts import Action, Judgement
from sesmail.interfaces import Keys, Place, StorePlace
from sesmail.mail.envelope import Envelope

_STORE = StorePlace("s3://bucket", keys=Keys("AKIANOBODY", "very secret"))
_BOX = Mailbox(Place(_STORE, "mail/bob/"))
_ALL: tuple[Destination, ...] = (
    _BOX,
    Mailbox(Place(_STORE, "mail/eve/")),
    Lmtp("bob"),
    Maildir("/var/mail/bob"),
    Pipe("/bin/count --password=hunter2"),
    Forward("bob@elsewhere.example"),
    Drop(Reason.DENIED),
    Bounce(Reason.INACTIVE),
    Hold(Reason.UNKNOWN),
)
_GOOD = Judgement(authenticated=True)
_A, _B, _C = "a@example.com", "b@example.com", "c@example.com"


def envelope(*recipients: str, sender: str = "x@example.org") -> Envelope:
    return Envelope(sender, recipients or (_A,))


def only(destination: Destination, judgement: Judgement, *, sender: str = "x@example.org") -> Destination:
    (step,) = route(envelope(sender=sender), {_A: [destination]}, judgement).steps
    return step.destination


def test_everybody_gets_what_his_address_leads_to() -> None:
    plan = route(envelope(_A, _B), {_A: [_BOX, Lmtp("bob")], _B: [Lmtp("eve")]})
    assert plan == Plan((Step(_BOX, (_A,)), Step(Lmtp("bob"), (_A,)), Step(Lmtp("eve"), (_B,))))
    assert plan.held == ()


def test_a_mailbox_that_several_lead_to_gets_one_copy() -> None:
    plan = route(envelope(_A, _B, _C, _A), {_A: [_BOX], _B: [_BOX, Lmtp("bob")], _C: [_BOX]})
    assert plan.steps == (Step(_BOX, (_A, _B, _C)), Step(Lmtp("bob"), (_B,)))


def test_one_mailbox_in_two_descriptions_is_one() -> None:
    other = Mailbox(replace(_BOX.place, nested=True, store=StorePlace("s3://bucket", region="us-east-1")))
    assert route(envelope(_A, _B), {_A: [_BOX], _B: [other]}).steps == (Step(_BOX, (_A, _B)),)


def test_a_command_runs_once_for_each_recipient() -> None:
    plan = route(envelope(_A, _B), {_A: [Pipe("/bin/x")], _B: [Pipe("/bin/x")]})
    assert plan.steps == (Step(Pipe("/bin/x"), (_A,)), Step(Pipe("/bin/x"), (_B,)))
    assert len({step.name for step in plan.steps}) == 2


@pytest.mark.parametrize("resolved", [{}, {_A: []}])
def test_who_was_not_resolved_is_held(resolved: dict[str, list[Destination]]) -> None:
    plan = route(envelope(_A), resolved)
    assert plan.steps == plan.held == (Step(Hold(Reason.UNKNOWN), (_A,)),)


def test_what_is_held_comes_after_all_that_is_delivered() -> None:
    plan = route(envelope(_A, _B, _C), {_A: [Hold(Reason.UNKNOWN), _BOX], _B: [Lmtp("bob")]})
    assert plan.steps == (Step(_BOX, (_A,)), Step(Lmtp("bob"), (_B,)), Step(Hold(Reason.UNKNOWN), (_A, _C)))
    assert len(plan.held) == 1


def test_only_who_proved_who_he_is_is_sent_a_bounce() -> None:
    bounce = Bounce(Reason.INACTIVE)
    assert only(bounce, _GOOD) == bounce
    assert only(bounce, Judgement()) == Hold(Reason.NOT_AUTHENTICATED)
    assert only(bounce, _GOOD, sender="") == Hold(Reason.NOT_AUTHENTICATED)


@pytest.mark.parametrize(
    ("destination", "becomes"),
    [
        (_BOX, replace(_BOX, folder="Junk")),
        (Lmtp("bob"), Lmtp("bob")),
        (Maildir("/m"), Maildir("/m")),
        (Pipe("/bin/x"), Pipe("/bin/x")),
        (Forward("a@b.example"), Hold(Reason.SPAM)),
        (Bounce(), Hold(Reason.SPAM)),
        (Drop(), Drop()),
        (Hold(), Hold()),
    ],
)
def test_junk_goes_into_its_folder_and_never_out_again(destination: Destination, becomes: Destination) -> None:
    assert only(destination, Judgement(Action.JUNK, Reason.SPAM, authenticated=True)) == becomes


def test_the_folder_for_junk_can_be_another() -> None:
    (step,) = route(envelope(), {_A: [_BOX]}, Judgement(Action.JUNK, Reason.SPAM), junk="Spam").steps
    assert step.destination == replace(_BOX, folder="Spam")


@pytest.mark.parametrize(("action", "kind"), [(Action.HOLD, Hold), (Action.DROP, Drop)])
def test_a_rule_about_the_message_is_about_everybody(action: Action, kind: type[Hold] | type[Drop]) -> None:
    plan = route(envelope(_A, _B), {_A: [_BOX], _B: [Pipe("/bin/x")]}, Judgement(action, Reason.VIRUS))
    assert plan.steps == (Step(kind(Reason.VIRUS), (_A, _B)),)


def test_names_tell_destinations_apart_and_keep_secrets() -> None:
    names = [destination.name for destination in (*_ALL, replace(_BOX, folder="Junk"))]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 40 and name.isascii() and "/" not in name for name in names)
    assert "hunter2" not in "".join(names)
    assert "very secret" not in repr(_BOX)


def test_a_name_never_changes() -> None:
    assert Lmtp("bob").name == "lmtp-9d4f44cb5ab865ad9b3164c601ace817"
    assert _BOX.name == "mailbox-6a0abe156d0185cf0385585afec8aa53"


_people = st.lists(st.sampled_from([_A, _B, _C, "d@example.com"]), min_size=1, max_size=6)
_resolved = st.dictionaries(st.sampled_from([_A, _B, _C]), st.lists(st.sampled_from(_ALL), max_size=5))
_judged = st.builds(Judgement, st.sampled_from(Action), st.sampled_from(Reason), st.booleans())


@given(_people, _resolved, _judged, st.sampled_from(["", "x@example.org"]))
def test_nobody_is_forgotten_and_no_step_is_there_twice(
    people: list[str], resolved: dict[str, list[Destination]], judged: Judgement, sender: str
) -> None:
    plan = route(Envelope(sender, tuple(people)), resolved, judged)
    assert {person for step in plan.steps for person in step.recipients} == set(people)
    assert len({step.name for step in plan.steps}) == len(plan.steps)
    assert all(len(set(step.recipients)) == len(step.recipients) for step in plan.steps)
    assert plan == route(Envelope(sender, tuple(people)), resolved, judged)
    if not (sender and judged.authenticated):
        assert not any(isinstance(step.destination, Bounce) for step in plan.steps)

"""Nothing is taken for a message of SNS that SNS did not sign for one of our topics, and all that it did sign is taken."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from sesmail.aws import sns
from sesmail.aws.document import LONGEST_DOCUMENT
from sesmail.aws.sns import Message, Signatures, Type, confirmation_url, read
from sesmail.aws.snscertificates import Certificates
from sesmail.errors import MailError, Malformed, Refused, TooLarge, Unavailable
from tests.aws.snssigner import HOST, NOW, TOKEN, TOPIC, Signer, body, rsa_key

_NOTICE = '{"notificationType":"Received"}'


def signatures(signer: Signer, **options: Any) -> Signatures:
    return Signatures([signer.topic], Certificates(signer.fetch), **options)


def checked(signer: Signer, message: Mapping[str, object], now: float = NOW, **options: Any) -> Message:
    found = read(body(message), str(message["Type"]))
    signatures(signer, **options).check(found, now)
    return found


def refusal(signer: Signer, message: Mapping[str, object], now: float = NOW, **options: Any) -> str:
    with pytest.raises(Refused) as raised:
        checked(signer, message, now, **options)
    return raised.value.public


@pytest.mark.parametrize("version", ["1", "2"])
def test_what_sns_signed_is_taken_in_both_versions_and_all_types(version: str) -> None:
    signer = Signer()
    notification = checked(signer, signer.notification(_NOTICE, version=version))
    assert (notification.type, notification.text, notification.topic, notification.at) == (
        Type.NOTIFICATION,
        _NOTICE,
        TOPIC,
        NOW,
    )
    assert notification.id
    confirmation = checked(signer, signer.confirmation(version=version))
    assert (confirmation.type, confirmation.token) == (Type.SUBSCRIPTION, TOKEN)
    unsubscription = checked(signer, signer.confirmation("UnsubscribeConfirmation", version=version))
    assert unsubscription.type is Type.UNSUBSCRIPTION


@pytest.mark.parametrize("subject", [None, "", "Amazon SES Email Receipt Notification", "Grüße"])
def test_a_subject_is_signed_where_there_is_one(subject: str | None) -> None:
    signer = Signer()
    message = signer.notification("Zeile 1\nZeile 2 \u2028 \U0001f4e7\n", subject=subject)
    assert checked(signer, message).text == "Zeile 1\nZeile 2 \u2028 \U0001f4e7\n"
    if subject is None:
        checked(signer, message | {"Subject": None})
        assert refusal(signer, message | {"Subject": "put in"}) == "the signature is wrong"
    elif subject:
        assert refusal(signer, message | {"Subject": None}) == "the signature is wrong"


def test_json_may_escape_what_it_likes() -> None:
    signer = Signer()
    message = json.dumps(signer.notification("Grüße/\U0001f4e7")).replace("/", "\\/").encode("ascii")
    signatures(signer).check(read(message), NOW)


@pytest.mark.parametrize("name", ["Message", "MessageId", "Timestamp", "SubscribeURL", "Token"])
def test_any_change_of_what_is_signed_is_found(name: str) -> None:
    signer = Signer()
    message = signer.confirmation()
    other = {"Timestamp": "2026-11-21T12:00:01.000Z"}.get(name, f"{message[name]}x")
    assert refusal(signer, message | {name: other}) == "the signature is wrong"


def test_one_type_cannot_be_made_another() -> None:
    signer = Signer()
    assert refusal(signer, signer.confirmation() | {"Type": "UnsubscribeConfirmation"}) == "the signature is wrong"
    assert refusal(signer, signer.confirmation() | {"Type": "Notification"}) == "the signature is wrong"


def test_a_signature_fits_one_cut_of_the_fields_only() -> None:
    signer = Signer()
    inner = "begin\nMessageId\nother\nSubject\nend"
    signed = signer.notification(inner)
    moved = signed | {"Message": "begin", "MessageId": "other", "Subject": f"end\nMessageId\n{signed['MessageId']}"}
    with pytest.raises(Malformed, match="Subject must be one line"):
        read(body(moved))
    for name in ("MessageId", "Token", "SubscribeURL", "SigningCertURL"):
        with pytest.raises(Malformed, match=name):
            read(body(signer.confirmation() | {name: "a\nb"}))


def test_a_version_is_not_mistaken_for_the_other() -> None:
    signer = Signer()
    assert refusal(signer, signer.notification("x", version="1") | {"SignatureVersion": "2"}) == "the signature is wrong"
    assert refusal(signer, signer.notification("x", version="2") | {"SignatureVersion": "1"}) == "the signature is wrong"


def test_versions_can_be_kept_out_and_unknown_ones_always_are() -> None:
    signer = Signer()
    message = signer.notification("x", version="1")
    assert "version" in refusal(signer, message, versions={"2"})
    assert "version" in refusal(signer, message | {"SignatureVersion": "3"}, versions={"1", "2", "3"})
    assert signer.fetched == []


def test_another_key_signs_in_vain() -> None:
    signer, thief = Signer(), Signer(key=rsa_key(1))
    stolen = thief.notification("x") | {"SigningCertURL": signer.certificate_url}
    assert refusal(signer, stolen) == "the signature is wrong"


def test_only_listed_topics_may_speak_and_no_certificate_is_fetched_for_others() -> None:
    signer = Signer()
    other = Signer(TOPIC + "-2")
    found = read(body(other.notification("x")))
    for topics in ([], [TOPIC], [TOPIC.upper()], [TOPIC + "-"]):
        with pytest.raises(Refused, match="topic may not"):
            Signatures(topics, Certificates(signer.fetch)).check(found, NOW)
    assert signer.fetched == []


@pytest.mark.parametrize("age", [-300, 0, 3600, 3900])
def test_sns_may_try_for_an_hour_and_clocks_may_differ(age: float) -> None:
    signer = Signer()
    checked(signer, signer.notification("x", at=NOW - age))


@pytest.mark.parametrize("age", [-301, 3901, 86_400 * 365])
def test_an_old_message_is_not_taken_again(age: float) -> None:
    signer = Signer()
    assert refusal(signer, signer.notification("x", at=NOW - age)) == "the message is too old, or from the future"
    assert signer.fetched == []


def test_the_window_can_be_set() -> None:
    signer = Signer()
    checked(signer, signer.notification("x", at=NOW - 60), window=60)
    assert "too old" in refusal(signer, signer.notification("x", at=NOW - 61), window=60)


_FILE = "/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem"


@pytest.mark.parametrize(
    "url",
    [
        f"http://sns.eu-west-1.amazonaws.com{_FILE}",
        f"HTTPS://sns.eu-west-1.amazonaws.com{_FILE}",
        f"https://sns.us-east-1.amazonaws.com{_FILE}",
        f"https://sns.eu-west-1.amazonaws.com.cn{_FILE}",
        f"https://sns.eu-west-1.amazonaws.com.evil.example{_FILE}",
        f"https://sns.eu-west-1.amazonaws.com@evil.example{_FILE}",
        f"https://evil.example\\@sns.eu-west-1.amazonaws.com{_FILE}",
        f"https://me:pw@sns.eu-west-1.amazonaws.com{_FILE}",
        f"https://sns.eu-west-1.amazonaws.com:443{_FILE}",
        f"https://sns.eu-west-1.amazonaws.com:8443{_FILE}",
        f"https://s3.amazonaws.com{_FILE}",
        f"https://sns.amazonaws.com{_FILE}",
        f"https://evilsns.eu-west-1.amazonaws.com{_FILE}",
        f"https://sns-eu-west-1.amazonaws.com{_FILE}",
        f"https://sns.eu-west-1.amazonaws.com.{_FILE}",
        f"https://snsXeu-west-1.amazonaws.com{_FILE}",
        f"https://sns.eu-west-1.amazonaws.com{_FILE}?x=1",
        f"https://sns.eu-west-1.amazonaws.com{_FILE}#x",
        f"https://sns.eu-west-1.amazonaws.com//evil.example{_FILE}",
        f"https://sns.eu-west-1.amazonaws.com/x/..{_FILE}",
        "https://sns.eu-west-1.amazonaws.com/?Action=Publish&x=.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-a/b.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-%2e.pem",
        "https://sns.eu-west-1.amazonaws.com/other.pem",
        "file:///etc/ssl/cert.pem",
        "https://[::1]/SimpleNotificationService-a.pem",
    ],
)
def test_certificates_come_from_the_sns_of_the_topics_region_alone(url: str) -> None:
    signer = Signer()
    signer.certificate_url = url
    assert "certificate of the signature is not at" in refusal(signer, signer.notification("x"))
    assert signer.fetched == []


@pytest.mark.parametrize(
    ("topic", "host", "name", "alternative"),
    [
        ("arn:aws-cn:sns:cn-north-1:123456789012:m", "https://sns.cn-north-1.amazonaws.com.cn", "sns-cn-north-1.amazonaws.com.cn", ""),
        ("arn:aws-us-gov:sns:us-gov-west-1:123456789012:m", "https://sns.us-gov-west-1.amazonaws.com", "sns-us-gov-west-1.amazonaws.com", ""),
        ("arn:aws:sns:af-south-1:123456789012:m", "https://sns.af-south-1.amazonaws.com", "sns-signing.af-south-1.amazonaws.com", ""),
        ("arn:aws:sns:af-south-1:123456789012:m", "https://sns.af-south-1.amazonaws.com", "Amazon", "sns.amazonaws.com"),
    ],
)  # fmt: skip
def test_other_regions_and_partitions_have_their_own_hosts_and_names(
    topic: str, host: str, name: str, alternative: str
) -> None:
    signer = Signer(topic, host=host, name=name, alternative=alternative or None)
    checked(signer, signer.notification("x"))
    assert confirmation_url(checked(signer, signer.confirmation())).startswith(host)


@pytest.mark.parametrize(
    ("signer", "reason"),
    [
        (Signer(name="s3.amazonaws.com"), "not that of SNS"),
        (Signer(name="sns.amazonaws.com.evil.example"), "not that of SNS"),
        (Signer(name="evil-sns.amazonaws.com"), "not that of SNS"),
        (Signer(name="snsevil.amazonaws.com"), "not that of SNS"),
        (Signer(ends=-0.01), "not valid now"),
        (Signer(begins=0.01), "not valid now"),
        (Signer(key=rsa_key(2, 1024)), "no RSA key of 2048 bits"),
        (Signer(key=ec.generate_private_key(ec.SECP256R1())), "no RSA key of 2048 bits"),
    ],
)
def test_a_certificate_that_sns_would_not_have_is_refused(signer: Signer, reason: str) -> None:
    assert reason in refusal(signer, signer.notification("x"))


@pytest.mark.parametrize(
    "pem",
    [b"", b"<html>Please log in</html>", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"x" * 70_000],
)
def test_what_is_no_certificate_may_be_one_later(pem: bytes) -> None:
    signer = Signer()
    message = read(body(signer.notification("x")))
    checker = signatures(signer)
    good, signer.pem = signer.pem, pem
    with pytest.raises(Unavailable):
        checker.check(message, NOW)
    signer.pem = good
    checker.check(message, NOW)


def test_a_certificate_that_cannot_be_fetched_is_no_refusal() -> None:
    signer, other = Signer(), Signer()
    with pytest.raises(Unavailable):
        Signatures([TOPIC], Certificates(other.fetch)).check(read(body(signer.notification("x"))), NOW)


def test_a_certificate_is_fetched_once_until_it_ends() -> None:
    signer = Signer(ends=1)
    checker = signatures(signer)
    for number in range(5):
        checker.check(read(body(signer.notification(str(number)))), NOW)
    assert len(signer.fetched) == 1
    later = NOW + 2 * 86_400
    with pytest.raises(Refused, match="not valid now"):
        checker.check(read(body(signer.notification("x", at=later))), later)
    signer.pem = Signer(ends=30).pem
    checker.check(read(body(signer.notification("x", at=later))), later)
    assert len(signer.fetched) == 3


def test_the_last_used_certificates_are_kept_and_no_more() -> None:
    signers = {signer.certificate_url: signer for signer in (Signer() for _ in range(4))}
    certificates = Certificates(lambda url: signers[url].fetch(url), limit=2)
    first, second, third, _ = signers
    for url in (first, second, first, third, first, second):
        certificates.key(url, NOW)
    assert [len(signer.fetched) for signer in signers.values()] == [1, 2, 1, 0]


def test_a_refused_certificate_takes_no_place() -> None:
    good, bad = Signer(), Signer(name="evil.example")
    certificates = Certificates(lambda url: (good if url == good.certificate_url else bad).fetch(url), limit=1)
    certificates.key(good.certificate_url, NOW)
    with pytest.raises(Refused):
        certificates.key(bad.certificate_url, NOW)
    certificates.key(good.certificate_url, NOW)
    assert len(good.fetched) == 1


def test_the_url_of_a_confirmation_is_given_as_sns_sent_it() -> None:
    message = read(body(Signer().confirmation()))
    assert (
        confirmation_url(message)
        == message.subscribe_url
        == f"{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={TOKEN}"
    )
    escaped = f"{HOST}/?Token={TOKEN}&TopicArn={TOPIC.replace(':', '%3A')}&Action=ConfirmSubscription"
    assert confirmation_url(read(body(Signer().confirmation(subscribe_url=escaped)))) == escaped


_CONFIRM = f"?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={TOKEN}"


@pytest.mark.parametrize(
    "url",
    [
        f"http://sns.eu-west-1.amazonaws.com/{_CONFIRM}",
        f"https://sns.us-east-1.amazonaws.com/{_CONFIRM}",
        f"https://evil.example/{_CONFIRM}",
        f"https://sns.eu-west-1.amazonaws.com.evil.example/{_CONFIRM}",
        f"https://sns.eu-west-1.amazonaws.com:444/{_CONFIRM}",
        f"https://sns.eu-west-1.amazonaws.com@evil.example/{_CONFIRM}",
        f"https://evil@sns.eu-west-1.amazonaws.com/{_CONFIRM}",
        f"https://sns.eu-west-1.amazonaws.com/x{_CONFIRM}",
        f"https://sns.eu-west-1.amazonaws.com{_CONFIRM}",
        f"{HOST}/{_CONFIRM}#x",
        f"{HOST}/{_CONFIRM}&Action=DeleteTopic",
        f"{HOST}/{_CONFIRM}&x=y",
        f"{HOST}/{_CONFIRM}x",
        f"{HOST}/{_CONFIRM.replace('ConfirmSubscription', 'Unsubscribe')}",
        f"{HOST}/{_CONFIRM.replace('new-mail', 'other')}",
        f"{HOST}/{_CONFIRM}" + "&a=b" * 20,
        f"{HOST}/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
    ],
)
def test_a_subscribe_url_that_leads_elsewhere_is_never_given(url: str) -> None:
    message = read(body(Signer().confirmation(subscribe_url=url)))
    with pytest.raises(Refused, match="SubscribeURL"):
        confirmation_url(message)


def test_only_a_subscription_has_a_url_to_be_fetched() -> None:
    signer = Signer()
    for message in (signer.confirmation("UnsubscribeConfirmation"), signer.notification("x")):
        with pytest.raises(Refused):
            confirmation_url(read(body(message)))


def test_the_header_must_say_the_same_type() -> None:
    message = body(Signer().notification("x"))
    assert read(message).type is read(message, "Notification").type is Type.NOTIFICATION
    for header in ("SubscriptionConfirmation", "", "notification"):
        with pytest.raises(Malformed, match="x-amz-sns-message-type"):
            read(message, header)


def _without(name: str) -> Callable[[dict[str, object]], object]:
    return lambda message: {key: value for key, value in message.items() if key != name}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda message: [message], "the document must be an object, and is a list of 1"),
        (lambda message: message | {"Type": "Request"}, "its Type is not known"),
        (lambda message: message | {"Type": 1}, "Type must be a string, and is a number"),
        (lambda message: message | {"TopicArn": "arn:aws:sns:eu-west-1:1:x"}, "TopicArn must be the ARN of a topic"),
        (lambda message: message | {"TopicArn": "arn:aws:sns:evil.example/:123456789012:x"}, "TopicArn must be the ARN"),
        (lambda message: message | {"TopicArn": TOPIC + "\n"}, "TopicArn must be the ARN"),
        (lambda message: message | {"Signature": "%%%"}, "Signature must be Base64"),
        (lambda message: message | {"Signature": "ä"}, "Signature must be Base64"),
        (lambda message: message | {"Signature": "A" * 4096}, "Signature has 4096 characters"),
        (lambda message: message | {"Timestamp": "yesterday"}, "Timestamp must be a time"),
        (lambda message: message | {"Timestamp": "2026-11-21T12:00:00"}, "Timestamp must be a time"),
        (lambda message: message | {"Timestamp": "2026-13-41T12:00:00Z"}, "Timestamp must be a time"),
        (lambda message: message | {"MessageId": ""}, "MessageId must be one word"),
        (lambda message: message | {"Message": {"a": 1}}, "Message must be a string, and is an object with a"),
        (lambda message: message | {"Message": "\ud800"}, "Message has half a character"),
        (lambda message: message | {"SigningCertURL": None}, "SigningCertURL must be a string, and is null"),
        (_without("Signature"), "Signature is missing"),
        (_without("SigningCertURL"), "SigningCertURL is missing"),
        (_without("TopicArn"), "TopicArn is missing"),
    ],
)
def test_a_message_in_another_form_is_malformed_and_told_why(change: Callable[[dict[str, object]], object], said: str) -> None:
    with pytest.raises(Malformed) as raised:
        read(json.dumps(change(Signer().notification("x"))).encode())
    assert said in raised.value.public


@pytest.mark.parametrize("octets", [b"", b"\xff", b"{", b"[" * 100_000, b'{"Type":' * 50_000, b"1" * 10_000, b"NaN"])
def test_what_is_no_json_is_malformed(octets: bytes) -> None:
    with pytest.raises(Malformed):
        read(octets)


def test_a_body_has_a_bound() -> None:
    with pytest.raises(TooLarge):
        read(b" " * (LONGEST_DOCUMENT + 1))


_JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(), st.lists(st.text(), max_size=3), st.just("a\nb"), st.just("x" * 3000)
)


@given(st.data())
def test_no_message_that_was_changed_passes_or_ends_in_another_error(data: st.DataObject) -> None:
    signer = Signer()
    original = data.draw(st.sampled_from([signer.notification("x", subject="y"), signer.confirmation()]))
    names = [name for name in original if name not in ("UnsubscribeURL",)]
    name = data.draw(st.sampled_from(names))
    value = data.draw(_JUNK)
    if name == "Subject" and value is None:
        value = "z"
    with pytest.raises(MailError) as raised:
        checked(signer, original | {name: value})
    assert isinstance(raised.value, (Malformed, Refused))
    assert raised.value.public.isprintable()


@given(st.binary(min_size=1, max_size=300))
def test_no_other_signature_passes(signature: bytes) -> None:
    signer = Signer()
    message = signer.notification("x") | {"Signature": base64.b64encode(signature).decode()}
    assert refusal(signer, message) == "the signature is wrong"


def test_nothing_secret_is_shown() -> None:
    assert TOKEN not in repr(read(body(Signer().confirmation())))


def test_a_topic_is_known_by_its_form() -> None:
    assert sns.is_topic(TOPIC)
    assert not sns.is_topic("new-mail")

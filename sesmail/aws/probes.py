"""Whether AWS allows an action, found out by requests that change nothing.

Each is one that AWS refuses for a reason of its own once it has found that it is allowed: an object that is not there, a condition that
never holds, a value that cannot be. AWS does not promise in which order it looks; what it denies is denied for certain, what it refuses
for that other reason is allowed as far as can be known. (iam:SimulatePrincipalPolicy needs a right that no gateway has, and knows
nothing of policies of buckets, keys and organizations.)
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from sesmail.aws.document import printable

_LONGEST = 300
_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException", "403", "Forbidden"}
)
_ABSENT = frozenset({"NoSuchKey", "404", "412", "PreconditionFailed"})
# A digest that no content has, and the tag of no object: where a server looks at one of them alone nothing is written either.
_NO_DIGEST = "AAAAAAAAAAAAAAAAAAAAAA=="
_NO_TAG = '"sesmail-doctor"'
# Whose receipt, token or address it is.
_NOBODY = "sesmail-doctor"
_NEVER = "attribute_exists(sub_domain) AND attribute_not_exists(sub_domain)"


class Right(enum.Enum):
    """What is known of a right."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNSURE = "unsure"


@dataclass(frozen=True)
class Known:
    """`said` is what AWS says, in one line of ASCII, where it does not just allow it."""

    right: Right
    said: str = ""


@dataclass(frozen=True)
class Probe:
    """A request of a boto3 client. `beyond`: codes of errors that come when the right is there; `unsure`: when nothing is known of it."""

    request: Callable[[Any], object]
    beyond: frozenset[str] = frozenset()
    unsure: frozenset[str] = frozenset()

    def ask(self, client: Any) -> Known:
        """Blocks for one request. Raises what boto3 raises when there is no answer, or one that is about neither."""
        try:
            self.request(client)
        except ClientError as error:
            code = code_of(error)
            if is_denied(error):
                return Known(Right.DENIED, words_of(error))
            if code in self.beyond:
                return Known(Right.ALLOWED)
            if code in self.unsure:
                return Known(Right.UNSURE, words_of(error))
            raise
        return Known(Right.ALLOWED)


def code_of(error: ClientError) -> str:
    """The name that AWS gives an error, else the status of the answer."""
    found = error.response.get("Error", {}).get("Code") or error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", "")
    return str(found).rpartition("#")[2]


def is_denied(error: ClientError) -> bool:
    """Whether it is about rights."""
    return code_of(error) in _DENIED


def words_of(error: ClientError) -> str:
    """Code and text in one line of ASCII."""
    text = str(error.response.get("Error", {}).get("Message") or "")
    return printable(f"{code_of(error)}: {' '.join(text.split())}" if text else code_of(error), _LONGEST)


def list_bucket(where: Mapping[str, str], prefix: str) -> Probe:
    """s3:ListBucket; `where` names the bucket, and its owner if that matters."""
    return Probe(lambda s3: s3.list_objects_v2(Prefix=prefix, MaxKeys=1, **where))


def get_object(where: Mapping[str, str], prefix: str, absent: str) -> Probe:
    """s3:GetObject: one octet of an object with this prefix, where there is one, else of one that is `absent`. To whoever may not list
    either S3 says of that one, too, that it is denied."""

    def request(s3: Any) -> None:
        with closing(s3.get_object(Key=_some_key(s3, where, prefix) or absent, Range="bytes=0-0", **where)["Body"]):
            pass

    return Probe(request, _ABSENT | {"InvalidRange", "416"})


def _some_key(s3: Any, where: Mapping[str, str], prefix: str) -> str | None:
    try:
        found = s3.list_objects_v2(Prefix=prefix, MaxKeys=1, **where).get("Contents") or ()
    except ClientError:
        return None
    return next((str(one["Key"]) for one in found), None)


def put_object(where: Mapping[str, str], absent: str) -> Probe:
    """s3:PutObject, of nothing that could be stored."""
    return Probe(
        lambda s3: _matching(s3, "PutObject").put_object(Key=absent, Body=b"-", ContentMD5=_NO_DIGEST, **where),
        _ABSENT | {"BadDigest", "InvalidDigest"},
    )


def delete_object(where: Mapping[str, str], absent: str) -> Probe:
    """s3:DeleteObject, of an object that is not there and has to be as it was. (Where a bucket keeps versions a mere deletion would leave a
    mark.) S3 asks for the right to read it as well."""
    return Probe(lambda s3: _matching(s3, "DeleteObject").delete_object(Key=absent, **where), _ABSENT)


def _matching(s3: Any, operation: str) -> Any:
    """The client, which says with that operation what the object must be. boto3 has a parameter for it since 1.35 and 1.40."""

    def condition(params: dict[str, Any], **_: object) -> None:
        params["headers"]["If-Match"] = _NO_TAG

    s3.meta.events.register(f"before-call.s3.{operation}", condition, unique_id=f"sesmail-doctor-{operation}")
    return s3


def receive_message(url: str) -> Probe:
    """sqs:ReceiveMessage, of more messages than anybody can be given: received ones would count as tried."""
    return Probe(
        lambda sqs: sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=11, WaitTimeSeconds=0),
        frozenset({"InvalidParameterValue", "ReadCountOutOfRange", "InvalidParameterValueException"}),
    )


def delete_message(url: str) -> Probe:
    """sqs:DeleteMessage, of none."""
    return Probe(lambda sqs: sqs.delete_message(QueueUrl=url, ReceiptHandle=_NOBODY), _NO_RECEIPT)


def change_message_visibility(url: str) -> Probe:
    """sqs:ChangeMessageVisibility, of none."""
    return Probe(
        lambda sqs: sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=_NOBODY, VisibilityTimeout=0),
        _NO_RECEIPT,
    )


_NO_RECEIPT = frozenset({"ReceiptHandleIsInvalid", "InvalidParameterValue", "InvalidIdFormat"})


def confirm_subscription(topic: str) -> Probe:
    """sns:ConfirmSubscription, with a token of nobody's."""
    return Probe(
        lambda sns: sns.confirm_subscription(TopicArn=topic, Token=_NOBODY),
        frozenset({"InvalidParameter", "InvalidParameterException", "NotFound", "NotFoundException"}),
    )


def send_email(domain: str, *, configuration_set: str | None = None, identity: str | None = None) -> Probe:
    """ses:SendEmail and ses:SendRawEmail, to nobody. What SES says of the sender is not about rights."""
    more = {"ConfigurationSetName": configuration_set} if configuration_set else {}
    more |= {"FromEmailAddressIdentityArn": identity} if identity else {}
    message = f"From: postmaster@{domain}\r\nSubject: sesmail doctor\r\n\r\n".encode("ascii", "replace")
    return Probe(
        lambda ses: ses.send_email(Content={"Raw": {"Data": message}}, Destination={}, **more),
        frozenset(
            {"BadRequestException", "InvalidParameterValue", "MessageRejected", "NotFoundException", "SendingPausedException"}
            | {"MailFromDomainNotVerifiedException", "AccountSuspendedException", "LimitExceededException"}
        ),
    )


def get_account() -> Probe:
    """ses:GetAccount."""
    return Probe(lambda ses: ses.get_account())


def put_suppressed_destination() -> Probe:
    """ses:PutSuppressedDestination, for what is no address."""
    return Probe(
        lambda ses: ses.put_suppressed_destination(EmailAddress=_NOBODY, Reason="BOUNCE"),
        frozenset({"BadRequestException"}),
    )


def send_bounce(sender: str) -> Probe:
    """ses:SendBounce (version 1 of the API), for a message that SES has never received."""
    about = [{"Recipient": sender, "BounceType": "DoesNotExist"}]
    return Probe(
        lambda ses: ses.send_bounce(OriginalMessageId=_NOBODY, BounceSender=sender, BouncedRecipientInfoList=about),
        frozenset({"MessageRejected", "ValidationError", "InvalidParameterValue", "MessageDoesNotExist"}),
    )


def generate_data_key(key: str) -> Probe:
    """kms:GenerateDataKey. Older versions of boto3 do not know DryRun: then a data key is made, and forgotten."""

    def request(kms: Any) -> None:
        dry = "DryRun" in kms.meta.service_model.operation_model("GenerateDataKey").input_shape.members
        kms.generate_data_key(KeyId=key, KeySpec="AES_256", **({"DryRun": True} if dry else {}))

    return Probe(request, frozenset({"DryRunOperationException"}))


def decrypt(key: str) -> Probe:
    """kms:Decrypt, of what KMS has never encrypted: it may say so before it looks at rights."""
    return Probe(
        lambda kms: kms.decrypt(KeyId=key, CiphertextBlob=b"sesmail doctor"),
        unsure=frozenset({"InvalidCiphertextException", "IncorrectKeyException"}),
    )


def table(action: str, name: str, index: str | None = None) -> Probe:
    """An action on a table of aliases, such as ``dynamodb:GetItem``, or on an index of it. What is written has a condition that never holds.

    Raises KeyError for an action that is none of the aliases'.
    """
    key = {"sub_domain": {"S": _NOBODY}, "alias_address": {"S": _NOBODY}}
    never = {"ConditionExpression": _NEVER}
    on = {"IndexName": index} if index else {}
    first = {"identifier-index": "identifier", "application-identifier-index": "application"}.get(index or "", "sub_domain")
    query = {
        "KeyConditionExpression": f"{first} = :x",
        "ExpressionAttributeValues": {":x": {"S": _NOBODY}},
        "Limit": 1,
    }
    requests: dict[str, Callable[[Any], object]] = {
        "dynamodb:GetItem": lambda db: db.get_item(TableName=name, Key=key),
        "dynamodb:Query": lambda db: db.query(TableName=name, **query, **on),
        "dynamodb:Scan": lambda db: db.scan(TableName=name, Limit=1, **on),
        "dynamodb:PutItem": lambda db: db.put_item(TableName=name, Item=key, **never),
        "dynamodb:UpdateItem": lambda db: db.update_item(
            TableName=name,
            Key=key,
            UpdateExpression="ADD use_count :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
            **never,
        ),
        "dynamodb:DeleteItem": lambda db: db.delete_item(TableName=name, Key=key, **never),
    }
    return Probe(requests[action], frozenset({"ConditionalCheckFailedException"}))

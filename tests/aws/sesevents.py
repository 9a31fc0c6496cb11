"""Events as SES, S3 and SNS send them, in all their members; `tests` may take them apart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

BUCKET = "mail-of-example"
MESSAGE_ID = "o3vrnil0e2ic28trm7dfhrc2v0clambda4nbp0g1"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:new-mail"
RECEIVED = "2026-11-21T09:08:07.654Z"
AT = 1795252087.654


def mail(source: str = "sender@else.example", destination: Sequence[str] = ("header@example.com",)) -> dict[str, Any]:
    """What both directions say of a message."""
    return {
        "timestamp": "2026-11-21T09:08:06.000Z",
        "source": source,
        "messageId": MESSAGE_ID,
        "destination": list(destination),
        "headersTruncated": False,
        "headers": [{"name": "To", "value": ", ".join(destination)}, {"name": "Subject", "value": "Grüße"}],
        "commonHeaders": {"returnPath": source, "from": [source], "to": list(destination), "subject": "Grüße"},
    }


def receipt(recipients: Sequence[object] = ("tom@example.com",), action: dict[str, Any] | None = None) -> dict[str, Any]:
    """What SES says of mail that came in."""
    return {
        "timestamp": RECEIVED,
        "processingTimeMillis": 406,
        "recipients": list(recipients),
        "spamVerdict": {"status": "PASS"},
        "virusVerdict": {"status": "DISABLED"},
        "spfVerdict": {"status": "GRAY"},
        "dkimVerdict": {"status": "PROCESSING_FAILED"},
        "dmarcVerdict": {"status": "FAIL"},
        "dmarcPolicy": "reject",
        "action": s3_action() if action is None else action,
    }


def s3_action(key: str = f"new/{MESSAGE_ID}", bucket: str = BUCKET) -> dict[str, Any]:
    """The receipt rule's S3 action, with a topic."""
    return {"type": "S3", "topicArn": TOPIC, "bucketName": bucket, "objectKeyPrefix": "new/", "objectKey": key}


def lambda_action() -> dict[str, Any]:
    """The receipt rule's Lambda action: it does not say where the message lies."""
    return {"type": "Lambda", "functionArn": "arn:aws:lambda:eu-west-1:123456789012:function:sort", "invocationType": "Event"}


def notice(*recipients: object, action: dict[str, Any] | None = None, source: str = "sender@else.example") -> dict[str, Any]:
    """What SES publishes when it has put a message into the bucket."""
    return {
        "notificationType": "Received",
        "mail": mail(source),
        "receipt": receipt(recipients or ("tom@example.com",), action),
    }


def lambda_event(*recipients: object, records: int = 1) -> dict[str, Any]:
    """What SES calls a function with."""
    said = notice(*recipients, action=lambda_action())
    ses = {"mail": said["mail"], "receipt": said["receipt"]}
    return {"Records": [{"eventSource": "aws:ses", "eventVersion": "1.0", "ses": ses} for _ in range(records)]}


def s3_event(*keys: str, name: str = "ObjectCreated:Put", version: str = "2.1", bucket: str = BUCKET) -> dict[str, Any]:
    """What S3 tells when objects were written; keys are as S3 escapes them."""
    return {"Records": [_s3_record(key, name, version, bucket) for key in keys or (f"new/{MESSAGE_ID}",)]}


def _s3_record(key: str, name: str, version: str, bucket: str) -> dict[str, Any]:
    return {
        "eventVersion": version,
        "eventSource": "aws:s3",
        "awsRegion": "eu-west-1",
        "eventTime": RECEIVED,
        "eventName": name,
        "userIdentity": {"principalId": "AWS:AROAEXAMPLE:ses"},
        "requestParameters": {"sourceIPAddress": "10.0.0.1"},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "mail",
            "bucket": {"name": bucket, "ownerIdentity": {"principalId": "A3NL1KOZZKExample"}, "arn": f"arn:aws:s3:::{bucket}"},
            "object": {"key": key, "size": 3946, "eTag": "d41d8cd98f00b204e9800998ecf8427e", "sequencer": "0055AED6DCD90281E5"},
        },
    }


def s3_test_event() -> dict[str, Any]:
    """What S3 sends when a notification is configured."""
    return {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": RECEIVED,
        "Bucket": BUCKET,
        "RequestId": "5582815E1AEA5ADF",
        "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR",
    }


def envelope(message: object, type: str = "Notification") -> dict[str, Any]:
    """The message as SNS brings it to a queue without raw delivery."""
    return {
        "Type": type,
        "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
        "TopicArn": TOPIC,
        "Subject": "Amazon SES Email Receipt Notification",
        "Message": message if isinstance(message, str) else json.dumps(message),
        "Timestamp": RECEIVED,
        "SignatureVersion": "1",
        "Signature": "RXhhbXBsZQ==",
        "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-x.pem",
        "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
    }


def sns_event(*messages: object) -> dict[str, Any]:
    """What SNS calls a function with."""
    return {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": envelope(message)} for message in messages]}


def setup_notice() -> dict[str, Any]:
    """What SES publishes when a rule with a topic is made."""
    said = notice(action=s3_action("new/AMAZON_SES_SETUP_NOTIFICATION"))
    said["mail"]["messageId"] = "AMAZON_SES_SETUP_NOTIFICATION"
    return said


OUTGOING_ID = "0102018f3c1d2e5b-5b0a8a4e-9c5d-4f53-8f8b-1c2d3e4f5a6b-000000"
FEEDBACK_ID = "0102018f3c1d4444-aaaa8a4e-9c5d-4f53-8f8b-1c2d3e4f5a6b-000000"


def outgoing(word: str, name: str, body: dict[str, Any], *, published: bool = False) -> dict[str, Any]:
    """What SES tells of a message that was sent; `published` by a configuration set, else by the identity."""
    told = mail("tom@example.com", ("a@else.example", "b@else.example")) | {"messageId": OUTGOING_ID}
    return {"eventType" if published else "notificationType": word, "mail": told, name: body}


def bounce(**changed: Any) -> dict[str, Any]:
    """One recipient does not exist."""
    return {
        "feedbackId": FEEDBACK_ID,
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": [
            {
                "emailAddress": "a@else.example",
                "action": "failed",
                "status": "5.1.1",
                "diagnosticCode": "smtp; 550 5.1.1 <a@else.example>... User unknown",
            }
        ],
        "timestamp": RECEIVED,
        "remoteMtaIp": "127.0.2.0",
        "reportingMTA": "dsn; a7-23.smtp-out.eu-west-1.amazonses.com",
    } | changed

"""Kinds of values that AWS has names for."""

from __future__ import annotations

from sesmail.config.kinds import choice, matching

REGION = matching("region", "a region such as eu-central-1", r"[a-z0-9-]{1,40}")
OWNER = matching("number", "an account number of 12 digits", r"\d{12}")
KEY_ID = matching("id", "an access key id", r"[A-Za-z0-9_./+=-]{1,128}")
PROFILE = matching("name", "a profile of ~/.aws/config", r"[^\s\[\]]{1,128}")
ROLE = matching("ARN", "a role such as arn:aws:iam::123456789012:role/mail", r"arn:[a-z-]{1,20}:iam::\d{12}:role/[!-~]{1,512}")
ADDRESSING = choice("auto", "path", "virtual")
KMS_KEY = matching(
    "key",
    "a key of KMS such as arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    r"(?:arn:[a-z-]{1,20}:kms:[a-z0-9-]{1,40}:\d{1,12}:(?:key|alias)/|alias/)?[A-Za-z0-9/_-]{1,256}",
)
IDENTITY = matching(
    "ARN",
    "an identity such as arn:aws:ses:eu-west-1:123456789012:identity/example.com",
    r"arn:[a-z-]{1,20}:ses:[a-z0-9-]{1,40}:\d{12}:identity/[!-~]{1,320}",
)
CONFIGURATION_SET = matching("name", "letters, digits, _ and -, at most 64 of them", r"[A-Za-z0-9_-]{1,64}")
TAG = matching("tag", "name=value, both of letters, digits, _ and -", r"[A-Za-z0-9_-]{1,255}=[A-Za-z0-9_.@-]{1,255}")
TOPIC = matching(
    "ARN",
    "a topic such as arn:aws:sns:eu-west-1:123456789012:mail",
    r"arn:aws[a-z-]{0,20}:sns:[a-z0-9-]{3,32}:\d{12}:[A-Za-z0-9._-]{1,256}",
)
QUEUE_URL = matching(
    "URL",
    "the URL of a queue, such as https://sqs.eu-west-1.amazonaws.com/123456789012/mail",
    r"https?://[A-Za-z0-9.-]{1,253}(?::\d{1,5})?/[A-Za-z0-9._/-]{1,300}",
)
TABLE = matching("name", "a table such as aliases: 3 to 255 letters, digits and _ . -", r"[A-Za-z0-9_.-]{3,255}")

"""Sections and places as the values that storage goes by."""

from __future__ import annotations

from pathlib import Path

from sesmail.config.load import load
from sesmail.config.stores import default_store, prefix_of, store_of, stores
from sesmail.interfaces import Keys, StorePlace

TEXT = """
storage:
  url: s3://main
  region: eu-central-1
  addressing: path
  expected_bucket_owner: "123456789012"
  access_key_id: MAIN
  secret_access_key: main-secret
  session_token: main-token
mailboxes:
  places:
    - {for: same.example, prefix: old/}
    - {for: near.example, url: s3://near}
    - {for: far.example, url: s3://far, endpoint: "https://far.example/", assume_role: "arn:aws:iam::210987654321:role/r"}
    - {for: tom@far.example, region: us-west-2}
    - {for: eve@far.example, access_key_id: EVE, secret_access_key: eve-secret}
    - {for: ann@far.example, nested: true}
    - {for: disk.example, url: file:///srv/mail/}
tls: {self_signed: true}
"""


def test_stores_are_layered_and_credentials_never_mixed(tmp_path: Path) -> None:
    path = tmp_path / "sesmail.yaml"
    path.write_text(TEXT)
    config = load(str(path), {})
    owner, main = "123456789012", Keys("MAIN", "main-secret", "main-token")
    role = "arn:aws:iam::210987654321:role/r"
    far = StorePlace("s3://far", "eu-central-1", "https://far.example", "path", owner, role=role)
    assert default_store(config) == StorePlace("s3://main", "eu-central-1", None, "path", owner, main)
    assert stores(config) == {
        "same.example": None,
        "near.example": StorePlace("s3://near", "eu-central-1", None, "path", owner, main),
        "far.example": far,
        "tom@far.example": StorePlace("s3://far", "us-west-2", "https://far.example", "path", owner, role=role),
        "eve@far.example": StorePlace(
            "s3://far", "eu-central-1", "https://far.example", "path", owner, Keys("EVE", "eve-secret")
        ),
        "ann@far.example": None,
        "disk.example": StorePlace("file:///srv/mail"),
    }


def test_what_applies_to_an_entry_is_found_through_its_domain(tmp_path: Path) -> None:
    path = tmp_path / "sesmail.yaml"
    path.write_text(
        "storage: {url: s3://main}\n"
        "mailboxes:\n"
        "  places:\n"
        "    - {for: tom@far.example, nested: true}\n"
        "    - {for: far.example, url: s3://far, template: far/%u/}\n"
        "    - {for: near.example, url: s3://near}\n"
        "    - {for: eve@far.example, prefix: eve}\n"
        "tls: {self_signed: true}\n"
    )
    config = load(str(path), {})
    assert [(store_of(place, config).url, prefix_of(place, config)) for place in config.mailboxes.places] == [
        ("s3://far", "far/%u/"),
        ("s3://far", "far/%u/"),
        ("s3://near", "mailboxes/%d/%u/"),
        ("s3://far", "eve"),
    ]

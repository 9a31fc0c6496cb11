"""Users of AWS POP3 Server log in as before and find the same mail under the same unique ids."""

from __future__ import annotations

import hashlib
import poplib
from pathlib import Path

import pytest

from tests.aws.test_receipt_stamp import stamped
from tests.importers.gateways import MAIL, fetched, fill, imported, removed, serving, sesmail
from tests.servers import seaweed
from tests.servers.ports import free_port

PASSWORD = "s3cret:with:colons"


def line(user: str) -> str:
    """A line of passwd.txt with PASSWORD."""
    return f"{user}:{hashlib.sha512(f'{user}:{PASSWORD}'.encode()).hexdigest().upper()}"


def test_a_user_of_the_bucket_finds_his_mail(tmp_path: Path) -> None:
    server, port = seaweed.running(), free_port()
    bucket = fill(server, "mailboxes/foo.com/tom/")
    fill(server, "mailboxes/bar.org/harry/", {"3a1b2c3d4e5f60718293a4b5c6d7e8f9": b"Subject: four\r\n\r\n4\r\n"}, bucket=bucket)
    for domain, users in (("foo.com", ["dick", "tom"]), ("bar.org", ["harry"])):
        passwd = "\r\n".join(map(line, users)).encode()
        server.client().put_object(Bucket=bucket, Key=f"mailboxes/{domain}/passwd.txt", Body=passwd)
    variables = {
        "awskey": server.access_key,
        "awssecret": server.secret_key,
        "bucket": bucket,
        "prefix": "mailboxes",
        "AWS_REGION": server.region,
    }
    file = imported("aws-pop3-server", "-i", "127.0.0.1", "-p", str(port), "-t", "aws", cwd=tmp_path, **variables)
    with serving(port, "--config", str(file), cwd=tmp_path, server=server):
        assert fetched(port, "tom@foo.com", PASSWORD) == MAIL
        assert list(fetched(port, "harry@bar.org", PASSWORD)) == ["3a1b2c3d4e5f60718293a4b5c6d7e8f9"]
        assert fetched(port, "dick@foo.com", PASSWORD) == {}
        for user in ("tom@bar.org", "tom"):
            with pytest.raises(poplib.error_proto):
                fetched(port, user, PASSWORD)
        removed(port, "tom@foo.com", PASSWORD, "1a1b2c3d4e5f60718293a4b5c6d7e8f9")
        assert "1a1b2c3d4e5f60718293a4b5c6d7e8f9" not in fetched(port, "tom@foo.com", PASSWORD)


def test_new_mail_at_the_top_of_the_bucket_reaches_its_user_and_is_never_lost(tmp_path: Path) -> None:
    server, port = seaweed.running(), free_port()
    for_tom, for_nobody = ("4a1b2c3d4e5f60718293a4b5c6d7e8f9", "5a1b2c3d4e5f60718293a4b5c6d7e8f9")
    bucket = fill(server, "mailboxes/foo.com/tom/")
    mail = {
        for_tom: stamped("Subject: new\n\nnew\n", recipient="Tom+shop@foo.com", id=for_tom),
        for_nobody: stamped("Subject: lost\n\nlost\n", recipient="nobody@foo.com", id=for_nobody),
        "AMAZON_SES_SETUP_NOTIFICATION": b"Subject: setup\r\n\r\n",
    }
    fill(server, "", mail, bucket=bucket)
    server.client().put_object(Bucket=bucket, Key="mailboxes/foo.com/passwd.txt", Body=line("tom").encode())
    variables = {"awskey": server.access_key, "awssecret": server.secret_key, "bucket": bucket, "prefix": "mailboxes"}
    options = ["-i", "127.0.0.1", "-p", str(port), "-t", "aws"]
    file = imported("aws-pop3-server", *options, cwd=tmp_path, AWS_REGION=server.region, **variables)
    done = sesmail(
        "sort", "--sweep", "--age", "0", "--config", str(file), cwd=tmp_path, SESMAIL__STORAGE__ENDPOINT=server.endpoint
    )
    assert done.returncode == 0, done.stderr
    with serving(port, "--config", str(file), cwd=tmp_path, server=server):
        assert fetched(port, "tom@foo.com", PASSWORD) == {**MAIL, for_tom: mail[for_tom]}
    keys = [one["Key"] for one in server.client().list_objects_v2(Bucket=bucket)["Contents"]]
    assert f"held/{for_nobody}" in keys
    assert [key for key in keys if "/" not in key] == ["AMAZON_SES_SETUP_NOTIFICATION"]


def test_a_user_of_the_folder_finds_his_mail(tmp_path: Path) -> None:
    port, root = free_port(), tmp_path / "mail store"
    flat = {name: stored for name, stored in MAIL.items() if "/" not in name}
    for name, stored in flat.items():
        (root / "tom").mkdir(parents=True, exist_ok=True)
        (root / "tom" / name).write_bytes(stored)
    (root / "tom" / "folder").mkdir()
    (root / "tom" / "folder" / "inner").write_bytes(b"Subject: no mail\r\n\r\n")
    (root / "passwd.txt").write_text(f"{line('tom')}\r\n{line('ann')}\r\n", newline="")
    options = ["--ip-address", "127.0.0.1", "--port", str(port), "--mail-store-type", "filesystem"]
    file = imported("aws-pop3-server", *options, cwd=tmp_path, email_folder=str(root))
    with serving(port, "--config", str(file), cwd=tmp_path):
        assert fetched(port, "tom", PASSWORD) == flat
        assert fetched(port, "ann", PASSWORD) == {}
        with pytest.raises(poplib.error_proto):
            fetched(port, "tom", "another")
        removed(port, "tom", PASSWORD, next(iter(flat)))
    assert sorted(path.name for path in (root / "tom").iterdir()) == [*list(flat)[1:], "folder"]

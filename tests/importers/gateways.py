"""The command as an operator of another system runs it, and the gateway that comes of it."""

from __future__ import annotations

import json
import os
import poplib
import ssl
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from tests.servers.ports import answers, wait_until
from tests.servers.process import Guarded
from tests.servers.seaweed import S3Server

# Behind a mailbox's prefix; one lies in a sub-folder.
MAIL = {
    "0a1b2c3d4e5f60718293a4b5c6d7e8f9": b"Subject: one\r\n\r\nFirst.\r\n.\r\n..dots\r\n",
    "1a1b2c3d4e5f60718293a4b5c6d7e8f9": b"Subject: two\r\n\r\nSecond.\r\n",
    "2026/11/2a1b2c3d4e5f6071829": b"Subject: three\r\n\r\nIn a sub-folder.\r\n",
}
_COMMAND = [sys.executable, "-m", "sesmail.cli.main"]


def environment(home: Path, given: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, "HOME": str(home), **given}


def sesmail(*arguments: str, cwd: Path, **given: str) -> subprocess.CompletedProcess[str]:
    """Run the command in `cwd`, which is also its home."""
    return subprocess.run(
        [*_COMMAND, *arguments], cwd=cwd, env=environment(cwd, given), capture_output=True, text=True, timeout=60, check=False
    )


def imported(*arguments: str, cwd: Path, **given: str) -> Path:
    """The file that import-config writes, which check-config takes."""
    done = sesmail("import-config", *arguments, "-o", "sesmail.yaml", cwd=cwd, **given)
    assert done.returncode == 0, done.stderr
    checked = sesmail("check-config", "--config", "sesmail.yaml", cwd=cwd)
    assert checked.returncode == 0, checked.stderr
    return cwd / "sesmail.yaml"


@contextmanager
def serving(port: int, *arguments: str, cwd: Path, server: S3Server | None = None, **given: str) -> Iterator[Guarded]:
    """``sesmail serve`` in `cwd`. AWS being out of reach, `server` stands in for it."""
    instead = {"SESMAIL__STORAGE__ENDPOINT": server.endpoint} if server else {}
    process = Guarded(
        [*_COMMAND, "serve", *arguments], cwd / "log", environment=environment(cwd, {**given, **instead}), cwd=cwd
    )
    try:
        wait_until(lambda: answers(port), seconds=30, what=process.tail)
        yield process
    finally:
        process.stop()


def variables(keys: Mapping[str, str]) -> dict[str, str]:
    """Keys of aws-ses-pop3-server as its variables."""
    return {"POP3_" + key.upper().replace("-", "_"): value for key, value in keys.items()}


def config_file(home: Path, keys: Mapping[str, object]) -> Path:
    """Its file in one of its three places."""
    file = home / ".aws-ses-pop3-server" / "config.yaml"
    file.parent.mkdir()
    file.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in keys.items()))
    return file


def fill(server: S3Server, prefix: str, mail: Mapping[str, bytes] = MAIL, *, bucket: str = "") -> str:
    """A new bucket (or the one named) with this mail behind `prefix`; returns its name."""
    bucket = bucket or server.make_bucket(f"import-{uuid.uuid4().hex[:12]}")
    client = server.client()
    for name, stored in mail.items():
        client.put_object(Bucket=bucket, Key=prefix + name, Body=stored)
    return bucket


def fetched(port: int, user: str, password: str, *, tls: ssl.SSLContext | None = None) -> dict[str, bytes]:
    """What a mail program finds: messages by their unique ids. Raises poplib.error_proto when it is not let in."""
    connected = poplib.POP3_SSL("localhost", port, context=tls) if tls else poplib.POP3("127.0.0.1", port, timeout=30)
    with closing(connected) as session:
        session.user(user)
        session.pass_(password)
        ids = [line.split() for line in session.uidl()[1]]
        found = {uidl.decode(): _joined(session.retr(int(number))[1]) for number, uidl in ids}
        session.quit()
        return found


def removed(port: int, user: str, password: str, uidl: str) -> None:
    """Delete one message as a mail program does."""
    with closing(poplib.POP3("127.0.0.1", port, timeout=30)) as session:
        session.user(user)
        session.pass_(password)
        numbers = {line.split()[1].decode(): int(line.split()[0]) for line in session.uidl()[1]}
        session.dele(numbers[uidl])
        session.quit()


def _joined(lines: Sequence[bytes]) -> bytes:
    return b"".join(line + b"\r\n" for line in lines)

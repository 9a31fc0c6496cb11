"""The image runs as people run it. Not a part of `make test`: `make check-image` builds the image and runs these."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sesmail.auth.schemes import hashed
from tests.container.composed import service
from tests.container.oci import Container, Image, laid_out, running
from tests.servers.certificates import Authority
from tests.servers.ports import wait_until

_LISTENS = "[{endpoint: 'tcp:2995', tls: implicit}]"
_USERS = "[{name: tom@example.com, password: horse}]"
_SESSION = """
import poplib, ssl
context = ssl._create_unverified_context()
session = poplib.POP3_SSL("127.0.0.1", 2995, context=context, timeout=30)
session.user("tom@example.com"); session.pass_("horse")
"""
_MAIL = b"From: ann@example.com\r\nSubject: hello\r\n\r\n" + b"0123456789abcdef\r\n" * 1_000_000


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    with laid_out("sesmail") as found:
        yield found


def secret(path: Path, content: str, image: Image) -> Path:
    path.write_text(content)
    path.chmod(0o400)
    os.chown(path, *image.ids)
    return path


@pytest.fixture
def by_variables(image: Image, tmp_path: Path) -> Iterator[Container]:
    """A gateway that no file configures, its users in a secret."""
    environment = {
        "SESMAIL__POP3__LISTENERS": _LISTENS,
        "SESMAIL__AUTH__CHECKERS": "[static]",
        "SESMAIL__AUTH__USERS_FILE": "/run/secrets/users",
    }
    users = secret(tmp_path / "users", _USERS, image)
    with running(image, environment=environment, mounts={"/run/secrets/users": users}) as container:
        yield container


def test_variables_and_secrets_are_enough(by_variables: Container) -> None:
    by_variables.wait_until_healthy()
    assert by_variables.python(_SESSION + "print(session.stat()); session.quit()") == "(0, 0)\n"
    assert "others" not in by_variables.said()


def test_nothing_in_it_is_root_s(by_variables: Container) -> None:
    by_variables.wait_until_healthy()
    status = by_variables.run("sh", "-c", "cat /proc/[0-9]*/status").stdout
    assert set(re.findall(r"^Uid:\s+(.*)$", status, re.MULTILINE)) == {"\t".join(["10001"] * 4)}
    assert set(re.findall(r"^CapEff:\s+(.*)$", status, re.MULTILINE)) == {"0" * 16}
    assert by_variables.run("touch", "/etc/sesmail/x").returncode != 0


def test_a_stuck_gateway_is_not_healthy(by_variables: Container) -> None:
    by_variables.wait_until_healthy()
    stop = "import os, signal, pathlib\nfor one in pathlib.Path('/proc').glob('[0-9]*/cmdline'):\n"
    stop += "    if b'sesmail\\0serve' in one.read_bytes() and one.parent.name != '1': os.kill(int(one.parent.name), signal.{})"
    by_variables.python(stop.format("SIGSTOP"))
    assert not by_variables.is_healthy()
    by_variables.python(stop.format("SIGCONT"))
    by_variables.wait_until_healthy()


def configured(directory: Path, image: Image) -> dict[str, Path]:
    """What a file configures, in /etc/sesmail with the certificate beside it, and a mailbox with a message."""
    issued = Authority(directory).issue("mail.example.com")
    config = {
        "storage": {"url": "file:///srv/store"},
        "pop3": {"listeners": [{"endpoint": "tcp:2995", "tls": "implicit"}]},
        "auth": {"checkers": ["static"], "users": [{"name": "tom@example.com", "password": "file:/run/secrets/tom"}]},
        "tls": {"certificates": [{"certificate": "/run/secrets/certificate", "key": "/run/secrets/key"}]},
    }
    mailbox = directory / "store" / "mailboxes" / "example.com" / "tom"
    mailbox.mkdir(parents=True)
    (mailbox / "one").write_bytes(_MAIL)
    return {
        "/etc/sesmail/sesmail.yaml": secret(directory / "sesmail.yaml", yaml.safe_dump(config), image),
        "/run/secrets/tom": secret(directory / "tom", "horse\n", image),
        "/run/secrets/certificate": issued.certificate,
        "/run/secrets/key": secret(directory / "key", issued.key.read_text(), image),
        "/srv/store": directory / "store",
    }


def test_a_mounted_file_configures_it(image: Image, tmp_path: Path) -> None:
    with running(image, mounts=configured(tmp_path, image)) as container:
        container.wait_until_healthy()
        assert container.python(_SESSION + "print(len(session.list()[1])); session.quit()") == "1\n"


def test_sigterm_lets_a_transfer_come_to_its_end(image: Image, tmp_path: Path) -> None:
    # The client reads no further until the gateway takes no more sessions, and the message is larger than all buffers together.
    code = (
        _SESSION
        + """
import os, signal, socket, time
session._putcmd("RETR 1"); session._getresp()
os.kill(1, signal.SIGTERM)
end = time.monotonic() + 20
while time.monotonic() < end:
    try:
        socket.create_connection(("127.0.0.1", 2995), 5).close()
    except ConnectionRefusedError:
        break
    time.sleep(0.05)
else:
    raise SystemExit("it still takes sessions")
octets = 0
while (line := session.file.readline()) != b".\\r\\n":
    assert line, "cut off"
    octets += len(line)
print(octets)
"""
    )
    with running(image, mounts=configured(tmp_path, image)) as container:
        container.wait_until_healthy()
        assert container.python(code) == f"{len(_MAIL)}\n"
        assert container.wait_until_it_ends() == 0


def test_sigterm_ends_it_at_once_when_nothing_is_going_on(by_variables: Container) -> None:
    by_variables.wait_until_healthy()
    by_variables.signal(signal.SIGTERM)
    assert by_variables.wait_until_it_ends(20) == 0


def test_a_bad_configuration_ends_it_with_one_line(image: Image) -> None:
    with running(image, environment={"SESMAIL__POP3__STALL": "soon"}) as container:
        assert container.wait_until_it_ends() == 78
        assert re.fullmatch(r"SESMAIL__POP3__STALL: pop3.stall: .*\n", container.said())


def test_it_runs_the_other_commands_too(image: Image) -> None:
    with running(image, words=["check-config"]) as container:
        assert container.wait_until_it_ends() == 0
        assert container.said()


_SUBMIT = """
import smtplib, ssl
context = ssl._create_unverified_context()
session = smtplib.SMTP_SSL("127.0.0.1", 2465, context=context, timeout=30)
session.login("tom@example.com", "horse")
session.sendmail("tom@example.com", ["ann@example.com"], b"From: tom@example.com\\r\\nSubject: hello\\r\\n\\r\\nhello\\r\\n")
session.quit()
"""
_READ = """
import imaplib, ssl
session = imaplib.IMAP4_SSL("127.0.0.1", 2993, ssl_context=ssl._create_unverified_context(), timeout=30)
session.login("ann@example.com", "mouse")
session.select()
print(session.fetch("1", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1])
"""


def test_dovecot_of_the_compose_file_serves_what_the_gateway_gives_it(image: Image, tmp_path: Path) -> None:
    issued = Authority(tmp_path).issue("mail.example.com")
    lines = f"tom@example.com:{hashed(b'horse')}\nann@example.com:{hashed(b'mouse')}\n"
    secrets = {
        "/run/secrets/certificate": issued.certificate,
        "/run/secrets/key": secret(tmp_path / "key", issued.key.read_text(), image),
        "/run/secrets/passwords": secret(tmp_path / "passwords", lines, image),
        "/run/secrets/aws_secret_access_key": secret(tmp_path / "aws", "secret", image),
    }
    # There is no AWS here; all else is as in the compose file.
    nowhere = {"SESMAIL__QUEUE__URL": "null", "SESMAIL__QUEUE__DEAD_LETTER_URL": "null", "AWS_EC2_METADATA_DISABLED": "true"}
    environment = {**service("gateway")["environment"], **nowhere, "SESMAIL__LMTP_OUT__HOST": "127.0.0.1"}
    with (
        laid_out("sesmail-dovecot") as dovecots,
        running(image, environment=environment, mounts=secrets) as gateway,
    ):
        gateway.wait_until_healthy()
        with running(dovecots, mounts=secrets, tmpfs=service("dovecot")["tmpfs"], beside=gateway) as dovecot:
            dovecot.wait_until_healthy()
            gateway.python(_SUBMIT)
            wait_until(lambda: "hello" in gateway.python(_READ), seconds=30, what=lambda: gateway.said() + dovecot.said())
            dovecot.signal(signal.SIGTERM)
            assert dovecot.wait_until_it_ends() == 0

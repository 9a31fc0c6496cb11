"""The mail programs that send: each told of a door, a message in a file, and its recipients.

Each trusts the demo's certificate and nothing else.
"""

from __future__ import annotations

import smtplib
import ssl
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.clients.doors import Door
from tests.clients.programs import run

Send = Callable[[Door, Path, Sequence[str]], None]


def swaks(door: Door, file: Path, recipients: Sequence[str]) -> None:
    # It ends the last line itself, whether it has ended or not.
    cut = file.with_suffix(".cut")
    cut.write_bytes(file.read_bytes().removesuffix(b"\r\n"))
    tls = "--tls-on-connect" if door.implicit else "--tls"
    command = ["swaks", "--server", f"{door.host}:{door.port}", tls, "--tls-verify", "--tls-ca-path", str(door.authority)]
    command += ["--auth-user", door.user, "--auth-password", door.password, "--from", door.user, "--to", ",".join(recipients)]
    _well(run([*command, "--data", f"@{cut}"], file.parent))


def curl(door: Door, file: Path, recipients: Sequence[str]) -> None:
    scheme = "smtps" if door.implicit else "smtp"
    command = ["curl", "--disable", "-sS", "--ssl-reqd", "--cacert", str(door.authority), "-u", f"{door.user}:{door.password}"]
    command += ["--mail-from", door.user, *(word for one in recipients for word in ("--mail-rcpt", one))]
    _well(run([*command, "-T", str(file), f"{scheme}://{door.host}:{door.port}/laptop"], file.parent))


def python(door: Door, file: Path, recipients: Sequence[str]) -> None:
    context = ssl.create_default_context(cafile=str(door.authority))
    if door.implicit:
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(door.host, door.port, context=context, timeout=60)
    else:
        smtp = smtplib.SMTP(door.host, door.port, timeout=60)
        smtp.starttls(context=context)
    smtp.login(door.user, door.password)
    assert smtp.sendmail(door.user, list(recipients), file.read_bytes(), ["BODY=8BITMIME"]) == {}
    smtp.quit()


SENDERS: dict[str, Send] = {"swaks": swaks, "curl": curl, "smtplib": python}


def _well(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout

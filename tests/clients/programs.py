"""The mail programs: each told of a door, a folder to put messages into, and whether to delete what it fetched.

Each trusts the test's own authority and nothing else, and has to check the host name.
"""

from __future__ import annotations

import os
import poplib
import ssl
import subprocess
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from tests.clients import lmtp
from tests.clients.doors import Door
from tests.servers.ports import wait_until

_LONGEST_RUN = 110


def run(command: list[str], home: Path) -> subprocess.CompletedProcess[str]:
    """Run a program with a home of its own and without what our tests need in the environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "AWS_"))}
    return subprocess.run(
        command,
        env={**environment, "HOME": str(home), "FETCHMAILHOME": str(home), "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=_LONGEST_RUN,
        check=False,
    )


def curl(door: Door, into: Path, count: int, *, delete: str = "") -> subprocess.CompletedProcess[str]:
    """Fetch messages 1 to `count` into files of those names, in one session; then delete what the range ``[1-9:2]`` says."""
    transfers = [_curl_transfer(door, f"[1-{count}]", f'output = "{into}/#1"')]
    if delete:
        transfers.append(_curl_transfer(door, delete, 'request = "DELE"\nlist-only\noutput = "/dev/null"'))
    config = into.with_suffix(".curlrc")
    config.write_text("\nnext\n".join(transfers))
    into.mkdir()
    return run(["curl", "--disable", "--silent", "--show-error", "--fail-early", "--config", str(config)], into)


def _curl_transfer(door: Door, numbers: str, rest: str) -> str:
    scheme = "pop3s" if door.implicit else "pop3"
    lines = [f'url = "{scheme}://{door.host}:{door.port}/{numbers}"', f'user = "{door.user}:{door.password}"']
    return "\n".join([*lines, "ssl-reqd", f'cacert = "{door.authority}"', rest])


_TAKE_IN = '#!/bin/sh\n# Keeps what comes in as it is, in a file of its own.\nset -C\nexec cat > "$1/$$"\n'


def _agent(into: Path) -> Path:
    """A mail delivery agent that changes nothing."""
    into.mkdir()
    agent = into.with_suffix(".mda")
    agent.write_text(_TAKE_IN)
    agent.chmod(0o755)
    return agent


def fetchmail(door: Door, into: Path, *, delete: bool = False) -> subprocess.CompletedProcess[str]:
    """Fetch everything, with every change to mail that fetchmail lets one turn off turned off."""
    agent, rc = _agent(into), into.with_suffix(".fetchmailrc")
    tls = "ssl" if door.implicit else 'sslproto "TLS1.2+"'
    rc.touch(mode=0o600)
    rc.write_text(
        "set no bouncemail\nset no spambounce\nset softbounce\nset invisible\n"
        f"poll {door.host} protocol pop3 port {door.port} uidl timeout 60 bad-header accept\n"
        f'  user "{door.user}" password "{door.password}" {tls} sslcertck sslcertfile "{door.authority}"\n'
        f"  fetchall {'no keep' if delete else 'keep'} no rewrite no stripcr no forcecr pass8bits\n"
        f'  no dropstatus no dropdelivered no mimedecode mda "{agent} {into}"\n'
    )
    options = ["--nodetach", "--nosyslog", "--verbose", "--pidfile", f"{into}.pid", "--idfile", f"{into}.ids"]
    return run(["fetchmail", "--fetchmailrc", str(rc), *options], into)


def getmail(door: Door, into: Path, *, delete: bool = False) -> subprocess.CompletedProcess[str]:
    """Fetch everything by POP3S; getmail6 has no STLS for POP3.

    It delivers by LMTP, for where it starts a program for each message, it sometimes loses the program's end and waits in vain.
    """
    home = into.with_suffix(".getmail")
    home.mkdir()
    into.mkdir()
    with lmtp.keeping(into) as port:
        (home / "getmailrc").write_text(
            f"[retriever]\ntype = SimplePOP3SSLRetriever\nserver = {door.host}\nport = {door.port}\ntimeout = 60\n"
            f"username = {door.user}\npassword = {door.password}\nca_certs = {door.authority}\nssl_cert_hostname = {door.host}\n"
            f"[destination]\ntype = MDA_lmtp\nhost = 127.0.0.1\nport = {port}\noverride = ann@example.com\n"
            f"[options]\nread_all = true\ndelete = {str(delete).lower()}\ndelivered_to = false\nreceived = false\nverbose = 1\n"
        )
        return run(["getmail", "--getmaildir", str(home)], home)


def poplib_fetch(door: Door, into: Path, count: int, *, delete: Collection[int] = ()) -> list[int]:
    """Fetch messages 1 to `count` into files of those names; returns the numbers of those that poplib refuses to read."""
    into.mkdir()
    refused = []
    connection = poplib_login(door)
    for number in range(1, count + 1):
        try:
            _, lines, _ = connection.retr(number)
        except poplib.error_proto as error:
            if "line too long" not in str(error):
                raise
            # It has lost its place in what the server sends.
            connection.close()
            refused.append(number)
            connection = poplib_login(door)
            continue
        (into / str(number)).write_bytes(b"".join(line + b"\r\n" for line in lines))
    for number in delete:
        connection.dele(number)
    assert connection.quit().startswith(b"+OK")
    return refused


def poplib_login(door: Door) -> poplib.POP3:
    """Log in; while a connection that was just dropped still holds the maildrop, again."""
    sessions: list[poplib.POP3] = []

    def is_in() -> bool:
        connection = poplib_connected(door)
        try:
            connection.user(door.user)
            connection.pass_(door.password)
        except poplib.error_proto as error:
            connection.close()
            if "[IN-USE]" not in str(error):
                raise
            return False
        sessions.append(connection)
        return True

    wait_until(is_in, seconds=10, what=lambda: "the maildrop stays in use")
    return sessions[0]


def poplib_connected(door: Door) -> poplib.POP3:
    """A connection with TLS begun and nobody logged in."""
    context = ssl.create_default_context(cafile=str(door.authority))
    if door.implicit:
        return poplib.POP3_SSL(door.host, door.port, context=context, timeout=60)
    connection = poplib.POP3(door.host, door.port, timeout=60)
    try:
        connection.stls(context)
    except BaseException:
        # The socket is TLS's by now, and closed.
        with suppress(OSError):
            connection.close()
        raise
    return connection

"""The files that a web server has to serve beside the records of a domain, and whether one does.

RFC 8461 section 3.2 (MTA-STS) and https://wiki.mozilla.org/Thunderbird:Autoconfiguration:ConfigFileFormat.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sesmail.aws.dnsrecords import State, Wanted, sts_policy
from sesmail.errors import Refused, Unavailable

# Services by their names in DNS: of which kind, and how they come to TLS.
_SERVERS = {
    "_pop3s": ("incoming", "pop3", "SSL"),
    "_pop3": ("incoming", "pop3", "STARTTLS"),
    "_submissions": ("outgoing", "smtp", "SSL"),
    "_submission": ("outgoing", "smtp", "STARTTLS"),
}
_OUR_FAULT = re.compile(r"status [34]|SSLCertVerificationError")


@dataclass(frozen=True)
class File:
    """What has to be at a URL. `same` says of another content whether it will do as well; `why` is what goes wrong without it."""

    url: str
    content: str
    why: str
    same: Callable[[str], bool]


@dataclass(frozen=True)
class Got:
    """What was there; `said` is why nothing was."""

    file: File
    state: State
    said: str = ""


def files(wanted: Wanted) -> list[File]:
    """Those of one domain; for mail programs only where the gateway has a name and takes logins."""
    return [_policy(wanted), *_autoconfig(wanted)]


def got(file: File, get: Callable[[str], bytes]) -> Got:
    """Look for it; `get` is that of `aws.https`. What gives no answer is UNKNOWN."""
    try:
        content = get(file.url)
    except (Refused, Unavailable) as error:
        said = str(error.cause)
        return Got(file, State.MISSING if _OUR_FAULT.match(said) else State.UNKNOWN, said)
    return Got(file, State.GOOD if file.same(content.decode("utf-8", "replace")) else State.OTHER)


def _policy(wanted: Wanted) -> File:
    where = f"https://mta-sts.{wanted.domain}/.well-known/mta-sts.txt"
    return File(where, sts_policy(wanted), "the records for MTA-STS are for nothing", lambda text: _is_policy(text, wanted))


def _is_policy(text: str, wanted: Wanted) -> bool:
    lines = (line.partition(":") for line in text.splitlines())
    pairs = [(name.strip(), value.strip()) for name, _, value in lines]
    said = dict(reversed(pairs))
    modes = {"enforce"} if wanted.enforce else {"testing", "enforce"}
    # A star stands for one label.
    takers = {wanted.inbound, f"*.{wanted.inbound.partition('.')[2]}"}
    return (
        said.get("version") == "STSv1"
        and said.get("mode") in modes
        and said.get("max_age", "").isdecimal()
        and any(name == "mx" and value.lower() in takers for name, value in pairs)
    )


def _autoconfig(wanted: Wanted) -> list[File]:
    servers = [_server(wanted, *_SERVERS[one.name], one.port) for one in wanted.services if one.name in _SERVERS and one.port]
    if not wanted.host or not servers:
        return []
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<clientConfig version="1.1">',
        f'  <emailProvider id="{wanted.domain}">',
        f"    <domain>{wanted.domain}</domain>",
        f"    <displayName>{wanted.domain}</displayName>",
        *(line for server in servers for line in server),
        "  </emailProvider>",
        "</clientConfig>",
    ]
    where = f"https://autoconfig.{wanted.domain}/mail/config-v1.1.xml"
    content = "".join(f"{line}\n" for line in lines)
    return [File(where, content, "mail programs ask people for servers and ports", lambda text: _names(text, servers))]


def _server(wanted: Wanted, way: str, type: str, tls: str, port: int | None) -> Sequence[str]:
    return [
        f'    <{way}Server type="{type}">',
        f"      <hostname>{wanted.host}</hostname>",
        f"      <port>{port}</port>",
        f"      <socketType>{tls}</socketType>",
        "      <username>%EMAILADDRESS%</username>",
        "      <authentication>password-cleartext</authentication>",
        f"    </{way}Server>",
    ]


def _names(text: str, servers: Sequence[Sequence[str]]) -> bool:
    """Whether each of the servers is in it, whatever else is."""
    found = "".join(text.split())
    return all("".join("".join(server[:4]).split()) in found for server in servers)

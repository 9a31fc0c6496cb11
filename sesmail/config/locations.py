"""Kinds of values that say where something is: stores, keys, names, listeners, networks."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from sesmail.config.kinds import Text, domain
from sesmail.config.problems import BadValue, nearest
from sesmail.interfaces import NO_STORE

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]", re.ASCII)
_LOCAL = re.compile(r"[^ /@.+\\][^ /@\\]*")

_ARGUMENTS = {
    "tcp": {"port", "interface", "backlog"},
    "tcp6": {"port", "interface", "backlog"},
    "unix": {"address", "mode", "backlog", "lockfile"},
    "systemd": {"domain", "index", "name"},
}
_PLACES = {"tcp": "port", "tcp6": "port", "unix": "address"}


def store_url(text: str) -> str:
    """``s3://bucket`` or ``file:///directory``, without a slash at the end. Raises BadValue, which never repeats the text."""
    url = text.rstrip("/")
    if text.startswith("s3://"):
        bucket, slash, _ = url[5:].partition("/")
        if slash:
            raise BadValue("must name a bucket alone; a key prefix belongs into mailboxes.template")
        if not _BUCKET.fullmatch(bucket):
            raise BadValue("must be s3:// and the name of a bucket")
        return url
    if text.startswith("file://"):
        if not text.startswith("file:///") or len(url) < 9:
            raise BadValue("must have an absolute path: file:///DIRECTORY, with three slashes")
        if "?" in url or "#" in url:
            raise BadValue("must have ? and # in its path written as %3F and %23")
        return url
    raise BadValue("must begin with s3:// or file:///")


STORE_URL = Text("s3://BUCKET | file:///DIRECTORY", store_url)
STORE_URL_OR_NONE = Text(
    "s3://BUCKET | file:///DIRECTORY | none", lambda text: text if text in ("", NO_STORE) else store_url(text)
)


def _endpoint_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or not text.isascii() or " " in text:
        raise BadValue("must be http:// or https://, a host, and perhaps a port")
    # Credentials here would end up in logs and error texts.
    if "@" in parts.netloc or parts.query or parts.fragment or parts.path not in ("", "/"):
        raise BadValue("must be http:// or https://, a host, and perhaps a port, nothing else")
    return text.rstrip("/")


ENDPOINT_URL = Text("URL", _endpoint_url)


def _key(text: str) -> str:
    if not 0 < len(text.encode()) <= 900:
        raise BadValue("must be 1 to 900 octets long")
    if any(part in (".", "..") for part in text.split("/")):
        raise BadValue('must not have "." or ".." between slashes')
    return text


PREFIX = Text("key prefix", lambda text: _key(text) if text else text)


def _fields(text: str, allowed: str) -> set[str]:
    # "%%u" is a percent sign and a u: pairs are read from the left.
    found = {pair[1:] for pair in re.findall(r"%.?", text)}
    if found - set(allowed):
        raise BadValue("may have only " + ", ".join(f"%{one}" for one in allowed[:-1]) + " and %% after a percent sign")
    return found


def _template(text: str) -> str:
    if "u" not in _fields(_key(text), "du%"):
        raise BadValue("must contain %u, or all accounts would share one mailbox")
    if not text.endswith("/"):
        # As a bare prefix "mail/tom" would also list "mail/tommy/...".
        raise BadValue('must end with "/", or tom would read the mail of tommy')
    return text


TEMPLATE = Text("template", _template)


def _passwd(text: str) -> str:
    _fields(_key(text), "d%")
    if text.endswith("/"):
        raise BadValue("must be the key of a file")
    return text


PASSWD_KEY = Text("key", _passwd)


def _path_or_key(text: str) -> str:
    if text.startswith("/"):
        return text
    if text.startswith("file:"):
        raise BadValue("must be a path that begins with a slash, or a key in the store")
    if text.endswith("/"):
        raise BadValue("must be the key of a file")
    return _key(text)


PATH_OR_KEY = Text("path or key", _path_or_key)


def _auth_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or not re.fullmatch(r"[!-~]+", text, re.ASCII) or "#" in text:
        raise BadValue("must be a URL that begins with https:// (or http://)")
    if "@" in parts.netloc:
        raise BadValue("must not have a user or a password in it")
    return text


AUTH_URL = Text("URL", _auth_url)


def is_loopback(host: str) -> bool:
    """True for this machine: ``localhost`` and the loopback addresses, an IPv6 one without its brackets."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _socket(text: str) -> str:
    kind, _, rest = text.partition(":")
    if kind == "unix":
        if not re.fullmatch(r"/[^:\\]{1,100}", rest):
            raise BadValue("unix: must be followed by an absolute path without a colon")
        return text
    host, _, port = rest.rpartition(":")
    if kind != "tcp" or not re.fullmatch(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]+\]", host, re.ASCII):
        raise BadValue("must be unix:/PATH or tcp:HOST:PORT")
    if not re.fullmatch(r"\d{1,5}", port, re.ASCII) or not 0 < int(port) < 65536:
        raise BadValue("port must be a number from 1 to 65535")
    return text


SOCKET = Text("socket", _socket)


def _server(text: str) -> str:
    if text.startswith("/"):
        if len(text) > 100:
            raise BadValue("must be a path of at most 100 characters, for it is that of a socket")
        return text
    try:
        return str(ipaddress.ip_address(text)) if text else text
    except ValueError:
        return domain(text)


SERVER = Text("host or path", _server)


def user(text: str) -> str:
    """A login name that cannot be taken for a path: no slash, no ``..``, no ``.`` or ``+`` at the start. Raises BadValue."""
    local, at, host = text.partition("@")
    if not _LOCAL.fullmatch(local) or ".." in local or len(local.encode()) > 64:
        raise BadValue('must be a name such as tom or tom@example.com, without "/" or "..", not beginning with "." or "+"')
    if at:
        domain(host)
    return text


USER = Text("name", user)


def _for(text: str) -> str:
    return user(text).lower() if "@" in text else domain(text)


FOR = Text("domain or account", _for)


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        raise BadValue("must be an address or a network such as 10.0.0.5 or 10.0.0.0/24") from None
    return text


NETWORK = Text("address", _network)


def listen(text: str) -> str:
    """A Twisted server endpoint string, checked as far as that goes without Twisted. Raises BadValue."""
    # A backslash takes the meaning from a colon, as in tcp6:995:interface=\:\:1.
    parts = re.split(r"(?<!\\):", text)
    proxied = parts[0] == "haproxy"
    kind, *arguments = parts[1:] or [""] if proxied else parts
    if kind in ("ssl", "tls"):
        raise BadValue(f"{kind}: is not used here; write tcp:... and tls: implicit")
    if kind not in _ARGUMENTS or (proxied and kind == "unix"):
        known = ["tcp", "tcp6", "systemd"] if proxied else [*_ARGUMENTS, "haproxy"]
        begin = "after haproxy: there must be" if proxied else "must begin with"
        raise BadValue(f"{begin} one of {', '.join(name + ':' for name in known)}", nearest(kind, known))
    _arguments(kind, arguments)
    return text


LISTEN = Text("endpoint", listen)


def _arguments(kind: str, arguments: list[str]) -> None:
    given: dict[str, str] = {}
    for number, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if not equals:
            name, value = (_PLACES.get(kind, "") if number == 0 else ""), argument
        if not value:
            raise BadValue(f'{kind}: has an argument without a value; a colon within a value is written "\\:"')
        if name not in _ARGUMENTS[kind] or name in given:
            raise BadValue(f'{kind}: does not take "{argument[:60]}"', nearest(name, sorted(_ARGUMENTS[kind])))
        given[name] = value
    if kind in _PLACES and _PLACES[kind] not in given:
        raise BadValue(f"{kind}: needs a{'n address' if kind == 'unix' else ' port'}")
    for name in ("port", "backlog", "index"):
        if name in given and not (re.fullmatch(r"\d{1,5}", given[name], re.ASCII) and int(given[name]) < 65536):
            raise BadValue(f"{name} must be a number from 0 to 65535")
    if kind == "systemd" and ("domain" not in given or ("name" in given) == ("index" in given)):
        raise BadValue("systemd: needs domain and either name or index, such as systemd:domain=INET:index=0")

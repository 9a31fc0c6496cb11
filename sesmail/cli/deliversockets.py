"""Where a configuration file says that a gateway takes mail, read without all the rest, which takes longer than to deliver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sesmail.config import tree
from sesmail.config.files import PREFIX, first_of, read_text, search_order


def sockets(path: str | None, environ: Mapping[str, str]) -> Iterator[str]:
    """The sockets for LMTP in `path`, or in the first file of the search order. None where the environment says something about LMTP.

    Nothing else is looked at: that is for the gateway which answers there. Raises ConfigError for what cannot be read or is no YAML.
    """
    source = path if path is not None else first_of(search_order(environ))
    if source is None or any(name.startswith(f"{PREFIX}LMTP__") for name in environ):
        return
    listeners = _value(_value(tree.parse(read_text(source), source), "lmtp"), "listeners")
    for one in listeners.items if isinstance(listeners, tree.Items) else ():
        socket = unix_socket(_text(_value(one, "endpoint")))
        if socket and _text(_value(one, "tls")) in ("none", ""):
            yield socket


def unix_socket(endpoint: str) -> str:
    """The path of a Twisted endpoint of the kind unix, ``""`` for any other."""
    kind, _, rest = endpoint.partition(":")
    socket = rest.partition(":")[0].removeprefix("address=")
    return socket if kind == "unix" and socket.startswith("/") else ""


def _value(node: tree.Node | None, name: str) -> tree.Node | None:
    if not isinstance(node, tree.Mapping):
        return None
    return next((value for key, value in node.entries if key.text == name), None)


def _text(node: tree.Node | None) -> str:
    return (node.text or "") if isinstance(node, tree.Scalar) else ""

"""aws-ses-pop3-server: ``config.yaml`` and ``POP3_*`` become a sesmail.yaml with which the same programs read the same mail."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sesmail.config.files import first_of
from sesmail.config.foreign.draft import Beside, Draft
from sesmail.config.foreign.listening import HERE, listen, port_of
from sesmail.config.foreign.settings import Given, from_environ, from_yaml
from sesmail.config.problems import Where, nearest

SYSTEM = "aws-ses-pop3-server"
_STORE = ("aws-access-key-id", "aws-secret-access-key", "aws-session-token", "aws-s3-region", "aws-s3-bucket", "aws-s3-prefix")
_TLS = ("tls-cert", "tls-key", "tls-cert-path", "tls-key-path")
_HTTP = ("http-basic-auth-url", "http-basic-auth-url-insecure")
_SWITCHES = ("verbose", "http-basic-auth-url-insecure")
KEYS = ("host", "port", *_TLS, "verbose", "jwt-secret", *_HTTP, "user", "password", *_STORE)
VARIABLES = {key: "POP3_" + key.upper().replace("-", "_") for key in KEYS}
# It counted an empty one in the file as given, and these alone then meant something.
_MAY_BE_EMPTY = ("host", "aws-session-token", "aws-s3-prefix", *_SWITCHES)
_TRUE, _FALSE = ("1", "t", "true"), ("", "0", "f", "false")


@dataclass(frozen=True)
class Settings:
    """What applied: `given` by key, from the file `source` (None: there was none) with the variables over it; and what no
    version knows."""

    given: Mapping[str, Given]
    source: str | None
    strange: tuple[Given, ...]

    @property
    def origin(self) -> str:
        """In words, where the settings are from."""
        variables = sorted(one.where.source for one in self.given.values() if one.where.source in VARIABLES.values())
        parts = [self.source or "", ", ".join(variables)]
        return " and ".join(part for part in parts if part) or "its defaults"


def search_order(environ: Mapping[str, str]) -> list[str]:
    """Where it looked for its file."""
    home = environ.get("HOME")
    own = [f"{home}/.{SYSTEM}/config.yaml"] if home else []
    return [f"/etc/{SYSTEM}/config.yaml", *own, "./config.yaml"]


def is_meant(environ: Mapping[str, str]) -> bool:
    """True when a variable of this system is set. Kubernetes sets POP3_PORT beside any service called pop3; that one is not."""
    return bool(from_environ(environ, VARIABLES).keys() - _kubernetes(environ))


def left_behind(environ: Mapping[str, str]) -> str | None:
    """A file of this system, if there is one in a place that no other program would have."""
    return first_of(name for name in search_order(environ) if SYSTEM in name)


def read(environ: Mapping[str, str], file: str | None = None) -> Settings:
    """`file`, or the first of the search order, with the variables over it. Raises ConfigError."""
    source = file if file is not None else first_of(search_order(environ))
    in_file = {} if source is None else from_yaml(source, _SWITCHES)
    variables = {name: one for name, one in from_environ(environ, VARIABLES).items() if name not in _kubernetes(environ)}
    strange = [one for one in in_file.values() if one.name not in KEYS]
    strange += [Given(name, "", Where(name)) for name in sorted(environ) if _is_strange(name, environ[name])]
    known = {name: one for name, one in in_file.items() if name in KEYS}
    return Settings({**known, **variables}, source, tuple(strange))


def _kubernetes(environ: Mapping[str, str]) -> set[str]:
    return {"port"} if environ.get("POP3_PORT", "").startswith("tcp://") else set()


def _is_strange(variable: str, value: str) -> bool:
    theirs = ("POP3_SERVICE_", "POP3_PORT_")
    return (
        variable.startswith("POP3_") and bool(value) and variable not in VARIABLES.values() and not variable.startswith(theirs)
    )


def draft(settings: Settings, beside: Beside | None) -> Draft:
    """What it comes to. Problems are kept in the draft."""
    made = Draft(SYSTEM, settings.origin, beside)
    idle = _idle(settings.given)
    given = {name: one for name, one in settings.given.items() if name not in idle}
    for one in settings.strange:
        _strange(made, one, given)
    if idle:
        made.warn(f"not used, as before, and left out: {', '.join(idle)}")
    for one in given.values():
        if not one.text and one.name not in _MAY_BE_EMPTY:
            made.refuse(one.problem("is empty; leave it out or fill it in"))
    tls = _tls(made, given)
    _listener(made, given, tls=tls)
    if _switch(made, given.get("verbose")):
        made.put("log.level", "debug", given["verbose"])
    _logins(made, given)
    return made


def _idle(given: Mapping[str, Given]) -> list[str]:
    """Those that do not count, because tokens go before the web server, and that before the one user."""
    names: tuple[str, ...] = ()
    if "jwt-secret" in given:
        names = ("user", "password", *_HTTP, *_STORE)
    elif "http-basic-auth-url" in given:
        names = ("user", "password", *_STORE)
    return [name for name in names if name in given]


def _strange(made: Draft, one: Given, given: Mapping[str, Given]) -> None:
    if one.name in ("authorization-lambda", "POP3_AUTHORIZATION_LAMBDA") and "jwt-secret" not in given:
        made.refuse(one.problem("logins by a Lambda function are not taken over; use http-basic-auth-url"))
        return
    known = list(VARIABLES.values()) if one.name.startswith("POP3_") else list(KEYS)
    made.warn(str(one.problem("is not known and was left out", nearest(one.name, known))))


def _listener(made: Draft, given: Mapping[str, Given], *, tls: bool) -> None:
    host = given.get("host")
    port = port_of(made, given.get("port"), 2995 if tls else 2110)
    listen(made, host.text.strip("[]") if host else "", port, tls=tls, source=host or given.get("port"))


def _tls(made: Draft, given: Mapping[str, Given]) -> bool:
    for names, where in ((_TLS[:2], _inline), (_TLS[2:], _by_path)):
        pair = [given[name] for name in names if name in given]
        if len(pair) == 2:
            files = [where(made, one) for one in pair]
            made.put("tls.certificates", [dict(zip(("certificate", "key"), files, strict=True))])
            for name, one in zip(("certificate", "key"), pair, strict=True):
                made.came_from(f"tls.certificates[0].{name}", one)
            return True
        for one in pair:
            made.warn(str(one.problem(f"was ignored, as it takes both {' and '.join(names)}")))
    return False


def _inline(made: Draft, given: Given) -> str:
    return made.in_file(given, f"{given.name}.pem", given.text if given.text.endswith("\n") else given.text + "\n")


def _by_path(made: Draft, given: Given) -> str:
    path = Path(given.text)
    if not path.is_absolute():
        path = Path.cwd() / path
        made.warn(str(given.problem(f"was relative to the directory it was started in; taken to be {path}")))
    return os.path.normpath(path)


def _switch(made: Draft, given: Given | None) -> bool:
    word = given.text.lower() if given else ""
    if given and word not in (*_TRUE, *_FALSE):
        made.refuse(given.problem("must be true or false"))
    return word in _TRUE


def _logins(made: Draft, given: Mapping[str, Given]) -> None:
    made.put("mailboxes.nested", True)
    if "jwt-secret" in given:
        _tokens(made, given["jwt-secret"])
    elif "http-basic-auth-url" in given:
        _http(made, given["http-basic-auth-url"], given.get("http-basic-auth-url-insecure"))
    else:
        _one_user(made, given)


def _tokens(made: Draft, secret: Given) -> None:
    made.put("storage.url", "none")
    made.put("auth.checkers", ["jwt"])
    made.put("auth.jwt_secret", made.secret(secret), secret)


def _http(made: Draft, url: Given, insecure: Given | None) -> None:
    made.put("storage.url", "none")
    made.put("auth.checkers", ["http"])
    made.put("auth.http_url", url.text, url)
    allowed = _switch(made, insecure)
    if allowed:
        made.put("auth.http_insecure", True, insecure)
    if not allowed and not _is_safe(url.text):
        made.refuse(url.problem("must be https, unless the host is this machine or http-basic-auth-url-insecure is true"))


def _is_safe(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in HERE)
    except ValueError:
        return False


def _one_user(made: Draft, given: Mapping[str, Given]) -> None:
    user = {"name": "user", "password": "changeit", "prefix": ""}
    for name, setting in (("name", "user"), ("password", "password")):
        if setting in given:
            user[name] = made.secret(given[setting]) if name == "password" else given[setting].text
            made.came_from(f"auth.users[0].{name}", given[setting])
        else:
            made.warn(f'{setting} was not given and is "{user[name]}", as before: change it')
    keys = [name for name in _STORE[:2] if name in given]
    if len(keys) == 2:
        user["prefix"] = _bucket(made, given)
    else:
        made.put("storage.url", "none")
        made.warn(f"without {' and '.join(name for name in _STORE[:2] if name not in keys)} the mailbox is empty, as before")
    made.put("auth.checkers", ["static"])
    made.put("auth.users", [user])


def _bucket(made: Draft, given: Mapping[str, Given]) -> str:
    for name in ("aws-s3-region", "aws-s3-bucket"):
        if name not in given:
            made.refuse(given[_STORE[0]].problem(f"needs {name} beside it"))
            return ""
    made.put("storage.url", f"s3://{given['aws-s3-bucket'].text}", given["aws-s3-bucket"])
    made.put("storage.region", given["aws-s3-region"].text, given["aws-s3-region"])
    made.put("storage.access_key_id", given["aws-access-key-id"].text, given["aws-access-key-id"])
    for option, name in (("secret_access_key", "aws-secret-access-key"), ("session_token", "aws-session-token")):
        if name in given and given[name].text:
            made.put(f"storage.{option}", made.secret(given[name]), given[name])
    prefix = given.get("aws-s3-prefix")
    made.came_from("auth.users[0].prefix", prefix)
    text = prefix.text if prefix else ""
    return text if not text or text.endswith("/") else f"{text}/"

"""Every command, and the states in which it may be said (RFC 1939 sections 4 to 7, RFC 2449, 2595, 5034)."""

from __future__ import annotations

from collections.abc import Mapping

from sesmail.protocols.pop3.capabilities import capa
from sesmail.protocols.pop3.deleting import dele, quit_, rset
from sesmail.protocols.pop3.listing import list_, noop, stat, uidl
from sesmail.protocols.pop3.login import auth, pass_, stls, user
from sesmail.protocols.pop3.send import retr, top
from sesmail.protocols.pop3.server import LOGIN_LINE, State, Verb

_BEFORE = frozenset({State.AUTHORIZATION})
_AFTER = frozenset({State.TRANSACTION})

VERBS: Mapping[bytes, Verb] = {
    b"CAPA": Verb(capa, _BEFORE | _AFTER),
    b"STLS": Verb(stls, _BEFORE),
    b"USER": Verb(user, _BEFORE, least=1, most=1, text=True),
    b"PASS": Verb(pass_, _BEFORE, least=1, most=1, text=True, limit=LOGIN_LINE),
    b"AUTH": Verb(auth, _BEFORE, most=2, limit=LOGIN_LINE),
    b"STAT": Verb(stat, _AFTER),
    b"LIST": Verb(list_, _AFTER, most=1),
    b"UIDL": Verb(uidl, _AFTER, most=1),
    b"RETR": Verb(retr, _AFTER, least=1, most=1),
    b"TOP": Verb(top, _AFTER, least=2, most=2),
    b"DELE": Verb(dele, _AFTER, least=1, most=1),
    b"RSET": Verb(rset, _AFTER),
    b"NOOP": Verb(noop, _AFTER),
    b"QUIT": Verb(quit_, _BEFORE | _AFTER),
}

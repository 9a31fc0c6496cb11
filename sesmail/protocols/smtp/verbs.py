"""Every command, and the states in which it may be said (RFC 5321 section 4.1.4, RFC 2033, RFC 3207, RFC 4954)."""

from __future__ import annotations

from collections.abc import Mapping

from sesmail.protocols.smtp.data import data
from sesmail.protocols.smtp.hello import ehlo, helo, help_, noop, not_here, other_hello, quit_, rset, vrfy
from sesmail.protocols.smtp.login import auth, starttls
from sesmail.protocols.smtp.server import LOGIN_LINE, MAIL_LINE, State, Verb
from sesmail.protocols.smtp.transaction import mail, rcpt

_ANY = frozenset(State) - {State.ENDED}
_BEFORE = frozenset({State.START, State.GREETED})
_READY = frozenset({State.READY})
_TRANSACTION = frozenset({State.MAIL, State.RECIPIENTS})
_NOT_HERE = Verb(run=not_here, states=_ANY)

_COMMON: Mapping[bytes, Verb] = {
    b"MAIL": Verb(run=mail, states=_READY, order="there is a sender already", argument="one", address=True, limit=MAIL_LINE),
    b"RCPT": Verb(run=rcpt, states=_TRANSACTION, order="MAIL comes first", argument="one", address=True),
    b"DATA": Verb(run=data, states=_TRANSACTION, order="MAIL and RCPT come first", argument="none"),
    b"RSET": Verb(run=rset, states=_ANY, argument="none", pointless=True),
    b"NOOP": Verb(run=noop, states=_ANY, pointless=True),
    b"VRFY": Verb(run=vrfy, states=_ANY, argument="one", pointless=True),
    b"HELP": Verb(run=help_, states=_ANY, pointless=True),
    b"QUIT": Verb(run=quit_, states=_ANY, argument="none"),
    **dict.fromkeys((b"EXPN", b"TURN", b"ETRN", b"ATRN", b"BDAT", b"SEND", b"SOML", b"SAML"), _NOT_HERE),
}
VERBS: Mapping[bytes, Verb] = {
    b"EHLO": Verb(run=ehlo, states=_ANY, argument="one", pointless=True),
    b"HELO": Verb(run=helo, states=_ANY, argument="one", pointless=True),
    b"STARTTLS": Verb(run=starttls, states=_BEFORE, order="STARTTLS comes before the login", argument="none"),
    b"AUTH": Verb(run=auth, states=frozenset({State.GREETED}), order="logged in already", argument="one", limit=LOGIN_LINE),
    **_COMMON,
}
"""What a mail program that submits may say."""

LMTP_VERBS: Mapping[bytes, Verb] = {
    b"LHLO": Verb(run=ehlo, states=_ANY, argument="one", pointless=True),
    b"EHLO": Verb(run=other_hello, states=_ANY),
    b"HELO": Verb(run=other_hello, states=_ANY),
    b"STARTTLS": Verb(
        run=starttls, states=_READY | {State.START}, order="STARTTLS comes before a transaction", argument="none"
    ),
    b"AUTH": _NOT_HERE,
    **_COMMON,
}
"""What a mail server that delivers may say."""

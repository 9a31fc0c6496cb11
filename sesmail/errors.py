"""What can go wrong, as one family: each error has a text that may be sent and a cause that may only be logged.

Rooms raise these; each door (POP3, SMTP, a command's exit status) has one place that turns a kind into its own words.
Anything else that escapes is a bug of ours and is answered as if it were `Unavailable`.
"""

from __future__ import annotations


class MailError(Exception):
    """A failure with two faces: `public` is safe to send to anyone, `cause` is for the log alone.

    `public` never names a bucket, key, host, path or account that the peer did not name himself. `smtp` is an exact reply code with
    its enhanced status (``553 5.7.1``), where the kind alone is too coarse.
    """

    default = "something went wrong"

    def __init__(self, public: str = "", *, cause: object = None, smtp: str | None = None) -> None:
        self.public = public or self.default
        self.cause = cause
        self.smtp = smtp
        super().__init__(self.public)

    def __str__(self) -> str:
        return self.public if self.cause is None else f"{self.public} ({type(self.cause).__name__}: {self.cause})"


class Unavailable(MailError):
    """It may work later: AWS, the network, our own configuration or credentials."""

    default = "temporary failure, try again later"


class Limited(MailError):
    """Too many connections, too many attempts, or over a quota."""

    default = "too many requests, try again later"


class Busy(MailError):
    """Another session holds the maildrop."""

    default = "maildrop is locked by another session"


class BadLogin(MailError):
    """This login is not known, or its password is wrong; nobody hears which."""

    default = "invalid login or password"


class NoSuchMailbox(MailError):
    """For certain, no such mailbox exists here."""

    default = "no such mailbox"


class NoSuchMessage(MailError):
    """The message is gone from the store, or was never there."""

    default = "no such message"


class Refused(MailError):
    """A rule forbids it."""

    default = "not allowed"


class TooLarge(MailError):
    """Over a size limit."""

    default = "too large"


class Malformed(MailError):
    """The input breaks its own format."""

    default = "malformed input"

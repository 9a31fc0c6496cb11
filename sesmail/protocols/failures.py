"""A failure as one of our kinds, whatever a command died of."""

from __future__ import annotations

import logging

from twisted.cred.error import LoginDenied, UnauthorizedLogin

from sesmail.errors import BadLogin, MailError, Unavailable

logger = logging.getLogger(__name__)


def known(error: Exception) -> MailError:
    """The failure as one of our kinds. What is none of them is a bug of ours: logged, and temporary for the client."""
    if isinstance(error, UnauthorizedLogin | LoginDenied | BadLogin):
        # The same words for every refused login, whatever the checker had to say about it.
        return BadLogin()
    if isinstance(error, MailError):
        if isinstance(error, Unavailable):
            logger.warning("a command failed: %s", error)
        return error
    logger.error("a command failed by an error of ours", exc_info=error)
    return Unavailable()

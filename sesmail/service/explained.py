"""What only shows when parts of a gateway are made, told as a fault of the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sesmail.config.problems import ConfigError, Problem, Where
from sesmail.config.table import Config
from sesmail.errors import MailError
from sesmail.service.keypair import BadCertificate
from sesmail.service.listeners import BadEndpoint


@contextmanager
def explained(config: Config) -> Iterator[None]:
    """Turns what is found out when parts are made into ConfigError."""
    try:
        yield
    except LookupError as error:
        raise _problem(config, "auth.checkers", f"there is no checker {error}") from error
    except BadCertificate as error:
        raise _problem(config, "tls.certificates", str(error)) from error
    except BadEndpoint as error:
        raise _problem(config, error.option, str(error)) from error
    except MailError as error:
        raise _problem(config, "", str(error)) from error
    except OSError as error:
        raise _problem(config, "service.state_dir", f"{error.filename}: {error.strerror}") from error


def _problem(config: Config, key: str, message: str) -> ConfigError:
    return ConfigError([Problem(Where(config.source or "configuration"), key, message)])

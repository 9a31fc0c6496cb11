"""The agents of the configuration: who delivers to which kind of destination. Mail for a kind that has none is held."""

from __future__ import annotations

from contextlib import ExitStack

from sesmail.assembly.couriers import ses_client
from sesmail.assembly.ids import hostname
from sesmail.aws.bounces import Bounces
from sesmail.config.problems import ConfigError, Problem, Where
from sesmail.config.table import Config
from sesmail.delivery.agent import Agent
from sesmail.delivery.bounceagent import BounceAgent
from sesmail.delivery.forward import Carry, ForwardAgent
from sesmail.delivery.lmtp import LmtpClient
from sesmail.delivery.lmtpagent import LmtpAgent
from sesmail.delivery.lmtpsession import LmtpSettings
from sesmail.delivery.mailboxagent import MailboxAgent
from sesmail.delivery.maildiragent import MaildirAgent
from sesmail.delivery.pipe import PipeAgent
from sesmail.delivery.plan import Bounce, Forward, Lmtp, Mailbox, Maildir, Pipe


def agents(config: Config, carry: Carry | None, end: ExitStack) -> dict[type, Agent]:
    """`carry` takes mail out; without it nothing is forwarded. What is to be closed at the end goes into `end`.

    Raises ConfigError for certificates that cannot be used.
    """
    given = config.routing
    found: dict[type, Agent] = {
        Mailbox: MailboxAgent(),
        Maildir: MaildirAgent(make=given.make_maildirs),
        Pipe: PipeAgent(timeout=given.pipe_timeout),
    }
    if config.lmtp_out.host:
        found[Lmtp] = lmtp_agent(config, end)
    if given.bounce_from is not None:
        found[Bounce] = BounceAgent(Bounces(ses_client(config, "ses"), given.bounce_from, given.bounce_text).send)
    if carry is not None and given.forward_from is not None:
        found[Forward] = ForwardAgent(carry, forward_from=given.forward_from, gateway=hostname(config))
    return found


def lmtp_agent(config: Config, end: ExitStack) -> LmtpAgent:
    """The one that speaks LMTP to the server of lmtp_out. Raises ConfigError for certificates that cannot be used."""
    given = config.lmtp_out
    settings = LmtpSettings(
        given.host,
        given.port,
        given.tls,
        ca_file=given.ca_file,
        server_name=given.server_name or None,
        hostname=hostname(config),
        timeout=given.timeout,
        patience=given.patience,
    )
    try:
        client = LmtpClient(settings)
    except OSError as error:
        message = f"{given.ca_file} holds no certificates that can be used: {error.strerror or error}"
        raise ConfigError([Problem(Where(config.source or "configuration"), "lmtp_out.ca_file", message)]) from error
    end.callback(client.close)
    return LmtpAgent(client)

"""The command ``sesmail``: one table of subcommands, each imported only when it is called."""

from __future__ import annotations

import argparse
import importlib
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from sesmail.cli import aliaswords

# sysexits.h: systemd's RestartPreventExitStatus= goes by 78.
EXIT_FAILED = 1
EXIT_USAGE = 64
EXIT_TEMPORARY = 75
EXIT_CONFIG = 78


@dataclass(frozen=True)
class Command:
    """A subcommand. `module` has ``run(args) -> int | None``, which returns the exit status, None being success. With `words` it has
    ``run(words: Sequence[str]) -> int`` instead, and reads its own words; `arguments` then only tell of them."""

    name: str
    module: str
    sentence: str
    arguments: Callable[[argparse.ArgumentParser], object]
    words: bool = False


def _config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help="configuration, instead of the first one found in the usual places")


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--directory", metavar="DIR", default="demo", help="folder of the demo, made if it is not there (%(default)s)"
    )
    parser.add_argument("--port", type=int, default=2110, help="port of POP3 with STLS (%(default)s)")
    parser.add_argument("--tls-port", type=int, default=2995, help="port of POP3 over TLS (%(default)s)")
    parser.add_argument("--submission-port", type=int, default=2587, help="port of SMTP with STARTTLS (%(default)s)")
    parser.add_argument("--submission-tls-port", type=int, default=2465, help="port of SMTP over TLS (%(default)s)")
    parser.add_argument("--page-port", type=int, default=8080, help="port of the page (%(default)s)")


def _import_config(parser: argparse.ArgumentParser) -> None:
    systems = parser.add_subparsers(title="systems", metavar="SYSTEM", dest="system", required=True)
    ses = systems.add_parser("aws-ses-pop3-server", help="config.yaml and the POP3_* variables")
    ses.add_argument(
        "file", metavar="FILE", nargs="?", help="its config.yaml, instead of the first one found in its usual places"
    )
    aws = systems.add_parser("aws-pop3-server", help="the variables and options of AWS POP3 Server")
    aws.add_argument("-i", "--ip-address", metavar="ADDRESS", help="as it was started with")
    aws.add_argument("-p", "--port", metavar="PORT", help="as it was started with")
    aws.add_argument("-t", "--mail-store-type", metavar="TYPE", help="as it was started with: aws or filesystem")
    hybrid = systems.add_parser("hybrid-cloud-email", help="the .env and the secrets of hybrid-cloud-email")
    hybrid.add_argument("folder", metavar="FOLDER", nargs="?", default=".", help="where its .env lies, instead of here")
    hybrid.add_argument("-d", "--domain", metavar="DOMAIN", help="domain of the users' addresses")
    hybrid.add_argument(
        "-b", "--bucket", metavar="BUCKET", help="bucket in which SES stores mail, to take over ses-to-lmtp too"
    )
    hybrid.add_argument("--topic", metavar="ARN", help="topic of SNS that tells of mail, with --bucket")
    mailtos3 = systems.add_parser("mailtos3", help="the config.json of mailtos3")
    mailtos3.add_argument(
        "file", metavar="FILE", nargs="?", help="its config.json, instead of the first one found in its two places"
    )
    tacomail = systems.add_parser("tacomail", help="the table of aliases that POSTFIX_DYNAMODB_TABLE names")
    tacomail.add_argument("-b", "--bucket", metavar="BUCKET", required=True, help="bucket in which SES stores mail")
    tacomail.add_argument("-m", "--mailbox", metavar="ACCOUNT", required=True, help="whose mail that of destination S3 is")
    _domains(tacomail, required=True)
    for system in (ses, aws, hybrid, mailtos3, tacomail):
        system.add_argument(
            "-o", "--output", metavar="FILE", help="where to write the configuration, instead of standard output"
        )


def _passwd(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    actions.add_parser("hash", help="print the hash of a password")
    for name, sentence in (
        ("set", "give a user a password, a new user or an old one"),
        ("verify", "say whether a password is right"),
        ("remove", "remove a user"),
    ):
        action = actions.add_parser(name, help=sentence)
        action.add_argument("user", metavar="USER", help="name, with or without a domain")
        _passwd_place(action)
    listing = actions.add_parser("list", help="list the users of a file")
    listing.add_argument("domain", metavar="DOMAIN", nargs="?", help="instead of mailboxes.default_domain")
    _passwd_place(listing)


def _passwd_place(parser: argparse.ArgumentParser) -> None:
    _config(parser)
    parser.add_argument("--file", metavar="FILE", help="a password file of this machine, instead of the configured one")


def _auth(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    test = actions.add_parser("test", help="ask the checkers about one login and say which of them decided")
    test.add_argument("user", metavar="USER", help="login name as a mail program would send it")
    _config(test)


def _token(parser: argparse.ArgumentParser) -> None:
    _config(parser)
    parser.add_argument("--secret-file", metavar="FILE", help="the secret, instead of that of the configuration")
    parser.add_argument("--api", action="store_true", help="for the API and not for mail; needs --email and --expires")
    parser.add_argument("--provider", choices=("s3", "none", "demo"), default="s3", help="where the mail lies (%(default)s)")
    parser.add_argument("--access-key-id", metavar="ID", help="access key; its secret is asked for")
    parser.add_argument("--session-token", action="store_true", help="ask for the session token of a temporary key, too")
    parser.add_argument("--region", metavar="REGION", help="region of the bucket")
    parser.add_argument("--bucket", metavar="BUCKET", help="the bucket")
    parser.add_argument("--prefix", metavar="PREFIX", help="key prefix of the mailbox")
    parser.add_argument("--email", metavar="ADDRESS", help="the bearer's address; without one he may not send")
    parser.add_argument("--expires", metavar="TIME", help="how long it is valid, such as 90d; for ever if not given")
    parser.add_argument("--issued", action="store_true", help="say when it was made, which auth.jwt_max_age asks for")
    parser.add_argument("--algorithm", choices=("HS256", "HS384", "HS512"), default="HS256", help="(%(default)s)")


def _map(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    query = actions.add_parser("query", help="look addresses up")
    query.add_argument("addresses", metavar="ADDRESS", nargs="+", help="whole address")
    query.add_argument("--table", metavar="TYPE:PATH", help="a table, instead of aliases.map")
    _config(query)


def _alias(parser: argparse.ArgumentParser) -> None:
    aliaswords.arguments(parser, _config)


def _queue(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    for name, sentence in (
        ("list", "list the messages that wait, and those that are held"),
        ("show", "show a message's envelope, its attempts and its header"),
        ("retry", "have messages tried now, also such as are held"),
        ("hold", "set messages aside until they are to be tried again"),
        ("remove", "remove messages for ever, without telling anybody"),
    ):
        action = actions.add_parser(name, help=sentence)
        _config(action)
        action.add_argument("--spool", metavar="DIR", help="the spool, instead of relay.spool")
        if name == "retry":
            which = action.add_mutually_exclusive_group(required=True)
            which.add_argument("--all", action="store_true", help="every message")
            which.add_argument("ids", metavar="ID", nargs="*", default=[], help="id of a message")
        elif name != "list":
            action.add_argument("ids", metavar="ID", nargs="+", help="id of a message")


def _held(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    for name, sentence in (
        ("list", "list the messages that are held, and why"),
        ("show", "show for whom and why a message is held, and its header"),
        ("retry", "deliver messages to those who can be given them now"),
        ("drop", "remove messages for ever, without telling anybody"),
    ):
        action = actions.add_parser(name, help=sentence)
        _config(action)
        if name == "retry":
            which = action.add_mutually_exclusive_group(required=True)
            which.add_argument("--all", action="store_true", help="every message")
            which.add_argument("ids", metavar="ID", nargs="*", default=[], help="id of a message")
            action.add_argument("--anyway", action="store_true", help="also what SES found to be spam or worse")
        elif name != "list":
            action.add_argument("ids", metavar="ID", nargs="+", help="id of a message")


def _sort(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--once", action="store_true", help="what the queue tells of, if there is one, then as --sweep")
    what.add_argument("--sweep", action="store_true", help="what lies where mail comes in, without any notices")
    what.add_argument("--dlq", action="store_true", help="what the queue of dead letters tells of")
    parser.add_argument("--age", metavar="TIME", help="age from which a sweep takes mail, instead of incoming.sweep_after")
    _config(parser)


def _smtp_password(parser: argparse.ArgumentParser) -> None:
    _config(parser)
    parser.add_argument("--region", metavar="REGION", help="region of SES, instead of the configured one")
    parser.add_argument(
        "--access-key-id", metavar="ID", help="access key, instead of the configured one; its secret is asked for"
    )


def _domains(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument(
        "--domain",
        metavar="DOMAIN",
        action="append",
        default=[],
        required=required,
        help="a domain; may be given several times",
    )


def _cfn(parser: argparse.ArgumentParser) -> None:
    _domains(parser, required=True)


def _dns(parser: argparse.ArgumentParser) -> None:
    _domains(parser, required=True)
    parser.add_argument("--region", metavar="REGION", help="region of SES, instead of the configured one")
    parser.add_argument(
        "--mail-from", metavar="LABEL", default="mail", help='label of the MAIL FROM domain, or "" (%(default)s)'
    )
    parser.add_argument("--host", metavar="NAME", help="name of the gateway, instead of submission.hostname")
    parser.add_argument("--dkim", metavar="TOKEN", action="append", default=[], help="a token of DKIM, instead of asking SES")
    parser.add_argument("--dmarc", choices=("none", "quarantine", "reject"), default="none", help="policy (%(default)s)")
    parser.add_argument("--reports", metavar="ADDRESS", help="who gets reports, instead of postmaster")
    parser.add_argument("--enforce", action="store_true", help="have MTA-STS enforced, not only tested")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--check", action="store_true", help="ask DNS, and say what is missing")
    parser.add_argument(
        "--files", action="store_true", help="with --check, look for the files that a web server has to serve too"
    )
    parser.add_argument("--server", metavar="ADDRESS", help="DNS server to ask, instead of the machine's")
    _config(parser)


def _iam_policy(parser: argparse.ArgumentParser) -> None:
    purposes = ("pop3", "sort", "submit", "deliver", "aliases", "doctor")
    parser.add_argument(
        "--for", dest="purpose", action="append", required=True, choices=purposes, help="what for; may be given several times"
    )
    _domains(parser, required=False)
    parser.add_argument("--account", metavar="NUMBER", help="number of the AWS account, instead of any")
    parser.add_argument("--region", metavar="REGION", help="region, instead of the configured one")
    parser.add_argument("--key", metavar="ARN", action="append", default=[], help="key of KMS with which mail is sealed")
    parser.add_argument("--table", metavar="NAME", help="table of aliases in DynamoDB")
    _config(parser)


def _doctor(parser: argparse.ArgumentParser) -> None:
    _domains(parser, required=False)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--server", metavar="ADDRESS", help="DNS server to ask, instead of the machine's")
    _config(parser)


def _deliver(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-a", "-address", "--address", metavar="ADDRESS", action="append", help="recipient; may be given several times"
    )
    parser.add_argument("-f", "-from", "--from", metavar="ADDRESS", help="sender; none if it is empty")
    parser.add_argument("--queue-id", metavar="ID", help="what the mail server calls the message")
    parser.add_argument("--socket", metavar="PATH", help="where the gateway speaks LMTP")
    _config(parser)
    parser.add_argument("message", metavar="MESSAGE", nargs="?", help="the message, where standard input has none")


COMMANDS = (
    Command("check-config", "sesmail.cli.checkconfig", "Check the configuration and say what would be served.", _config),
    Command("doctor", "sesmail.cli.doctor.command", "Look at everything, and say what is wrong and how to mend it.", _doctor),
    Command("serve", "sesmail.cli.serve", "Run the gateway in the foreground.", _config),
    Command("import-config", "sesmail.cli.importconfig", "Make a configuration from that of an older system.", _import_config),
    Command("passwd", "sesmail.cli.passwd", "Show and change the users of a password file.", _passwd),
    Command("auth", "sesmail.cli.authtest", "Try a login.", _auth),
    Command("token", "sesmail.cli.token", "Make a signed token, to be used as a password.", _token),
    Command(
        "smtp-password",
        "sesmail.cli.smtppassword",
        "Print user name and password for the SMTP endpoint of SES.",
        _smtp_password,
    ),
    Command("map", "sesmail.cli.map", "Ask the table of aliases whose an address is.", _map),
    Command("alias", "sesmail.cli.alias", "Look after the aliases of the table.", _alias),
    Command("deliver", "sesmail.cli.deliver", "Deliver a message from a mail server.", _deliver, words=True),
    Command("sort", "sesmail.cli.sort", "Sort mail that has come in, once.", _sort),
    Command("held", "sesmail.cli.held", "Look after the mail that nobody could be given.", _held),
    Command("queue", "sesmail.cli.queue", "Look after the mail that waits to be sent.", _queue),
    Command("cfn", "sesmail.cli.cfn", "Print the CloudFormation template for domains.", _cfn),
    Command("dns", "sesmail.cli.dns", "Print the DNS records for domains, or check them.", _dns),
    Command("iam-policy", "sesmail.cli.iampolicy", "Print what AWS has to allow.", _iam_policy),
    Command("demo", "sesmail.cli.demo", "Run the gateway on a folder of sample mail and print how to try it.", _demo),
)


class Parser(argparse.ArgumentParser):
    """argparse, with the exit status of sysexits.h."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(EXIT_USAGE, f"{self.prog}: {message}\n")


def parser() -> Parser:
    """The parser of all subcommands; imports none of them."""
    top = Parser(prog="sesmail", description="Makes AWS SES and an S3 bucket into a mail server.")
    top.add_argument("--version", action="version", version=f"sesmail {_version()}")
    subcommands = top.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for command in COMMANDS:
        sub = subcommands.add_parser(command.name, help=command.sentence, description=command.sentence)
        command.arguments(sub)
        sub.add_argument("--debug", action="store_true", help="show a traceback when something unexpected happens")
        sub.set_defaults(module=command.module)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit status; usage errors leave by SystemExit.

    A bad configuration is shown line by line, anything unexpected as one line; nothing is swallowed.
    """
    words = sys.argv[1:] if argv is None else argv
    own = next((one for one in COMMANDS if one.words and words[:1] == [one.name]), None)
    if own is not None and words[1:2] not in (["-h"], ["--help"]):
        return int(importlib.import_module(own.module).run(words[1:]))
    args = parser().parse_args(words)
    # Imported here, as argparse alone answers --help.
    from sesmail.config.problems import ConfigError
    from sesmail.errors import MailError, Unavailable

    try:
        return importlib.import_module(args.module).run(args) or 0
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_CONFIG
    except MailError as error:
        if args.debug:
            traceback.print_exc()
        print(f"sesmail {args.command}: {error}", file=sys.stderr)
        return EXIT_TEMPORARY if isinstance(error, Unavailable) else EXIT_FAILED
    except Exception as exc:
        if args.debug:
            traceback.print_exc()
        print(f"sesmail {args.command}: {type(exc).__name__}: {_one_line(exc)}", file=sys.stderr)
        return EXIT_FAILED


def _one_line(exc: Exception) -> str:
    return " ".join(str(exc).split()) or "no more is known; --debug shows where"


def _version() -> str:
    # It reads more than a command that is to start at once can wait for.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("sesmail")
    except PackageNotFoundError:
        return "(not installed)"


if __name__ == "__main__":
    sys.exit(main())

"""``sesmail demo``: the gateway on a folder of sample mail, with the lines that try it."""

from __future__ import annotations

import argparse
from pathlib import Path

from sesmail.cli.serve import serve
from sesmail.service.demo import DOMAIN, LOCAL, PASSWORD, Demo

_HELP = """\
sesmail demo: mail of {user} in {folder}

Try it from another terminal:

  curl --cacert {certificate} -u {user}:{password} pop3s://127.0.0.1:{tls_port}/
  curl --cacert {certificate} -u {user}:{password} pop3s://127.0.0.1:{tls_port}/1
  curl --cacert {certificate} -u {user}:{password} --ssl-reqd pop3://127.0.0.1:{port}/2

Send something to yourself, which is then the last message of the list:

  printf 'Subject: Hello\\n\\nIt works.\\n' | curl --cacert {certificate} -u {user}:{password} \\
    --mail-from {user} --mail-rcpt {user} --crlf -T - smtps://127.0.0.1:{submission_tls_port}

Make addresses for yourself, and see your mailbox in figures, on the page

  http://127.0.0.1:{page_port}/

Mail to {domain} is delivered here; all other mail goes to {outbox}.

Account settings for a mail program:

  Incoming mail      POP3
  Server             127.0.0.1
  Port, encryption   {tls_port}, SSL/TLS   (or {port}, STARTTLS)
  Outgoing mail      SMTP, with a login
  Server             127.0.0.1
  Port, encryption   {submission_tls_port}, SSL/TLS   (or {submission_port}, STARTTLS)
  Authentication     normal password
  User name          {user}
  Password           {password}

The certificate is self-signed: the mail program will ask whether to trust it.
Ctrl-C ends the demo; the next one finds the mail as you leave it. Remove the folder to begin anew.
"""


def run(args: argparse.Namespace) -> int:
    """Make the demo in ``--directory`` unless it is there, say how to try it, and serve it until Ctrl-C."""
    demo = Demo(
        Path(args.directory).resolve(),
        args.port,
        args.tls_port,
        args.submission_port,
        args.submission_tls_port,
        args.page_port,
    )
    demo.prepare()
    print(text(demo), flush=True)
    return serve(str(demo.config))


def text(demo: Demo) -> str:
    """What is printed at the start."""
    return _HELP.format(
        user=f"{LOCAL}@{DOMAIN}",
        password=PASSWORD,
        folder=demo.folder,
        certificate=demo.certificate,
        port=demo.port,
        tls_port=demo.tls_port,
        submission_port=demo.submission_port,
        submission_tls_port=demo.submission_tls_port,
        page_port=demo.page_port,
        domain=DOMAIN,
        outbox=demo.outbox,
    )

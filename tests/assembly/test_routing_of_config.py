"""Which address leads where, with a configuration as an administrator writes it."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from sesmail.assembly.routing import bad_targets
from sesmail.assembly.sorting import Receiving, receiving
from sesmail.aws.receipt import DmarcPolicy, Verdict, Verdicts
from sesmail.config.load import from_text
from sesmail.config.problems import ConfigError
from sesmail.config.table import Config
from sesmail.delivery.local import refusal
from sesmail.delivery.plan import Bounce, Destination, Drop, Forward, Hold, Lmtp, Mailbox, Maildir, Pipe, Reason

TEXT = """
storage: {{url: "file://{folder}"}}
mailboxes: {{domains: [example.com, open.example], default_domain: example.com}}
auth:
  checkers: [static, passwd]
  users:
    - {{name: sales@example.com, password: x, prefix: incoming/sales/}}
aliases: {{map: "pcre:{folder}/map"}}
incoming: {{prefix: new/}}
lmtp_out: {{host: /run/dovecot/lmtp}}
routing:
  separators: ["+", "--"]
  domain_aliases:
    - {{domain: example.net, as: example.com}}
  open_domains: [open.example]
  deny: [evil@example.com, spam.example]
  forward_from: forwarder@example.com
  in_store: mailbox:tom
  catch_all:
    - {{domain: rest.example, to: [tom@example.com]}}
  routes:
    - {{address: list@example.com, to: [tom, ann@example.com, friend@elsewhere.example]}}
    - {{address: prog@example.com, to: ["pipe:/bin/cat -n", "maildir:/srv/mail/prog"]}}
    - {{address: old@example.com, to: [lmtp:tom, S3]}}
    - {{address: sink@example.com, to: ["drop:"]}}
    - {{address: loop@example.com, to: [loop@example.com]}}
{more}
tls: {{self_signed: true}}
"""
TOM = "mailboxes/example.com/tom/"
ANN = "mailboxes/example.com/ann/"


def config_in(folder: Path, more: str = "") -> Config:
    (folder / "map").write_text(
        "/^info@example\\.com$/ ann\n/^lost@example\\.com$/ nobody@example.com\n/^tom@example\\.com$/ tom\n"
    )
    (folder / "mailboxes/example.com").mkdir(parents=True, exist_ok=True)
    (folder / "mailboxes/example.com/passwd.txt").write_text("tom:x\nann:x\n")
    return from_text(TEXT.format(folder=folder, more=more), "test", {"HOME": str(folder)})


def received(folder: Path, more: str = "") -> Receiving:
    return receiving(config_in(folder, more), ExitStack())


def leads(mail: Receiving, address: str, verdicts: Verdicts | None = None) -> list[Destination]:
    return [step.destination for step in mail.routing.plan("jack@elsewhere.example", (address,), verdicts).steps]


def prefixes(mail: Receiving, address: str) -> list[str]:
    return [one.place.prefix for one in leads(mail, address) if isinstance(one, Mailbox)]


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("tom@example.com", [TOM]),
        ("Tom+shop@Example.COM", [TOM]),
        ("ann--shop@example.com", [ANN]),
        ("ann@example.net", [ANN]),
        ("sales+x@example.net", ["incoming/sales/"]),
        ("info@example.com", [ANN]),
        ("list@example.com", [TOM, ANN]),
        ("anybody@rest.example", [TOM]),
        ("any.body+tag@open.example", ["mailboxes/open.example/any.body/"]),
    ],
)
def test_an_address_leads_to_mailboxes(address: str, wanted: list[str], tmp_path: Path) -> None:
    assert prefixes(received(tmp_path), address) == wanted


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("nobody@example.com", [Hold(Reason.UNKNOWN)]),
        ("lost@example.com", [Hold(Reason.UNKNOWN)]),
        ("loop@example.com", [Hold(Reason.UNKNOWN)]),
        ("tom@elsewhere.example", [Hold(Reason.UNKNOWN)]),
        ("passwd.txt@open.example", [Hold(Reason.UNKNOWN)]),
        ('"a/b"@open.example', [Hold(Reason.UNKNOWN)]),
        (".sesmail@open.example", [Hold(Reason.UNKNOWN)]),
        ("evil+x@example.net", [Drop(Reason.DENIED)]),
        ("who@spam.example", [Drop(Reason.DENIED)]),
        ("sink@example.com", [Drop()]),
        ("prog@example.com", [Pipe("/bin/cat -n"), Maildir("/srv/mail/prog")]),
    ],
)
def test_an_address_leads_elsewhere(address: str, wanted: list[Destination], tmp_path: Path) -> None:
    assert leads(received(tmp_path), address) == wanted


def test_a_route_may_lead_out_to_lmtp_and_to_the_one_mailbox_of_older_tables(tmp_path: Path) -> None:
    mail = received(tmp_path)
    assert Forward("friend@elsewhere.example") in leads(mail, "list@example.com")
    assert Lmtp("tom") in leads(mail, "old@example.com")
    assert prefixes(mail, "old@example.com") == [TOM]


def test_mail_for_an_account_of_a_domain_that_nobody_named_is_never_forwarded(tmp_path: Path) -> None:
    config_in(tmp_path)
    text = TEXT.replace("domains: [example.com, open.example], ", "").replace("[open.example]", "[]").replace("tom\\n", "tom")
    config = from_text(text.format(folder=tmp_path, more=""), "test", {"HOME": str(tmp_path)})
    (tmp_path / "mailboxes/quiet.example").mkdir(parents=True)
    (tmp_path / "mailboxes/quiet.example/passwd.txt").write_text("jack:x\n")
    (tmp_path / "map").write_text("/^to-(.*)@quiet\\.example$/ ${1}@quiet.example\n")
    mail = receiving(config, ExitStack())
    assert prefixes(mail, "jack@quiet.example") == prefixes(mail, "to-jack@quiet.example") == ["mailboxes/quiet.example/jack/"]
    assert leads(mail, "to-gone@quiet.example") == [Hold(Reason.UNKNOWN)]


def test_accounts_may_be_those_of_an_lmtp_server(tmp_path: Path) -> None:
    mail = received(tmp_path, "  accounts: lmtp")
    assert leads(mail, "tom@example.com") == [Lmtp("tom")]
    assert leads(mail, "info@example.com") == [Lmtp("ann")]
    assert leads(mail, "ann@example.com") == [Lmtp("ann@example.com")]
    assert leads(mail, "nobody@example.com") == [Hold(Reason.UNKNOWN)]
    assert leads(mail, "jim@open.example") == [Lmtp("jim@open.example")]


def test_what_nobody_has_may_be_bounced_or_dropped(tmp_path: Path) -> None:
    mail = received(tmp_path, "  unknown: bounce\n  bounce_from: postmaster@example.com\n  denied: hold")
    good = Verdicts(spf=Verdict.PASS)
    assert leads(mail, "nobody@example.com", good) == [Bounce(Reason.UNKNOWN)]
    assert leads(mail, "nobody@example.com", Verdicts()) == [Hold(Reason.NOT_AUTHENTICATED)]
    assert leads(mail, "evil@example.com") == [Hold(Reason.DENIED)]
    assert leads(received(tmp_path, "  unknown: drop"), "nobody@example.com") == [Drop(Reason.UNKNOWN)]
    for one in (mail, received(tmp_path, "  unknown: drop")):
        (destination,) = leads(one, "nobody@example.com")
        assert refusal(destination) is not None


def test_verdicts_lead_where_the_configuration_says(tmp_path: Path) -> None:
    mail = received(tmp_path, "  spam: junk\n  virus: drop\n  dmarc_reject: hold\n  junk: Spam")
    (junk,) = leads(mail, "ann@example.com", Verdicts(spam=Verdict.FAIL))
    assert isinstance(junk, Mailbox)
    assert (junk.place.prefix, junk.folder) == (ANN, "Spam")
    assert leads(mail, "ann@example.com", Verdicts(virus=Verdict.FAIL)) == [Drop(Reason.VIRUS)]
    rejected = Verdicts(dmarc=Verdict.FAIL, dmarc_policy=DmarcPolicy.REJECT)
    assert leads(mail, "ann@example.com", rejected) == [Hold(Reason.DMARC)]


def test_the_map_is_read_again_when_it_is_told(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    mail = receiving(config, ExitStack())
    (tmp_path / "map").write_text("/^info@example\\.com$/ tom\n")
    mail.prepare(config)()
    assert prefixes(mail, "info@example.com") == [TOM]
    (tmp_path / "map").write_text("/(/ ann\n")
    with pytest.raises(ConfigError, match=r"aliases\.map: .*map:1: "):
        mail.prepare(config)
    assert prefixes(mail, "info@example.com") == [TOM]


def test_no_look_up_starts_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mail = received(tmp_path)

    def begun(*arguments: object, **options: object) -> None:
        raise AssertionError("a program was started")

    for module, name in ((subprocess, "Popen"), (os, "fork"), (os, "posix_spawn"), (os, "system")):
        monkeypatch.setattr(module, name, begun)
    assert prefixes(mail, "Info+x@example.com") == [ANN]
    assert prefixes(mail, "list@example.net") == [TOM, ANN]


def test_the_map_says_who_may_send_as_what(tmp_path: Path) -> None:
    senders = received(tmp_path).senders
    for account, address, may in (
        ("ann@example.com", "Info+x@example.com", True),
        ("ann@example.com", "info@example.net", True),
        ("tom@example.com", "info@example.com", False),
        ("ann@example.com", "other@example.com", False),
    ):
        assert senders.may_send_as(account, address) is may, address


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("maildir:relative", "a Maildir is named by an absolute path"),
        ("pipe:", "pipe: must be followed by a command"),
        ("lmtp:a b", "a user of the LMTP server is named in printable ASCII without spaces, quotes and angle brackets"),
        ("drop:it", "nothing may follow drop:"),
        ("exec:/bin/sh", "exec: is no kind of target; known are mailbox, lmtp, maildir, pipe, forward, drop, bounce, hold"),
        ("two words", "an account is named in printable ASCII without spaces"),
        ("forward:nobody", "an address has the form name@domain"),
    ],
)
def test_a_target_that_cannot_be_used_is_refused_with_its_option(target: str, said: str, tmp_path: Path) -> None:
    config = config_in(
        tmp_path, f"    - {{address: bad@example.com, to: [tom, '{target}']}}".replace("    - ", "  deny_more: ", 0)
    )
    (problem,) = bad_targets(config)
    assert (problem.key, problem.message) == ("routing.routes[5].to[1]", said)
    with pytest.raises(ConfigError):
        receiving(config, ExitStack())


def test_a_map_that_cannot_be_used_is_refused_with_its_option(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    (tmp_path / "map").write_text("/(/ x\n")
    with pytest.raises(ConfigError) as caught:
        receiving(config, ExitStack())
    assert caught.value.problems[0].key == "aliases.map"


def test_without_any_store_mail_is_still_routed(tmp_path: Path) -> None:
    text = "storage: {url: none}\nauth: {checkers: [jwt], jwt_secret: x}\nrouting: {routes: [{address: a@example.com, to: ['lmtp:a']}]}\n"
    text += "lmtp_out: {host: 127.0.0.1}\ntls: {self_signed: true}\n"
    mail = receiving(from_text(text, "test", {"HOME": str(tmp_path)}), ExitStack())
    assert leads(mail, "a@example.com") == [Lmtp("a")]
    assert leads(mail, "b@example.com") == [Hold(Reason.UNKNOWN)]

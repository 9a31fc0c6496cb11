"""The demo: the same mail on every run, of many kinds, and nothing of it made twice."""

from __future__ import annotations

import email
import email.policy
import io
import os
from contextlib import redirect_stdout
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from sesmail.auth.records import parse
from sesmail.cli.demo import text
from sesmail.cli.main import parser
from sesmail.config.load import load
from sesmail.service.demo import Demo, fill
from sesmail.service.demo_mail import samples
from tests.service.tls import temporary


class SamplesTest(SynchronousTestCase):
    def test_there_are_some_dozens_the_same_on_every_run(self) -> None:
        first = list(samples())
        self.assertEqual(first, list(samples()))
        self.assertTrue(36 <= len(first) <= 96)
        self.assertEqual(len({sample.name for sample in first}), len(first))

    def test_they_arrived_one_after_the_other(self) -> None:
        arrived = [sample.arrived for sample in samples()]
        self.assertEqual(arrived, sorted(set(arrived)))

    def test_each_is_a_message_with_a_subject_and_a_date(self) -> None:
        for sample in samples():
            message = email.message_from_bytes(sample.data, policy=email.policy.compat32)
            self.assertTrue(message["Subject"] and message["Date"] and message["From"], sample.name)

    def test_they_are_of_the_kinds_that_break_mail_servers(self) -> None:
        octets = [sample.data for sample in samples()]
        kinds = {
            "a lone dot": lambda data: b"\r\n.\r\n" in data,
            "bare newlines": lambda data: b"\n" in data and b"\r\n" not in data,
            "no newline at the end": lambda data: not data.endswith(b"\n"),
            "Windows-1252": lambda data: b"\x80" in data and not _is_utf8(data),
            "raw UTF-8 headers": lambda data: not data.partition(b"\r\n\r\n")[0].isascii() and _is_utf8(data),
            "encoded headers": lambda data: b"=?utf-8?" in data.partition(b"\r\n\r\n")[0],
            "a message within": lambda data: b"message/rfc822" in data,
            "attachments": lambda data: b"attachment; filename" in data,
            "no body": lambda data: data.endswith(b"MIME-Version: 1.0\r\n\r\n"),
            "a long line": lambda data: max(map(len, data.split(b"\r\n"))) > 2048,
        }
        for kind, is_one in kinds.items():
            self.assertTrue(any(map(is_one, octets)), kind)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


class DemoTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.demo = Demo(temporary(self) / "demo", 12345, 12346)
        self.demo.prepare()
        self.mailbox = self.demo.folder / "mail/mailboxes/example.com/demo"

    def test_its_configuration_loads_and_says_what_the_screen_says(self) -> None:
        config = load(str(self.demo.config), {})
        self.assertEqual(config.warnings, ())
        self.assertEqual(config.storage.url, (self.demo.folder / "mail").as_uri())
        ports = [listener.endpoint for listener in config.pop3.listeners]
        self.assertEqual(ports, ["tcp:12345:interface=127.0.0.1", "tcp:12346:interface=127.0.0.1"])
        self.assertIn("pop3s://127.0.0.1:12346/1", text(self.demo))

    def test_its_account_is_in_a_passwd_file_of_the_first_format(self) -> None:
        records = parse((self.demo.folder / "mail/mailboxes/example.com/passwd.txt").read_bytes())
        self.assertEqual((list(records.users), records.malformed), (["demo"], ()))

    def test_the_next_run_keeps_what_is_there(self) -> None:
        names = sorted(os.listdir(self.mailbox))
        (self.mailbox / names[0]).unlink()
        passwd = self.demo.folder / "mail/mailboxes/example.com/passwd.txt"
        passwd.write_bytes(b"# mine\n")
        self.demo.prepare()
        self.assertEqual(sorted(os.listdir(self.mailbox)), names[1:])
        self.assertEqual(passwd.read_bytes(), b"# mine\n")

    def test_mail_lies_in_order_of_arrival(self) -> None:
        by_time = sorted(self.mailbox.iterdir(), key=lambda path: path.stat().st_mtime)
        self.assertEqual([path.name for path in by_time], [sample.name for sample in samples()])

    def test_a_folder_with_a_space_in_its_name_will_do(self) -> None:
        demo = Demo(self.demo.folder / "my # demo: x")
        demo.prepare()
        self.assertEqual(load(str(demo.config), {}).storage.url, (demo.folder / "mail").as_uri())

    def test_it_has_options_for_folder_and_ports(self) -> None:
        args = parser().parse_args(["demo", "--directory", "d", "--port", "1", "--tls-port", "2"])
        self.assertEqual((args.directory, args.port, args.tls_port), ("d", 1, 2))

    def test_a_store_is_filled_only_through_its_own_keys(self) -> None:
        root = temporary(self)
        with redirect_stdout(io.StringIO()) as said:
            fill(root)
        self.assertEqual(said.getvalue(), "")
        self.assertEqual(sorted(path.name for path in Path(root).iterdir()), ["mailboxes"])

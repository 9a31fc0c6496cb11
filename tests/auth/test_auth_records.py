"""passwd.txt and its hashes, against files and vectors of the program that wrote them first."""

from __future__ import annotations

import subprocess
import sys
import unittest
from unittest import mock

from sesmail.auth import hashes
from sesmail.auth.entries import Record, users
from sesmail.auth.records import parse

ADMIN = (
    "601f8f22b15321a3cd342c1d50c6ce8da153da970d3dbfe25b3dbfa9326c3b30"
    "ac32d8725d8513fc43a5e7a97f637c502a0a1f05c997ebf4de7729676dba56d2"
)
TOM = (
    "1c29a0144107cf8cd725e9a1c04eaa03567eb66666ee2d5699deff1221356396"
    "1e0a2738e0fba16dd7bdbfaecb5c2840742215aeff1252e6e5d848977f047f10"
)


class HashesTest(unittest.TestCase):
    def test_the_published_hash_of_admin_password_is_ours(self) -> None:
        self.assertEqual(hashes.legacy("admin", b"password"), ADMIN)

    def test_a_password_may_hold_colons(self) -> None:
        self.assertTrue(hashes.verify(TOM, "tom", b"s3cret:with:colons"))

    def test_hexadecimal_digits_may_be_in_capitals(self) -> None:
        self.assertTrue(hashes.verify(ADMIN.upper(), "admin", b"password"))

    def test_another_password_and_another_salt_are_wrong(self) -> None:
        self.assertFalse(hashes.verify(ADMIN, "admin", b"Password"))
        self.assertFalse(hashes.verify(ADMIN, "Admin", b"password"))

    def test_the_hash_of_nobody_has_the_known_format_and_fits_nothing_typed(self) -> None:
        self.assertTrue(hashes.known(hashes.NOBODY))
        self.assertFalse(hashes.verify(hashes.NOBODY, "tom", b""))

    def test_the_comparison_is_the_constant_time_one(self) -> None:
        with mock.patch("hmac.compare_digest", return_value=True) as compare:
            self.assertTrue(hashes.verify(ADMIN, "admin", b"wrong"))
        compare.assert_called_once()

    def test_hashes_names_and_records_import_no_twisted(self) -> None:
        code = "import sys, sesmail.auth.hashes, sesmail.auth.names, sesmail.auth.records; sys.exit('twisted' in sys.modules)"
        self.assertEqual(subprocess.run([sys.executable, "-c", code], check=False).returncode, 0)


class RecordsTest(unittest.TestCase):
    def test_crlf_lf_and_a_missing_last_line_end_read_alike(self) -> None:
        lines = [f"admin:{ADMIN}", f"tom:{TOM}"]
        for text in ("\r\n".join(lines), "\n".join(lines), "\r\n".join([*lines, ""]), "\n".join([*lines, ""])):
            self.assertEqual(parse(text.encode()).users, {"admin": Record("admin", ADMIN), "tom": Record("tom", TOM)})

    def test_blank_lines_comments_and_a_byte_order_mark_are_no_users(self) -> None:
        records = parse(b"\xef\xbb\xbf# mail\r\n\r\n   \r\n#x:y\r\ntom:" + TOM.encode() + b"\r\n")
        self.assertEqual((list(records.users), records.malformed), (["tom"], ()))

    def test_the_first_line_of_a_name_wins_in_any_case(self) -> None:
        records = parse(f"Tom:{TOM}\ntom:{ADMIN}\n".encode())
        self.assertEqual(records.users, {"tom": Record("Tom", TOM)})

    def test_fields_after_the_second_are_ignored(self) -> None:
        self.assertEqual(parse(f"tom:{TOM}:Tom Jones:x".encode()).users["tom"].hash, TOM)

    def test_dovecot_s_eight_fields_are_read(self) -> None:
        line = f"tom:{TOM}:5000:5000:Tom Jones:/home/tom:/bin/false:userdb_quota_rule=*:storage=1G"
        self.assertEqual(parse(line.encode()).users, {"tom": Record("tom", TOM)})

    def test_whom_dovecot_keeps_out_is_kept_out(self) -> None:
        for extra in ("nologin", "nologin=y", "x=1 nologin", "allow_nets=10.0.0.0/8", "allow_nets=::1"):
            record = parse(f"tom:{TOM}::::::{extra}".encode()).users["tom"]
            self.assertFalse(hashes.verify(record.hash, record.salt, b"s3cret:with:colons"), extra)

    def test_a_condition_that_cannot_be_checked_is_told_and_a_lock_is_not(self) -> None:
        data = f"a:{TOM}::::::allow_nets=::1\nb:{TOM}::::::nologin\nc:!{TOM}\nd:*\ne:\n"
        records = parse(data.encode())
        self.assertEqual((records.malformed, records.unusable), ((), (1,)))

    def test_names_may_have_a_domain_which_does_not_salt(self) -> None:
        record = parse(f"Tom@Example.com:{TOM}".encode()).users["tom@example.com"]
        self.assertEqual((record.name, record.salt), ("Tom@Example.com", "Tom"))

    def test_a_malformed_line_is_counted_and_spoils_no_other(self) -> None:
        data = b"no colon\n:" + TOM.encode() + b"\n\xff:" + TOM.encode() + b"\ntom:" + TOM.encode()
        records = parse(data)
        self.assertEqual((list(records.users), records.malformed, records.unusable), (["tom"], (1, 2, 3), ()))

    def test_a_scheme_that_nobody_knows_never_matches_and_leaves_the_user_known(self) -> None:
        records = parse(b"tom:{ROT13}frperg\nann:secret\n")
        self.assertEqual((list(records.users), records.unusable), (["tom", "ann"], (1, 2)))
        self.assertFalse(any(hashes.verify(one.hash, one.salt, b"secret") for one in records.users.values()))

    def test_an_unknown_user_costs_what_the_first_known_hash_costs(self) -> None:
        self.assertEqual(parse(f"tom:{{ROT13}}x\nann:{TOM}\n".encode()).decoy.hash, TOM)
        self.assertEqual(parse(b"").decoy.hash, hashes.NOBODY)

    def test_hashes_do_not_show_in_the_repr(self) -> None:
        self.assertNotIn(TOM, repr(parse(f"tom:{TOM}".encode())))


class UsersTest(unittest.TestCase):
    def test_everybody_in_the_file_lives_here_whether_a_password_lets_him_in_or_not(self) -> None:
        data = (
            b"\xef\xbb\xbf# mail\r\nTom:" + TOM.encode() + b"\r\n\nann@Example.com:!:::::: nologin\njack:{ODD}x\nno colon\n:x\n"
        )
        self.assertEqual(users(data), {"tom", "ann@example.com", "jack"})

    def test_they_are_read_without_the_libraries_that_check_passwords(self) -> None:
        code = "import sys; sys.modules.update(passlib=None, bcrypt=None, jwt=None); import sesmail.auth.entries, sesmail.auth.localfile"
        self.assertEqual(subprocess.run([sys.executable, "-c", code], check=False).returncode, 0)

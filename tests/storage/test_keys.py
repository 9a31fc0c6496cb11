"""Where mail lies by name, which names are none, and which keys are no mail."""

from __future__ import annotations

import unittest

from hypothesis import given
from hypothesis import strategies as st

from sesmail.errors import Malformed, NoSuchMailbox
from sesmail.interfaces import Place, StorePlace
from sesmail.storage.keys import Override, Places, folder_prefix, is_mail, is_namesake, message_key, namesake_starts

MAIN = StorePlace("s3://main")
OTHER = StorePlace("s3://other", endpoint="https://elsewhere.example")


def places(template: str = "mailboxes/%d/%u/", passwd: str = "mailboxes/%d/passwd.txt", **overrides: Override) -> Places:
    named = {name.replace("_at_", "@").replace("_dot_", "."): override for name, override in overrides.items()}
    return Places(template, passwd, MAIN, False, named)


class PlacesTest(unittest.TestCase):
    def test_the_template_makes_the_prefix_and_folds_case(self) -> None:
        self.assertEqual(places().place("Tom", "Example.COM"), Place(MAIN, "mailboxes/example.com/tom/", mixed_case=True))
        self.assertEqual(places().passwd("Example.COM"), (MAIN, "mailboxes/example.com/passwd.txt"))

    def test_a_name_is_put_in_once_and_a_double_percent_is_one(self) -> None:
        self.assertEqual(places("100%%/%u/%d/%u").place("%d", "a%u").prefix, "100%/%d/a%u/%d")

    def test_a_literal_prefix_is_used_as_it_is(self) -> None:
        found = places(tom_at_example_dot_com=Override(prefix="in%d/mail-")).place("TOM", "example.com")
        self.assertEqual(found, Place(MAIN, "in%d/mail-"))

    def test_an_account_goes_before_its_domain_and_takes_the_rest_from_it(self) -> None:
        where = places(
            b_dot_c=Override(template="%d-%u/", nested=True, store=OTHER, passwd="pw/%d"),
            tom_at_b_dot_c=Override(prefix="tom's"),
            ann_at_b_dot_c=Override(nested=False, store=MAIN),
        )
        self.assertEqual(where.place("eve", "b.c"), Place(OTHER, "b.c-eve/", nested=True, mixed_case=True))
        self.assertEqual(where.place("tom", "b.c"), Place(OTHER, "tom's", nested=True))
        self.assertEqual(where.place("ann", "b.c"), Place(MAIN, "b.c-ann/", mixed_case=True))
        self.assertEqual(where.passwd("b.c"), (OTHER, "pw/b.c"))
        self.assertEqual(where.place("tom", "c.d"), Place(MAIN, "mailboxes/c.d/tom/", mixed_case=True))

    def test_mail_is_taken_for_sealed_where_that_is_said(self) -> None:
        some = {"b.c": Override(sealed=True), "tom@b.c": Override(sealed=False, prefix="t/"), "ann@b.c": Override(prefix="a/")}
        for all_of_it in (False, True):
            where = Places("%d/%u/", "p", MAIN, False, some, sealed=all_of_it)
            found = [
                where.place(local, domain).sealed
                for local, domain in (("x", "y"), ("x", "b.c"), ("ann", "b.c"), ("tom", "b.c"))
            ]
            self.assertEqual(found, [all_of_it, True, True, False])

    def test_an_account_without_a_domain(self) -> None:
        where = places("%u/", "passwd.txt", tom_at_=Override(prefix="t/"))
        self.assertEqual(where.place("ann", "").prefix, "ann/")
        self.assertEqual(where.place("tom", "").prefix, "t/")
        self.assertEqual(where.passwd(""), (MAIN, "passwd.txt"))
        self.assertRaises(NoSuchMailbox, places().place, "ann", "")
        self.assertRaises(NoSuchMailbox, places().passwd, "")

    def test_only_a_last_folder_that_holds_the_name_has_mixed_cases(self) -> None:
        for template, expected in (("%d/%u/", True), ("%u@%d/", True), ("%d/%u", False), ("%u/in/", False), ("%u/%%u/", False)):
            self.assertIs(places(template).place("a", "b").mixed_case, expected, template)
        self.assertFalse(Places("%u/", "p", MAIN, False, {}, mixed_case=False).place("a", "b").mixed_case)

    def test_names_that_could_become_a_path_are_no_mailboxes(self) -> None:
        bad = (
            "a/b",
            "/",
            "..",
            "a..b",
            "..\0",
            ".",
            ".sesmail",
            ".a",
            "+folder",
            "a\0",
            "a\n",
            "a\x7f",
            "a\x85",
            "\udc80",
            "x" * 256,
        )
        for name in (*bad, "", "x" * 65, "é" * 33):
            self.assertRaises(NoSuchMailbox, places().place, name, "example.com")
        for name in bad:
            self.assertRaises(NoSuchMailbox, places().place, "tom", name)
            self.assertRaises(NoSuchMailbox, places().passwd, name)
        self.assertEqual(places().place("x" * 64, "y" * 255).prefix, f"mailboxes/{'y' * 255}/{'x' * 64}/")

    def test_an_unknown_field_is_refused_at_once(self) -> None:
        for template in ("%x/", "%", "a%/"):
            self.assertRaises(ValueError, places, template)
            self.assertRaises(ValueError, places, passwd=template)
            self.assertRaises(ValueError, places, a=Override(template=template))

    @given(st.text(max_size=80), st.text(max_size=300))
    def test_a_mailbox_is_never_outside_its_template(self, local: str, domain: str) -> None:
        try:
            prefix = places().place(local, domain).prefix
        except NoSuchMailbox:
            return
        parts = prefix.split("/")
        self.assertEqual((len(parts), parts[0], parts[3]), (4, "mailboxes", ""))
        self.assertTrue(all(part and not part.startswith((".", "+")) for part in parts[:3]))


class IsMailTest(unittest.TestCase):
    def test_what_is_no_mail_is_hidden(self) -> None:
        hidden = [b"", b"AMAZON_SES_SETUP_NOTIFICATION", b"passwd.txt", b"folder/", b"nul\0", b"caf\xe9"]
        deep = [
            b"a/AMAZON_SES_SETUP_NOTIFICATION",
            b"a/passwd.txt",
            b".sesmail/lock",
            b"a/.sesmail/lock",
            b"/.sesmail/lock",
            b"+Sent/1",
            b"a/+Sent/1",
        ]
        for name in (*hidden, *deep):
            self.assertFalse(is_mail(name, b"5", True), name)
            self.assertFalse(is_mail(name, b"5", False), name)

    def test_empty_objects_are_no_mail(self) -> None:
        self.assertFalse(is_mail(b"id", b"0", False))
        self.assertTrue(is_mail(b"id", b"10", False))

    def test_sub_folders_are_mail_only_where_nested(self) -> None:
        for name in (b"2026/11/id", b"a/+b", b"sesmail/x"):
            self.assertTrue(is_mail(name, b"5", True), name)
            self.assertFalse(is_mail(name, b"5", False), name)

    def test_odd_names_are_mail(self) -> None:
        for name in (b"+id", b".id", b".sesmail", b"a b", "é".encode(), b"passwd.txt.1"):
            self.assertTrue(is_mail(name, b"5", False), name)


class NamesakesTest(unittest.TestCase):
    def test_the_first_letter_is_looked_for_in_both_cases(self) -> None:
        self.assertEqual(namesake_starts("m/d/tom/"), ("m/d/T", "m/d/t"))
        self.assertEqual(namesake_starts("7up/"), ("7",))

    def test_a_namesake_differs_in_the_case_of_its_last_folder_alone(self) -> None:
        for folder, expected in (
            ("m/d/Tom/", True),
            ("m/d/tOM/", True),
            ("m/d/tom/", False),
            ("m/D/Tom/", False),
            ("m/d/Tomas/", False),
            ("m/d/Tom/x/", False),
        ):
            self.assertIs(is_namesake(folder, "m/d/tom/"), expected, folder)

    def test_letters_that_only_look_alike_are_another_name(self) -> None:
        self.assertFalse(is_namesake("m/d/to\u212a/", "m/d/tok/"))


class FolderTest(unittest.TestCase):
    def test_a_folder_lies_beside_the_mail_and_is_no_mail(self) -> None:
        for prefix, expected in (("mail/bob/", "mail/bob/+Junk/"), ("mail/bob", "mail/bob/+Junk/"), ("", "+Junk/")):
            self.assertEqual(folder_prefix(prefix, "Junk"), expected)
        self.assertFalse(is_mail(b"+Junk/message", b"10", True))

    def test_a_name_that_is_no_part_of_a_key_names_no_folder(self) -> None:
        for name in ("", "a/b", "..", ".sesmail", "+Junk", "a\0b", "a\nb", "x" * 101):
            with self.subTest(name=name), self.assertRaises(ValueError):
                folder_prefix("mail/bob/", name)


class MessageKeyTest(unittest.TestCase):
    def test_a_message_lies_behind_its_mailbox_prefix_or_in_a_folder_of_it(self) -> None:
        self.assertEqual(message_key("mail/b.c/tom/", "", "o3vr-1"), "mail/b.c/tom/o3vr-1")
        self.assertEqual(message_key("mail/b.c/tom/", "Junk", "o3vr-1"), "mail/b.c/tom/+Junk/o3vr-1")
        self.assertEqual(message_key("mail-", "", "o3vr-1"), "mail-o3vr-1")
        self.assertEqual(message_key("mail-", "Junk", "o3vr-1"), "mail-/+Junk/o3vr-1")
        self.assertEqual(message_key("", "Junk", "o3vr-1"), "+Junk/o3vr-1")

    def test_the_id_keeps_its_case(self) -> None:
        self.assertEqual(message_key("tom/", "", "AbC"), "tom/AbC")

    def test_an_id_that_is_no_part_of_a_key_or_no_mail_is_refused(self) -> None:
        for id in (
            "",
            ".",
            "..",
            "a/b",
            "../ann/1",
            "a..b",
            ".sesmail",
            "+Junk",
            "a\0b",
            "a\r\nb",
            "\udcff",
            "x" * 201,
            "passwd.txt",
            "AMAZON_SES_SETUP_NOTIFICATION",
        ):
            for folder in ("", "Junk"):
                self.assertRaises(Malformed, message_key, "tom/", folder, id)

    def test_a_folder_that_is_no_part_of_a_key_is_no_mailbox(self) -> None:
        for folder in ("..", "a/b", ".", "+x", "a\0", "x" * 101, "\udcff"):
            self.assertRaises(NoSuchMailbox, message_key, "tom/", folder, "1")

    def test_a_key_that_s3_cannot_hold_is_no_mailbox(self) -> None:
        self.assertEqual(len(message_key("p" * 1023, "", "1")), 1024)
        self.assertRaises(NoSuchMailbox, message_key, "p" * 1024, "", "1")
        self.assertRaises(NoSuchMailbox, message_key, "é" * 512, "", "1")

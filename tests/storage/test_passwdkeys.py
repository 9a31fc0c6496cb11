"""Password files are told from mail by where they lie."""

from __future__ import annotations

import unittest

from sesmail.interfaces import StorePlace
from sesmail.storage.keys import Override, Places
from sesmail.storage.passwdkeys import PasswdKeys

HERE, THERE = StorePlace("s3://here"), StorePlace("s3://there")


def hidden(template: str, prefix: str, key: str) -> bool:
    matches = PasswdKeys([(HERE, template)]).behind(HERE, [prefix])
    return matches is not None and matches(key.encode())


class PasswdKeysTest(unittest.TestCase):
    def test_a_mailbox_that_can_hold_none_is_not_looked_through(self) -> None:
        usual = PasswdKeys([(HERE, "mailboxes/%d/passwd.txt")])
        self.assertIsNone(usual.behind(HERE, ["mailboxes/example.com/tom/", "mailboxes/example.com/Tom/"]))
        self.assertIsNone(usual.behind(HERE, ["inbox/"]))
        self.assertIsNone(usual.behind(THERE, [""]))
        for prefix in ("", "mail", "mailboxes/", "mailboxes/example.com/", "mailboxes/example.com/to"):
            self.assertIsNotNone(usual.behind(HERE, ["inbox/", prefix]), prefix)

    def test_a_domain_may_be_any_and_all_the_rest_is_literal(self) -> None:
        self.assertTrue(hidden("box/%d.pw", "box/", "box/example.com.pw"))
        self.assertTrue(hidden("box/a+b%%[%d]", "box/", "box/a+b%[example.com]"))
        for key in ("box/example.com.pwd", "box/example_pw", "box/.pw", "box/x/example.com.pw", "other/example.com.pw"):
            self.assertFalse(hidden("box/%d.pw", "box/", key), key)

    def test_folders_count_and_so_do_odd_names(self) -> None:
        self.assertTrue(hidden("%d/tom/é", "example.com/tom/", "example.com/tom/é"))
        self.assertTrue(hidden("%d/%d", "", "a\nb/c"))
        self.assertFalse(hidden("%d/tom/x", "example.com/ann/", "example.com/ann/x"))

    def test_every_domain_s_own_is_known(self) -> None:
        overrides = {"example.org": Override(passwd="org/users"), "example.net": Override(store=THERE)}
        places = Places("mailboxes/%d/%u/", "mailboxes/%d/users", HERE, False, overrides)
        self.assertEqual(
            places.passwd_templates(), [(HERE, "mailboxes/%d/users"), (HERE, "org/users"), (THERE, "mailboxes/%d/users")]
        )

"""One password file for everybody, hashes of all schemes behind logins, and the upgrade of old ones."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.cred.credentials import UsernamePassword
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from sesmail.auth import hashes
from sesmail.auth.domains import Domains
from sesmail.auth.edits import Editable
from sesmail.auth.localfile import LocalFile
from sesmail.auth.names import Names, UnknownUser
from sesmail.auth.passwd import PasswdChecker, PasswdFileChecker
from sesmail.errors import BadLogin, NoSuchMailbox, Unavailable
from sesmail.interfaces import Account, Place, StorePlace

STORE = StorePlace("s3://bucket")
SLOW = "{CRYPT}$2y$05$.I7mR90r8CsjfO81FnVcCeFe7kz6qyZ2axnNPpRLdfOkBz0Nih5ny"


def place_of(local: str, domain: str) -> Place:
    if not domain and local == "nowhere":
        raise NoSuchMailbox
    return Place(STORE, f"{domain}/{local}/")


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        self.path = folder / "passwd"
        self.time = 0.0
        self.verified: list[str] = []

    async def load(self, domain: str, known: str | None) -> Any:
        return LocalFile(self.path).changed(known)

    async def run_now(self, function: Callable[..., Any], *args: Any) -> Any:
        if function is hashes.verify:
            self.verified.append(args[0])
        return function(*args)

    def checker(self, kind: type[PasswdChecker], text: str, default: str = "", *, upgrade: bool = False) -> PasswdChecker:
        self.path.write_text(text)
        domains = Domains(self.load, 30.0, lambda: self.time)
        names = Names(frozenset({"example.com", "example.org"}), default)
        return kind(names, domains, place_of, self.run_now, editable=self.editable if upgrade else None)  # type: ignore[arg-type]

    def editable(self, domain: str) -> Editable:
        return LocalFile(self.path)

    def login(self, checker: PasswdChecker, name: str, password: str = "secret") -> Deferred[Account]:
        return checker.requestAvatarId(UsernamePassword(name.encode(), password.encode()))


class PasswdFileCheckerTest(Case):
    def test_names_have_a_domain_or_not(self) -> None:
        checker = self.checker(PasswdFileChecker, f"Tom@Example.com:{SLOW}\nann:{SLOW}\n")
        tom, ann = (self.successResultOf(self.login(checker, name)) for name in ("TOM@example.com", "Ann"))
        self.assertEqual(tom, Account("tom@example.com", "tom@example.com", Place(STORE, "example.com/tom/")))
        self.assertEqual(ann, Account("ann", None, Place(STORE, "/ann/")))

    def test_a_name_without_a_domain_belongs_to_the_default_domain_and_to_no_other(self) -> None:
        checker = self.checker(PasswdFileChecker, f"ann:{SLOW}\n", "example.com")
        for name in ("ann", "ann@example.com"):
            self.assertEqual(self.successResultOf(self.login(checker, name)).address, "ann@example.com")
        self.failureResultOf(self.login(checker, "ann@example.org"), UnknownUser)
        checker = self.checker(PasswdFileChecker, f"ann:{SLOW}\n")
        self.failureResultOf(self.login(checker, "ann@example.com"), UnknownUser)

    def test_the_full_name_goes_before_the_bare_one(self) -> None:
        checker = self.checker(PasswdFileChecker, f"ann:{{PLAIN}}bare\nann@example.com:{SLOW}\n", "example.com")
        self.successResultOf(self.login(checker, "ann"))
        self.failureResultOf(self.login(checker, "ann", "bare"), BadLogin)

    def test_a_domain_that_is_not_served_is_nobody_s_even_when_the_file_has_it(self) -> None:
        checker = self.checker(PasswdFileChecker, f"tom@other.example:{SLOW}\n../x:{SLOW}\n")
        for name in ("tom@other.example", "../x", "", ".sesmail", "+x"):
            self.failureResultOf(self.login(checker, name), UnknownUser)

    def test_the_file_is_read_again_when_it_was_changed(self) -> None:
        checker = self.checker(PasswdFileChecker, f"tom:{SLOW}\n")
        self.successResultOf(self.login(checker, "tom"))
        self.path.write_text("tom:{PLAIN}changed\n")
        self.time = 31.0
        self.successResultOf(self.login(checker, "tom", "changed"))

    def test_a_file_that_is_gone_knows_nobody_and_one_that_cannot_be_read_is_trouble(self) -> None:
        checker = self.checker(PasswdFileChecker, "")
        self.path.unlink()
        self.failureResultOf(self.login(checker, "tom"), UnknownUser)
        self.path.mkdir()
        self.time = 31.0
        self.failureResultOf(self.login(checker, "tom"), Unavailable)

    def test_an_account_without_a_place_is_trouble_and_no_wrong_password(self) -> None:
        checker = self.checker(PasswdFileChecker, f"nowhere:{SLOW}\n")
        self.failureResultOf(self.login(checker, "nowhere"), Unavailable)


class SchemesTest(Case):
    def test_a_file_as_dovecot_s_users_have_it_lets_them_in(self) -> None:
        lines = []
        for number, scheme in enumerate(["CRYPT", "SHA512-CRYPT", "SSHA512", "PBKDF2", "PLAIN"]):
            made = subprocess.run(
                ["doveadm", "-O", "pw", "-s", scheme, "-p", "secret"], capture_output=True, text=True, check=True
            )
            lines.append(
                f"user{number}@example.com:{made.stdout.strip()}:5000:5000::/var/mail:/bin/false:userdb_mail=maildir:~/\r\n"
            )
        checker = self.checker(PasswdFileChecker, "".join(lines))
        for number in range(len(lines)):
            self.successResultOf(self.login(checker, f"user{number}@example.com"))
            self.failureResultOf(self.login(checker, f"user{number}@example.com", "Secret"), BadLogin)

    def test_a_file_of_a_domain_may_have_full_names(self) -> None:
        checker = self.checker(PasswdChecker, f"tom@example.com:{hashes.legacy('tom', b'secret')}\n")
        self.assertEqual(self.successResultOf(self.login(checker, "tom@example.com")).name, "tom@example.com")
        self.failureResultOf(self.login(checker, "tom@example.org"), UnknownUser)

    def test_an_unknown_user_costs_what_a_user_of_the_file_costs(self) -> None:
        checker = self.checker(PasswdChecker, f"x:{{ROT13}}x\ntom:{SLOW}\n")
        self.failureResultOf(self.login(checker, "tom@example.com", "guess"), BadLogin)
        self.failureResultOf(self.login(checker, "nobody@example.com", "guess"), UnknownUser)
        self.assertEqual(self.verified, [SLOW, SLOW])

    def test_an_unknown_scheme_is_a_wrong_password_logged_once_and_without_content(self) -> None:
        checker = self.checker(PasswdChecker, "tom:{ROT13}s3cret\n")
        with self.assertLogs("sesmail", "WARNING") as logged:
            for _ in range(3):
                error = self.failureResultOf(self.login(checker, "tom@example.com", "s3cret"), BadLogin).value
                self.assertNotIsInstance(error, UnknownUser)
        self.assertEqual(
            logged.output, ["WARNING:sesmail.auth.domains:password file example.com: no password fits these lines: 1"]
        )


class UpgradeTest(Case):
    OLD = f"# ours\r\nTom:{hashes.legacy('Tom', b'secret')}:1:2\r\nann:{SLOW}\r\n"

    def test_an_old_hash_is_replaced_at_a_good_login_and_fits_afterwards(self) -> None:
        checker = self.checker(PasswdChecker, self.OLD, upgrade=True)
        self.successResultOf(self.login(checker, "tom@example.com"))
        comment, tom, ann = self.path.read_bytes().split(b"\r\n")[:3]
        self.assertEqual((comment, ann), (b"# ours", f"ann:{SLOW}".encode()))
        self.assertRegex(tom.decode(), r"^Tom:\{(ARGON2ID|SHA512-CRYPT)\}\$[^:]+:1:2$")
        self.successResultOf(self.login(checker, "tom@example.com"))
        self.assertNotEqual(self.verified[0], self.verified[1])
        self.failureResultOf(self.login(checker, "tom@example.com", "Secret"), BadLogin)

    def test_a_wrong_password_a_good_hash_and_a_gateway_that_may_not_change_nothing(self) -> None:
        checker = self.checker(PasswdChecker, self.OLD, upgrade=True)
        self.failureResultOf(self.login(checker, "tom@example.com", "wrong"), BadLogin)
        self.successResultOf(self.login(checker, "ann@example.com"))
        self.successResultOf(self.login(self.checker(PasswdChecker, self.OLD), "tom@example.com"))
        self.assertEqual(self.path.read_bytes(), self.OLD.replace("\r\n", "\r\n").encode())

    def test_what_another_admin_changed_meanwhile_stays(self) -> None:
        checker = self.checker(PasswdChecker, self.OLD, upgrade=True)
        self.successResultOf(self.login(checker, "ann@example.com"))
        self.path.write_text("new:{PLAIN}x\n" + self.OLD.replace(SLOW, "{PLAIN}hers"))
        self.successResultOf(self.login(checker, "tom@example.com"))
        text = self.path.read_text()
        self.assertTrue(text.startswith("new:{PLAIN}x\n# ours\n"), text)
        self.assertIn("ann:{PLAIN}hers\n", text)

    def test_a_password_that_was_changed_meanwhile_is_not_set_back(self) -> None:
        checker = self.checker(PasswdChecker, self.OLD, upgrade=True)
        self.successResultOf(self.login(checker, "ann@example.com"))
        self.path.write_text("Tom:{PLAIN}changed\n")
        self.successResultOf(self.login(checker, "tom@example.com"))
        self.assertEqual(self.path.read_text(), "Tom:{PLAIN}changed\n")

    def test_a_file_that_cannot_be_written_lets_in_all_the_same(self) -> None:
        checker = self.checker(PasswdChecker, self.OLD, upgrade=True)
        self.patch(LocalFile, "put", self.fail_to_put)
        with self.assertLogs("sesmail.auth.passwd", "WARNING") as logged:
            self.successResultOf(self.login(checker, "tom@example.com"))
        self.assertNotIn("secret", " ".join(logged.output))

    def fail_to_put(self, *args: object) -> None:
        raise Unavailable

"""The store of certificates: by name, renewed while sessions go on, and never worse than before."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from sesmail.service.certificates import CertificateStore
from sesmail.service.keypair import BadCertificate, Pair
from sesmail.service.listeners import Listener
from sesmail.service.selfsigned import LIFETIME, self_signed
from tests.servers.certificates import Authority, Certificate
from tests.service.tls import EchoFactory, Shown, in_thread, reactor, serial, shown, temporary, trusting


def now() -> datetime:
    return datetime.now(UTC)


def pair(issued: Certificate) -> Pair:
    return Pair(issued.certificate, issued.key)


class StoreCase(TestCase):
    def setUp(self) -> None:
        self.folder = temporary(self)
        self.authority = Authority(self.folder)

    def serve(self, store: CertificateStore, *, implicit: bool = True) -> int:
        factory = EchoFactory(store)
        listener = Listener(reactor, "tcp:0:interface=127.0.0.1", factory, tls=store if implicit else None)
        listener.startService()
        self.addCleanup(listener.stopService)
        return int(listener.address.port)  # type: ignore[attr-defined]

    async def connect(self, port: int, name: str | None = "localhost", offers: Sequence[str] = (), **settings: Any) -> Shown:
        def talk() -> Shown:
            context = trusting(self.authority.certificate if name else None)
            for key, value in settings.items():
                setattr(context, key, value)
            if offers:
                context.set_alpn_protocols(offers)
            with (
                socket.create_connection(("127.0.0.1", port), 10) as plain,
                context.wrap_socket(plain, server_hostname=name) as tls,
            ):
                tls.sendall(b"hello")
                assert tls.recv(5) == b"hello"
                return shown(tls)

        result: Shown = await in_thread(talk)
        return result


class CertificateStoreTest(StoreCase):
    def test_it_is_what_twisted_takes_for_a_server(self) -> None:
        store = CertificateStore([pair(self.authority.issue("localhost"))], now)
        verifyObject(IOpenSSLServerConnectionCreator, store)

    async def test_a_client_gets_the_certificate_of_the_name_it_asks_for(self) -> None:
        names = [("localhost", "one.example"), ("two.example",), ("*.wild.example",)]
        issued = [self.authority.issue(*some) for some in names]
        port = self.serve(CertificateStore([pair(one) for one in issued], now))
        asked = {"one.example": 0, "two.example": 1, "TWO.example": 1, "a.wild.example": 2}
        for name, expected in asked.items():
            self.assertEqual((await self.connect(port, name)).serial, serial(issued[expected].certificate))

    async def test_a_client_that_offers_protocols_is_let_in_whatever_they_are(self) -> None:
        issued = self.authority.issue("localhost")
        port = self.serve(CertificateStore([pair(issued)], now))
        for offers in (["h2", "http/1.1"], ["pop3"]):
            self.assertEqual((await self.connect(port, offers=offers)).serial, serial(issued.certificate))

    async def test_whoever_asks_for_no_name_or_an_unknown_one_gets_the_first(self) -> None:
        issued = [self.authority.issue("one.example"), self.authority.issue("*.wild.example")]
        port = self.serve(CertificateStore([pair(one) for one in issued], now))
        first = serial(issued[0].certificate)
        self.assertEqual((await self.connect(port, None)).serial, first)
        for name in ("other.example", "wild.example", "a.b.wild.example"):
            with self.assertRaises(ssl.SSLCertVerificationError):
                await self.connect(port, name)

    async def test_stls_and_implicit_tls_show_the_same(self) -> None:
        issued = self.authority.issue("localhost")
        port = self.serve(CertificateStore([pair(issued)], now), implicit=False)

        def talk() -> Shown:
            context = trusting(self.authority.certificate)
            with socket.create_connection(("127.0.0.1", port), 10) as plain:
                plain.sendall(b"STLS\r\n")
                assert plain.recv(5) == b"+OK\r\n"
                with context.wrap_socket(plain, server_hostname="localhost") as tls:
                    return shown(tls)

        self.assertEqual((await in_thread(talk)).serial, serial(issued.certificate))

    async def test_tls_1_2_and_1_3_are_spoken(self) -> None:
        port = self.serve(CertificateStore([pair(self.authority.issue("localhost"))], now))
        for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            self.assertEqual((await self.connect(port, maximum_version=version)).version, name)

    async def test_tls_1_1_is_refused(self) -> None:
        port = self.serve(CertificateStore([pair(self.authority.issue("localhost"))], now))

        def talk() -> None:
            context = trusting(self.authority.certificate)
            # Without this OpenSSL's own settings would refuse before our server could.
            context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
            with (
                socket.create_connection(("127.0.0.1", port), 10) as plain,
                context.wrap_socket(plain, server_hostname="localhost"),
            ):
                pass

        with self.assertRaises(ssl.SSLError) as caught:
            await in_thread(talk)
        self.assertIn("ALERT_PROTOCOL_VERSION", str(caught.exception).upper().replace(" ", "_"))

    async def test_the_chain_behind_the_certificate_is_sent(self) -> None:
        issued = self.authority.issue("localhost")
        with issued.certificate.open("ab") as file:
            file.write(self.authority.certificate.read_bytes())
        port = self.serve(CertificateStore([pair(issued)], now))
        self.assertEqual((await self.connect(port)).serial, serial(issued.certificate))


class RenewalTest(StoreCase):
    def setUp(self) -> None:
        super().setUp()
        self.first = self.authority.issue("localhost")
        self.live = Pair(self.folder / "live.pem", self.folder / "live.key")
        self.install(self.first)
        self.store = CertificateStore([self.live], now)
        self.port = self.serve(self.store)

    def install(self, issued: Certificate) -> None:
        shutil.copy(issued.certificate, self.live.certificate)
        shutil.copy(issued.key, self.live.key)

    async def served(self) -> int:
        return (await self.connect(self.port)).serial

    async def test_changed_files_are_served_after_the_next_look(self) -> None:
        renewed = self.authority.issue("localhost")
        self.install(renewed)
        self.assertEqual(await self.served(), serial(self.first.certificate))
        self.store.refresh()
        self.assertEqual(await self.served(), serial(renewed.certificate))

    async def test_files_that_did_not_change_are_not_read_again(self) -> None:
        with self.assertNoLogs("sesmail.service.certificates"):
            self.store.refresh()

    async def test_a_session_keeps_its_certificate_and_goes_on(self) -> None:
        context = trusting(self.authority.certificate)

        def begin() -> ssl.SSLSocket:
            plain = socket.create_connection(("127.0.0.1", self.port), 10)
            return context.wrap_socket(plain, server_hostname="localhost")

        def go_on(tls: ssl.SSLSocket) -> tuple[int, bytes]:
            with tls:
                tls.sendall(b"still here")
                return shown(tls).serial, tls.recv(10)

        tls = await in_thread(begin)
        self.install(self.authority.issue("localhost"))
        self.store.reload()
        self.assertEqual(await in_thread(go_on, tls), (serial(self.first.certificate), b"still here"))

    async def test_a_new_name_is_served_after_a_renewal(self) -> None:
        renewed = self.authority.issue("localhost", "new.example")
        self.install(renewed)
        with self.assertRaises(ssl.SSLCertVerificationError):
            await self.connect(self.port, "new.example")
        self.store.reload()
        self.assertEqual((await self.connect(self.port, "new.example")).serial, serial(renewed.certificate))

    async def refuses(self, reason: str) -> None:
        with self.assertLogs("sesmail.service.certificates", "ERROR") as logs:
            self.store.refresh()
        self.assertIn(reason, logs.output[0])
        self.assertEqual(await self.served(), serial(self.first.certificate))

    async def test_a_key_of_another_certificate_keeps_the_old_and_says_why(self) -> None:
        shutil.copy(self.authority.issue("localhost").certificate, self.live.certificate)
        await self.refuses(f"{self.live.key}: is not the key of {self.live.certificate}")

    async def test_a_certificate_that_cannot_be_read_keeps_the_old_and_says_why(self) -> None:
        self.live.certificate.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        await self.refuses(f"{self.live.certificate}: is not a certificate")

    async def test_an_empty_file_keeps_the_old_and_says_why(self) -> None:
        self.live.certificate.write_text("")
        await self.refuses("holds no certificate in PEM form")

    async def test_a_key_that_is_no_key_keeps_the_old_and_says_why(self) -> None:
        self.live.key.write_text("nothing")
        await self.refuses("is not a private key in PEM form")

    async def test_a_missing_file_keeps_the_old_and_says_why(self) -> None:
        self.live.key.unlink()
        await self.refuses("No such file or directory")

    async def test_half_a_renewal_is_mended_by_its_other_half(self) -> None:
        renewed = self.authority.issue("localhost")
        shutil.copy(renewed.certificate, self.live.certificate)
        with self.assertLogs("sesmail.service.certificates", "ERROR"):
            self.store.refresh()
        shutil.copy(renewed.key, self.live.key)
        self.store.refresh()
        self.assertEqual(await self.served(), serial(renewed.certificate))

    async def test_one_bad_pair_keeps_all_the_old_ones(self) -> None:
        other = self.authority.issue("other.example")
        self.store = CertificateStore([self.live, pair(other)], now)
        self.port = self.serve(self.store)
        self.install(self.authority.issue("localhost"))
        other.key.unlink()
        await self.refuses("No such file")
        self.assertEqual((await self.connect(self.port, "other.example")).serial, serial(other.certificate))

    async def test_an_expired_certificate_is_served_with_a_warning(self) -> None:
        expired = self.authority.issue("localhost", expired=True)
        self.install(expired)
        with self.assertLogs("sesmail.service.certificates", "WARNING") as logs:
            self.store.refresh()
        self.assertIn("expired at", logs.output[0])
        self.assertEqual((await self.connect(self.port, None)).serial, serial(expired.certificate))

    def test_at_the_start_a_bad_pair_is_an_error(self) -> None:
        self.live.key.write_text("nothing")
        self.assertRaises(BadCertificate, CertificateStore, [self.live], now)


class SelfSignedTest(StoreCase):
    def setUp(self) -> None:
        super().setUp()
        self.state = self.folder / "new" / "state"
        self.pair = self_signed(self.state, "mail.example.net", now())

    async def test_it_is_good_for_the_machine_by_all_its_names(self) -> None:
        self.authority.certificate = self.pair.certificate
        port = self.serve(CertificateStore([self.pair], now))
        for name in ("localhost", "127.0.0.1", "::1", "mail.example.net"):
            self.assertEqual((await self.connect(port, name)).serial, serial(self.pair.certificate))
        with self.assertRaises(ssl.SSLCertVerificationError):
            await self.connect(port, "other.example.net")

    def test_its_key_can_be_read_by_its_owner_alone(self) -> None:
        self.assertEqual(self.pair.key.stat().st_mode & 0o777, 0o600)
        self.assertEqual(sorted(path.name for path in self.state.iterdir()), ["self-signed.crt", "self-signed.key"])

    def test_it_is_made_once(self) -> None:
        before = self.pair.certificate.read_bytes()
        self.assertEqual(self_signed(self.state, "mail.example.net", now()), self.pair)
        self.assertEqual(self.pair.certificate.read_bytes(), before)

    def test_it_is_made_again_before_it_ends(self) -> None:
        before = self.pair.certificate.read_bytes()
        self_signed(self.state, "mail.example.net", now() + LIFETIME)
        self.assertNotEqual(self.pair.certificate.read_bytes(), before)

    def test_it_is_made_again_when_a_file_was_lost(self) -> None:
        self.pair.key.unlink()
        CertificateStore([self_signed(self.state, "mail.example.net", now())], now)

    def test_a_host_name_that_cannot_stand_in_a_certificate_is_left_out(self) -> None:
        self_signed(self.folder / "odd", "büro_pc!", now())


class ProtectedKeyTest(SynchronousTestCase):
    def test_a_key_with_a_passphrase_is_refused_with_the_reason(self) -> None:
        from cryptography.hazmat.primitives import serialization

        folder = temporary(self)
        issued = Authority(folder).issue("localhost")
        key = serialization.load_pem_private_key(issued.key.read_bytes(), None)
        encrypted = serialization.BestAvailableEncryption(os.urandom(8).hex().encode())
        issued.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encrypted))
        with self.assertRaises(BadCertificate) as caught:
            CertificateStore([pair(issued)], now)
        self.assertIn("passphrase", str(caught.exception))

"""Ports: taken ones end the start, and a stop gives them back."""

from __future__ import annotations

import socket
from typing import Any

from twisted.trial.unittest import TestCase

from sesmail.service.listeners import BadEndpoint, Listener
from tests.service.tls import EchoFactory, reactor


class ListenerTest(TestCase):
    def listener(self, description: str) -> Listener:
        return Listener(reactor, description, EchoFactory())

    def test_a_taken_port_ends_the_start_with_one_line(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            description = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            with self.assertLogs("sesmail.service.listeners", "CRITICAL") as logs, self.assertRaises(SystemExit) as caught:
                self.listener(description).privilegedStartService()
        self.assertEqual(caught.exception.code, 1)
        self.assertEqual(len(logs.output), 1)
        self.assertIn(f"cannot listen on {description}: ", logs.output[0])
        self.assertIn("Address already in use", logs.output[0])

    def test_a_socket_in_a_folder_that_is_not_there_ends_the_start(self) -> None:
        with self.assertLogs("sesmail.service.listeners", "CRITICAL"), self.assertRaises(SystemExit):
            self.listener("unix:/nonexistent/folder/socket").privilegedStartService()

    def test_an_endpoint_that_names_nothing_is_refused(self) -> None:
        for description in (
            "",
            "tcp",
            "tcp:pop3",
            "nosuch:110",
            "systemd:domain=INET:name=nobody",
            "haproxy:",
            "haproxy:nosuch:1",
        ):
            self.assertRaises(BadEndpoint, self.listener, description)

    async def test_a_stop_gives_the_port_back_and_may_be_called_twice(self) -> None:
        listener = self.listener("tcp:0:interface=127.0.0.1")
        listener.startService()
        address: Any = listener.address
        await listener.stopService()
        await listener.stopService()
        self.assertRaises(RuntimeError, lambda: listener.address)
        with socket.create_server(("127.0.0.1", address.port)):
            pass

    def test_hundreds_may_come_at_once(self) -> None:
        listener = self.listener("tcp:0:interface=127.0.0.1")
        listener.startService()
        self.addCleanup(listener.stopService)
        address: Any = listener.address
        # The reactor does not run meanwhile, so nobody is accepted; beyond the queue a client has to try again a second later.
        for _ in range(500):
            client = socket.create_connection(("127.0.0.1", address.port), 0.9)
            self.addCleanup(client.close)

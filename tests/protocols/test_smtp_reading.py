"""How much a connection reads at a time, and how many read much."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sesmail.protocols.smtp.reading import LITTLE, MOST, MUCH, Reading


class Socket:
    bufferSize = 0


class Wrapped:
    """A transport upon another, as TLS is."""

    def __init__(self) -> None:
        self.transport = Socket()


class ReadingTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.reading = Reading()
        self.connections = [Wrapped() for _ in range(MOST + 1)]
        for connection in self.connections:
            self.reading.little(connection)

    def sizes(self) -> list[int]:
        return [connection.transport.bufferSize for connection in self.connections]

    def test_a_connection_begins_with_little(self) -> None:
        self.assertEqual(set(self.sizes()), {LITTLE})

    def test_only_so_many_read_much(self) -> None:
        for _ in range(2):
            for connection in self.connections:
                self.reading.much(connection)
        self.assertEqual(self.sizes(), [MUCH] * MOST + [LITTLE])

    def test_one_that_ends_leaves_its_place_to_another(self) -> None:
        for connection in self.connections:
            self.reading.much(connection)
        self.reading.end(self.connections[0])
        self.reading.much(self.connections[-1])
        self.assertEqual(self.sizes(), [MUCH] * (MOST + 1))

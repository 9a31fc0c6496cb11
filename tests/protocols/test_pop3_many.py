"""Many POP3 sessions: limits, and their end together."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from sesmail.protocols.limits import Connections
from tests.protocols.spoken import MemoryTransport, held, session


def test_too_many_connections_are_closed_and_the_next_may_come_when_one_left() -> None:
    spoken = session()
    connections = spoken.factory._listener.connections
    assert isinstance(connections, Connections)
    connections.per_address = 1
    one_more = spoken.factory.buildProtocol(None)
    transport = MemoryTransport()
    one_more.makeConnection(transport)
    assert transport.aborted
    assert transport.value() == b""
    one_more.connectionLost()
    spoken.lose()
    another = spoken.factory.buildProtocol(None)
    another.makeConnection(MemoryTransport())
    assert spoken.factory.sessions == {another}


def test_connections_are_counted_by_address_by_ipv6_network_and_in_all() -> None:
    connections = Connections(total=5, per_address=2)
    assert [connections.enter("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert [connections.enter(f"2001:db8:0:1::{n}") for n in range(3)] == [True, True, False]
    assert connections.enter("2001:db8:0:2::1")
    assert not connections.enter("192.0.2.2")
    connections.leave("2001:db8:0:1::9")
    assert connections.enter("2001:db8:0:1::1")


def test_peers_without_an_address_count_in_all_only() -> None:
    connections = Connections(total=3, per_address=1)
    assert [connections.enter("unix") for _ in range(4)] == [True, True, True, False]


def test_a_drain_closes_idle_sessions_at_once_and_removes_nothing() -> None:
    spoken = session(b"a\r\n")
    spoken.say(b"DELE 1\r\n")
    drained = Deferred.fromCoroutine(spoken.factory.drain(30))
    assert spoken.transport.disconnecting
    spoken.session.connectionLost()
    spoken.clock.advance(0)
    assert drained.called
    assert spoken.post.maildrop.removed == []


def test_a_drain_lets_a_transfer_end_and_obeys_nothing_behind_it() -> None:
    spoken, coming, _ = held()
    drained = Deferred.fromCoroutine(spoken.factory.drain(30))
    spoken.clock.advance(29)
    assert not spoken.transport.closed
    coming.callback(b"b\r\n")
    assert spoken.transport.value().endswith(b"b\r\n.\r\n")
    assert spoken.transport.disconnecting
    spoken.session.connectionLost()
    spoken.clock.advance(0)
    assert drained.called
    assert spoken.post.maildrop.removed == []


def test_a_drain_ends() -> None:
    spoken, coming, _ = held()
    drained = Deferred.fromCoroutine(spoken.factory.drain(30))
    spoken.clock.advance(31)
    assert drained.called
    assert spoken.transport.aborted
    coming.callback(b"")


def test_a_drain_of_nobody_is_over_at_once() -> None:
    spoken = session()
    spoken.lose()
    drained = Deferred.fromCoroutine(spoken.factory.drain(30))
    spoken.clock.advance(0)
    assert drained.called

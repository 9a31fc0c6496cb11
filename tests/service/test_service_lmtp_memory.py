"""What large messages on many connections at once cost the gateway in memory: what is waited for is on the disk."""

from __future__ import annotations

import resource
import socket
from contextlib import ExitStack
from pathlib import Path

from tests.servers.gateway import Gateway, running
from tests.servers.ports import wait_until
from tests.service.house import ANN, TOM, House
from tests.service.test_service_lmtp import config

CONNECTIONS = 100
OCTETS = 1_500_000
PIECE = b"x" * 998 + b"\r\n"
BEGIN = b"LHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<%b>\r\nRCPT TO:<%b>\r\nDATA\r\n" % (TOM.encode(), ANN.encode())
MEBIBYTE = 1 << 20


def resident(gateway: Gateway) -> int:
    """Octets of memory."""
    pages = Path(f"/proc/{gateway.pid}/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


def begun(path: Path, stack: ExitStack) -> socket.socket:
    client = stack.enter_context(socket.socket(socket.AF_UNIX))
    client.settimeout(60)
    client.connect(str(path))
    heard(client, b"LMTP\r\n")
    client.sendall(BEGIN)
    heard(client, b"354 send the message, then a line with a dot\r\n")
    return client


def heard(client: socket.socket, end: bytes) -> bytes:
    said = b""
    while not said.endswith(end):
        piece = client.recv(4096)
        assert piece, said
        said += piece
    return said


def test_messages_that_come_in_wait_on_the_disk_and_are_gone_with_their_connections(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with running(config(tmp_path, f"unix:{path}")) as gateway, ExitStack() as stack:
        wait_until(path.is_socket, seconds=30, what=gateway.log)
        begun(path, stack).close()
        before = resident(gateway)
        clients = [begun(path, stack) for _ in range(CONNECTIONS)]
        for _ in range(OCTETS // (100 * len(PIECE))):
            for client in clients:
                client.sendall(PIECE * 100)
        grown = resident(gateway) - before
        # Of 150 MB that came in.
        assert grown < 64 * MEBIBYTE, f"{grown / MEBIBYTE:.0f} MiB"
        first, *others = clients
        for client in others:
            client.close()
        first.sendall(b".\r\n")
        assert heard(first, b"\r\n").startswith(b"250 2.1.5 ")
        wait_until(lambda: open_files(gateway) < CONNECTIONS, seconds=30, what=gateway.log)
        house = House(gateway, tmp_path, tmp_path)
        stored = [file for file in (house.folder / "mail").rglob("*.eml") if file.stat().st_size >= OCTETS]
        assert len(stored) == 2
        assert resident(gateway) - before < 64 * MEBIBYTE


def open_files(gateway: Gateway) -> int:
    return sum(1 for _ in Path(f"/proc/{gateway.pid}/fd").iterdir())

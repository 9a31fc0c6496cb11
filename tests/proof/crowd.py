"""A crowd of mail programs over POP3S: some hundreds stay connected and say nothing, others come, look and leave, so many a second."""

from __future__ import annotations

import asyncio
import resource
import ssl
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.process import rss

# Seconds for one answer. A client that waits longer has been dropped.
PATIENCE = 60.0
# Logins under way at a time, however slow the machine is.
MOST = 200


class Talk:
    """One connection. Every answer but +OK is an error."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def begun(cls, port: int, context: ssl.SSLContext, user: str, password: str) -> Talk:
        """Connected and logged in."""
        async with asyncio.timeout(PATIENCE):
            talk = cls(*await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost"))
            await talk._heard("the greeting")
        await talk.say(f"USER {user}")
        await talk.say(f"PASS {password}")
        return talk

    async def say(self, line: str) -> str:
        """The answer to a command. Raises ConnectionError."""
        async with asyncio.timeout(PATIENCE):
            self._writer.write(f"{line}\r\n".encode())
            return await self._heard(line.split()[0])

    async def quit(self) -> None:
        """Until the other side has closed, too."""
        await self.say("QUIT")
        self._writer.close()

    async def _heard(self, what: str) -> str:
        answer = (await self._reader.readline()).decode()
        if not answer.startswith("+OK"):
            raise ConnectionError(f"{what}: {answer!r}")
        return answer


@dataclass
class Came:
    """What became of those who came and left."""

    good: int = 0
    lasted: float = 0.0
    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def slowest(self, share: float) -> float:
        """Seconds within which this share of the sessions was over."""
        return sorted(self.seconds)[int(len(self.seconds) * share) - 1]


async def crowd(port: int, context: ssl.SSLContext, people: Sequence[tuple[str, str]]) -> list[Talk]:
    """Everybody logged in, a few at a time."""
    places = asyncio.Semaphore(20)

    async def one(user: str, password: str) -> Talk:
        async with places:
            return await Talk.begun(port, context, user, password)

    return list(await asyncio.gather(*(one(*who) for who in people)))


async def come_and_go(
    port: int, context: ssl.SSLContext, people: Sequence[tuple[str, str]], *, rate: float, seconds: float, came: Came
) -> None:
    """Log in, count the messages and leave, `rate` times a second, one of `people` after the other, and nobody twice at a time."""
    places, running, free = asyncio.Semaphore(min(MOST, len(people))), set[asyncio.Task[None]](), deque(people)

    async def one(user: str, password: str) -> None:
        begun = time.monotonic()
        try:
            talk = await Talk.begun(port, context, user, password)
            await talk.say("STAT")
            await talk.quit()
        except (OSError, TimeoutError) as error:
            came.errors.append(f"{user}: {error!r}")
        else:
            came.good += 1
            came.seconds.append(time.monotonic() - begun)
        finally:
            free.append((user, password))
            places.release()

    begun = time.monotonic()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(begun + number / rate - time.monotonic())
        await places.acquire()
        task = asyncio.create_task(one(*free.popleft()))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    came.lasted = time.monotonic() - begun


def make_room(files: int) -> None:
    """Let this process have so many files open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(files, hard), hard))


def use(pids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Resident octets and open files of each process."""
    return {pid: (rss(pid), len(list(Path(f"/proc/{pid}/fd").iterdir()))) for pid in pids}

"""A message for agents to deliver, with octets and fields as a test gives them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import BinaryIO

from sesmail.delivery.message import Arrival
from sesmail.delivery.plan import Destination, Step
from sesmail.interfaces import Place

MAIL = b"From: Jack <jack@else.example>\r\nTo: tom@example.com\r\nSubject: hello\r\n\r\nbody \xff\r\n.\r\nFrom me\r\n"
RECEIVED = 1_795_252_087.654
TOM = "tom@example.com"


class Given:
    """A Message. `error` is what opening it raises; `breaks`: what reading raises at the end of the octets; `files` are all that were
    opened."""

    def __init__(
        self,
        data: bytes = MAIL,
        *,
        sender: str = "jack@else.example",
        fields: bytes = b"",
        error: Exception | None = None,
        breaks: Exception | None = None,
        received: float = RECEIVED,
        guessed: bool = False,
        id: str = "o3vrnil0e2ic28trm7dfhrc2v0clambda4nbp0g1",
    ) -> None:
        self.arrival = Arrival(id, sender, (TOM,), received, guessed=guessed)
        self.files: list[BinaryIO] = []
        self._data = data
        self._fields = fields
        self._error = error
        self._breaks = breaks

    def open(self) -> BinaryIO:
        if self._error is not None:
            raise self._error
        self.files.append(_Breaking(self._data, self._breaks) if self._breaks else io.BytesIO(self._data))
        return self.files[-1]

    def fields(self, recipients: Sequence[str]) -> bytes:
        return self._fields

    def put_into(self, place: Place, folder: str, recipients: Sequence[str]) -> bool:
        raise NotImplementedError


class _Breaking(io.BytesIO):
    def __init__(self, data: bytes, error: Exception) -> None:
        super().__init__(data)
        self._error = error

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        if piece:
            return piece
        raise self._error


def step(destination: Destination, *recipients: str) -> Step:
    """One step, on behalf of Tom unless others are named."""
    return Step(destination, recipients or (TOM,))

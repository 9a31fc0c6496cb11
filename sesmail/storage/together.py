"""Deletes of many threads, put together into few requests."""

from __future__ import annotations

import threading

from sesmail.errors import MailError, Malformed, Unavailable
from sesmail.storage.store import Store


class Deletions:
    """Removes objects from one store. Calls that come while a request is under way go together in the next one; nothing waits for
    more to come. One of the callers sends the request for all of them, so each waits for two at most."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._waiting: list[_Order] = []
        self._led = False

    def delete(self, key: str) -> None:
        """Remove one object; durable on return. Removing an absent one is success.

        Raises Unavailable when it may still be there, whatever became of the others in the same request, and Malformed for a key that
        the store cannot spell.
        """
        order = _Order(key)
        with self._lock:
            self._waiting.append(order)
            order.leads, self._led = not self._led, True
        if not order.leads:
            self._wait(order)
        if order.leads:
            self._lead()
        if order.error is not None:
            raise order.error

    def _wait(self, order: _Order) -> None:
        try:
            order.called.wait()
        except BaseException:
            # A signal in the main thread. Nobody may be waiting for this one to lead.
            with self._lock:
                if order in self._waiting:
                    self._waiting.remove(order)
            if order.leads:
                self._hand_over()
            raise

    def _lead(self) -> None:
        with self._lock:
            orders, self._waiting = self._waiting, []
        try:
            self._remove(orders)
        finally:
            self._hand_over()
            for order in orders:
                order.called.set()

    def _hand_over(self) -> None:
        with self._lock:
            self._led = bool(self._waiting)
            if self._led:
                self._waiting[0].leads = True
                self._waiting[0].called.set()

    def _remove(self, orders: list[_Order]) -> None:
        try:
            remaining = self._store.delete([order.key for order in orders])
        except Malformed as error:
            if len(orders) == 1:
                orders[0].error = error
                return
            for order in orders:
                self._remove([order])
        except MailError as error:
            for order in orders:
                order.error = Unavailable(cause=error.cause)
        else:
            for order in orders:
                order.error = Unavailable(cause=remaining[order.key]) if order.key in remaining else None


class _Order:
    """One key to be removed, and what became of it."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.called = threading.Event()
        self.leads = False
        self.error: MailError | None = Unavailable(cause="the request was ended by an error of ours")

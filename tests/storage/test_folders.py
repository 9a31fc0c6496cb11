"""Folders of one user in several cases are found, and not looked for at every login."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

from sesmail.interfaces import Place, StorePlace
from sesmail.storage.directory import DirectoryStore
from sesmail.storage.folders import Namesakes
from tests.storage.driving import StoreReader, run

TOM = Place(StorePlace("file:///x"), "d/tom/", mixed_case=True)


class NamesakesTest(unittest.TestCase):
    def setUp(self) -> None:
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.store = DirectoryStore(Path(held.name))
        self.reader = StoreReader(self.store)
        self.time = 1000.0
        self.namesakes = Namesakes(lambda: self.time, seconds=60, limit=2)

    def also(self, place: Place = TOM) -> tuple[str, ...]:
        return run(self.namesakes.complete(self.reader, place)).also

    def test_folders_in_another_case_are_added(self) -> None:
        for folder in ("tom", "Tom", "TOM", "tOm", "Tomas", "ann", "Ann"):
            self.store.put(f"d/{folder}/1", b"x")
        self.assertEqual(self.also(), ("d/TOM/", "d/Tom/", "d/tOm/"))

    def test_other_places_are_left_alone_and_nothing_is_asked(self) -> None:
        self.store.put("d/Tom/1", b"x")
        self.assertEqual(self.also(Place(TOM.store, "d/tom/")), ())
        self.assertEqual(self.reader.looked, [])

    def test_what_was_found_is_remembered_for_a_while(self) -> None:
        self.assertEqual(self.also(), ())
        self.store.put("d/Tom/1", b"x")
        self.time += 59
        self.assertEqual(self.also(), ())
        self.assertEqual(len(self.reader.looked), 2)
        self.time += 1
        self.assertEqual(self.also(), ("d/Tom/",))

    def test_a_clock_set_back_does_not_keep_it_for_ever(self) -> None:
        self.also()
        self.store.put("d/Tom/1", b"x")
        self.time -= 500
        self.assertEqual(self.also(), ("d/Tom/",))

    def test_the_memory_is_bounded(self) -> None:
        for number in range(5):
            self.also(Place(TOM.store, f"d/{number}/", mixed_case=True))
        self.assertEqual(len(self.namesakes._found), 2)

"""Exact duplicates found in bounded memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from hashlib import blake2b

GENERATION = 1 << 21
_FIRST_SLOTS = 1 << 10


class DuplicateFilter:
    """Tells whether a text came before, character by character.

    Texts are known by 64 bits of their BLAKE2b digest, so a false alarm has a chance of one in
    2⁶⁴ a pair. The last 2 million distinct texts at least, and 4 million at most, are remembered
    in at most 64 MB; a duplicate farther away than that is not found. What is found depends
    on the texts alone, so reading again gives the same.
    """

    def __init__(self, generation: int = GENERATION) -> None:
        self._generation = generation
        self._new, self._old = _Digests(), _Digests()

    def seen(self, parts: Iterable[str]) -> bool:
        """Remember a text, given in parts, and return whether it was remembered before."""
        digest = blake2b(digest_size=8)
        for part in parts:
            data = part.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "little"))
            digest.update(data)
        value = int.from_bytes(digest.digest(), "little") or 1
        if value in self._new:
            return True
        found = value in self._old
        self._new.add(value)
        if self._new.count >= self._generation:
            self._old, self._new = self._new, _Digests()
        return found


class _Digests:
    """A set of 64-bit numbers but 0, at 16 to 32 bytes each."""

    def __init__(self) -> None:
        self.count = 0
        self._slots = array("Q", bytes(8 * _FIRST_SLOTS))

    def __contains__(self, value: int) -> bool:
        return self._slots[self._place(value)] == value

    def add(self, value: int) -> None:
        if 2 * self.count >= len(self._slots):
            before = self._slots
            self._slots = array("Q", bytes(16 * len(before)))
            for old in before:
                if old:
                    self._slots[self._place(old)] = old
        self._slots[self._place(value)] = value
        self.count += 1

    def _place(self, value: int) -> int:
        """Return the slot that holds `value`, or the free one where it belongs."""
        slots = self._slots
        mask = len(slots) - 1
        place = value & mask
        while slots[place] not in (0, value):
            place = (place + 1) & mask
        return place

"""Exact duplicates are found, and the memory that takes has an end."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from sae_desktop.corpus.duplicates import DuplicateFilter


@given(st.lists(st.text(max_size=3)))
def test_filter__finds_what_came_before(texts: list[str]) -> None:
    found = DuplicateFilter()
    said = [found.seen([text]) for text in texts]
    assert said == [text in texts[:place] for place, text in enumerate(texts)]


def test_parts__are_told_apart() -> None:
    found = DuplicateFilter()
    assert not found.seen(["user", "ab"])
    assert not found.seen(["usera", "b"])
    assert not found.seen(["userab"])
    assert found.seen(["user", "ab"])


def test_filter__forgets_what_is_two_generations_old_and_nothing_sooner() -> None:
    found = DuplicateFilter(generation=1000)
    for number in range(1000):
        assert not found.seen([f"text {number}"])
    for number in range(990):
        assert not found.seen([f"other {number}"])
        assert found.seen(["text 0"]) if number else True
    assert found.seen(["text 999"])
    for number in range(3000):
        found.seen([f"third {number}"])
    assert not found.seen(["text 999"])


def test_filter__keeps_to_its_memory() -> None:
    generation = 1 << 14
    tracemalloc.start()
    found = DuplicateFilter(generation)
    for number in range(3 * generation + 100):
        found.seen([str(number)])
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 2 * generation * 2 * 8 + 65536

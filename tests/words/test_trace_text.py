"""Tokens named in a field, and names of graphs."""

from __future__ import annotations

import pytest

from sae_desktop.project import checked_name
from sae_desktop.words.trace_text import graph_name, read_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Paris, London", (" Paris", " London")),
        ('"s", Paris', ("s", " Paris")),
        ("“a, b”", ("a, b",)),
        (" , ", ()),
        ("巴黎", (" 巴黎",)),
    ],
)
def test_tokens__are_words_with_their_space_unless_they_are_quoted(
    text: str, tokens: tuple[str, ...]
) -> None:
    assert read_tokens(text) == tokens


def test_graph__is_named_by_its_prompt_and_no_two_alike() -> None:
    assert graph_name("The capital of France is", []) == "The capital of France is"
    assert graph_name("The capital of France is", ["the Capital of France is"]).endswith("is 2")
    for prompt in ("…", "“(x)”: y/z\n", "word " * 40, "-1", "a" * 300):
        assert checked_name(graph_name(prompt, [])), prompt

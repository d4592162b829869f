"""The window calls an architecture what its class calls it."""

from __future__ import annotations

from sae_desktop.dictionary.architectures import ARCHITECTURES
from sae_desktop.words.architecture_titles import TITLES, architecture_title, second_look


def test_titles__are_those_of_the_architectures() -> None:
    assert {name: found.title for name, found in ARCHITECTURES.items()} == TITLES


def test_title__of_one_that_only_others_train_is_their_name() -> None:
    assert architecture_title("gated_topk") == "gated_topk"


def test_second_look__is_told_where_there_is_one() -> None:
    assert second_look(0.0, 0.0) == []
    assert second_look(0.3, 0.0) == [("LISTA step", "0.3")]
    assert second_look(0.3, 0.8) == [("LISTA step", "0.3"), ("Leave one out", "0.8")]

"""What two graphs have in common, token by token."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from made_graphs import made_graph

from sae_desktop.circuits.reading.graph_difference import (
    BOTH,
    ONE,
    difference,
    marks,
    matched_tokens,
)
from sae_desktop.circuits.reading.graph_file import EMBEDDING, Graph
from sae_desktop.errors import UserError


def test_tokens__are_matched_past_words_that_differ_or_were_put_in() -> None:
    one = ("<bos>", "The", " capital", " of", " France", " is")
    assert matched_tokens(one, one)[4] == 4
    italy = ("<bos>", "The", " capital", " of", " Italy", " is")
    assert matched_tokens(one, italy)[4] == 4
    longer = ("<bos>", "The", " old", " capital", " of", " France", " is")
    assert matched_tokens(one, longer) == {0: 0, 1: 1, 2: 3, 3: 4, 4: 5, 5: 6}


def test_graph__has_all_in_common_with_itself_and_little_with_another() -> None:
    one, other = made_graph(features=50, seed=1), made_graph(features=50, seed=2)
    shown = np.ones(one.nodes, bool)
    same = difference(one, one, shown, shown)
    assert same.shared == pytest.approx(1.0)
    assert (same.one == same.other).all()
    apart = difference(one, other, shown, np.ones(other.nodes, bool))
    assert apart.shared < 0.9
    assert (np.diff(np.abs(apart.influence[:, 0] - apart.influence[:, 1])) <= 0).all()
    found = marks(apart, one.nodes, of_one=True)
    assert (found[one.kind == EMBEDDING] == BOTH).all()
    lone = set(apart.one[apart.other < 0].tolist())
    assert set(np.flatnonzero(found == ONE).tolist()) == lone
    assert lone


def test_node_that_is_pruned_in_the_other__is_here_alone() -> None:
    graph = made_graph(features=50)
    shown = np.ones(graph.nodes, bool)
    there = shown.copy()
    there[30] = False
    found = difference(graph, graph, shown, there)
    assert found.one[found.other < 0].tolist() == [30]


def test_graphs__of_two_sets_are_refused() -> None:
    one = made_graph(features=5)
    info = msgspec.structs.replace(one.info, set="another")
    other = Graph(info, one.arrays)
    shown = np.ones(one.nodes, bool)
    with pytest.raises(UserError, match="nothing in common"):
        difference(one, other, shown, shown)

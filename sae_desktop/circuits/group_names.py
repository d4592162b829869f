"""What a group of a graph's features is called, by what its members are called. Free of torch."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from sae_desktop.circuits.reading.graph_file import Graph
from sae_desktop.language_model.text.token_text import visible_token

_WORDS = re.compile(r"\w{2,}|“[^”]+”")


def group_name(graph: Graph, nodes: Sequence[int], names: Mapping[int, str]) -> str:
    """Return what a group is called: as the member whose name shares most words with the others.

    A name counts by its node's influence. Without names it is called after the token at which
    most of the influence lies.
    """
    weights = {node: float(graph.influence[node]) + 1e-12 for node in nodes}
    words: Counter[str] = Counter()
    for node in nodes:
        for word in set(_WORDS.findall(names.get(node, "").casefold())):
            words[word] += weights[node]  # type: ignore[assignment]
    named = [node for node in nodes if names.get(node)]
    if named:
        best = max(named, key=lambda node: (_shared(names[node], words), weights[node]))
        return names[best]
    places: Counter[int] = Counter()
    for node in nodes:
        places[int(graph.position[node])] += weights[node]  # type: ignore[assignment]
    token = graph.info.token_text[places.most_common(1)[0][0]]
    layers = np.asarray(graph.layer)[list(nodes)]
    first, last = int(layers.min()), int(layers.max())
    where = f"layer {first}" if first == last else f"layers {first}–{last}"
    return f"“{visible_token(token)}”, {where}"


def told_apart(names: Sequence[str]) -> list[str]:
    """Number names that several groups have: a group is asked for by its name."""
    counts: Counter[str] = Counter()
    found = []
    for name in names:
        counts[name] += 1
        found.append(name if counts[name] == 1 else f"{name} ({counts[name]})")
    return found


def _shared(name: str, words: Mapping[str, float]) -> float:
    own = set(_WORDS.findall(name.casefold()))
    return sum(words[word] for word in own) / max(len(own), 1)

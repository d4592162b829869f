"""What is said of the heads that carry an edge, and of one head. Free of Qt and torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sae_desktop.circuits.asking_config import EdgeHeadsResult, HeadResult
from sae_desktop.circuits.reading.graph_file import Graph
from sae_desktop.words.amounts import share_text
from sae_desktop.words.graph_words import place_text, quoted, signed, token_at
from sae_desktop.words.lens_text import Cells

_CONSTANT = "constant"


def edge_text(
    graph: Graph, source: int, target: int, names: Sequence[str], heads: EdgeHeadsResult | None
) -> str:
    """Return which edge it is, and once it is known what carries it."""
    said = (
        f"From {names[0]}, {place_text(graph, source)}, to {names[1]}, {place_text(graph, target)}."
    )
    if heads is None:
        return said
    return f"{said} Weight {signed(heads.weight)}; the rows below add up to it."


def head_rows(result: EdgeHeadsResult) -> list[tuple[str, ...]]:
    """Return the rows of the heads of an edge, the largest first; last what crosses no tokens."""
    rows: list[tuple[str, ...]] = [
        (f"Layer {head.layer}, head {head.head}", signed(head.weight), signed(head.direct))
        for head in result.heads
    ]
    return [*rows, ("Without attention", signed(result.own), "")]


def head_text(graph: Graph, result: HeadResult) -> str:
    """Return where a head looks, in words."""
    share = result.pattern[result.query][result.key]
    return (
        f"Layer {result.layer}, head {result.head}: from {token_at(graph, result.query)} it looks "
        f"at {token_at(graph, result.key)} with {share_text(share, 0)} of its attention. Score "
        f"{signed(result.score)}; pairs not listed add {signed(result.rest)}. Click a cell for "
        "the pairs of two other tokens."
    )


def pattern_cells(graph: Graph, result: HeadResult) -> Cells:
    """Return the pattern of a head: rows look, columns are looked at."""
    tokens = [quoted(text) for text in graph.info.token_text]
    count = len(tokens)
    texts = [
        [share_text(result.pattern[q][k], 0) if k <= q else "" for k in range(count)]
        for q in range(count)
    ]
    shades = [[result.pattern[q][k] if k <= q else 0.0 for k in range(count)] for q in range(count)]
    tips = [
        [
            f"From “{tokens[q]}” to “{tokens[k]}”: {share_text(result.pattern[q][k])}"
            for k in range(count)
        ]
        for q in range(count)
    ]
    return Cells(tokens, tokens, texts, shades, tips)


def pair_rows(
    graph: Graph, result: HeadResult, name: Callable[[int], str]
) -> list[tuple[str, ...]]:
    """Return the pairs of nodes that make a head look, the largest first."""

    def told(node: int) -> str:
        return _CONSTANT if node < 0 else f"{name(node)} (layer {max(int(graph.layer[node]), 0)})"

    return [
        (told(pair.query_node), told(pair.key_node), signed(pair.weight)) for pair in result.pairs
    ]

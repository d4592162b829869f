"""What the architectures are called in words: “BatchTopK” for `batchtopk`. Free of Qt and torch.

The classes of `dictionary/architectures` say so too, but to read them takes torch, which the
window does without.
"""

from __future__ import annotations

TITLES = {
    "batchtopk": "BatchTopK",
    "gated": "Gated",
    "jumprelu": "JumpReLU",
    "matryoshka": "Matryoshka BatchTopK",
    "sorted_matryoshka": "Matryoshka by frequency",
    "standard": "Standard (L1)",
    "topk": "TopK",
}


def architecture_title(name: str) -> str:
    """Return how an architecture is called; one that only others train keeps their name."""
    return TITLES.get(name, name)


def second_look(lista_step: float, leave_one_out: float) -> list[tuple[str, str]]:
    """Return (what, figure) for a card of what looks at a row more than once."""
    figures = (("LISTA step", lista_step), ("Leave one out", leave_one_out))
    return [(what, f"{value:g}") for what, value in figures if value]

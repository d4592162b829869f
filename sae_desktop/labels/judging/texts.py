"""Contexts and labels as a judge reads them: each on one line, nothing in it that could mislead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sae_desktop.labels.examples import Example

Mask = npt.NDArray[np.bool_]

MARKED = 0.3
"""Tokens with at least this share of the context's strongest activation are marked."""
LONGEST_LABEL = 2_000
"""Characters that are shown of a label."""
NEWLINE = "↵"
_PAIRS = (("<<", ">>"), ("[[", "]]"), ("{{", "}}"), ("⟪", "⟫"), ("⟦", "⟧"))


def one_line(text: str) -> str:
    """Return text on one line, without characters that show nothing or turn its direction."""
    text = text.replace("\r\n", "\n").replace("\n", NEWLINE)
    return "".join(c if c.isprintable() else " " for c in text).strip()


def label_text(label: str) -> str:
    """Return a label as it stands in a prompt."""
    line = one_line(label[: 2 * LONGEST_LABEL])
    return line if len(line) <= LONGEST_LABEL else line[: LONGEST_LABEL - 1] + "…"


def plain(example: Example) -> str:
    """Return a context's text."""
    return one_line("".join(example.tokens))


def fired(example: Example) -> Mask:
    """Return which tokens (T,) are marked: where it fires strongly, or the chosen one."""
    activations = np.asarray(example.activations)
    top = float(activations.max(initial=0.0))
    if top > 0:
        return np.asarray(activations >= MARKED * top)
    return np.asarray(np.arange(len(example.tokens)) == example.peak)


def marks_for(examples: Sequence[Example]) -> tuple[str, str]:
    """Return marks that none of the texts holds itself."""
    text = "\n".join("".join(example.tokens) for example in examples)
    for pair in _PAIRS:
        if not any(mark in text for mark in pair):
            return pair
    return _PAIRS[-1]


def marked(example: Example, mask: Mask, marks: tuple[str, str]) -> str:
    """Return a context's text with runs of tokens between marks; spaces stay outside of them."""
    first, last = marks
    pieces: list[str] = []
    inside = False
    for token, on in zip(example.tokens, mask.tolist(), strict=True):
        if on and not inside:
            bare = token.lstrip(" \n")
            pieces += [token[: len(token) - len(bare)], first, bare]
        elif inside and not on:
            pieces += [last, token]
        else:
            pieces.append(token)
        inside = bool(on)
    if inside:
        pieces.append(last)
    return one_line("".join(pieces))


def listed(texts: Sequence[str]) -> str:
    """Return texts as numbered lines."""
    return "\n".join(f"{number}. {text}" for number, text in enumerate(texts, start=1))

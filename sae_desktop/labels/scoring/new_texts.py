"""Sensitivity: new texts made from labels, and whether the features fire in them.

What a label names (quoted pieces, with what it says stands before them, or else its words) is put
into sentences of held-out documents in which it does not stand. A feature fires in such a text
where its activation, from that place to a few tokens on, passes its weakest interval. Beside it
stands how often it fires in texts made from other labels in the same way. N texts, F features.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.features.asking.probe import own_ids
from sae_desktop.features.asking.read_inputs import read_inputs
from sae_desktop.features.reading.held_out import held_out
from sae_desktop.features.reading.label_score import Figure
from sae_desktop.jobs import JobContext
from sae_desktop.labels.judging.measures import wilson
from sae_desktop.labels.scoring.shown_labels import ShownLabel
from sae_desktop.labels.scoring.terms import terms_of

Array = npt.NDArray[Any]

MOST_PHRASES = 4
BEFORE, AFTER = 12, 3
"""Tokens of the sentence on either side of what is put into it."""
_MOST_PHRASE = 12
"""Tokens of what is put in."""
_AT_ONCE = 64
_LEAST_OTHERS = 32
"""Labels whose texts the others' share is measured on, at least."""


class NewText(NamedTuple):
    """A text made from a label."""

    feature: int
    ids: tuple[int, ...]
    first: int
    """Of the tokens that are watched: where the label's words begin."""


@dataclass(frozen=True)
class Sensitivity:
    """How often a feature fires in new texts."""

    own: Figure
    others: float | None
    """Share of the texts made from other labels; None: there are none."""


def phrases_of(label: str) -> list[str]:
    """Return what of a label can be put into a sentence; none for one that names a language."""
    terms = [term for term in terms_of(label) if term.what in ("piece", "word")]
    pieces = [t.text for t in terms if t.what == "piece" and t.where == "at" and t.text.strip()]
    before = [t.text for t in terms if t.what == "piece" and t.where == "before"]
    if pieces:
        lead = f"{before[0]} " if before else ""
        return [f"{lead}{piece}" for piece in pieces][:MOST_PHRASES]
    if before:
        return before[:MOST_PHRASES]
    return [t.text for t in terms if t.what == "word"][:MOST_PHRASES]


def sensitivities(
    opened: OpenedIndex, labels: Sequence[ShownLabel], others: Sequence[ShownLabel], count: int,
    thresholds: Array, seed: int, context: JobContext,
) -> dict[int, Sensitivity]:  # fmt: skip
    """Return feature → how often it fires in `count` texts made from its label.

    `others` are labels of other features, for those that are few. thresholds (F,): what an
    activation must pass.
    """
    asked = {label.feature for label in labels}
    more = [o for o in others if o.feature not in asked][: max(_LEAST_OTHERS - len(labels), 0)]
    made = _Maker(opened, seed)
    texts = [text for label in (*labels, *more) for text in made.texts(label, count)]
    hits = np.zeros(opened.index.features)
    own: dict[int, list[bool]] = {}
    for done, (text, fired) in enumerate(_fired(opened, texts, thresholds, context), start=1):
        hits += fired
        own.setdefault(text.feature, []).append(bool(fired[text.feature]))
        context.progress(done, len(texts), "texts", "Reading new texts")
    return {
        feature: _sensitivity(told, float(hits[feature]), len(texts))
        for feature, told in own.items()
        if feature in asked
    }


def _sensitivity(told: list[bool], hits: float, texts: int) -> Sensitivity:
    share = wilson(sum(told), len(told))
    rest = texts - len(told)
    others = (hits - sum(told)) / rest if rest else None
    return Sensitivity(Figure(share.value, share.low, share.high), others)


class _Maker:
    """Makes new texts from labels."""

    def __init__(self, opened: OpenedIndex, seed: int) -> None:
        self._opened = opened
        self._rng = np.random.default_rng(seed)
        index = opened.index
        drawn = self._rng.integers(0, max(index.info.rows, 1), 4000)
        shift = drawn + BEFORE + AFTER
        passage = np.searchsorted(index.passages["first_row"], drawn, side="right") - 1
        ends = (index.passages["first_row"] + index.passages["length"])[passage]
        kept = held_out(index).rows(drawn) & (shift < ends)
        usable = drawn[kept] if kept.any() else drawn[shift < ends]
        # A word is put in where another begins.
        self._rows = [
            int(row) for row in usable if self._begins_word(index.token(self._token(row + BEFORE)))
        ]

    def _token(self, row: int) -> int:
        return int(self._opened.index.tokens[row])

    @staticmethod
    def _begins_word(token: str) -> bool:
        return token[:1] in (" ", "\u0120") and len(token) > 1

    def texts(self, label: ShownLabel, count: int) -> list[NewText]:
        """Return up to `count` texts of a label, each of its phrases in turn."""
        phrases = [own_ids(self._opened, f" {text}") for text in phrases_of(label.text)]
        phrases = [ids for ids in phrases if 0 < len(ids) <= _MOST_PHRASE]
        if not phrases or not self._rows:
            return []
        rows = self._rng.choice(self._rows, count).tolist()
        return [
            self._placed(label.feature, phrases[number % len(phrases)], row)
            for number, row in enumerate(rows)
        ]

    def _placed(self, feature: int, phrase: list[int], row: int) -> NewText:
        opened, tokens = self._opened, self._opened.index.tokens
        before = tokens[row : row + BEFORE].tolist()
        after = tokens[row + BEFORE : row + BEFORE + AFTER].tolist()
        ids = (*opened.bos, *before, *phrase, *after)
        return NewText(feature, ids, len(opened.bos) + BEFORE)


def _fired(
    opened: OpenedIndex, texts: Sequence[NewText], thresholds: Array, context: JobContext
) -> Iterator[tuple[NewText, Array]]:
    """Yield each text with a mask (F,) of the features that fire in it, shortest texts first."""
    limits_F = torch.from_numpy(np.asarray(thresholds, np.float32)).to(opened.dictionary.device)
    order = sorted(texts, key=lambda text: len(text.ids))
    first = 0
    while first < len(order):
        length = len(order[first].ids)
        alike = [t for t in order[first : first + _AT_ONCE] if len(t.ids) == length]
        context.check_cancelled()
        ids = torch.tensor([[*text.ids, *opened.eos] for text in alike])
        x_BSI = read_inputs(opened, ids)
        for text, x_SI in zip(alike, x_BSI, strict=True):
            watched: Tensor = opened.dictionary.encode(x_SI[text.first : length])
            yield text, (watched > limits_F).any(0).cpu().numpy()
        first += len(alike)

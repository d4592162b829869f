"""Fuzzing: are the marked words those the label speaks of?

Half of the texts in which the feature fires have its own tokens marked, half others of the same
text, as many and where it is silent; silent texts have the token marked that made them hard. So a
label that tells only what kind of text it is does not help.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sae_desktop.features.reading.judgement import Judgement
from sae_desktop.labels.examples import Example
from sae_desktop.labels.judging import detection
from sae_desktop.labels.judging.measures import Answered, Item
from sae_desktop.labels.judging.question import Asking, Question, Subject
from sae_desktop.labels.judging.texts import Mask, fired, marked, marks_for

MOVED = "moved"
"""The kind of an item whose marks are on other tokens of a text in which the feature fires."""


def questions(subject: Subject, asking: Asking) -> list[Question]:
    """Return the questions that judge a label. Each text in which it fires is shown twice, with
    the right marks and with wrong ones, in different requests where there are several."""
    rng = np.random.default_rng([subject.seed, 2])
    marks = marks_for([*subject.firing, *subject.silent])
    right = [(Item(1.0, e.interval), marked(e, fired(e), marks)) for e in subject.firing]
    wrong = [
        (Item(0.0, 0, MOVED), marked(e, mask, marks))
        for e in subject.firing
        if (mask := moved(e, rng)) is not None
    ]
    hard = [
        (Item(0.0, 0, e.kind), marked(e, fired(e), marks))
        for e in subject.silent
        if e.kind == "same_token"
    ]
    shown = _apart(right, [*wrong, *hard], rng)
    first, last = marks
    return detection.yes_no_questions(shown, subject.label, asking, first=first, last=last)


def moved(example: Example, rng: np.random.Generator) -> Mask | None:
    """Return marks (T,) on as many other tokens, where the feature is silent; None: too few are."""
    own = fired(example)
    silent = np.asarray(example.activations) <= 0
    words = [any(c.isalnum() for c in token) for token in example.tokens]
    places = np.flatnonzero(silent & np.array(words, bool) & ~own)
    if not len(places):
        places = np.flatnonzero(silent & ~own)
    count = min(int(own.sum()), len(places))
    if not count:
        return None
    mask = np.zeros(len(own), bool)
    mask[rng.choice(places, count, replace=False)] = True
    return mask


def _apart(
    right: list[tuple[Item, str]], wrong: list[tuple[Item, str]], rng: np.random.Generator
) -> list[tuple[Item, str]]:
    """Return both in an order in which a text and its like with other marks are far apart."""
    half = len(right) // 2
    turned = wrong[half:] + wrong[:half]
    longer = max(len(right), len(turned))
    shown: list[tuple[Item, str]] = []
    for n in range(longer):
        pair = [*right[n : n + 1], *turned[n : n + 1]]
        shown += [pair[k] for k in rng.permutation(len(pair)).tolist()]
    return shown


def judged(answered: Sequence[Answered]) -> Judgement:
    """Return the figure, as of detection."""
    return detection.judged(answered)

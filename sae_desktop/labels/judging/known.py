"""Features that are made up, on which a judge is tried before it judges any label.

Their texts are in `resources/prompts/judge_known.toml`, and what is true of them is plain. A judge
that does no better than chance there gives no label a score; how well it did stands beside every
score it gives.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import Annotated

import msgspec
import numpy as np

from sae_desktop.labels.examples import Example
from sae_desktop.labels.judging.question import Asking, Question, ScorerKind, Subject
from sae_desktop.resources import resource_path

_FILE = "prompts/judge_known.toml"
_OTHERS = 3
"""Texts of other features that are silent for one."""
_PIECES = re.compile(r"\[|\]|\s*[\w’]+|\s*[^\w\s\[\]]")


class KnownFeature(msgspec.Struct, frozen=True):
    label: str
    fires: Annotated[list[str], msgspec.Meta(min_length=4)]
    silent: list[str]


class _File(msgspec.Struct, frozen=True):
    feature: Annotated[list[KnownFeature], msgspec.Meta(min_length=2)]


def known_features() -> list[KnownFeature]:
    """Return the features that are made up. Raises UserError when the installation lacks them."""
    text = resource_path(_FILE).read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), _File).feature


def known_subjects(features: Sequence[KnownFeature], seed: int) -> list[Subject]:
    """Return each with its own texts and, silent, some of the others'."""
    subjects = []
    for number, feature in enumerate(features):
        rng = np.random.default_rng([seed, number])
        elsewhere = [t for other in features if other is not feature for t in other.fires]
        drawn = [elsewhere[n] for n in rng.permutation(len(elsewhere))[:_OTHERS].tolist()]
        firing = tuple(_example(text, fires=True) for text in feature.fires)
        near = [_example(text, fires=False, kind="same_token") for text in feature.silent]
        far = [_example(text, fires=False) for text in drawn]
        subjects.append(Subject(feature.label, firing, (*near, *far), seed + number))
    return subjects


def known_questions(kind: ScorerKind, asking: Asking, seed: int) -> list[Question]:
    """Return the questions of one scorer on all of them; groups of items stay apart."""
    found: list[Question] = []
    for number, subject in enumerate(known_subjects(known_features(), seed)):
        for question in kind.questions(subject, asking):
            items = [item._replace(group=item.group + 1000 * number) for item in question.items]
            found.append(Question(question.ask, tuple(items), question.read))
    return found


def _example(text: str, *, fires: bool, kind: str = "random") -> Example:
    """Return a text cut into words, with an activation of 1 between brackets where it fires."""
    tokens, activations, inside = [], [], False
    for piece in _PIECES.findall(text.replace(" [", "[ ")):
        if piece in "[]":
            inside = piece == "["
            continue
        tokens.append(piece)
        activations.append(float(fires and inside))
    values = np.array(activations, np.float32)
    # In a silent one the last word is as good as any.
    words = [n for n, token in enumerate(tokens) if token.strip().isalnum()]
    peak = int(values.argmax()) if fires else words[-1]
    return Example(
        kind="firing" if fires else ("same_token" if kind == "same_token" else "random"),
        row=0, document=0, tokens=tuple(tokens), activations=values, peak=peak,
        activation=float(values[peak]), interval=int(fires),
    )  # fmt: skip

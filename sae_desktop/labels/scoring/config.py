"""Scoring labels without a model that judges: what is asked and answered. Free of torch."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sae_desktop.described import said
from sae_desktop.features.reading.label_score import LabelScore, Rival
from sae_desktop.limits import Count, CountOrNone, Seed

MEASURE = "detection AUROC"
"""What the score of a label is, in the notes."""
_TEXTS = "Texts a label is held against"


class ScoreLabelsConfig(msgspec.Struct, frozen=True, kw_only=True, tag="score_labels"):
    """How far each feature's label is to be believed, on text it was not made from."""

    project: str
    index: str
    features: list[int] = []
    """Only these, beside those scored before; none: every feature with a label or a name."""
    label: str = ""
    """Scored in place of the one label that the features have, and not kept."""
    per_interval: Annotated[
        Count,
        said("Firings", "Texts of each interval of activation, at most.", _TEXTS),
    ] = 10
    silent: Annotated[
        Count,
        said("Silent texts", "Texts of each kind in which the feature is silent, at most.", _TEXTS),
    ] = 20
    rows: Annotated[
        CountOrNone,
        said(
            "Tokens to read",
            "Where the index has not kept all activations, tokens of its text that the model reads "
            "again, so that it is known where features are silent; 0 reads none.",
            _TEXTS,
        ),
    ] = 60_000
    meaning: Annotated[
        bool,
        said(
            "Meaning",
            "Hold the meaning of a label against that of a text, too, by a sentence encoder. It "
            "takes some seconds for each label.",
        ),
    ] = False
    new_texts: Annotated[
        CountOrNone,
        said(
            "New texts",
            "Texts made from each label, which the model reads to see whether the feature fires; 0 "
            "makes none.",
        ),
    ] = 8
    log_probability: Annotated[
        bool,
        said(
            "Log-probability",
            "Ask the model how likely each label is, given contexts of its feature and of others.",
        ),
    ] = False
    seed: Seed = 0
    device: str = "auto"


class ScoreLabelsResult(msgspec.Struct, frozen=True, kw_only=True):
    index: str
    scored: int
    """Labels with a score now."""
    without: int
    """Features that have a label, of which too few firings are held out to score it."""
    unlabelled: int
    """Features asked for that have neither a label nor a name."""
    rivals: list[Rival]
    """Means over the labels scored, and over what they are held against."""
    better_than_chance: int
    """Labels whose interval lies above 0.5."""
    known_from: str
    """How it is known where features are silent: kept, read or contexts."""
    random_of: str
    """What the random rival is: directions, features; empty: there is none."""
    encoder: str
    scores: list[LabelScore] = []
    """Of the features asked for, where these are few."""
    kept: bool = True
    """Whether the scores were written beside the index."""
    seconds: float

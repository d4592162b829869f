"""What is known of how far to believe a feature's label. Free of torch, Qt and HDF5."""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

import msgspec

Detector = Literal["", "words", "facts", "both"]
"""What tells where a label applies: its words in the text; the facts that an automatic name is
made of; or the mean rank of its words and of the likeness of its meaning to the text's, by a
sentence encoder. Empty: not scored."""
DETECTORS: tuple[Detector, ...] = ("", "words", "facts", "both")

Silence = Literal["random", "same_token", "neighbour"]
SILENCES: tuple[Silence, ...] = ("random", "same_token", "neighbour")
"""Texts in which the feature is silent: any, those with a token it fires on elsewhere, and those
in which a feature much like it fires."""

Rivals = Literal["label", "shuffled", "top_token", "random"]
RIVALS: tuple[Rivals, ...] = ("label", "shuffled", "top_token", "random")
"""label: the labels themselves. shuffled: another feature's. top_token: as a label, the token a
feature fires on most. random: directions drawn at random, each with the token it fires on most."""


def label_digest(label: str) -> str:
    """Return what tells a label's text from any other: 16 hexadecimal digits."""
    return blake2b(label.encode("utf-8", "replace"), digest_size=8).hexdigest()


class Figure(msgspec.Struct, frozen=True):
    """A figure and the ends of its interval of 95%."""

    value: float
    low: float
    high: float


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of one interval of activation, or of one kind of silent text."""

    name: str
    """Such as 40-60%, of the maximum or of the firings; of silent texts one of SILENCES."""
    figure: Figure
    places: int
    """By which it was measured."""
    shuffled: float
    """The same of another feature's label."""
    top_token: float


class LabelScore(msgspec.Struct, frozen=True, kw_only=True):
    """How a feature's label did on text held out. None: not measured."""

    feature: int
    method: str
    """How the label was made, as the notes have it; empty: by a person."""
    digest: str
    """Of the label that was scored, by `label_digest`."""
    detector: Detector
    detection: Figure
    """AUROC: how often a text in which the feature fires fits the label better than one in which
    it is silent; 0.5 is chance. Intervals and kinds of silent text weigh the same."""
    shuffled: Figure
    top_token: Figure
    intervals: tuple[Part, ...]
    """Detection of the firings of each interval, the weakest first."""
    silences: tuple[Part, ...]
    """Detection against each kind of silent text."""
    specificity: Figure | None = None
    """AUROC of the same against texts in which other features fire, any of them."""
    matching: int = 0
    """Places of the held-out text to which the label's words apply."""
    matching_share: tuple[float, ...] = ()
    """Of these, the share at which the feature fires in each interval, the weakest first."""
    sensitivity: Figure | None = None
    """Of new texts made from the label, the share in which the feature fires."""
    sensitivity_others: float | None = None
    """Of new texts made from other features' labels."""
    log_probability: Figure | None = None
    """Nats per token by which contexts of the feature make its label more likely to the subject
    model than contexts of other features do."""


class Rival(msgspec.Struct, frozen=True, kw_only=True):
    """The mean of many labels' detection, beside its rivals."""

    name: Rivals
    figure: Figure
    """The interval is a bootstrap over the features."""
    features: int

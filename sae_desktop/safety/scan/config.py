"""What a scan is asked to do, and what it answers. Free of torch."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sae_desktop.described import said
from sae_desktop.limits import Count, CountOrNone, Seed

SIGNIFICANT = 0.05
"""Of a corrected p-value."""
LOOKING, TESTING = "What is looked for", "What is tested"
Pooling = Literal["max", "mean"]
Verdict = Literal["dictionary", "rival", "no difference"]


class ScanConfig(msgspec.Struct, frozen=True, kw_only=True, tag="scan"):
    """Find the features of dictionaries that tell the texts of concept sets apart."""

    project: str
    name: str
    indexes: Annotated[
        tuple[str, ...],
        said("Indexes", "The indexes whose dictionaries are scanned.", LOOKING),
    ] = ()
    sets: Annotated[
        tuple[str, ...],
        said("Concept sets", "The sets that are looked for. If none is named, all.", LOOKING),
    ] = ()
    pooling: Annotated[
        Pooling,
        said(
            "Pooling",
            "How the activations on the tokens of a text become one number: the largest, or the "
            "mean. Directions of the raw activations are pooled in the same way.",
            LOOKING,
        ),
    ] = "max"
    candidates: Annotated[
        Count,
        said(
            "Candidates",
            "How many features each way of looking proposes for a set, from the templates that "
            "are learnt from; only these are scored on what is held out.",
            LOOKING,
        ),
    ] = 6
    attributed: Annotated[
        CountOrNone,
        said(
            "Texts attributed",
            "On how many texts of each side the model’s own answer, its likeliest next token, is "
            "attributed to features; 0: none.",
            LOOKING,
        ),
    ] = 6
    ordinary: Annotated[
        CountOrNone,
        said(
            "Ordinary texts",
            "How many passages of the index’s own text stand beside the sets; 0: none.",
            TESTING,
        ),
    ] = 100
    tested: Annotated[
        CountOrNone,
        said(
            "Features tested",
            "How many features of each set are ablated and clamped in the model; 0: none.",
            TESTING,
        ),
    ] = 3
    test_texts: Annotated[
        Count,
        said("Texts per test", "On how many held-out texts a feature is tested.", TESTING),
    ] = 4
    controls: Annotated[
        Count,
        said(
            "Controls",
            "How many features drawn at random stand beside each that is tested, with its own "
            "activations along their directions.",
            TESTING,
        ),
    ] = 19
    seed: Seed = 0
    device: str = "auto"


class Area(msgspec.Struct, frozen=True, kw_only=True):
    """An area under the ROC curve and its 95% interval, for other templates."""

    area: float
    low: float
    high: float


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """How well one score tells positives that are held out."""

    near: Area
    """From held-out near misses."""
    ordinary: Area | None = None
    """From passages of the index’s own text."""
    other: Area | None = None
    """In other languages, from near misses there."""


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What changing a feature does, beside the same change along directions of others."""

    ablated: float
    """By how much ablating it raises the loss on held-out positives, in nats per token."""
    ablated_controls: tuple[float, ...]
    ablated_p: float
    """The share of changes, its own among them, that are as large either way."""
    clamped: float
    """KL divergence on held-out near misses, in nats per token, where it is set to its maximum."""
    clamped_controls: tuple[float, ...]
    clamped_p: float

    @property
    def acts(self) -> bool:
        """Whether ablating it does more than ablating any of those beside it."""
        return all(abs(self.ablated) > abs(control) for control in self.ablated_controls)


class FoundFeature(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate."""

    feature: int
    name: str
    density: float
    found_by: tuple[str, ...]
    """Which ways of looking proposed it: “separation”, “set search”, “classifier”,
    “attribution”."""
    learnt: float
    """Its area on the templates that were learnt from."""
    scores: Scores
    p: float
    """Of exchanged templates, on near misses."""
    q: float
    """The same, corrected for all candidates of the scan."""
    effect: Effect | None = None
    contexts: tuple[str, ...] = ()
    """Where it is strongest in the index’s text, the token in brackets."""
    texts: tuple[str, ...] = ()
    """On which held-out texts of the set it is strongest, positives and near misses alike."""

    @property
    def significant(self) -> bool:
        """Whether it separates its set, also after the correction for looking at many."""
        return self.q <= SIGNIFICANT


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """One way to tell the texts apart, learnt and scored on the same templates as the others."""

    name: str
    side: Literal["dictionary", "rival", "control"]
    learnt: float
    scores: Scores
    inputs: int
    """How many features or dimensions it uses."""


class SetScan(msgspec.Struct, frozen=True, kw_only=True):
    """One set and one dictionary."""

    set: str
    index: str
    positives: int
    negatives: int
    """Held out, in the set’s own language."""
    methods: tuple[Method, ...]
    features: tuple[FoundFeature, ...]
    """The candidates, the best on held-out texts first."""
    verdict: Verdict
    best: str
    rival: str
    """The methods compared: the better one of either side."""
    difference: float
    """Area of the dictionary’s method less the rival’s."""
    difference_low: float
    difference_high: float
    cut: int = 0
    """Texts that were longer than the model reads at once; their ends were left out."""


class ScanResult(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    path: str
    scans: tuple[SetScan, ...]
    """Those that are finished: fewer than `wanted` where it was stopped."""
    wanted: int
    """Sets × dictionaries that were asked for."""
    candidates: int
    """Features scored on held-out texts, over all sets and dictionaries."""
    significant: int
    """Of them, with a corrected p-value of at most 0.05."""
    seconds: float

"""Judging labels by a language model: what is asked and answered. Free of torch and Qt."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sae_desktop.described import said
from sae_desktop.features.reading.judgement import Judgement, Scorer, Verdict
from sae_desktop.labels.chat import Message
from sae_desktop.labels.models.choice import ModelChoice
from sae_desktop.labels.queue.estimate import QueueEstimate
from sae_desktop.labels.queue.limits import QueueLimits
from sae_desktop.labels.selection import Selection
from sae_desktop.limits import Count, CountOrNone, Seed

JUDGED = "What is judged"
Which = Literal["shown", "all", "automatic"]


class JudgeLabelsConfig(msgspec.Struct, frozen=True, kw_only=True, tag="judge_labels"):
    """Scores of labels by a model that answers, beside baselines on the same texts."""

    project: str
    index: str
    model: ModelChoice = ModelChoice()
    selection: Selection = Selection()
    limits: QueueLimits = QueueLimits()
    which: Annotated[
        Which,
        said(
            "Labels to judge",
            "The label that each feature shows, all of its labels, or its automatic name by "
            "statistics alone.",
            JUDGED,
        ),
    ] = "shown"
    scorers: Annotated[
        tuple[Scorer, ...],
        said(
            "Ways of judging",
            "detection: in which texts the feature fires; fuzzing: whether the marked words are "
            "right; intruder: which text does not belong; rubric: how well the label fits, 0–3; "
            "simulation: how strongly it fires on each token.",
            JUDGED,
        ),
    ] = ("detection", "fuzzing")
    per_interval: Annotated[
        Count,
        said(
            "Contexts per interval",
            "How many held-out contexts of each interval of activation a label is judged by.",
            JUDGED,
        ),
    ] = 5
    silent: Annotated[
        Count,
        said(
            "Silent contexts",
            "How many contexts without the feature, of each kind: at random, on its tokens, and "
            "those of the features most like it.",
            JUDGED,
        ),
    ] = 8
    baseline_features: Annotated[
        CountOrNone,
        said(
            "Features with baselines",
            "For how many features a shuffled label, the top token alone and a random feature are "
            "judged too, at three more times the requests each; 0: none.",
            JUDGED,
        ),
    ] = 20
    rows: Annotated[
        CountOrNone,
        said(
            "Tokens to read",
            "How many tokens of the index’s text its own model reads again: for random directions "
            "beside the labels, and to know where the features of an index without its "
            "activations are silent; 0: none.",
            JUDGED,
        ),
    ] = 30_000
    probabilities: Annotated[
        bool,
        said(
            "Use probabilities",
            "Ask for the probability of yes in detection and fuzzing, one text per request. The "
            "server must give log-probabilities.",
            JUDGED,
        ),
    ] = False
    thinking_tokens: Annotated[
        CountOrNone,
        said(
            "Room for thoughts",
            "Tokens that a thinking model may write before each answer, such as 2,000; 0: for one "
            "that does not think.",
            JUDGED,
        ),
    ] = 0
    seed: Seed = 0
    device: str = "auto"
    """Where the model of the index is run."""


class PreviewJudgingConfig(msgspec.Struct, frozen=True, kw_only=True, tag="preview_judging"):
    """What a judge would be asked, and what all of it would cost. Sends nothing."""

    judge: JudgeLabelsConfig


class JudgingPreview(msgspec.Struct, frozen=True, kw_only=True):
    labels: int
    """That would be judged."""
    messages: tuple[Message, ...]
    """The first question about a label, to the letter."""
    trial: int
    """Questions by which the judge itself is tried first."""
    whole: QueueEstimate
    """What all of them take."""


class ScorerResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one way of judging found."""

    scorer: Scorer
    test: Judgement
    """The judge on texts of which the truth is known, before it judged any label."""
    verdict: Verdict
    labels: int = 0
    """With a score."""
    passed: int = 0
    """Of these, the ones whose whole interval is above chance."""
    unanswered: int = 0
    """Items of all labels to which no answer was taken."""
    asked: int = 0
    mean: float | None = None
    """Of the labels' scores, chance-corrected: 0 chance, 1 perfect; None: there are none."""
    low: float | None = None
    high: float | None = None
    shuffled: float | None = None
    """The same of another feature's label on the same texts; and so on."""
    top_token: float | None = None
    random: float | None = None
    direction: float | None = None
    """Of random directions, each called by its own top token."""


class JudgeLabelsResult(msgspec.Struct, frozen=True, kw_only=True):
    index: str
    judge: str
    small: bool
    """Whether the judge has a billion parameters or fewer, as far as its name tells."""
    features: int
    labels: int
    """That were to be judged."""
    scorers: tuple[ScorerResult, ...]
    requests: int
    """Answered, from the ledger or now."""
    failed: int
    cost: float
    ended: str = ""
    """Why it ended early: cap, stopped; empty: it did not."""
    seconds: float = 0.0

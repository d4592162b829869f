"""Explaining features by a model that answers: what is asked and answered. No torch, no Qt."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sae_desktop.described import said
from sae_desktop.labels.chat import Message
from sae_desktop.labels.models.choice import ModelChoice
from sae_desktop.labels.queue.estimate import QueueEstimate
from sae_desktop.labels.queue.limits import QueueLimits
from sae_desktop.labels.queue.progress import QueueProgress
from sae_desktop.labels.selection import Selection
from sae_desktop.limits import AtLeast0, Count, CountOrNone, Seed

EXPLAINING = "What is sent"


class ExplainFeaturesConfig(msgspec.Struct, frozen=True, kw_only=True, tag="explain_features"):
    """Labels of features by a model that answers, from what they fire on and what they do."""

    project: str
    index: str
    model: ModelChoice = ModelChoice()
    selection: Selection = Selection(labelled="without")
    limits: QueueLimits = QueueLimits()
    prompt: Annotated[
        str,
        said(
            "Prompt",
            "contexts: from contexts of all intervals of activation; contrast: these beside "
            "contexts of the features most like it; outputs: from the tokens it makes more "
            "likely; both: from contexts and outputs; or the name of a prompt of the project’s "
            "own.",
            EXPLAINING,
        ),
    ] = "contexts"
    per_interval: Annotated[
        Count,
        said(
            "Contexts per interval",
            "How many contexts of each interval of activation are sent, from the documents that "
            "no score is measured on.",
            EXPLAINING,
        ),
    ] = 5
    look_alikes: Annotated[
        Count,
        said(
            "Contexts of look-alikes",
            "How many contexts in which the feature is silent are sent, where the prompt has a "
            "place for them.",
            EXPLAINING,
        ),
    ] = 10
    temperature: Annotated[
        AtLeast0,
        said(
            "Temperature",
            "0 always takes the most likely answer; higher values make answers more varied.",
            EXPLAINING,
        ),
    ] = 0.0
    answer_tokens: Annotated[
        Count, said("Length of the answer", "Tokens at most, without thoughts.", EXPLAINING)
    ] = 100
    thinking_tokens: Annotated[
        CountOrNone,
        said(
            "Room for thoughts",
            "Tokens that a thinking model may write before its answer; 0: for one that does not "
            "think.",
            EXPLAINING,
        ),
    ] = 0
    seed: Seed = 0

    @property
    def most_tokens(self) -> int:
        return self.answer_tokens + self.thinking_tokens


class ExplainFeaturesResult(msgspec.Struct, frozen=True, kw_only=True):
    index: str
    model: str
    features: int
    """Selected."""
    labels: int
    """Labels that are new."""
    refused: int = 0
    """Features that the model refused to explain."""
    nonsense: int = 0
    """Answers that held no label."""
    failed: int = 0
    """Features of which nothing was answered."""
    no_text: int = 0
    """Features with nothing to explain them from, of which nothing was asked."""
    shortened: int = 0
    """Features of which fewer contexts were sent, to fit the model's window."""
    cut: int = 0
    """Labels that were cut because they were too long."""
    out_of_form: int = 0
    """Labels taken from answers that were not in the form asked for."""
    left: int = 0
    """Features not asked about, because a cap or a person ended it."""
    prompt_tokens: int = 0
    answer_tokens: int = 0
    cost: float = 0.0
    ended: str = ""
    """Why it ended early: cap, stopped; empty: it did not."""
    requests: QueueProgress = QueueProgress()
    """What became of the requests."""
    seconds: float = 0.0


class PreviewExplanationConfig(
    msgspec.Struct, frozen=True, kw_only=True, tag="preview_explanation"
):
    """What exactly would be sent about a feature, and what all of it would cost. Sends nothing."""

    explain: ExplainFeaturesConfig
    feature: int | None = None
    """None: the first of those selected."""


class ExplanationPreview(msgspec.Struct, frozen=True, kw_only=True):
    feature: int
    messages: tuple[Message, ...]
    """As they are sent, to the letter."""
    prompt: str
    prompt_digest: str
    prompt_tokens: int
    exact: bool
    """Whether the tokens are counted by the model's own tokenizer, or estimated."""
    answer_tokens: int
    """At most, thoughts included."""
    contexts: int
    shortened: bool
    """Whether contexts were left out to fit the model's window."""
    features: int
    """Selected, as many as would be asked about."""
    whole: QueueEstimate
    """What asking about all of them takes."""
    cost: float
    """Of this one, at most."""
    here: bool
    """Whether all of it stays on this machine."""

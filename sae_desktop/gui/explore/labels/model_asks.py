"""What a model is asked to do with features: as data, and in words. Free of Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from sae_desktop.features.reading.judgement import Scorer
from sae_desktop.labels.chat import Message
from sae_desktop.labels.explaining.config import ExplainFeaturesConfig, ExplanationPreview
from sae_desktop.labels.judging.config import JudgeLabelsConfig, JudgingPreview
from sae_desktop.labels.models.choice import ModelChoice
from sae_desktop.labels.queue.limits import QueueLimits
from sae_desktop.labels.selection import Selection
from sae_desktop.words.amounts import exact_count
from sae_desktop.words.queue_text import estimate_text

Task = Literal["explain", "judge"]
EXPLAIN: Task = "explain"
JUDGE: Task = "judge"
SUREST, UNLABELLED, ALL, LABELLED, AUTOMATIC, LISTED = (
    "surest",
    "unlabelled",
    "all",
    "labelled",
    "automatic",
    "listed",
)
WHICH: dict[Task, tuple[tuple[str, str], ...]] = {
    EXPLAIN: (
        (SUREST, "Without a label, surest name first"),
        (UNLABELLED, "Without a label, densest first"),
        (ALL, "All that fire, densest first"),
        (LISTED, "As the list shows them"),
    ),
    JUDGE: (
        (LABELLED, "Labels, densest feature first"),
        (AUTOMATIC, "Automatic names, densest feature first"),
        (LISTED, "Labels, as the list shows them"),
    ),
}
"""Task → which features it can be about."""
MOST = 20
"""Features at first: enough to see what a model is worth, and soon done."""
SCORERS: tuple[Scorer, ...] = ("detection", "fuzzing")
PROMPTS = (
    ("contexts", "Texts in which it fires"),
    ("contrast", "These, beside look-alikes"),
    ("outputs", "Tokens it promotes"),
    ("both", "Texts and tokens"),
)
SYSTEM = "What the model is told first"
PERSON = "What it is asked"


@dataclass(frozen=True)
class Wanted:
    """What a person has chosen, beside the model."""

    task: Task
    which: str
    listed: tuple[int, ...]
    most: int
    """Features at most; 0: all."""
    prompt: str
    most_cost: float


def selection(wanted: Wanted) -> Selection:
    """Return which features are asked about."""
    if wanted.which == LISTED:
        return Selection(features=wanted.listed[: wanted.most or None])
    if wanted.which == SUREST:
        return Selection(labelled="without", order="surest", limit=wanted.most)
    if wanted.which == UNLABELLED:
        return Selection(labelled="without", limit=wanted.most)
    if wanted.which == LABELLED:
        return Selection(labelled="with", limit=wanted.most)
    return Selection(limit=wanted.most)


def job_config(
    project: str,
    index: str,
    model: ModelChoice,
    prices: tuple[float, float],
    wanted: Wanted,
) -> ExplainFeaturesConfig | JudgeLabelsConfig:
    """Return the job that asks."""
    limits = QueueLimits(
        price_in=prices[0],
        price_out=prices[1],
        most_cost=wanted.most_cost if any(prices) else 0.0,
    )
    if wanted.task == EXPLAIN:
        return ExplainFeaturesConfig(
            project=project,
            index=index,
            model=model,
            selection=selection(wanted),
            limits=limits,
            prompt=wanted.prompt,
        )
    return JudgeLabelsConfig(
        project=project,
        index=index,
        model=model,
        selection=selection(wanted),
        limits=limits,
        which="automatic" if wanted.which == AUTOMATIC else "shown",
        scorers=SCORERS,
    )


def where_text(model: ModelChoice) -> str:
    """Return where the questions go."""
    if model.local:
        return "The engine runs the model: nothing is sent anywhere."
    if model.here:
        return "The server runs on this machine: nothing leaves it."
    host = urlsplit(model.server).hostname or model.server
    return f"It is sent to {host}: texts of your corpus leave this machine."


def preview_words(preview: ExplanationPreview) -> str:
    """Return how much is sent, and what it costs."""
    counted = "" if preview.exact else "about "
    one = (
        f"The question about feature {preview.feature} has {counted}"
        f"{exact_count(preview.prompt_tokens)} tokens."
    )
    shortened = " Some texts are left out, to fit the model." if preview.shortened else ""
    return f"{one}{shortened} In all: {estimate_text(preview.whole)}"


def messages_text(messages: Sequence[Message]) -> str:
    """Return a question as it is sent, to the letter, under what each part is."""
    heads = {"system": SYSTEM, "user": PERSON}
    return "\n\n".join(f"── {heads.get(m.role, m.role)} ──\n{m.content}" for m in messages)


JUDGING_WORDS = (
    "The judge is tried first on texts of which the truth is known; then each label is held "
    "against texts in which its feature fires and look-alikes, beside rivals."
)


def judging_words(preview: JudgingPreview) -> str:
    """Return how much a judge is sent, and what it costs."""
    labels = "1 label" if preview.labels == 1 else f"{exact_count(preview.labels)} labels"
    return f"{JUDGING_WORDS} In all, for {labels}: {estimate_text(preview.whole)}"


def start_text(task: Task, most: int, listed: int | None) -> str:
    """Return the words of the button that starts."""
    what = "Name" if task == EXPLAIN else "Score"
    count = most if listed is None else min(listed, most or listed)
    things = "features" if task == EXPLAIN else "labels"
    if count == 1:
        return f"{what} 1 {things[:-1]}"
    return f"{what} {exact_count(count)} {things}" if count else f"{what} all {things}"

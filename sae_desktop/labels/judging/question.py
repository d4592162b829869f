"""What a judge is asked: one request, with what is true of each of its items."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sae_desktop.features.reading.judgement import Judgement, Scorer
from sae_desktop.labels.chat import Answer, Ask, ChatError
from sae_desktop.labels.examples import Example
from sae_desktop.labels.judging.measures import Answered, Item
from sae_desktop.labels.prompts import Prompt

BATCH = 5
"""Texts of one request."""
Read = Callable[[Answer], Sequence[float | None]]


@dataclass(frozen=True)
class Subject:
    """A label and the held-out places it is judged by."""

    label: str
    firing: tuple[Example, ...]
    silent: tuple[Example, ...]
    seed: int = 0
    """Decides every draw."""


@dataclass(frozen=True)
class Asking:
    """How questions are put."""

    prompt: Prompt
    probabilities: bool = False
    """Ask for the probabilities of yes and no, one text a request."""
    batch: int = BATCH
    thinking: int = 0
    """Tokens a model may think before each answer."""


@dataclass(frozen=True)
class Question:
    ask: Ask
    items: tuple[Item, ...]
    read: Read
    """One answer for each item; None: unanswered."""

    def answered(self, outcome: Answer | ChatError) -> list[Answered]:
        """Return what was answered to each item; nothing where there was an error."""
        if isinstance(outcome, ChatError):
            return [Answered(item, None) for item in self.items]
        return [Answered(i, a) for i, a in zip(self.items, self.read(outcome), strict=True)]


@dataclass(frozen=True)
class ScorerKind:
    """A way of judging."""

    name: Scorer
    questions: Callable[[Subject, Asking], list[Question]]
    judgement: Callable[[Sequence[Answered]], Judgement]
    needs_label: bool = True
    needs_probabilities: bool = False


def in_batches(count: int, size: int) -> list[slice]:
    """Return slices of `count` things, of sizes that differ by 1 at most."""
    batches = -(-count // size)
    ends = [count * n // batches for n in range(batches + 1)] if count else [0]
    return [slice(a, b) for a, b in itertools.pairwise(ends)]


def numbered_schema(count: int, value: Mapping[str, object]) -> dict[str, object]:
    """Return the JSON schema of an object that gives each number from 1 a value."""
    names = [str(number) for number in range(1, count + 1)]
    return {
        "type": "object",
        "properties": {name: dict(value) for name in names},
        "required": names,
        "additionalProperties": False,
    }

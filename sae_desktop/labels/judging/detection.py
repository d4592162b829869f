"""Detection: in which of these texts does the feature fire, going by the label?

As of Delphi (Paulo et al. 2024), but the silent texts are hard ones. The figure is the balanced
accuracy; where the judge gives probabilities of yes and no, AUROC.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from sae_desktop.features.reading.judgement import Judgement, Part
from sae_desktop.labels.chat import Answer, Ask
from sae_desktop.labels.examples import Example
from sae_desktop.labels.judging.answers import numbered, one, yes_or_no
from sae_desktop.labels.judging.measures import (
    Answered,
    Figure,
    Item,
    answered_only,
    auroc,
    balanced_accuracy,
    judgement,
    parts_of,
)
from sae_desktop.labels.judging.probabilities import ALTERNATIVES, probability_of_yes
from sae_desktop.labels.judging.question import Asking, Question, Subject, in_batches
from sae_desktop.labels.judging.question import numbered_schema as schema
from sae_desktop.labels.judging.texts import label_text, listed, plain

YES_OR_NO = {"type": "string", "enum": ["yes", "no"]}
TOKENS_PER_ANSWER = 10
CHANCE = 0.5


def questions(subject: Subject, asking: Asking) -> list[Question]:
    """Return the questions that judge a label."""
    examples = [*subject.firing, *subject.silent]
    order = np.random.default_rng([subject.seed, 1]).permutation(len(examples))
    shown = [(example_item(examples[n]), plain(examples[n])) for n in order.tolist()]
    return yes_no_questions(shown, subject.label, asking)


def example_item(example: Example) -> Item:
    """Return an item that is true where the feature fires."""
    kind = "" if example.fires else example.kind
    return Item(float(example.fires), example.interval, kind)


def yes_no_questions(
    shown: Sequence[tuple[Item, str]], label: str, asking: Asking, **fields: str
) -> list[Question]:
    """Return questions on texts that are answered by yes or no, each as many as a batch holds."""
    size = 1 if asking.probabilities else asking.batch
    return [_question(shown[span], label, asking, fields) for span in in_batches(len(shown), size)]


def _question(
    shown: Sequence[tuple[Item, str]], label: str, asking: Asking, fields: dict[str, str]
) -> Question:
    items, texts = tuple(item for item, _ in shown), [text for _, text in shown]
    messages = asking.prompt.messages(
        label=label_text(label), texts=listed(texts), count=str(len(texts)), **fields
    )
    if asking.probabilities:
        ask = Ask(messages, most_tokens=8 + asking.thinking, logprobs=ALTERNATIVES)
        return Question(ask, items, lambda answer: (_probable(answer),))
    ask = Ask(
        messages,
        most_tokens=32 + TOKENS_PER_ANSWER * len(texts) + asking.thinking,
        schema=schema(len(texts), YES_OR_NO),
    )
    return Question(ask, items, partial(_read, count=len(texts)))


def _read(answer: Answer, count: int) -> Sequence[float | None]:
    return numbered(answer.text, count, yes_or_no)


def _probable(answer: Answer) -> float | None:
    """Return the probability of yes, or what was answered where none is given."""
    if answer.logprobs is None:
        return one(answer.text, yes_or_no)
    return probability_of_yes(answer)


def figure_of(answered: Sequence[Answered]) -> Figure:
    """Return AUROC where an answer is neither yes nor no but between; else balanced accuracy."""
    between = any(a.answer is not None and 0 < a.answer < 1 for a in answered)
    return auroc if between else balanced_accuracy


def judged(answered: Sequence[Answered]) -> Judgement:
    """Return the figure, by interval and by kind of silent text too."""
    figure = figure_of(answered)
    return judgement(
        answered,
        figure,
        wrong=lambda item: 1.0 - item.truth,
        chance=CHANCE,
        parts=_parts(answered_only(answered), figure),
    )


def _parts(given: Sequence[Answered], figure: Figure) -> list[Part]:
    return parts_of(given, figure, lambda a: ((a.answer or 0.0) > CHANCE) == bool(a.item.truth))

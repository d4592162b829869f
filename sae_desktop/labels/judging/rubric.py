"""The rubric of Scaling Monosemanticity: how well does the label fit the marked words, 0–3?

The mean rating of each interval of activation is the feature's specificity. Silent texts are rated
too, their chosen token marked, and the figure is how often a text in which the feature fires is
rated above one in which it does not (AUROC): a judge that gives 3 to everything is at chance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sae_desktop.features.reading.judgement import Judgement, Part
from sae_desktop.labels.chat import Ask
from sae_desktop.labels.judging.answers import numbered, whole_number
from sae_desktop.labels.judging.detection import example_item
from sae_desktop.labels.judging.measures import (
    MOST_RATING,
    Answered,
    answered_only,
    auroc,
    bootstrap_mean,
    judgement,
)
from sae_desktop.labels.judging.question import Asking, Question, Subject, in_batches
from sae_desktop.labels.judging.question import numbered_schema as schema
from sae_desktop.labels.judging.texts import fired, label_text, listed, marked, marks_for

RATING = {"type": "integer", "enum": list(range(MOST_RATING + 1))}
_READ = whole_number(0, MOST_RATING)


def questions(subject: Subject, asking: Asking) -> list[Question]:
    """Return the questions that judge a label."""
    examples = [*subject.firing, *subject.silent]
    order = np.random.default_rng([subject.seed, 4]).permutation(len(examples)).tolist()
    found = []
    for span in in_batches(len(order), asking.batch):
        shown = [examples[n] for n in order[span]]
        first, last = marks = marks_for(shown)
        texts = [marked(example, fired(example), marks) for example in shown]
        messages = asking.prompt.messages(
            label=label_text(subject.label), texts=listed(texts), count=str(len(shown)),
            first=first, last=last,
        )  # fmt: skip
        ask = Ask(
            messages,
            most_tokens=32 + 8 * len(shown) + asking.thinking,
            schema=schema(len(shown), RATING),
        )
        count = len(shown)
        found.append(
            Question(
                ask,
                tuple(example_item(example) for example in shown),
                lambda answer, count=count: numbered(answer.text, count, _READ),  # type: ignore[misc]
            )
        )
    return found


def judged(answered: Sequence[Answered]) -> Judgement:
    """Return the figure, and the mean rating of each interval and each kind of silent text."""
    given = answered_only(answered)
    return judgement(
        answered,
        auroc,
        wrong=lambda item: 0.0 if item.truth else float(MOST_RATING),
        right=lambda item: float(MOST_RATING) if item.truth else 0.0,
        chance=0.5,
        parts=_means(given),
    )


def _means(given: Sequence[Answered]) -> list[Part]:
    keys = {(a.item.interval, a.item.kind) for a in given}
    keys |= {(0, "") for a in given if not a.item.truth}
    found = []
    for interval, kind in sorted(keys):
        of = [a.answer for a in given if a.item.interval == interval and kind in ("", a.item.kind)]
        ratings = np.array(of, float)
        value, low, high = bootstrap_mean(ratings, MOST_RATING)
        found.append(
            Part(interval=interval, kind=kind, value=value, low=low, high=high, items=len(of))
        )
    return found

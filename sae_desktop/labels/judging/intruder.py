"""Intruder: in which one of five texts does the feature not fire? No label is shown.

Tells whether the feature means something to a reader at all, whatever its label. The figure is the
share of intruders found. Chance is what the judge's own habits would find: whoever always names
the third text finds as many as stand there, no more (Cohen's κ).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sae_desktop.features.reading.judgement import Judgement, Part
from sae_desktop.labels.chat import Ask
from sae_desktop.labels.examples import Example
from sae_desktop.labels.judging.answers import one, whole_number
from sae_desktop.labels.judging.measures import (
    Answered,
    Interval,
    Item,
    answered_only,
    judgement,
    wilson,
)
from sae_desktop.labels.judging.question import Asking, Question, Subject
from sae_desktop.labels.judging.texts import fired, listed, marked, marks_for

TEXTS = 5
NAME = "intruder"
NOBODY = 0.0
"""A place at which no intruder stands."""


def questions(subject: Subject, asking: Asking) -> list[Question]:
    """Return the questions; the intruder's place goes round, so that each comes as often."""
    rng = np.random.default_rng([subject.seed, 3])
    silent = [subject.silent[n] for n in rng.permutation(len(subject.silent)).tolist()]
    places = rng.permutation(TEXTS).tolist()
    found: list[Question] = []
    for interval, group in _groups(subject, rng):
        if len(found) >= len(silent):
            break
        number = len(found)
        found.append(_question(group, silent[number], places[number % TEXTS], interval, asking))
    return found


def _groups(subject: Subject, rng: np.random.Generator) -> list[tuple[int, list[Example]]]:
    """Return groups of texts of one interval, the intervals in turn."""
    by_interval: dict[int, list[Example]] = {}
    for example in subject.firing:
        by_interval.setdefault(example.interval, []).append(example)
    found = []
    for interval, members in sorted(by_interval.items()):
        if len(members) < TEXTS - 1:
            continue
        for turn in range(max(len(members) // 2, 1)):
            drawn = rng.permutation(len(members))[: TEXTS - 1].tolist()
            found.append((turn, interval, [members[n] for n in drawn]))
    found.sort(key=lambda one: one[:2])
    return [(interval, group) for _, interval, group in found]


def _question(
    group: Sequence[Example], silent: Example, place: int, interval: int, asking: Asking
) -> Question:
    shown = [*group[:place], silent, *group[place:]]
    first, last = marks = marks_for(shown)
    texts = listed([marked(example, fired(example), marks) for example in shown])
    messages = asking.prompt.messages(
        label="", texts=texts, count=str(len(shown)), first=first, last=last
    )
    number = {"type": "integer", "enum": list(range(1, len(shown) + 1))}
    schema = {
        "type": "object",
        "properties": {NAME: number},
        "required": [NAME],
        "additionalProperties": False,
    }
    read = whole_number(1, len(shown))
    return Question(
        Ask(messages, most_tokens=32 + asking.thinking, schema=schema),
        (Item(float(place + 1), interval, silent.kind),),
        lambda answer: (one(answer.text, read, NAME),),
    )


def judged(answered: Sequence[Answered]) -> Judgement:
    """Return the share of intruders found, by interval too."""
    given = answered_only(answered)
    intervals = sorted({a.item.interval for a in given})
    parts = []
    for interval in intervals:
        own = [a for a in given if a.item.interval == interval]
        value, low, high = share_found(own)
        parts.append(Part(interval=interval, value=value, low=low, high=high, items=len(own)))
    return judgement(
        answered, share_found, wrong=lambda _: NOBODY, chance=expected(given), parts=parts
    )


def share_found(answered: Sequence[Answered]) -> Interval:
    """Return the share of intruders found."""
    return wilson(sum(a.answer == a.item.truth for a in answered), len(answered))


def expected(answered: Sequence[Answered]) -> float:
    """Return the share that answers as frequent as these would find, were they drawn blindly."""
    if not answered:
        return 1 / TEXTS
    places = np.arange(1, TEXTS + 1)
    truths = np.array([a.item.truth for a in answered])
    named = np.array([a.answer for a in answered], float)
    both = (truths[:, None] == places).mean(0) @ (named[:, None] == places).mean(0)
    # All intruders at one place and all named there: nothing can be told from that.
    return min(float(both), 0.99)

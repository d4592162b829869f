"""Simulation: how strongly does the feature fire on each token, 0–10, going by the label?

As of Bills et al. (2023). The judge numbers every token, and of each number the expectation over
the probabilities of 0 to 10 is taken; so it needs a server that gives log-probabilities. The figure
is the correlation with the true activations: who says the same everywhere has 0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from sae_desktop.features.reading.judgement import Judgement, Part
from sae_desktop.labels.chat import Answer, Ask
from sae_desktop.labels.examples import Example
from sae_desktop.labels.judging.answers import numbered, whole_number
from sae_desktop.labels.judging.measures import (
    Answered,
    Item,
    answered_only,
    correlation,
    judgement,
)
from sae_desktop.labels.judging.probabilities import ALTERNATIVES, expectation
from sae_desktop.labels.judging.question import Asking, Question, Subject, numbered_schema
from sae_desktop.labels.judging.texts import label_text, listed, one_line

MOST = 10
MOST_TOKENS = 48
"""Of a context: more are not numbered reliably."""
SILENT_SHARE = 0.25
"""Of the silent texts, those that are simulated: each takes a request."""
_NUMBER = {"type": "integer", "minimum": 0, "maximum": MOST}
_READ = whole_number(0, MOST)
_VALUES = re.compile(r'(?<![\d.])(\d{1,4})"?\s*[:=\t]\s*"?(\d{1,2})(?!\d)')


def questions(subject: Subject, asking: Asking) -> list[Question]:
    """Return the questions that judge a label, one for each text."""
    rng = np.random.default_rng([subject.seed, 5])
    count = round(SILENT_SHARE * len(subject.silent))
    silent = [subject.silent[n] for n in rng.permutation(len(subject.silent))[:count].tolist()]
    examples = [*subject.firing, *silent]
    top = max((float(np.max(e.activations, initial=0.0)) for e in examples), default=0.0)
    if top <= 0:
        return []
    return [_question(e, n, top, subject.label, asking) for n, e in enumerate(examples)]


def _question(example: Example, group: int, top: float, label: str, asking: Asking) -> Question:
    span = _span(example)
    tokens = [one_line(token) or "␣" for token in example.tokens[span]]
    items = tuple(
        Item(MOST * float(activation) / top, example.interval, example.kind, group)
        for activation in np.asarray(example.activations)[span]
    )
    messages = asking.prompt.messages(
        label=label_text(label), texts=listed(tokens), count=str(len(tokens)),
        whole=one_line("".join(example.tokens[span])), most=str(MOST),
    )  # fmt: skip
    ask = Ask(
        messages, most_tokens=32 + 10 * len(tokens) + asking.thinking,
        schema=numbered_schema(len(tokens), _NUMBER), logprobs=ALTERNATIVES,
    )  # fmt: skip
    return Question(ask, items, lambda answer: simulated(answer, len(items)))


def _span(example: Example) -> slice:
    """Return the tokens that are simulated: those around the chosen one."""
    first = max(min(example.peak - MOST_TOKENS // 2, len(example.tokens) - MOST_TOKENS), 0)
    return slice(first, first + MOST_TOKENS)


def simulated(answer: Answer, count: int) -> Sequence[float | None]:
    """Return the expected activation of each token; None for all where one is not clear."""
    nothing = (None,) * count
    if answer.logprobs is None:
        return nothing
    numbers = numbered(answer.text, count, _READ)
    if any(number is None for number in numbers):
        return nothing
    written = "".join(token.text for token in answer.logprobs)
    places = {int(m.group(1)): m.start(2) for m in _VALUES.finditer(written)}
    found = [
        expectation(answer.logprobs, places[n], MOST) if n in places else None
        for n in range(1, count + 1)
    ]
    return nothing if any(value is None for value in found) else found


def judged(answered: Sequence[Answered]) -> Judgement:
    """Return the correlation, by interval too."""
    given = answered_only(answered)
    silent = [a for a in given if a.item.interval == 0]
    parts = []
    for interval in sorted({a.item.interval for a in given} - {0}):
        own = [a for a in given if a.item.interval == interval]
        value, low, high = correlation([*own, *silent])
        if np.isfinite(value):
            texts = len({a.item.group for a in own})
            parts.append(Part(interval=interval, value=value, low=low, high=high, items=texts))
    return judgement(
        answered, correlation, wrong=lambda item: MOST - item.truth, chance=0.0, parts=parts
    )

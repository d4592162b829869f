"""Puts the questions about many labels one after another, and their answers together again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sae_desktop.features.reading.judgement import Judge, JudgedLabel, Of, Scorer
from sae_desktop.labels.chat import Answer, Ask, ChatError
from sae_desktop.labels.judging.baselines import Baselines
from sae_desktop.labels.judging.chosen import ChosenLabel
from sae_desktop.labels.judging.measures import Answered
from sae_desktop.labels.judging.question import Asking, Question, Subject
from sae_desktop.labels.judging.scorers import SCORER_KINDS
from sae_desktop.labels.judging.subjects import Subjects, usable


class Key(NamedTuple):
    """Of a question: the label by its place, how it is judged, which question of that."""

    label: int
    scorer: Scorer
    of: Of
    question: int


@dataclass
class _Open:
    """The questions about one label by one scorer, of which some have no answer yet."""

    questions: Sequence[Question]
    outcomes: dict[int, Answer | ChatError] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        return len(self.outcomes) == len(self.questions)

    def answered(self) -> list[Answered]:
        return [
            answered
            for number, question in enumerate(self.questions)
            for answered in question.answered(self.outcomes[number])
        ]


class Gathering:
    """Questions about labels; what was judged of those all of whose questions are answered."""

    def __init__(
        self,
        labels: Sequence[ChosenLabel],
        askings: dict[Scorer, Asking],
        subjects: Subjects,
        baselines: Baselines,
        with_baselines: int,
        judge: Judge,
    ) -> None:
        """`with_baselines`: so many features, the first ones, are judged beside rivals."""
        self._labels, self._askings, self._judge = labels, askings, judge
        self._subjects, self._baselines = subjects, baselines
        features = list(dict.fromkeys(label.feature for label in labels))
        self._with_baselines = set(features[:with_baselines])
        self._open: dict[tuple[int, Scorer, Of], _Open] = {}
        self.unusable: list[ChosenLabel] = []
        """Labels of features with too few held-out texts."""

    def asks(self) -> Iterator[tuple[Key, Ask]]:
        """Yield every question, label by label; read only as far as they are wanted."""
        for place, label in enumerate(self._labels):
            subject = self._subjects.of(label.feature, label.text)
            if not usable(subject):
                self.unusable.append(label)
                continue
            rivals: dict[Of, Subject] = {}
            if label.feature in self._with_baselines:
                read = self._subjects.examples(label.feature)
                rivals = self._baselines.of(label, subject, read)
            for scorer, asking in self._askings.items():
                kind = SCORER_KINDS[scorer]
                asked: dict[Of, Subject] = {"label": subject}
                asked |= {
                    of: rival
                    for of, rival in rivals.items()
                    if usable(rival) and (kind.needs_label or of == "direction")
                }
                for of, one in asked.items():
                    questions = kind.questions(one, asking)
                    if not questions:
                        continue
                    self._open[place, scorer, of] = _Open(questions)
                    for number, question in enumerate(questions):
                        yield Key(place, scorer, of, number), question.ask

    def take(self, key: Key, outcome: Answer | ChatError) -> JudgedLabel | None:
        """Take an answer; return what was judged where it was the last of a label's."""
        place = key.label, key.scorer, key.of
        held = self._open[place]
        held.outcomes[key.question] = outcome
        if not held.whole:
            return None
        del self._open[place]
        label = self._labels[key.label]
        return JudgedLabel(
            feature=label.feature,
            label=label.text,
            method=label.method,
            scorer=key.scorer,
            of=key.of,
            judge=self._judge,
            judgement=SCORER_KINDS[key.scorer].judgement(held.answered()),
        )

    def likely_total(self, sampled: int = 3) -> int:
        """Return about how many questions there are, from the first few labels."""
        some = self._labels[:sampled]
        if not some:
            return 0
        counts = []
        for label in some:
            subject = self._subjects.of(label.feature, label.text)
            counts.append(
                sum(len(SCORER_KINDS[s].questions(subject, a)) for s, a in self._askings.items())
                if usable(subject)
                else 0
            )
        each = sum(counts) / len(some)
        rivals = sum(label.feature in self._with_baselines for label in self._labels)
        return round(each * (len(self._labels) + 4 * rivals))

"""Judges that are made up: each knows the truth of what it is asked and answers by a rule."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from sae_desktop.features.reading.judgement import Scorer
from sae_desktop.labels.chat import Answer, AnsweredToken, Ask, ChatError
from sae_desktop.labels.judging.measures import Answered, Item
from sae_desktop.labels.judging.question import Question

Rule = Callable[[float], float]
"""Truth → what is answered."""
TOP = {"detection": 1, "fuzzing": 1, "rubric": 3, "simulation": 10, "intruder": 5}


def scale(scorer: Scorer, item: Item) -> float:
    """Return the best answer to an item, as a number."""
    return 3.0 * item.truth if scorer == "rubric" else item.truth


def perfect(scorer: Scorer, item: Item, rng: np.random.Generator) -> float:
    return scale(scorer, item)


def inverted(scorer: Scorer, item: Item, rng: np.random.Generator) -> float:
    if scorer == "intruder":
        return item.truth % 5 + 1
    return TOP[scorer] - scale(scorer, item)


def blind(scorer: Scorer, item: Item, rng: np.random.Generator) -> float:
    return float(rng.integers(scorer == "intruder", TOP[scorer] + 1))


def always_yes(scorer: Scorer, item: Item, rng: np.random.Generator) -> float:
    return float(TOP[scorer])


def always_no(scorer: Scorer, item: Item, rng: np.random.Generator) -> float:
    return float(scorer == "intruder")


Says = Callable[[Scorer, Item, np.random.Generator], float]
Wording = Callable[[str, Sequence[float]], str]
"""An answer as it should be, and the numbers in it → what is written."""


def plainly(text: str, values: Sequence[float]) -> str:
    return text


def in_prose(text: str, values: Sequence[float]) -> str:
    return "I should say the first of them fits rather well, three out of three, but not the next."


def refusing(text: str, values: Sequence[float]) -> str:
    return "I’m sorry, but I can’t help with that."


def thinking(text: str, values: Sequence[float]) -> str:
    other = text.translate(str.maketrans("0123", "3210"))
    return f"<think>\nIs it {other}?\n1: no\n2: no\nWait.\n</think>\n\n{text}"


def thinking_without_end(text: str, values: Sequence[float]) -> str:
    return f"<think>\nLet me see. {text}"


def fenced(text: str, values: Sequence[float]) -> str:
    return f"```json\n{text}\n```"


def from_nought(text: str, values: Sequence[float]) -> str:
    return json.dumps({str(n): v for n, v in enumerate(json.loads(text).values())})


def one_more(text: str, values: Sequence[float]) -> str:
    data = json.loads(text)
    return json.dumps(data | {str(len(data) + 1): next(iter(data.values()))})


def one_less(text: str, values: Sequence[float]) -> str:
    return json.dumps(dict(list(json.loads(text).items())[:-1]))


def beyond(text: str, values: Sequence[float]) -> str:
    return json.dumps({name: 11 + n for n, name in enumerate(json.loads(text))})


def below(text: str, values: Sequence[float]) -> str:
    return json.dumps(dict.fromkeys(json.loads(text), -1))


class ConstructedJudge:
    """A ChatModel that was told the truth of every question."""

    name = "constructed"

    def __init__(
        self, scorer: Scorer, questions: Iterable[Question], says: Says = perfect,
        words: Wording = plainly, *, seed: int = 0, error: ChatError | None = None,
        serves_probabilities: bool = True,
    ) -> None:  # fmt: skip
        self._scorer, self._says, self._words, self._error = scorer, says, words, error
        self._items = {question.ask.messages: question.items for question in questions}
        self._rng = np.random.default_rng(seed)
        self._probabilities = serves_probabilities

    def ask(self, ask: Ask) -> Answer:
        if self._error is not None:
            raise self._error
        items = self._items[ask.messages]
        values = [self._says(self._scorer, item, self._rng) for item in items]
        if ask.logprobs and self._probabilities:
            return self._probable(values)
        return Answer(self._words(written(self._scorer, values), values), structured=True)

    def _probable(self, values: Sequence[float]) -> Answer:
        tokens = yes_or_no_tokens(values[0]) if len(values) == 1 else number_tokens(values)
        text = "".join(token.text for token in tokens)
        said = self._words(text, values)
        if said != text:
            tokens = [AnsweredToken(said, -0.1)]
        return Answer(said, logprobs=tuple(tokens))

    def close(self) -> None:
        pass


def written(scorer: Scorer, values: Sequence[float]) -> str:
    """Return an answer in the form that is asked for."""
    if scorer == "intruder":
        return json.dumps({"intruder": round(values[0])})
    numbers = [round(v) for v in values]
    yes = scorer in ("detection", "fuzzing")
    said = [("no", "yes")[n] if yes else n for n in numbers]
    return json.dumps({str(place): s for place, s in enumerate(said, start=1)})


def yes_or_no_tokens(value: float) -> list[AnsweredToken]:
    """Return the tokens of an answer whose probability of yes is between .1 and .9."""
    p = 0.1 + 0.8 * value
    likely, other = (("Yes", p), (" no", 1 - p)) if p >= 0.5 else (("No", 1 - p), ("yes", p))
    pairs = tuple((text, math.log(q)) for text, q in (likely, other))
    return [AnsweredToken(pairs[0][0], pairs[0][1], (*pairs, ("Maybe", -9.0)))]


def number_tokens(values: Sequence[float]) -> list[AnsweredToken]:
    """Return the tokens of an answer whose expected numbers are the values."""
    tokens = [AnsweredToken("{", 0.0)]
    for place, value in enumerate(values, start=1):
        lower, upper = math.floor(value), math.ceil(value)
        share = value - lower
        pairs = [(str(lower), 1 - share), (str(upper), share)] if upper > lower else []
        pairs = sorted(pairs or [(str(lower), 1.0)], key=lambda pair: -pair[1])
        options = tuple((text, math.log(p)) for text, p in pairs if p > 0)
        end = "}" if place == len(values) else ", "
        tokens += [
            AnsweredToken(f'"{place}": ', 0.0), AnsweredToken(*options[0], options),
            AnsweredToken(end, 0.0),
        ]  # fmt: skip
    return tokens


def answers(judge: ConstructedJudge, questions: Sequence[Question]) -> list[Answered]:
    """Ask a judge all questions and return what it answered to each item."""
    found: list[Answered] = []
    for question in questions:
        try:
            outcome: Answer | ChatError = judge.ask(question.ask)
        except ChatError as error:
            outcome = error
        found += question.answered(outcome)
    return found

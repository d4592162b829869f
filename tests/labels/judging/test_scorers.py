"""Every way of judging against judges that are made up: the figures are what they must be."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from constructed_judges import (
    ConstructedJudge,
    Says,
    Wording,
    always_no,
    always_yes,
    answers,
    below,
    beyond,
    blind,
    fenced,
    from_nought,
    in_prose,
    inverted,
    one_less,
    one_more,
    perfect,
    plainly,
    refusing,
    thinking,
    thinking_without_end,
)
from made_subjects import INTERVALS, asking, subject

from sae_desktop.features.reading.judgement import SCORERS, Judgement, Scorer
from sae_desktop.labels.chat import Answer, ChatError
from sae_desktop.labels.judging.question import Question
from sae_desktop.labels.judging.scorers import SCORER_KINDS

NUMBERED: tuple[Scorer, ...] = ("detection", "fuzzing", "rubric", "simulation")
WORST = {"detection": 0.0, "fuzzing": 0.0, "rubric": 0.0, "intruder": 0.0, "simulation": -1.0}


def made(scorer: Scorer, seed: int = 0, *, probabilities: bool = False) -> list[Question]:
    asked = asking(scorer, probabilities=probabilities)
    return SCORER_KINDS[scorer].questions(subject(seed=seed), asked)


def judged(
    scorer: Scorer, says: Says = perfect, words: Wording = plainly, *, seed: int = 0, **more: bool
) -> Judgement:
    questions = made(scorer, seed, probabilities=more.get("probabilities", False))
    judge = ConstructedJudge(
        scorer, questions, says, words, seed=seed,
        serves_probabilities=more.get("serves_probabilities", True),
    )  # fmt: skip
    return SCORER_KINDS[scorer].judgement(answers(judge, questions))


@pytest.mark.parametrize("scorer", SCORERS)
def test_perfect_judge__scores_one(scorer: Scorer) -> None:
    found = judged(scorer)
    assert found.value == pytest.approx(1.0)
    assert found.corrected() is not None
    assert found.corrected()[0] == pytest.approx(1.0)
    assert found.answered == found.asked > 0
    assert found.low is not None
    assert found.low > found.chance


@pytest.mark.parametrize("scorer", SCORERS)
def test_inverted_judge__scores_the_least_there_is(scorer: Scorer) -> None:
    assert judged(scorer, inverted).value == pytest.approx(WORST[scorer])


@pytest.mark.parametrize("scorer", SCORERS)
@pytest.mark.parametrize("says", [always_yes, always_no])
def test_judge_who_always_says_the_same__is_at_chance_exactly(scorer: Scorer, says: Says) -> None:
    found = judged(scorer, says)
    assert found.answered == found.asked
    assert found.value == pytest.approx(found.chance)
    assert found.corrected()[0] == pytest.approx(0.0)
    assert found.low <= found.chance <= found.high


@pytest.mark.parametrize("scorer", SCORERS)
def test_blind_judge__is_at_chance_within_its_interval(scorer: Scorer) -> None:
    seeds = range(20)
    inside = 0
    for seed in seeds:
        found = judged(scorer, blind, seed=seed)
        inside += found.low <= found.chance <= found.high
    assert inside >= 16


@pytest.mark.parametrize("scorer", NUMBERED)
@pytest.mark.parametrize("words", [in_prose, refusing, thinking_without_end, from_nought,
                                   one_more, one_less, beyond, below])  # fmt: skip
def test_what_is_not_clearly_an_answer__counts_as_none(scorer: Scorer, words: Wording) -> None:
    found = judged(scorer, perfect, words)
    assert found.answered == 0
    assert found.value is None
    assert found.as_wrong == pytest.approx(WORST[scorer])
    assert found.as_right == pytest.approx(1.0)


@pytest.mark.parametrize("words", [in_prose, refusing, thinking_without_end, beyond, below])
def test_intruder__takes_only_the_number_of_a_text(words: Wording) -> None:
    found = judged("intruder", perfect, words)
    assert found.answered == 0
    assert found.value is None


@pytest.mark.parametrize("scorer", ["detection", "fuzzing", "rubric", "intruder"])
@pytest.mark.parametrize("words", [thinking, fenced])
def test_thoughts_and_fences__are_not_part_of_the_answer(scorer: Scorer, words: Wording) -> None:
    found = judged(scorer, perfect, words)
    assert found.answered == found.asked
    assert found.value == 1.0


@pytest.mark.parametrize("scorer", SCORERS)
def test_error__leaves_its_items_unanswered(scorer: Scorer) -> None:
    questions = made(scorer)
    judge = ConstructedJudge(scorer, questions, error=ChatError("refused", "No."))
    found = SCORER_KINDS[scorer].judgement(answers(judge, questions))
    assert found.answered == 0
    assert found.asked == sum(len(question.items) for question in questions)
    assert found.value is None


@pytest.mark.parametrize("scorer", SCORERS)
def test_unanswered_items__widen_the_interval_and_are_told(scorer: Scorer) -> None:
    questions = made(scorer)
    judge = ConstructedJudge(scorer, questions)
    some = every_third_unanswered(questions, judge)
    found, whole = SCORER_KINDS[scorer].judgement(some), judged(scorer)
    assert 0 < found.answered < found.asked
    assert found.value == pytest.approx(1.0)
    assert found.as_wrong < 0.95
    assert found.low < whole.low
    assert found.low <= found.as_wrong <= found.as_right <= found.high


def every_third_unanswered(questions: Sequence[Question], judge: ConstructedJudge) -> list:  # type: ignore[type-arg]
    refused = ChatError("refused", "No.")
    return [
        item
        for number, question in enumerate(questions)
        for item in question.answered(refused if number % 3 == 0 else judge.ask(question.ask))
    ]


def test_fewer_than_half_of_the_answers__are_no_score() -> None:
    questions = made("detection")
    judge, refused = ConstructedJudge("detection", questions), ChatError("refused", "No.")
    for answered, scored in ((0.4, False), (0.6, True)):
        items = [
            item
            for n, question in enumerate(questions)
            for item in question.answered(
                judge.ask(question.ask) if n < answered * len(questions) else refused
            )
        ]
        assert SCORER_KINDS["detection"].judgement(items).scored == scored


def test_rubric__takes_only_whole_numbers_from_0_to_3() -> None:
    question = made("rubric")[0]
    texts = ['{"1": 3, "2": 4, "3": -1, "4": 2.5, "5": "3"}', '{"1": 0, "2": 1e9, "3": null, '
             '"4": true, "5": "3/3"}']  # fmt: skip
    read = [[a.answer for a in question.answered(Answer(text))] for text in texts]
    assert read == [[3.0, None, None, None, 3.0], [0.0, None, None, None, None]]


def test_rubric__tells_the_mean_rating_of_every_interval() -> None:
    found = judged("rubric")
    assert [part.interval for part in found.by_interval()] == list(range(1, INTERVALS + 1))
    assert all(part.value == 3.0 and part.low < 3.0 for part in found.by_interval())
    silent = [part for part in found.parts if part.interval == 0]
    assert {part.kind for part in silent} == {"", "random", "same_token", "neighbour"}
    assert all(part.value == 0.0 for part in silent)


def test_judge_that_takes_neighbours_for_the_feature__shows_in_their_part() -> None:
    def says(scorer: Scorer, item, rng) -> float:  # type: ignore[no-untyped-def]
        return float(item.truth or item.kind == "neighbour")

    found = judged("detection", says)
    share = {part.kind: part.value for part in found.parts if part.interval == 0}
    assert share == {"": pytest.approx(2 / 3), "random": 1.0, "same_token": 1.0, "neighbour": 0.0}
    assert found.value == pytest.approx(5 / 6)


def test_judge_blind_to_weak_firings__shows_by_interval() -> None:
    def says(scorer: Scorer, item, rng) -> float:  # type: ignore[no-untyped-def]
        return float(item.truth and item.interval > 2)

    values = [part.value for part in judged("detection", says).by_interval()]
    assert values == [0.5, 0.5, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("scorer", ["detection", "fuzzing"])
def test_probabilities__give_the_area_under_the_curve(scorer: Scorer) -> None:
    found = judged(scorer, probabilities=True)
    assert found.value == pytest.approx(1.0)
    assert judged(scorer, inverted, probabilities=True).value == pytest.approx(0.0)
    assert judged(scorer, always_yes, probabilities=True).value == pytest.approx(0.5)
    prose = judged(scorer, words=in_prose, probabilities=True)
    assert prose.answered == 0


@pytest.mark.parametrize("scorer", ["detection", "fuzzing"])
def test_probabilities_that_are_not_served__leave_the_word(scorer: Scorer) -> None:
    found = judged(scorer, probabilities=True, serves_probabilities=False)
    assert found.value == 1.0
    assert found.answered == found.asked


def test_simulation_without_probabilities__has_no_score() -> None:
    found = judged("simulation", serves_probabilities=False)
    assert found.answered == 0
    assert found.value is None


def test_questions__are_the_same_for_the_same_seed() -> None:
    for scorer in SCORERS:
        one, same, other = ([question.ask for question in made(scorer, seed)] for seed in (3, 3, 4))
        assert one == same
        assert one != other


def test_intruder__stands_at_every_place_as_often() -> None:
    truths = [question.items[0].truth for question in made("intruder")]
    assert len(truths) % 5 == 0
    assert all(truths.count(float(place)) == len(truths) / 5 for place in range(1, 6))


@pytest.mark.parametrize("says", [always_yes, always_no])
def test_intruder__gives_nothing_to_a_habit_where_places_are_not_as_often(says: Says) -> None:
    questions = made("intruder")
    some = [q for q in questions if q.items[0].truth in (1.0, 5.0)] + questions[:2]
    found = SCORER_KINDS["intruder"].judgement(
        answers(ConstructedJudge("intruder", some, says), some)
    )
    assert found.value > 0.3
    assert found.corrected()[0] == pytest.approx(0.0)


def test_fuzzing__never_shows_a_text_with_other_marks_in_the_same_request() -> None:
    for question in made("fuzzing"):
        text = question.ask.messages[-1].content
        names = [word for line in text.splitlines() for word in line.split()[1:2]]
        firing = [name for name in names if name.startswith("Firing")]
        assert len(set(firing)) == len(firing)


def test_no_answer_at_all__is_no_score() -> None:
    for kind in SCORER_KINDS.values():
        found = kind.judgement([])
        assert found.value is None
        assert found.asked == 0
        assert not math.isnan(found.chance)

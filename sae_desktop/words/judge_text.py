"""What is said of scores that a language model gave labels, for window and command line alike."""

from __future__ import annotations

from dataclasses import dataclass

from sae_desktop.features.reading.judgement import Judge, Judgement, Of, Scorer, Verdict
from sae_desktop.labels.judging.config import JudgeLabelsResult, ScorerResult
from sae_desktop.words.amounts import exact_count, figure_text, share_text

TITLES: dict[Scorer, str] = {
    "detection": "Detection",
    "fuzzing": "Fuzzing",
    "intruder": "Intruder",
    "rubric": "Rubric",
    "simulation": "Simulation",
}
FIGURES: dict[Scorer, str] = {
    "detection": "balanced accuracy",
    "fuzzing": "balanced accuracy",
    "intruder": "share of intruders found",
    "rubric": "AUROC of the ratings",
    "simulation": "correlation with the true activations",
}
RIVALS: dict[Of, str] = {
    "label": "The label",
    "shuffled": "Another feature’s label",
    "top_token": "The top token alone",
    "random": "The label on a feature of like density",
    "direction": "Random directions, called by their top token",
}
_VERDICTS: dict[Verdict, str] = {
    "sound": "it answers well enough to judge labels",
    "weak": "it is better than chance, but wrong where the answer is plain: believe its scores "
    "with care",
    "chance": "it did no better than chance, so it gives no label a score",
}
_ASKED = (
    "An answer counts where it has the form that was asked for; a model that thinks needs room for "
    "its thoughts."
)
SMALL = (
    "A model of a billion parameters or fewer cannot be relied on to judge labels. Published "
    "judges of 0.6 billion agree with a strong judge at an F1 of 0.43 where they think and 0.18 "
    "where they do not; of 4 billion, at 0.78 and 0.59."
)


@dataclass(frozen=True)
class Reference:
    """A figure that others have published, to set one’s own beside."""

    title: str
    value: float
    said: str
    """Where it comes from and what it is a share of, in a sentence."""
    of: str
    """labels: the share of labels that pass a careful detection test. judges: F1 against a strong
    judge."""


REFERENCES: tuple[Reference, ...] = (
    Reference(
        "Delphi’s labels", 0.84,
        "Published: 84% of the labels that Delphi made pass a careful detection test.", "labels",
    ),
    Reference(
        "Human experts’ labels", 0.58,
        "Published: 58% of the labels that human experts wrote pass the same test.", "labels",
    ),
    Reference(
        "Qwen3-4B, thinking", 0.78,
        "Published: F1 of its judgements against those of a strong judge.", "judges",
    ),
    Reference(
        "Qwen3-4B, not thinking", 0.59,
        "Published: F1 of its judgements against those of a strong judge.", "judges",
    ),
    Reference(
        "Qwen3-0.6B, thinking", 0.43,
        "Published: F1 of its judgements against those of a strong judge.", "judges",
    ),
    Reference(
        "Qwen3-0.6B, not thinking", 0.18,
        "Published: F1 of its judgements against those of a strong judge.", "judges",
    ),
)  # fmt: skip
"""Measured on other models, texts and labels than one’s own: a scale to go by, no target."""


def figure_with_interval(
    value: float | None, low: float | None, high: float | None, digits: int = 2
) -> str:
    """Return “0.83 (0.71–0.90)”, or “–” where it was not measured."""
    if value is None or low is None or high is None:
        return "–"
    ends = "–".join(figure_text(end, digits).replace("-", "−") for end in (low, high))
    return f"{figure_text(value, digits).replace('-', '−')} ({ends})"


def judgement_words(scorer: Scorer, judgement: Judgement) -> str:
    """Return a judgement in a sentence: the figure, chance, and what was left unanswered."""
    if not judgement.scored:
        few = share_text(judgement.answered / judgement.asked if judgement.asked else 0.0, 0)
        return f"No score: only {few} of what was asked was answered."
    figure = figure_with_interval(judgement.value, judgement.low, judgement.high)
    words = f"{FIGURES[scorer].capitalize()} {figure}, where chance is {judgement.chance:.2f}."
    missing = judgement.asked - judgement.answered
    if missing:
        bounds = "–".join(figure_text(end, 2) for end in (judgement.as_wrong, judgement.as_right))
        words += (
            f" {exact_count(missing)} of {exact_count(judgement.asked)} questions were not "
            f"answered; with them it would be {bounds}, and the interval is as wide as that makes "
            "it."
        )
    return words


def trial_words(scorer: Scorer, test: Judgement, verdict: Verdict) -> str:
    """Return how a judge did on texts of which the truth is known."""
    corrected = test.corrected()
    if corrected is None:
        return (
            f"{TITLES[scorer]}, on known texts: it answered {exact_count(test.answered)} of "
            f"{exact_count(test.asked)} questions, so it gives no label a score. {_ASKED}"
        )
    figure = figure_with_interval(test.value, test.low, test.high)
    return (
        f"{TITLES[scorer]}, on known texts: {FIGURES[scorer]} {figure}, where chance is "
        f"{test.chance:.2f}: {_VERDICTS[verdict]}."
    )


def passing_words(passed: int, of: int) -> str:
    """Return how many labels are better than chance for certain, beside what is published."""
    verb = "is" if passed == 1 else "are"
    published = " ".join(one.said for one in REFERENCES if one.of == "labels")
    return (
        f"{exact_count(passed)} of {exact_count(of)} labels {verb} above chance with the whole of "
        f"their intervals. {published} That test was another one, on other models."
    )


def judge_note(judge: Judge, scorer: Scorer, passed: int, of: int) -> str:
    """Return what stands beside every plot of a judge's scores."""
    test = judge.test(scorer)
    parts = [] if test is None else [trial_words(scorer, test.judgement, test.verdict)]
    parts += [SMALL] if judge.small else []
    parts += [passing_words(passed, of)] if scorer == "detection" else []
    return " ".join(parts)


def result_lines(result: JudgeLabelsResult) -> list[str]:
    """Return what was found by a job, in whole sentences."""
    noun = "label" if result.labels == 1 else "labels"
    lines = [
        f"{result.judge} was asked about {exact_count(result.labels)} {noun} of "
        f"{exact_count(result.features)} features."
    ]
    if result.small:
        lines.append(SMALL)
    for scorer in result.scorers:
        lines.append(trial_words(scorer.scorer, scorer.test, scorer.verdict))
        if scorer.verdict != "chance":
            lines += _scorer_lines(scorer)
    lines += _end_lines(result)
    return lines


def result_rows(result: JudgeLabelsResult) -> list[tuple[str, ...]]:
    """Return a row for each way of judging that gave scores: labels, their mean, its rivals."""
    return [
        (
            TITLES[one.scorer],
            exact_count(one.labels),
            figure_with_interval(one.mean, one.low, one.high),
            *(
                figure_text(value, 2).replace("-", "−")
                for value in (one.shuffled, one.top_token, one.random, one.direction)
            ),
        )
        for one in result.scorers
        if one.mean is not None
    ]


def _scorer_lines(scorer: ScorerResult) -> list[str]:
    if scorer.mean is None:
        return [f"{TITLES[scorer.scorer]}: no label has a score."]
    mean = figure_with_interval(scorer.mean, scorer.low, scorer.high)
    lines = [
        f"{TITLES[scorer.scorer]} of {exact_count(scorer.labels)} labels: {mean} above chance "
        "(0: chance, 1: perfect)."
    ]
    measured: tuple[tuple[Of, float | None], ...] = (
        ("shuffled", scorer.shuffled),
        ("top_token", scorer.top_token),
        ("random", scorer.random),
        ("direction", scorer.direction),
    )
    rivals = [
        f"{RIVALS[of][0].lower()}{RIVALS[of][1:]} {figure_text(value, 2).replace('-', '−')}"
        for of, value in measured
        if value is not None
    ]
    if rivals:
        lines.append(f"Beside it: {', '.join(rivals)}.")
    if scorer.scorer == "detection":
        lines.append(passing_words(scorer.passed, scorer.labels))
    if scorer.unanswered:
        lines.append(
            f"{exact_count(scorer.unanswered)} of {exact_count(scorer.asked)} questions were not "
            "answered; they widen the intervals."
        )
    return lines


def _end_lines(result: JudgeLabelsResult) -> list[str]:
    lines = []
    if result.ended == "cap":
        lines.append("It ended at the spending cap. Start it again to judge the rest.")
    elif result.ended:
        lines.append("It was stopped. Start it again to judge the rest.")
    if result.failed:
        lines.append(f"{exact_count(result.failed)} requests failed.")
    return lines

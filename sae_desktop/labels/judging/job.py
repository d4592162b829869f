"""The job `judge_labels`: scores of labels by a model that answers.

First the judge is tried on texts of which the truth is known; by a scorer in which it does no
better than chance no label is judged. Every answer is in the project's ledger before it is used, so
nothing is asked twice, whatever becomes of the job.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Sequence
from contextlib import closing

import msgspec
import numpy as np

from sae_desktop.features.reading.judged_file import (
    mean_interval,
    merged,
    read_judged,
    write_judged,
)
from sae_desktop.features.reading.judgement import (
    Judge,
    JudgedLabel,
    Judgement,
    Of,
    Scorer,
    SelfTest,
)
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import JobContext
from sae_desktop.labels.chat import ChatModel
from sae_desktop.labels.judging.baselines import Baselines
from sae_desktop.labels.judging.chosen import ChosenLabel, chosen_labels
from sae_desktop.labels.judging.config import (
    JudgeLabelsConfig,
    JudgeLabelsResult,
    ScorerResult,
)
from sae_desktop.labels.judging.gathering import Gathering
from sae_desktop.labels.judging.known import known_questions
from sae_desktop.labels.judging.later import Later
from sae_desktop.labels.judging.measures import Answered
from sae_desktop.labels.judging.preparing import askings, require_labels
from sae_desktop.labels.judging.question import Asking
from sae_desktop.labels.judging.reread import reread
from sae_desktop.labels.judging.scorers import SCORER_KINDS
from sae_desktop.labels.judging.size import is_small
from sae_desktop.labels.judging.subjects import Subjects
from sae_desktop.labels.models.open import open_chat_model
from sae_desktop.labels.queue.asking import ask_all
from sae_desktop.labels.queue.ledger import Ledger
from sae_desktop.labels.queue.progress import QueueProgress
from sae_desktop.labels.selection import select
from sae_desktop.language_model.names import public_name
from sae_desktop.project import Project
from sae_desktop.project_labels import GivenScore
from sae_desktop.project_notes import Notes

_SAVE_SECONDS = 60.0
NOTED: Scorer = "detection"
"""Whose figure stands beside a label in the notes."""


def judge_labels(config: JudgeLabelsConfig, context: JobContext) -> JudgeLabelsResult:
    """Judge labels, and write `features/<index>.judged` and the scores of labels in the notes.

    Raises UserError where nothing is selected, nothing selected has a label, or the model cannot
    be asked; what was judged until then is kept.
    """
    began = time.perf_counter()
    project = Project.open(config.project)
    index = FeatureIndex(project.index_path(config.index))
    with closing(Notes(project.notes_path)) as notes:
        features = select(index, notes, config.selection).tolist()
        labels = chosen_labels(index, notes, features, config.which)
        require_labels(labels, config)
        asked = askings(project.path, config)
        with (
            closing(open_chat_model(config.model, context)) as model,
            closing(Ledger(project.requests_path)) as ledger,
        ):
            job = _Judging(config, context, index, notes, model, ledger)
            job.tried(asked)
            job.judged(labels, {s: asked[s] for s in job.fit})
    return job.result(len(features), len(labels), time.perf_counter() - began)


class _Judging:
    """One run of the job: the judge is tried, then judges."""

    def __init__(
        self,
        config: JudgeLabelsConfig,
        context: JobContext,
        index: FeatureIndex,
        notes: Notes,
        model: ChatModel,
        ledger: Ledger,
    ) -> None:
        self._config, self._context = config, context
        self._index, self._notes = index, notes
        self._model, self._ledger = model, ledger
        self._judge = Judge(
            model=_public(config),
            seed=config.seed,
            per_interval=config.per_interval,
            silent=config.silent,
            probabilities=config.probabilities,
            thinking=config.thinking_tokens,
            small=is_small(config.model.model),
            made=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        )
        read = read_judged(index.path, index.features, index.info.dictionary_hash)
        self._before = [] if read is None else list(read.all())
        self._tried_before = [] if read is None else read.judges
        self._found: list[JudgedLabel] = []
        self._saved = time.monotonic()
        self._progress = QueueProgress()
        self.fit: list[Scorer] = []
        """Ways of judging in which the judge does better than chance."""

    # ------------------------------------------------------------------ the judge
    def tried(self, askings: dict[Scorer, Asking]) -> None:
        """Try the judge on texts of which the truth is known."""
        known = {
            scorer: known_questions(SCORER_KINDS[scorer], asking, self._config.seed)
            for scorer, asking in askings.items()
        }
        asks = [((scorer, n), q.ask) for scorer, some in known.items() for n, q in enumerate(some)]
        answered: dict[Scorer, list[list[Answered]]] = {
            scorer: [[] for _ in some] for scorer, some in known.items()
        }
        asking = ask_all(
            asks, self._model, self._ledger, self._config.limits, self._context, total=len(asks)
        )
        with closing(asking):
            for (scorer, number), outcome in asking:
                answered[scorer][number] = known[scorer][number].answered(outcome)
        self._progress = asking.progress
        tests = []
        for scorer, some in answered.items():
            if all(some):
                items = [item for of_one in some for item in of_one]
                tests.append(
                    SelfTest(scorer=scorer, judgement=SCORER_KINDS[scorer].judgement(items))
                )
        self._judge = msgspec.structs.replace(
            self._judge,
            tests=tuple(tests),
            prompts={scorer: asking.prompt.digest for scorer, asking in askings.items()},
        )
        self.fit = [test.scorer for test in tests if test.verdict != "chance"]
        self._save()

    # ------------------------------------------------------------------ the labels
    def judged(self, labels: Sequence[ChosenLabel], askings: dict[Scorer, Asking]) -> None:
        """Judge labels by the scorers in which the judge is fit."""
        if not askings or self._progress.ended != "all":
            return
        config = self._config
        subjects = Subjects(
            self._index, seed=config.seed, per_interval=config.per_interval, silent=config.silent,
            reread=reread(config, self._index, len({one.feature for one in labels}), self._context),
        )  # fmt: skip
        gathering = Gathering(
            labels, askings, subjects, Baselines(self._index, labels, subjects, config.seed),
            config.baseline_features, self._judge,
        )  # fmt: skip
        limits = self._progress.left_of(config.limits)
        if limits is None:
            self._progress = msgspec.structs.replace(self._progress, ended="cap")
            return
        context = Later(self._context, self._progress.done)
        asking = ask_all(
            gathering.asks(), self._model, self._ledger, limits, context,
            total=gathering.likely_total(),
        )  # fmt: skip
        numbers = {(one.feature, one.text): one.number for one in labels}
        try:
            with closing(asking):
                for key, outcome in asking:
                    found = gathering.take(key, outcome)
                    if found is not None:
                        self._found.append(found)
                    if time.monotonic() - self._saved > _SAVE_SECONDS:
                        self._save()
        finally:
            self._save()
            self._note(numbers)
            self._progress = self._progress.and_then(asking.progress)
        if gathering.unusable:
            self._context.log(
                f"{len(gathering.unusable):,} labels were not judged: too little held-out text "
                "has their features, or lacks them."
            )

    def _save(self) -> None:
        info = self._index.info
        write_judged(
            self._index.path, info.dictionary_hash, self._index.features,
            merged(self._before, self._found), _latest([*self._tried_before, self._judge]),
        )  # fmt: skip
        self._saved = time.monotonic()

    def _note(self, numbers: dict[tuple[int, str], int | None]) -> None:
        """Write what a sound judge found beside the labels that stand in the notes."""
        test = self._judge.test(NOTED)
        if test is None or test.verdict != "sound":
            return
        scores = []
        for one in self._found:
            number, judgement = numbers.get((one.feature, one.label)), one.judgement
            if one.scorer != NOTED or one.of != "label" or number is None:
                continue
            if judgement.value is None:
                continue
            scores.append(
                GivenScore(
                    feature=one.feature, number=number, text=one.label, score=judgement.value,
                    score_low=judgement.low, score_high=judgement.high,
                    measure=f"detection, judged by {self._judge.model}",
                )
            )  # fmt: skip
        if scores:
            self._notes.score_labels(self._index.info.dictionary, scores)

    # ------------------------------------------------------------------ the result
    def result(self, features: int, labels: int, seconds: float) -> JudgeLabelsResult:
        """Return what was found, each scorer by itself."""
        progress = self._progress
        return JudgeLabelsResult(
            index=self._config.index,
            judge=self._judge.model,
            small=self._judge.small,
            features=features,
            labels=labels,
            scorers=tuple(self._of_scorer(test) for test in self._judge.tests),
            requests=progress.answered + progress.kept,
            failed=progress.failed,
            cost=progress.cost,
            ended="" if progress.ended == "all" else progress.ended,
            seconds=seconds,
        )

    def _of_scorer(self, test: SelfTest) -> ScorerResult:
        judged = [one for one in self._found if one.scorer == test.scorer]
        own = [one.judgement for one in judged if one.of == "label"]
        mean, low, high = _mean(own)
        rivals = {of: _mean([o.judgement for o in judged if o.of == of])[0] for of in _RIVALS}
        return ScorerResult(
            scorer=test.scorer,
            test=test.judgement,
            verdict=test.verdict,
            labels=sum(one.scored for one in own),
            passed=sum(one.low is not None and one.low > one.chance for one in own),
            asked=sum(one.asked for one in own),
            unanswered=sum(one.asked - one.answered for one in own),
            mean=mean,
            low=low,
            high=high,
            shuffled=rivals["shuffled"],
            top_token=rivals["top_token"],
            random=rivals["random"],
            direction=rivals["direction"],
        )


_RIVALS: tuple[Of, ...] = ("shuffled", "top_token", "random", "direction")


def _public(config: JudgeLabelsConfig) -> str:
    """Return what the judge is called: no path of this machine."""
    return public_name(config.model.model) if config.model.local else config.model.title


def _mean(judgements: Sequence[Judgement]) -> tuple[float | None, float | None, float | None]:
    values = [c[0] for judgement in judgements if (c := judgement.corrected()) is not None]
    # Answers come in any order; a bootstrap of the same values must say the same.
    return mean_interval(np.sort(values)) if values else (None, None, None)


def _latest(judges: Sequence[Judge]) -> list[Judge]:
    """Return the last trial of each model, and of each set of scorers."""
    found = {(judge.model, tuple(sorted(judge.prompts.items()))): judge for judge in judges}
    return list(found.values())

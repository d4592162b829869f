"""The quick question `preview_judging`: what a judge would be asked, and what it would cost."""

from __future__ import annotations

from contextlib import closing
from itertools import islice

from sae_desktop.features.reading.judgement import Judge
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import JobContext
from sae_desktop.labels.explaining.preview import usual_for
from sae_desktop.labels.judging.baselines import Baselines
from sae_desktop.labels.judging.chosen import chosen_labels
from sae_desktop.labels.judging.config import JudgingPreview, PreviewJudgingConfig
from sae_desktop.labels.judging.gathering import Gathering
from sae_desktop.labels.judging.known import known_questions
from sae_desktop.labels.judging.preparing import askings, require_labels
from sae_desktop.labels.judging.scorers import SCORER_KINDS
from sae_desktop.labels.judging.subjects import Subjects
from sae_desktop.labels.queue.estimate import estimate
from sae_desktop.labels.selection import select
from sae_desktop.project import Project, existing
from sae_desktop.project_notes import Notes

_SAMPLE = 40
"""Questions from which the length of all of them is told."""


def preview_judging(config: PreviewJudgingConfig, context: JobContext) -> JudgingPreview:
    """Return the first question about a label as it would be sent, and what all would take.

    The index's own model is not run: where it would tell which texts are silent, the texts sent
    are others, and as many. Raises UserError as the job does.
    """
    judge = config.judge
    project = Project.open(judge.project)
    index = FeatureIndex(project.index_path(existing("index", judge.index, project.indexes())))
    with closing(Notes(project.notes_path)) as notes:
        features = select(index, notes, judge.selection).tolist()
        labels = chosen_labels(index, notes, features, judge.which)
    require_labels(labels, judge)
    context.check_cancelled()
    asked = askings(project.path, judge)
    subjects = Subjects(
        index, seed=judge.seed, per_interval=judge.per_interval, silent=judge.silent
    )
    gathering = Gathering(
        labels, asked, subjects, Baselines(index, labels, subjects, judge.seed),
        judge.baseline_features, Judge(model=judge.model.model),
    )  # fmt: skip
    trial = [
        question.ask
        for scorer, asking in asked.items()
        for question in known_questions(SCORER_KINDS[scorer], asking, judge.seed)
    ]
    sample = [ask for _, ask in islice(gathering.asks(), _SAMPLE)]
    shown = (sample or trial)[0]
    requests = len(trial) + gathering.likely_total()
    return JudgingPreview(
        labels=len(labels),
        messages=shown.messages,
        trial=len(trial),
        whole=estimate(sample or trial, requests, judge.limits, usual_for(project, judge.model)),
    )

"""The ways of judging, in one table."""

from __future__ import annotations

from sae_desktop.features.reading.judgement import Scorer
from sae_desktop.labels.judging import detection, fuzzing, intruder, rubric, simulation
from sae_desktop.labels.judging.question import ScorerKind

SCORER_KINDS: dict[Scorer, ScorerKind] = {
    kind.name: kind
    for kind in (
        ScorerKind("detection", detection.questions, detection.judged),
        ScorerKind("fuzzing", fuzzing.questions, fuzzing.judged),
        ScorerKind("intruder", intruder.questions, intruder.judged, needs_label=False),
        ScorerKind("rubric", rubric.questions, rubric.judged),
        ScorerKind("simulation", simulation.questions, simulation.judged, needs_probabilities=True),
    )
}

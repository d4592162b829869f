"""The job that judges labels: the judge is tried, asked once, and what it said is kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from job_contexts import RecordingContext
from made_names import write_made_names
from rule_judge import RuleJudge
from sample_index import write_sample_index

from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.features.reading.judged_file import JudgedLabels, read_judged
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.labels.chat import ChatError
from sae_desktop.labels.judging import job as module
from sae_desktop.labels.judging.config import (
    JudgeLabelsConfig,
    JudgeLabelsResult,
    PreviewJudgingConfig,
)
from sae_desktop.labels.judging.job import judge_labels
from sae_desktop.labels.judging.preview import preview_judging
from sae_desktop.labels.models.choice import ModelChoice
from sae_desktop.labels.queue.limits import QueueLimits
from sae_desktop.labels.selection import Selection
from sae_desktop.project import Project
from sae_desktop.project_labels import Label
from sae_desktop.project_notes import Notes

LORD, KEYWORDS = 0, 2
LABEL, ENGLISH = "the word Lord", "all English text"


def is_english(text: str) -> bool:
    return text.isascii() and "def " not in text and "class " not in text


RULES = {
    LABEL: lambda text: "Lord" in text,
    ENGLISH: is_english,
    "Python’s def and class": lambda text: "def " in text or "class " in text,
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.open_or_create(tmp_path / "p.saeproj")
    path = project.index_path("i")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_sample_index(path, repeats=40)
    with closing(Notes(project.notes_path)) as notes:
        notes.add_labels(
            "dict",
            [
                Label(feature=LORD, text=LABEL),
                Label(feature=LORD, text=ENGLISH, method="model"),
                Label(feature=KEYWORDS, text="Python’s def and class"),
            ],
        )
    return project


Judged = tuple[JudgeLabelsResult, JudgedLabels]


@pytest.fixture
def judge(project: Project, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Judged]:
    def run(
        model: Any, context: RecordingContext | None = None, features: tuple[int, ...] = (LORD,),
        **more: Any,
    ) -> Judged:  # fmt: skip
        monkeypatch.setattr(module, "open_chat_model", lambda choice, context: model)
        config = JudgeLabelsConfig(
            project=str(project.path), index="i", model=ModelChoice(model="rules-70b"),
            selection=Selection(features=features),
            **({"scorers": ("detection",), "which": "all"} | more),
        )  # fmt: skip
        result = judge_labels(config, context or RecordingContext())
        read = read_judged(project.index_path("i"), 64, "")
        assert read is not None
        return result, read

    return run


def test_label__that_fits_scores_high_and_one_of_all_english_text_does_not(judge: Any) -> None:
    result, read = judge(RuleJudge(RULES))
    found = {(one.label, one.of): one.judgement for one in read.of(LORD)}
    assert found[LABEL, "label"].value == 1.0
    assert found[ENGLISH, "label"].value < 0.6
    assert found[ENGLISH, "label"].low < 0.5
    assert found[LABEL, "top_token"].chance == 0.5
    assert result.scorers[0].verdict == "sound"
    assert result.scorers[0].labels == 2
    assert result.ended == ""


def test_preview__tells_the_requests_before_any_is_made(judge: Any, project: Project) -> None:
    limits = QueueLimits(price_in=1.0, price_out=2.0)
    preview = preview_judging(
        PreviewJudgingConfig(
            judge=JudgeLabelsConfig(
                project=str(project.path), index="i", model=ModelChoice(model="rules-70b"),
                selection=Selection(features=(LORD,)), scorers=("detection",), which="all",
                rows=0, limits=limits,
            )
        ),
        RecordingContext(),
    )  # fmt: skip
    assert preview.labels == 2
    assert preview.trial > 0
    assert any(LABEL in message.content for message in preview.messages)
    assert preview.whole.cost > 0
    result, _ = judge(RuleJudge(RULES), rows=0, limits=limits)
    assert result.requests <= preview.whole.requests < 2 * result.requests


def test_judge_at_chance__gives_no_score_and_is_asked_about_no_label(judge: Any) -> None:
    model = RuleJudge(RULES, otherwise=True, knows=False)
    result, read = judge(model)
    assert result.scorers[0].verdict == "chance"
    assert result.scorers[0].test.value == 0.5
    assert result.scorers[0].mean is None
    assert len(read) == 0
    assert read.judges[0].tests[0].verdict == "chance"
    assert not any(LABEL in prompt for prompt in model.prompts)


def test_score_of_a_sound_judge__stands_beside_the_label_in_the_notes(
    judge: Any, project: Project
) -> None:
    judge(RuleJudge(RULES))
    with closing(Notes(project.notes_path)) as notes:
        scores = {one.text: (one.score, one.measure) for one in notes.labels_of("dict", LORD)}
    assert scores[LABEL] == (1.0, "detection, judged by rules-70b")
    assert scores[ENGLISH][0] < 0.6


def test_judging_again__asks_nothing_and_says_the_same(judge: Any) -> None:
    first, read = judge(RuleJudge(RULES))
    model = RuleJudge(RULES)
    again, same = judge(model)
    assert model.asked == []
    assert again.scorers == first.scorers
    assert [o.judgement for o in same.all()] == [o.judgement for o in read.all()]


def test_judging_another_feature__keeps_what_was_judged_before(judge: Any) -> None:
    judge(RuleJudge(RULES))
    _, read = judge(RuleJudge(RULES), features=(KEYWORDS,))
    assert read.features.tolist() == [LORD, KEYWORDS]
    assert read.of(KEYWORDS)[0].judgement.value == 1.0


def test_baselines__are_of_the_first_features_alone(judge: Any) -> None:
    _, read = judge(RuleJudge(RULES), features=(KEYWORDS, LORD), baseline_features=1)
    assert {one.of for one in read.of(LORD)} == {"label"}
    assert {one.of for one in read.of(KEYWORDS)} == {"label", "shuffled", "top_token", "random"}
    shuffled = next(one for one in read.of(KEYWORDS) if one.of == "shuffled")
    assert shuffled.judgement.value <= 0.5
    assert shuffled.label == "Python’s def and class"


def test_which_labels__are_judged(judge: Any) -> None:
    _, read = judge(RuleJudge(RULES), which="shown", baseline_features=0)
    assert [one.label for one in read.of(LORD)] == [LABEL]
    with pytest.raises(UserError, match="label to judge"):
        judge(RuleJudge(RULES), which="automatic")


def test_cancelled__keeps_every_answer_so_that_none_is_asked_twice(
    judge: Any, project: Project
) -> None:
    model = RuleJudge(RULES)
    context = RecordingContext(on_check=lambda _: _cancel(len(model.asked) > 20))
    with pytest.raises(JobCancelledError):
        judge(model, context)
    before = len(model.asked)
    rest = RuleJudge(RULES)
    judge(rest)
    asked = [*model.prompts, *rest.prompts]
    assert before < len(asked)
    assert len(set(asked)) == len(asked)


def test_automatic_name__is_judged_where_no_other_label_is_shown(
    judge: Any, project: Project
) -> None:
    write_made_names(project.index_path("i"))
    features = (LORD, 9)
    _, shown = judge(RuleJudge(RULES), which="shown", features=features, baseline_features=0)
    found = [(one.feature, one.label, one.method) for one in shown.all()]
    assert found == [(LORD, LABEL, ""), (9, "name of 9", "statistics")]
    _, names = judge(RuleJudge(RULES), which="automatic", features=features, baseline_features=0)
    assert {one.label for one in names.all()} == {LABEL, f"name of {LORD}", "name of 9"}


def _cancel(now: bool) -> None:
    if now:
        raise JobCancelledError


@pytest.mark.parametrize("requests", [5, 22])
def test_spending_cap__ends_the_trial_or_the_labels(judge: Any, requests: int) -> None:
    model = RuleJudge(RULES)
    cap = 100 * requests * 1e-6 + 3000e-6
    limits = QueueLimits(at_once=1, price_in=1.0, most_cost=cap)
    result, _ = judge(model, limits=limits)
    assert result.ended == "cap"
    assert result.cost <= cap
    assert len(model.asked) <= cap / 100e-6


def test_wrong_key__ends_the_job_and_says_so(judge: Any) -> None:
    class Locked(RuleJudge):
        def ask(self, ask: Any) -> Any:
            raise ChatError("key", "The server wants a key.")

    with pytest.raises(UserError, match="wants a key"):
        judge(Locked(RULES))


def test_progress__ends_at_its_total_and_never_turns_back(judge: Any) -> None:
    context = RecordingContext()
    judge(RuleJudge(RULES), context)
    done = [step[0] for step in context.steps]
    assert done == sorted(done)
    assert context.steps[-1][0] == context.steps[-1][1]


def test_random_directions__are_judged_by_their_own_top_token(
    small_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = RuleJudge({}, otherwise=True)
    monkeypatch.setattr(module, "open_chat_model", lambda choice, context: model)
    with closing(Notes(Project.open(small_project).notes_path)) as notes:
        notes.add_labels("dict", [Label(feature=f, text=f"label {f}") for f in range(64)])
    config = JudgeLabelsConfig(
        project=str(small_project), index="idx", model=ModelChoice(model="rules-70b"),
        selection=Selection(limit=3), scorers=("detection",), baseline_features=2, rows=3000,
        per_interval=3, silent=4, device="cpu",
    )  # fmt: skip
    result = judge_labels(config, RecordingContext())
    index = FeatureIndex(Project.open(small_project).index_path("idx"))
    read = read_judged(index.path, index.features, index.info.dictionary_hash)
    assert read is not None
    found = [one for one in read.all() if one.of == "direction"]
    assert 1 <= len(found) <= 2
    assert all(one.judgement.value == 0.5 for one in found)
    assert result.scorers[0].direction == 0.0
    assert sum("Description: the token “" in prompt for prompt in model.prompts) > 4


def test_silent_texts__are_of_the_languages_in_which_the_feature_fires(project: Project) -> None:
    from sae_desktop.labels.judging.subjects import Subjects

    index = FeatureIndex(project.index_path("i"))
    subject = Subjects(index, seed=0, per_interval=5, silent=6).of(LORD)
    spoken = {index.documents["language"][e.document] for e in subject.firing}
    randoms = [e for e in subject.silent if e.kind == "random"]
    assert spoken == {b"en"}
    assert len(randoms) >= 3
    assert {index.documents["language"][e.document] for e in randoms} == {b"en"}

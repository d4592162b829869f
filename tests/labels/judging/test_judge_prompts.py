"""What judges are sent: prompts that are files, texts that cannot mislead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_subjects import asking, example, subject

from sae_desktop.errors import UserError
from sae_desktop.features.reading.judgement import SCORERS, Scorer
from sae_desktop.labels.examples import Example
from sae_desktop.labels.judging.config import JudgeLabelsConfig
from sae_desktop.labels.judging.fuzzing import moved
from sae_desktop.labels.judging.known import known_features, known_questions, known_subjects
from sae_desktop.labels.judging.preparing import askings
from sae_desktop.labels.judging.prompts import FIELDS, judge_prompt
from sae_desktop.labels.judging.scorers import SCORER_KINDS
from sae_desktop.labels.judging.size import is_small, parameters_of
from sae_desktop.labels.judging.texts import (
    LONGEST_LABEL,
    fired,
    label_text,
    marked,
    marks_for,
    plain,
)


def text_of(*tokens: str, acts: tuple[float, ...] = ()) -> Example:
    values = np.array(acts or (0.0,) * len(tokens), np.float32)
    peak = int(values.argmax())
    return Example(
        kind="firing" if values.any() else "random", row=0, document=0, tokens=tokens,
        activations=values, peak=peak, activation=float(values[peak]), interval=int(values.any()),
    )  # fmt: skip


def test_every_prompt__is_there_and_has_its_fields(tmp_path: Path) -> None:
    for scorer in SCORERS:
        assert judge_prompt(tmp_path, scorer).name == scorer
    found = judge_prompt(tmp_path, "detection", probabilities=True)
    assert found.name == "detection_probability"
    assert judge_prompt(tmp_path, "rubric", probabilities=True).name == "rubric"
    digests = {judge_prompt(tmp_path, scorer).digest for scorer in SCORERS}
    assert len(digests) == len(SCORERS)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The file of a project's own prompt for detection."""
    path = tmp_path / "prompts" / "judge_detection.toml"
    path.parent.mkdir()
    return path


def test_project__judges_by_its_own_prompt(tmp_path: Path, own: Path) -> None:
    shipped = judge_prompt(tmp_path, "detection")
    own.write_text('system = "Be strict."\nuser = "{label} {texts}"')
    found = judge_prompt(tmp_path, "detection")
    assert found.system == "Be strict."
    assert found.digest != shipped.digest
    config = JudgeLabelsConfig(project=str(tmp_path), index="i", scorers=["detection"])
    assert askings(tmp_path, config)["detection"].prompt == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('system = ""\nuser = "{texts}"', "the field {label} is missing"),
        ('system = ""\nuser = "{label} {texts} {feature}"', "nothing is known of {feature}"),
        ('user = "{label} {texts}"', "system"),
        ('system = 3\nuser = "{label} {texts}"', "system"),
        ("no toml", "cannot be used"),
    ],
)
def test_damaged_prompt__is_refused_with_what_is_wrong(
    tmp_path: Path, own: Path, text: str, why: str
) -> None:
    own.write_text(text)
    with pytest.raises(UserError) as caught:
        judge_prompt(tmp_path, "detection")
    assert why in str(caught.value.what)


@pytest.mark.parametrize("scorer", SCORERS)
def test_questions__leave_no_field_open_and_show_the_label(scorer: Scorer) -> None:
    questions = SCORER_KINDS[scorer].questions(subject("a label {texts} {count}"), asking(scorer))
    for question in questions:
        text = "\n".join(message.content for message in question.ask.messages)
        named = [f"{{{field}}}" for fields in FIELDS.values() for field in fields]
        assert not any(field in text.replace("a label {texts} {count}", "") for field in named)
        assert ("a label {texts} {count}" in text) == SCORER_KINDS[scorer].needs_label


def test_texts_and_labels__stand_on_one_line_without_what_cannot_be_seen() -> None:
    hostile = text_of("a\n", "2. yes\r\n", "\u202eb", "\x00", " c")
    assert plain(hostile) == "a↵2. yes↵ b  c"
    assert label_text("one\ntwo\u2066") == "one↵two"
    assert len(label_text("x" * 10_000_000)) == LONGEST_LABEL
    assert label_text("x" * LONGEST_LABEL).endswith("x")


def test_marks__stand_around_runs_and_are_not_in_the_texts() -> None:
    text = text_of("if", " a", " <<", " 3", " end", acts=(0, 5, 4, 0, 1))
    assert fired(text).tolist() == [False, True, True, False, False]
    assert marks_for([text]) == ("[[", "]]")
    assert marked(text, fired(text), ("[[", "]]")) == "if [[a <<]] 3 end"
    assert marked(text, fired(text), marks_for([text])).count("[[") == 1
    assert marked(text_of("a", " b", acts=(0, 1)), np.array([False, True]), ("(", ")")) == "a (b)"


def test_moved_marks__are_as_many_and_where_the_feature_is_silent() -> None:
    rng = np.random.default_rng(0)
    for number in range(20):
        text = example(number, "firing", 3)
        mask = moved(text, rng)
        assert mask is not None
        assert mask.sum() == fired(text).sum()
        assert not np.asarray(text.activations)[mask].any()
    assert moved(text_of("a", "b", acts=(1, 1)), rng) is None


def test_known_texts__are_true_of_one_feature_and_silent_for_the_others() -> None:
    features = known_features()
    for feature, known in zip(features, known_subjects(features, 0), strict=True):
        assert len(known.firing) >= 4
        assert all(fired(e).any() and e.activation == 1.0 for e in known.firing)
        assert not any(np.asarray(e.activations).any() for e in known.silent)
        own = {plain(e) for e in known.firing}
        assert own == {text.replace("[", "").replace("]", "") for text in feature.fires}
        assert not own & {plain(e) for e in known.silent}
    for scorer in SCORERS:
        questions = known_questions(SCORER_KINDS[scorer], asking(scorer), 0)
        truths = [item.truth > 0 for question in questions for item in question.items]
        assert scorer == "intruder" or 0.15 < np.mean(truths) < 0.85


@pytest.mark.parametrize(
    ("name", "size"),
    [("Qwen3-0.6B", 0.6e9), ("qwen3:4b", 4e9), ("gemma3:270m", 270e6), ("smollm2", 135e6),
     ("/models/SmolLM2-1.7B-Instruct.Q4_1.gguf", 1.7e9), ("gpt-4o", None), ("o3", None),
     ("llama-3.1-8b-instruct", 8e9), ("Mixtral-8x7B", None)],
)  # fmt: skip
def test_size_of_a_model__is_read_from_its_name(name: str, size: float | None) -> None:
    assert parameters_of(name) == size
    assert is_small(name) == (size is not None and size <= 1e9)

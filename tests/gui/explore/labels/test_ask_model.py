"""A model is asked in one flow: which, what, what is sent, start; and nothing before that."""

from __future__ import annotations

import pytest
from index_session import FakeClient
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from sae_desktop.gui.explore.labels.ask_model import AskModel
from sae_desktop.gui.explore.labels.labels_panel import MODEL, LabelsPanel
from sae_desktop.gui.explore.labels.model_asks import (
    AUTOMATIC,
    EXPLAIN,
    JUDGE,
    LISTED,
    messages_text,
    start_text,
    where_text,
)
from sae_desktop.gui.explore.labels.overview import ASK
from sae_desktop.labels.chat import Message
from sae_desktop.labels.explaining.config import (
    ExplainFeaturesConfig,
    ExplanationPreview,
    PreviewExplanationConfig,
)
from sae_desktop.labels.judging.config import (
    JudgeLabelsConfig,
    JudgingPreview,
    PreviewJudgingConfig,
)
from sae_desktop.labels.models.choice import ModelChoice
from sae_desktop.labels.queue.estimate import QueueEstimate

HERE = ModelChoice(server="http://localhost:11434/v1", model="qwen3")
ELSEWHERE = ModelChoice(server="https://api.example.org/v1", model="large")


@pytest.fixture
def ask(labels: LabelsPanel) -> AskModel:
    labels.show_place(MODEL)
    return labels.model


def choose(box, value: str) -> None:
    box.setCurrentIndex(box.findData(value))


def jobs_of(client: FakeClient, kind: type) -> list:
    return [job for job in client.jobs if isinstance(job.config, kind)]


def preview() -> ExplanationPreview:
    return ExplanationPreview(
        feature=3,
        messages=(Message("system", "You name."), Message("user", "1. <b>a</b>")),
        prompt="contexts",
        prompt_digest="",
        prompt_tokens=120,
        exact=False,
        answer_tokens=100,
        contexts=12,
        shortened=False,
        features=20,
        cost=0.0,
        whole=QueueEstimate(requests=20, prompt_tokens=2400, answer_tokens=600, cost=0.0),
        here=True,
    )


def test_without_a_model__it_is_said_what_is_missing_and_nothing_can_be_started(
    ask: AskModel,
) -> None:
    assert ask.problem.isVisible()
    assert ask.start.isVisible()  # what could be done is seen, beside what it needs
    assert not ask.start.isEnabled()
    assert ask.config() is None


def test_what_is_sent__is_shown_to_the_letter_before_anything_is(
    qtbot: QtBot, ask: AskModel, client: FakeClient
) -> None:
    ask.model.set_choice(HERE)
    qtbot.waitUntil(lambda: bool(jobs_of(client, PreviewExplanationConfig)), timeout=5000)
    client.answer(jobs_of(client, PreviewExplanationConfig)[-1], preview())
    assert ask.sent.toPlainText() == messages_text(preview().messages)
    assert "<b>a</b>" in ask.sent.toPlainText()
    assert "about 120 tokens" in ask.cost.text()
    assert "20 requests" in ask.cost.text()
    assert "nothing leaves it" in ask.where.text()
    assert not jobs_of(client, ExplainFeaturesConfig)


def test_start__asks_about_what_is_chosen(qtbot: QtBot, ask: AskModel, client: FakeClient) -> None:
    ask.model.set_choice(HERE)
    assert ask.start.text() == "Name 20 features"
    assert ask.start.isEnabled()
    assert ask.config().selection.order == "surest"
    QTest.mouseClick(ask.start, Qt.MouseButton.LeftButton)
    config = jobs_of(client, ExplainFeaturesConfig)[-1].config
    assert (config.model, config.selection.labelled, config.selection.limit) == (
        HERE,
        "without",
        20,
    )
    assert ask.queue.isVisible()
    client.end_cancelled(jobs_of(client, ExplainFeaturesConfig)[-1])


def test_listed_features__keep_the_order_of_the_list(ask: AskModel) -> None:
    ask.model.set_choice(HERE)
    choose(ask.which, LISTED)
    ask.most.setValue(2)
    assert ask.config().selection.features == (9, 3)
    assert ask.start.text() == "Name 2 features"


def test_paid_model__has_a_limit_on_what_it_may_cost(ask: AskModel) -> None:
    ask.model.set_choice(ELSEWHERE, (2.0, 8.0))
    assert ask.cap.isVisible()
    ask.cap.setValue(1.5)
    limits = ask.config().limits
    assert (limits.price_in, limits.price_out, limits.most_cost) == (2.0, 8.0, 1.5)
    assert "api.example.org" in ask.where.text()
    ask.model.set_choice(HERE)
    assert not ask.cap.isVisible()
    assert ask.config().limits.most_cost == 0.0


def test_judging__shows_a_question_and_its_cost_and_starts_a_judge(
    qtbot: QtBot, ask: AskModel, client: FakeClient
) -> None:
    ask.model.set_choice(HERE)
    choose(ask.task, JUDGE)
    assert not ask.prompt.isVisible()
    qtbot.waitUntil(lambda: bool(jobs_of(client, PreviewJudgingConfig)), timeout=5000)
    asked = jobs_of(client, PreviewJudgingConfig)[-1]
    assert asked.config.judge == ask.config()
    whole = QueueEstimate(requests=640, prompt_tokens=240_000, answer_tokens=6_000, cost=0.5)
    judging = JudgingPreview(labels=20, messages=preview().messages, trial=12, whole=whole)
    client.answer(asked, judging)
    assert ask.sent.toPlainText() == messages_text(preview().messages)
    assert "for 20 labels: 640 requests" in ask.cost.text()
    assert "0.50 at the prices you gave" in ask.cost.text()
    assert ask.start.text() == "Score 20 labels"
    QTest.mouseClick(ask.start, Qt.MouseButton.LeftButton)
    config = jobs_of(client, JudgeLabelsConfig)[-1].config
    assert (config.which, config.selection.labelled) == ("shown", "with")
    choose(ask.which, AUTOMATIC)
    assert (ask.config().which, ask.config().selection.labelled) == ("automatic", "any")
    client.end_cancelled(jobs_of(client, JudgeLabelsConfig)[-1])
    choose(ask.task, EXPLAIN)
    assert ask.which.findData(AUTOMATIC) < 0


def test_overview__leads_here(qtbot: QtBot, labels: LabelsPanel) -> None:
    button = labels.overview.ways.ways[ASK].button
    qtbot.waitUntil(button.isVisible, timeout=5000)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert labels.places.place == MODEL
    assert labels.model.task.currentData() == EXPLAIN


def test_words__tell_where_it_goes_and_how_many() -> None:
    assert "nothing is sent" in where_text(ModelChoice(model="smollm2"))
    assert start_text(EXPLAIN, 0, None) == "Name all features"
    assert start_text(JUDGE, 5, 1) == "Score 1 label"


def test_choice__is_kept_with_the_project(ask: AskModel) -> None:
    ask.model.set_choice(ELSEWHERE, (2.0, 8.0))
    kept = ask._kept_model()
    ask.model.set_choice(HERE)
    ask._give_model(kept)
    assert ask.model.choice() == ELSEWHERE
    assert ask.model.prices() == (2.0, 8.0)

"""What a training needs of the machine, told before it starts."""

from __future__ import annotations

from frame_client import FakeClient
from pytestqt.qtbot import QtBot

from sae_desktop.gui.train.training import TrainingPanel
from sae_desktop.training.config import (
    TrainConfig,
)
from sae_desktop.training.planning.preflight_config import (
    Need,
    PreflightConfig,
    PreflightResult,
    Room,
)
from sae_desktop.words.preflight_text import preflight_details, preflight_problem, preflight_text
from sae_desktop.words.training_catalogue import STREAM


def needs(*, fits: bool = True, measured: bool = False) -> PreflightResult:
    room = Room(
        place="memory",
        needed_bytes=2_000_000_000,
        free_bytes=8_000_000_000 if fits else 1_000_000_000,
        needs=[Need(what="Adam's moments", bytes=1_500_000_000)],
    )
    return PreflightResult(
        fits=fits,
        problem="" if fits else "The training needs 2 GB of memory, and 1 GB are free.",
        would_fit=[] if fits else ["1,024 features", "a batch of 512"],
        device="cpu",
        precision="float32",
        rooms=[room],
        largest_features=4_000,
        step_seconds=0.25 if measured else None,
        seconds_per_million_tokens=125.0 if measured else None,
        seconds=250.0 if measured else None,
    )


def test_preflight__is_told_in_words() -> None:
    assert "2 GB of 8 GB free memory" in preflight_text(needs())
    assert "Measured" not in preflight_text(needs())
    measured = preflight_text(needs(measured=True))
    assert "about 4 min in all, 125 s per million rows, 250 ms per step" in measured
    assert "Adam's moments: 1.5 GB" in preflight_details(needs())
    assert preflight_problem(needs()) == ""
    assert preflight_problem(needs(fits=False)).endswith(
        "This would fit: 1,024 features; or a batch of 512."
    )


def answer(client: FakeClient, qtbot: QtBot, count: int, result: PreflightResult) -> None:
    """Wait for the next question about needs, and answer it."""
    qtbot.waitUntil(lambda: len(client.started(PreflightConfig)) == count, timeout=5_000)
    client.finish(client.last(PreflightConfig), result)


def test_preflight__blocks_a_start_that_cannot_fit(
    training: TrainingPanel, client: FakeClient, qtbot: QtBot
) -> None:
    setup = training.setup
    setup.form.fields["features"].setValue(9_999)
    answer(client, qtbot, len(client.started(PreflightConfig)) + 1, needs(fits=False))
    asked = client.last(PreflightConfig).config
    assert isinstance(asked, PreflightConfig)
    assert (asked.measure, asked.train.features) == (False, 9_999)
    assert not setup.start_button.isEnabled()
    assert "1,024 features" in setup._summary.text()
    before = len(client.started(TrainConfig))
    training.start()
    assert len(client.started(TrainConfig)) == before
    setup.form.fields["features"].setValue(64)
    assert setup.start_button.isEnabled()


def test_preflight__measures_when_asked(
    training: TrainingPanel, client: FakeClient, qtbot: QtBot
) -> None:
    setup = training.setup
    setup.form.fields["features"].setValue(128)
    count = len(client.started(PreflightConfig)) + 1
    answer(client, qtbot, count, needs())
    assert "2 GB" in setup._needs.text()
    assert setup.measure_button.isEnabled()
    setup.measure_button.click()
    assert not setup.measure_button.isEnabled()
    answer(client, qtbot, count + 1, needs(measured=True))
    asked = client.last(PreflightConfig).config
    assert isinstance(asked, PreflightConfig)
    assert asked.measure
    assert "about 4 min" in setup._needs.text()


def test_preflight__another_name_needs_no_other_answer(
    training: TrainingPanel, client: FakeClient, qtbot: QtBot
) -> None:
    training.setup.form.fields["features"].setValue(128)
    count = len(client.started(PreflightConfig)) + 1
    answer(client, qtbot, count, needs())
    name = training.setup.form.fields["name"]
    name.setText("another")
    name.textEdited.emit("another")
    qtbot.wait(600)
    assert len(client.started(PreflightConfig)) == count


def test_preflight__a_failure_is_told_and_blocks_nothing(
    training: TrainingPanel, client: FakeClient, qtbot: QtBot
) -> None:
    training.setup.form.fields["features"].setValue(128)
    count = len(client.started(PreflightConfig)) + 1
    qtbot.waitUntil(lambda: len(client.started(PreflightConfig)) == count, timeout=5_000)
    client.fail(client.last(PreflightConfig), "It cannot be told.")
    assert "It cannot be told." in training.setup._needs.text()
    assert training.setup.start_button.isEnabled()


def test_preflight__of_a_stream_is_left_to_the_button(
    training: TrainingPanel, client: FakeClient, qtbot: QtBot
) -> None:
    box = training.form.fields["activations"]
    box.setCurrentIndex(box.findData(STREAM))
    qtbot.wait(600)
    before = client.started(PreflightConfig)
    assert all(job.config.train.stream is None for job in before)  # type: ignore[union-attr]
    training.setup.measure_button.click()
    answer(client, qtbot, len(before) + 1, needs(measured=True))
    assert "about 4 min" in training.setup._needs.text()
    assert training.setup.measure_button.isEnabled()

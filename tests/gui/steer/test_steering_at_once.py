"""Steering that works at once: on, at a strength that works, with a text and what to make of it."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from steer_results import result, steered

from sae_desktop.features.reading.effect_file import (
    EffectInfo,
    no_strengths,
    put_strength,
    write_effects,
)
from sae_desktop.features.reading.known_strength import KnownStrength
from sae_desktop.gui.parts import theme
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.known_strengths import UNKNOWN, first_strength
from sae_desktop.gui.steer.steering import SteeringPanel
from sae_desktop.steering.config import OutputToken, SteerResult
from sae_desktop.steering.effect_config import (
    CONTINUED,
    FeatureStrengthConfig,
    FeatureStrengthResult,
    OutputEffectConfig,
    OutputEffectResult,
)

WORKS = KnownStrength(verdict="works", suggested=2.4, turn=0.21, low=-1.2, high=3.0)
BREAKS = KnownStrength(verdict="breaks_first", suggested=None, turn=0.0, low=-1.0, high=2.0)
TOKENS = [OutputToken(text="a", log_probability=0, plain_log_probability=0, kl=0)]


def questions(client) -> list[FeatureStrengthConfig]:  # type: ignore[no-untyped-def]
    return [j.config for j in client.jobs if isinstance(j.config, FeatureStrengthConfig)]


def generations(client) -> list:  # type: ignore[type-arg, no-untyped-def]
    return [job for job in steered(client) if job.config.compare]


@pytest.fixture
def measured(session: Session) -> Session:
    """The open index says of feature 3 that it works, of 5 that it breaks the text."""
    index = session.index
    strengths = no_strengths(index.features)
    put_strength(strengths, 3, WORKS)
    put_strength(strengths, 5, BREAKS)
    info = EffectInfo(dictionary_hash=index.info.dictionary_hash, strength=1.0, prompts=["a"])
    write_effects(index.path, info, np.ones(index.features), strengths)
    index.read_output_effects()
    return session


def told(
    plain: str = "a b", text: str = "x y", own: float = 0.4, repetition: float = 0.0
) -> SteerResult:
    found = result("p", plain, text)
    variants = [
        msgspec.structs.replace(v, tokens=TOKENS, perplexity=5.0, prompt=CONTINUED[0])
        for v in found.variants
    ]
    variants[1] = msgspec.structs.replace(
        variants[1], own=own, plain_own=0.1, repetition=repetition, typical_strength=0.3
    )
    return msgspec.structs.replace(found, variants=variants)


# ---------------------------------------------------------------- arriving
def test_feature_steered_with__arrives_on_at_its_strength_with_a_text_under_way(
    panel: SteeringPanel, measured: Session, client
) -> None:
    measured.steerRequested.emit(3)
    (entry,) = panel.rack.rack
    assert (entry.strength, entry.on) == (2.4, True)
    assert panel.form.prompt.toPlainText() == CONTINUED[0]
    assert questions(client) == []
    (job,) = generations(client)
    assert job.config.variants[1].interventions[0].strength == 2.4


def test_own_prompt__is_kept_and_a_second_feature_waits_for_generate(
    panel: SteeringPanel, measured: Session, client
) -> None:
    panel.form.prompt.setPlainText("My own")
    measured.steerRequested.emit(3)
    client.answer(generations(client)[0], told())
    measured.steerRequested.emit(5)
    assert panel.form.prompt.toPlainText() == "My own"
    assert [entry.strength for entry in panel.rack.rack] == [2.4, 1.7]
    assert len(generations(client)) == 1
    assert panel.outputs.steered.earlier.isVisible()


def test_example_that_does_not_turn__gives_way_to_the_next_but_a_typed_prompt_stays(
    panel: SteeringPanel, measured: Session, client
) -> None:
    unturned = told(own=0.1)
    measured.steerRequested.emit(3)
    client.answer(generations(client)[0], unturned)
    assert panel.form.prompt.toPlainText() == CONTINUED[1]
    assert generations(client)[1].config.prompt == CONTINUED[1]
    client.answer(generations(client)[1], told())
    assert len(generations(client)) == 2
    panel.generate()
    client.answer(generations(client)[2], unturned)
    assert len(generations(client)) == 3  # what somebody asked for is shown as it is
    assert panel.form.prompt.toPlainText() == CONTINUED[1]


def test_feature_that_was_not_measured__is_and_then_generates(
    qtbot: QtBot, panel: SteeringPanel, session: Session, client
) -> None:
    session.steerRequested.emit(3)
    card = panel.rack.slider(3)
    assert panel.rack.rack[0].strength == UNKNOWN
    assert not card.safe.isHidden()
    assert "Finding" in card.safe.text()
    qtbot.waitUntil(lambda: len(questions(client)) == 1, timeout=5000)
    assert generations(client) == []
    (asked,) = [j for j in client.jobs if isinstance(j.config, FeatureStrengthConfig)]
    assert asked.quiet
    client.answer(asked, FeatureStrengthResult(index=session.index_name, feature=3, known=WORKS))
    assert panel.rack.rack[0].strength == 2.4
    assert card.slider.safe == (-1.2, 3.0)
    assert len(generations(client)) == 1
    session.steerRequested.emit(3)
    assert len(questions(client)) == 1  # what was found out is not asked again


def test_slider_moved_while_it_is_measured__stays_where_it_was_put(
    qtbot: QtBot, panel: SteeringPanel, session: Session, client
) -> None:
    session.steerRequested.emit(3)
    panel.rack.slider(3).slider.setValue(4.0)
    qtbot.waitUntil(lambda: len(questions(client)) == 1, timeout=5000)
    (asked,) = [j for j in client.jobs if isinstance(j.config, FeatureStrengthConfig)]
    client.answer(asked, FeatureStrengthResult(index=session.index_name, feature=3, known=WORKS))
    assert panel.rack.rack[0].strength == 4.0
    assert panel.rack.slider(3).slider.safe == (-1.2, 3.0)


def test_feature_that_cannot_be_measured__leaves_its_slider_and_asks_the_next(
    qtbot: QtBot, panel: SteeringPanel, session: Session, client, heard
) -> None:
    maxima = session.index.columns["max_activation"]
    other = next(f for f in range(4, session.index.features) if maxima[f] > 0)
    silent = next(f for f in range(session.index.features) if maxima[f] <= 0)
    for feature in (3, silent, other):
        session.steerRequested.emit(feature)
    qtbot.waitUntil(lambda: len(questions(client)) == 1, timeout=5000)
    (asked,) = [j for j in client.jobs if isinstance(j.config, FeatureStrengthConfig)]
    client.fail(asked, "No model.")
    assert panel.rack.slider(3).safe.isHidden()
    assert heard.errors == []
    qtbot.waitUntil(lambda: len(questions(client)) == 2, timeout=5000)
    assert questions(client)[1].feature == other


def test_first_strength__is_what_works_or_what_leaves_a_text_whole() -> None:
    assert first_strength(None) == UNKNOWN
    assert first_strength(WORKS) == 2.4
    assert first_strength(BREAKS) == 1.7
    assert first_strength(msgspec.structs.replace(BREAKS, high=0.0)) == UNKNOWN


# ---------------------------------------------------------------- the band
def test_band__is_drawn_where_texts_stay_whole_and_said_in_words(
    panel: SteeringPanel, measured: Session
) -> None:
    measured.steerRequested.emit(3)
    card = panel.rack.slider(3)
    assert card.safe.text() == "whole −1.2× to 3×"
    assert "from −1.2× to 3×" in card.slider.toolTip()
    assert "from −1.2× to 3×" in card.slider.accessibleDescription()
    for name in ("light", "dark"):
        theme.manager().apply(name)
        image = card.slider.grab().toImage()
        height = int((card.slider.height() / 2 - 7) * image.devicePixelRatio())
        inside, outside = (
            image.pixelColor(round(card.slider.x_of(s) * image.devicePixelRatio()), height).rgb()
            for s in (1.0, 6.0)
        )
        assert inside != outside
    theme.manager().apply("light")


def test_band__comes_as_soon_as_the_whole_index_is_measured(
    panel: SteeringPanel, session: Session, client
) -> None:
    notices: list[str] = []
    session.noticeRaised.connect(notices.append)
    session.steerRequested.emit(3)
    card = panel.rack.slider(3)
    job = session.run(OutputEffectConfig(project=session.project_path, index=session.index_name))
    index = session.index
    strengths = no_strengths(index.features)
    put_strength(strengths, 3, WORKS)
    info = EffectInfo(dictionary_hash=index.info.dictionary_hash, strength=1.0, prompts=["a"])
    write_effects(index.path, info, np.ones(index.features), strengths)
    client.answer(
        job,
        OutputEffectResult(
            index=session.index_name, features=4, prompts=1, median=0.5, largest=1.0, seconds=1.0,
            works=3, breaks_first=1,
        ),
    )  # fmt: skip
    assert card.slider.safe == (-1.2, 3.0)
    assert any("3 of 4 features have a strength" in notice for notice in notices)


# ---------------------------------------------------------------- verdicts
def test_verdict__stands_under_the_text_and_its_button_tries_what_it_says(
    panel: SteeringPanel, measured: Session, client
) -> None:
    measured.steerRequested.emit(3)
    panel.rack.slider(3).slider.setValue(6.0)
    panel.stop()
    client.answer(generations(client)[0], told(repetition=0.9))
    steered_text = panel.outputs.steered
    assert not steered_text.next_button.isVisible()  # the slider was moved since
    panel.generate()
    client.answer(generations(client)[1], told(repetition=0.9))
    assert steered_text.verdict.text() == "Too strong: it repeats itself; try 2.4×."
    assert steered_text.next_button.text() == "Try 2.4×"
    assert not panel.outputs.plain.verdict.isVisible()
    steered_text.next_button.click()
    assert panel.rack.rack[0].strength == 2.4
    assert not steered_text.verdict.isVisible()
    client.answer(generations(client)[2], told())
    assert steered_text.verdict.text().startswith("It turns and stays whole: 40%")
    assert not steered_text.next_button.isVisible()


def test_texts_of_earlier_settings__are_marked_until_they_are_generated_again(
    panel: SteeringPanel, measured: Session, client
) -> None:
    measured.steerRequested.emit(3)
    client.answer(generations(client)[0], told())
    plain, changed = panel.outputs.plain, panel.outputs.steered
    assert not changed.earlier.isVisible()
    panel.rack.slider(3).slider.setValue(1.0)
    assert changed.earlier.isVisible()
    assert changed.earlier.text() == "Of earlier settings: generate again"
    assert changed.view.property("stale") == "true"
    assert not plain.earlier.isVisible()
    panel.form.penalty.setValue(1.1)
    assert plain.earlier.isVisible()
    panel.generate()
    client.answer(generations(client)[1], told())
    assert not changed.earlier.isVisible()
    assert changed.view.property("stale") == "false"

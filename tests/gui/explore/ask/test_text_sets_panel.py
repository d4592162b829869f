"""The panel of two sets of texts."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from pytestqt.qtbot import QtBot

from sae_desktop.features.asking.text_set_config import (
    ClassifierScore,
    FeatureWeight,
    FindFeaturesConfig,
    FindFeaturesResult,
    FoundFeature,
)
from sae_desktop.gui.explore.ask.text_sets import TextSetsPanel
from sae_desktop.gui.state.compared import Compared
from sae_desktop.gui.state.session import Session

RESULT = FindFeaturesResult(
    found=[
        FoundFeature(feature=7, margin=0.8, on=[2.0], off=[0.0], tokens=[" def"]),
        FoundFeature(feature=3, margin=0.1, on=[1.0], off=[0.0], tokens=[""]),
    ],
    total=2,
    classifiers=[
        ClassifierScore(
            inputs="features",
            balanced_accuracy=0.9,
            spread=0.05,
            auc=0.95,
            used=12,
            auc_low=0.81,
            auc_high=0.99,
            folds=5,
        )
    ],
    weights=[FeatureWeight(feature=9, weight=-0.5)],
    warning="With fewer than 20 texts on each side, the scores are little better than chance.",
)


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> TextSetsPanel:
    panel = TextSetsPanel(session)
    qtbot.addWidget(panel)
    panel.resize(300, 700)
    panel.show()
    return panel


def test_question__holds_what_the_fields_say(qtbot: QtBot, panel: TextSetsPanel, client) -> None:
    panel.on.setPlainText("def a()\ndef b()")
    panel.off.setPlainText("Once upon a time")
    panel.missed.setValue(1)
    panel.classify.setChecked(True)
    panel.find_button.click()
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    config = client.jobs[0].config
    assert isinstance(config, FindFeaturesConfig)
    assert (config.on, config.off) == (["def a()", "def b()"], ["Once upon a time"])
    assert (config.missed, config.classify, config.threshold) == (1, True, 0.1)
    assert not panel.find_button.isEnabled()
    client.answer(client.jobs[0], RESULT)
    assert panel.find_button.isEnabled()
    assert [link.row.feature for link in panel.links.links()] == [7, 3]
    assert "·def" in panel.links.links()[0].toolTip()
    assert "balanced accuracy 0.900 ± 0.050" in panel.scores.text()
    assert "AUROC 0.950, 95% interval 0.810–0.990" in panel.scores.text()
    assert "little better than chance" in panel.scores.text()
    assert [link.row.figure for link in panel.weights.links()] == ["−0.50"]


def test_found_features__are_shown_in_the_list(
    qtbot: QtBot, panel: TextSetsPanel, session: Session, client
) -> None:
    heard = []
    session.featuresRequested.connect(heard.append)
    panel.find_button.click()
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    client.answer(client.jobs[0], RESULT)
    panel.show_all.click()
    assert heard[0].features.tolist() == [7, 3]


def test_error__is_said_in_place_and_the_panel_goes_on(
    qtbot: QtBot, panel: TextSetsPanel, client
) -> None:
    panel.find_button.click()
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    client.fail(client.jobs[0], "“x” is in both A and B.")
    assert "in both A and B" in panel.state.text()
    assert panel.find_button.isEnabled()


def test_file_that_is_no_text__is_named(
    panel: TextSetsPanel, session: Session, heard, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    panel.load(panel.on, tmp_path / "a.txt")
    assert panel.on.toPlainText() == "one\ntwo\n"
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\x00")
    panel.load(panel.on, tmp_path / "b.txt")
    assert "b.txt" in heard.errors[0].what
    assert panel.on.toPlainText() == "one\ntwo\n"


def test_stopped_engine__is_offered_to_be_started(panel: TextSetsPanel, client) -> None:
    assert panel.start.isHidden()
    client.enter("stopped")
    assert not panel.start.isHidden()
    assert not panel.find_button.isEnabled()
    panel.start.click()
    assert panel.start.isHidden()
    assert panel.find_button.isEnabled()


def test_long_answer__is_scrolled_and_not_squeezed(
    qtbot: QtBot, panel: TextSetsPanel, client
) -> None:
    panel.on.setPlainText("def a()")
    panel.off.setPlainText("Once upon a time")
    panel.find_button.click()
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    found = [
        FoundFeature(feature=n, margin=0.5, on=[2.0], off=[0.0], tokens=["a"]) for n in range(20)
    ]
    scores = RESULT.classifiers * 2
    client.answer(
        client.jobs[0], msgspec.structs.replace(RESULT, found=found, total=20, classifiers=scores)
    )
    qtbot.wait(50)
    for links in (panel.links, panel.weights):
        assert [link.height() for link in links.links()] == [
            link.sizeHint().height() for link in links.links()
        ]
    for text in (panel.scores, panel.state):
        assert text.height() >= text.heightForWidth(text.width())


def test_example__fills_both_boxes_and_asks(qtbot: QtBot, panel: TextSetsPanel, client) -> None:
    assert panel.example.isVisible()
    panel.example.click()
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    config = client.jobs[-1].config
    assert len(config.on) == len(config.off) == 4
    assert config.on[0].startswith("Le chat")
    assert panel.on.hasFocus()
    assert not panel.example.isVisible()
    panel.on.clear()
    assert not panel.example.isVisible()
    panel.off.clear()
    assert panel.example.isVisible()


def test_found_features__the_best_are_compared(
    qtbot: QtBot, panel: TextSetsPanel, session: Session, client
) -> None:
    panel.example.click()
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    found = [
        FoundFeature(feature=feature, margin=0.5 - feature / 100, on=[1.0], off=[0.0], tokens=["a"])
        for feature in (3, 9, 20, 33, 40)
    ]
    client.answer(client.jobs[-1], FindFeaturesResult(found=found, total=5))
    panel.compare.click()
    assert Compared.of(session).features == (3, 9, 20, 33)


def test_margin__has_a_heading_that_explains_it(qtbot: QtBot, panel: TextSetsPanel, client) -> None:
    assert not panel.margin_heading.isVisible()
    panel.find_button.click()
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    client.answer(client.jobs[0], RESULT)
    assert panel.margin_heading.isVisible()
    assert "weakest text of A" in panel.margin_heading.accessibleDescription()
    assert panel.margin_heading.toolTip()


@pytest.mark.parametrize(
    ("on", "off", "said"),
    [
        ([2.0], [0.0], "One text on each side proves little"),
        ([2.0, 1.0], [0.0], "One text in B proves little"),
        ([2.0], [0.0, 0.0], "One text in A proves little"),
        ([2.0, 1.0], [0.0, 0.0], ""),
    ],
)
def test_single_text__is_said_to_prove_little(
    qtbot: QtBot, panel: TextSetsPanel, client, on: list[float], off: list[float], said: str
) -> None:
    found = [FoundFeature(feature=7, margin=0.8, on=on, off=off, tokens=["a"] * len(on))]
    panel.find_button.click()
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    client.answer(client.jobs[0], msgspec.structs.replace(RESULT, found=found, total=1))
    assert panel.caution.isVisible() is bool(said)
    assert panel.caution.text().startswith(said)
    assert ("twenty or more" in panel.caution.text()) is bool(said)


def test_pictures__are_asked_of_on_either_side(
    qtbot: QtBot, panel: TextSetsPanel, client, tmp_path: Path
) -> None:
    panel.on_pictures.add([str(tmp_path / "horse.png")])
    panel.off.setPlainText("a cow")
    assert panel.example.isHidden()
    panel.ask()
    qtbot.waitUntil(lambda: len(client.jobs) == 1)
    config = client.jobs[-1].config
    assert isinstance(config, FindFeaturesConfig)
    assert (config.on, config.on_pictures) == ([], [str(tmp_path / "horse.png")])
    assert (config.off, config.off_pictures) == (["a cow"], [])

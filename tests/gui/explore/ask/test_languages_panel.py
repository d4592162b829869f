"""An aligned document side by side in several languages."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from sae_desktop.features.config import ProbeConfig, ProbeResult
from sae_desktop.features.reading.firings import FiringBlock
from sae_desktop.gui.explore.ask import languages
from sae_desktop.gui.explore.ask.aligned_documents import (
    LONGEST,
    _title,
    activations_on,
    known_activations,
    ranked_groups,
    read_document,
    strongest_by_language,
)
from sae_desktop.gui.explore.ask.languages import LanguagesPanel
from sae_desktop.gui.state.session import Session

CHINESE, ARABIC = 1, 3


@pytest.fixture
def acts(session: Session, index_file) -> np.ndarray:
    return np.load(index_file.with_name("activations.npy"))


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> LanguagesPanel:
    panel = LanguagesPanel(session)
    qtbot.addWidget(panel)
    panel.resize(900, 260)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


class Stored:
    """Firings on disk, from dense activations."""

    def __init__(self, acts: np.ndarray) -> None:
        self.acts = acts

    def block(self, first: int, last: int) -> tuple[FiringBlock, None]:
        rows = np.flatnonzero(self.acts[first])
        offsets = np.array([0, len(rows)])
        return FiringBlock(first, offsets, rows, self.acts[first, rows]), None


# ---------------------------------------------------------------- without Qt
def test_documents__are_those_of_the_group_with_their_activations(
    session: Session, acts: np.ndarray
) -> None:
    index = session.index
    for feature in (CHINESE, ARABIC, 20):
        groups = ranked_groups(index, feature)
        assert {g.name for g in groups} == set(index.aligned_groups)
        order = [(g.fires_in, g.strongest) for g in groups]
        assert order == sorted(order, reverse=True)
        members = strongest_by_language(index, feature, groups[0].name)
        assert sorted(m.language for m in members) == ["ar", "fr", "he", "zh"]
        rows = np.flatnonzero(acts[feature])
        for member in members:
            document = read_document(index, member)
            found = activations_on(document, rows, acts[feature, rows])
            np.testing.assert_array_equal(found, acts[feature, document.rows])
            assert found.max() == pytest.approx(member.activation)
            known = known_activations(document)
            assert known.max() == pytest.approx(member.activation)
            assert (known > 0).sum() == (member.activation > 0)
            assert document.left_out == 0
            assert len(document.tokens) == len(document.ids) == len(document.rows)
    assert max(len(d.ids) for d in [document]) < LONGEST


def test_documents__are_titled_in_a_language_the_person_reads() -> None:
    members = [
        SimpleNamespace(language="zh", title="世界人权宣言"),
        SimpleNamespace(language="fr", title="Déclaration"),
        SimpleNamespace(language="en", title="Declaration"),
    ]
    assert _title(members, ["fr", "en"]) == "Déclaration"
    assert _title(members, ["cs", "en"]) == "Declaration"
    assert _title(members[:2], ["cs", "en"]) == "世界人权宣言 (Chinese)"
    assert _title([SimpleNamespace(language="zh", title="")], ["en"]) == ""


# ---------------------------------------------------------------- the panel
def test_columns__are_filled_from_the_disk(
    panel: LanguagesPanel, session: Session, acts: np.ndarray, client, monkeypatch
) -> None:
    monkeypatch.setattr(type(session.index), "firings", lambda self: Stored(acts))
    session.select_feature(CHINESE)
    shown = [c for c in panel._columns if not c.isHidden()]
    assert shown[0].heading.text() == "Chinese"
    assert len(shown) == 4
    length = int((acts[CHINESE] > 0).sum() / 12)
    assert f"{length} tokens" in shown[0].figure.text()
    assert shown[1].figure.text() == "does not fire"
    assert client.jobs == []
    assert "Language independence" in panel.state.text()
    assert panel.documents.currentText().endswith("fires in 1 of 4 languages")


def test_columns__are_filled_by_the_model_where_nothing_was_kept(
    qtbot: QtBot, panel: LanguagesPanel, session: Session, client
) -> None:
    session.select_feature(CHINESE)
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    config = client.jobs[0].config
    assert isinstance(config, ProbeConfig)
    members = panel.shown()
    assert config.ids == read_document(session.index, members[0]).ids
    assert config.features == [CHINESE]
    assert panel.state.text() == "The model is reading the documents…"
    assert "max" in panel._columns[0].figure.text()  # what the index knows, at once
    count = len(config.ids)
    client.answer(
        client.jobs[0],
        ProbeResult(
            tokens=["x"] * count, offsets=[0, 2, *[2] * (count - 1)],
            features=[CHINESE, 40], activations=[99.0, 1.0],
        ),
    )  # fmt: skip
    assert panel._columns[0].figure.text() == "max 99.00 · 1 token"
    qtbot.waitUntil(lambda: len(client.jobs) == 2, timeout=5000)
    assert client.jobs[1].config.ids == read_document(session.index, members[1]).ids
    client.fail(client.jobs[1], "The model is gone.")
    assert panel.state.text() == "The model is gone."


def test_stopped_engine__shows_what_the_index_knows_and_offers_to_start(
    qtbot: QtBot, panel: LanguagesPanel, session: Session, client
) -> None:
    client.enter("stopped")
    session.select_feature(CHINESE)
    assert "Only the strongest token of each is known" in panel.state.text()
    assert not panel.start.isHidden()
    assert client.jobs == []
    panel.start.click()
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    assert panel.start.isHidden()


def test_languages__can_be_chosen(
    panel: LanguagesPanel, session: Session, acts, monkeypatch
) -> None:
    monkeypatch.setattr(type(session.index), "firings", lambda self: Stored(acts))
    monkeypatch.setattr(languages, "_COLUMNS", 2)
    session.select_feature(ARABIC)
    assert len(panel.shown()) == 2
    assert panel.shown()[0].language == "ar"
    actions = {a.text().split()[0]: a for a in panel.languages.menu().actions() if a.isCheckable()}
    assert sorted(actions) == ["Arabic", "Chinese", "French", "Hebrew"]
    actions["Chinese"].trigger()
    actions["Arabic"].trigger()
    assert "zh" in [m.language for m in panel.shown()]
    assert "ar" not in [m.language for m in panel.shown()]
    panel.languages.menu().actions()[0].trigger()
    assert panel.shown()[0].language == "ar"


def test_text_without_translations__is_said(
    panel: LanguagesPanel, session: Session, monkeypatch
) -> None:
    monkeypatch.setattr("sae_desktop.gui.explore.ask.languages.ranked_groups", lambda *_: [])
    session.select_feature(2)
    assert "no documents in several languages" in panel.state.text()
    assert panel.area.isHidden()


def test_hidden_panel__asks_nothing(panel: LanguagesPanel, session: Session, client) -> None:
    panel.hide()
    session.select_feature(CHINESE)
    assert client.jobs == []
    assert panel.documents.count() == 0

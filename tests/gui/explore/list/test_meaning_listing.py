"""The list is searched by meaning: what is lacking is offered, what is found is ranked and told."""

from __future__ import annotations

from pathlib import Path

import pytest
from index_session import FakeClient
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from sae_desktop.features.reading.beside import meaning_path
from sae_desktop.gui.explore.explore import ExplorePanel
from sae_desktop.gui.explore.list.feature_list import FeatureListPanel
from sae_desktop.gui.explore.list.feature_table import LABEL
from sae_desktop.gui.parts.quiet_words import SCORE_ROLE, WORDS_ROLE
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.meaning_search import MeaningSearch
from sae_desktop.gui.state.session import Session
from sae_desktop.labels.search.config import (
    EmbedLabelsConfig,
    EmbedLabelsResult,
    FoundMeaning,
    SearchMeaningConfig,
    SearchMeaningResult,
)
from sae_desktop.language_model.config import GetModelConfig, GetModelResult
from sae_desktop.language_model.files.model_cache import models_cache
from sae_desktop.language_model.names import MINILM, ORIGIN

FOUND = SearchMeaningResult(
    found=[
        FoundMeaning(feature=30, found_by="contexts", cosine=0.52, slot=1),
        FoundMeaning(feature=4, found_by="label", cosine=0.4, text="kings"),
        FoundMeaning(feature=17, found_by="words", text="king"),
    ]
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return models_cache()


@pytest.fixture
def list_(panel: ExplorePanel, cache: Path) -> FeatureListPanel:
    return panel.list


def _put_encoder(cache: Path) -> None:
    (cache / MINILM).mkdir(parents=True)
    (cache / MINILM / ORIGIN).write_text("{}")


def _put_vectors(session: Session) -> None:
    assert session.index is not None
    meaning_path(session.index.path).write_bytes(b"vectors")


def _asked(client: FakeClient) -> list[SearchMeaningConfig]:
    return [job.config for job in client.jobs if isinstance(job.config, SearchMeaningConfig)]


def test_scope__offers_the_encoder_then_the_reading_and_each_is_started_once(
    list_: FeatureListPanel, session: Session, client: FakeClient, cache: Path
) -> None:
    assert not list_.meaning.isVisible()
    list_.bar.choose_scope("meaning")
    assert list_.meaning.isVisible()
    assert "not on this machine" in list_.meaning.state.text()
    assert list_.meaning.button.text() == "Get the sentence encoder (83.5 MB)"
    assert not client.jobs  # nothing is downloaded before a person asks
    list_.meaning.button.click()
    (getting,) = client.jobs
    assert getting.config == GetModelConfig(name=MINILM)
    assert list_.meaning.button.text() == "Cancel"
    _put_encoder(cache)
    got = GetModelResult(name=MINILM, path="p", source="s", bytes=1, sha256="")
    client.answer(getting, got)
    reading = client.jobs[-1]  # without being asked again
    assert isinstance(reading.config, EmbedLabelsConfig)
    assert list_.meaning.state.text().startswith("Reading labels and contexts")
    list_.meaning.button.click()
    assert client.asked_to_cancel(reading)
    client.end_cancelled(reading)
    assert list_.meaning.button.text() == "Read labels and contexts"


def test_question__waits_for_what_is_lacking_and_is_then_asked(
    qtbot: QtBot, list_: FeatureListPanel, session: Session, client: FakeClient, cache: Path
) -> None:
    _put_encoder(cache)
    list_.bar.choose_scope("meaning")
    QTest.keyClicks(list_.search, "kings and rulers")
    list_.apply_filter()
    assert _asked(client) == []
    assert list_.model.rowCount() == 0
    assert list_.count.text() == "Nothing has been searched yet."
    session.select_feature(5)
    QTest.keyClick(list_.search, Qt.Key.Key_Return)
    assert session.feature == 5
    assert list_.meaning.button.isVisible()
    list_.meaning.button.click()
    _put_vectors(session)
    done = EmbedLabelsResult(index="main", labels=1, contexts=2, read=3, seconds=1.0)
    client.answer(client.jobs[-1], done)
    qtbot.waitUntil(lambda: len(_asked(client)) == 1, timeout=5000)
    assert (_asked(client)[0].text, _asked(client)[0].by) == ("kings and rulers", "meaning")
    client.answer(client.jobs[-1], FOUND)
    assert list_.model.listed.tolist() == [30, 4, 17]


def test_button_of_the_message__searches_what_was_typed(
    qtbot: QtBot, list_: FeatureListPanel, session: Session, client: FakeClient, cache: Path
) -> None:
    list_.bar.choose_scope("meaning")
    QTest.keyClicks(list_.search, "French")
    list_.apply_filter()
    session.select_feature(5)
    _put_encoder(cache)
    _put_vectors(session)
    MeaningSearch.of(session).requested.emit("")
    assert list_.search.text() == "French"
    assert session.feature == 5
    qtbot.waitUntil(lambda: [one.text for one in _asked(client)][-1:] == ["French"], timeout=5000)
    MeaningSearch.of(session).requested.emit("dates")
    assert list_.search.text() == "dates"


def test_return__opens_nothing_before_there_is_an_answer(
    qtbot: QtBot, list_: FeatureListPanel, session: Session, client: FakeClient, cache: Path
) -> None:
    _put_encoder(cache)
    _put_vectors(session)
    list_.bar.choose_scope("meaning")
    session.select_feature(5)
    QTest.keyClicks(list_.search, "king")
    QTest.keyClick(list_.search, Qt.Key.Key_Return)
    assert session.feature == 5
    qtbot.waitUntil(lambda: len(_asked(client)) == 2, timeout=5000)
    client.fail(client.jobs[-1], "No vectors.")
    assert list_.model.rowCount() == 0
    assert list_.meaning.state.text() == "No vectors."


def test_found_features__are_listed_in_their_order_under_their_names_with_their_nearness(
    qtbot: QtBot, list_: FeatureListPanel, session: Session, client: FakeClient, cache: Path
) -> None:
    _put_encoder(cache)
    _put_vectors(session)
    list_.bar.choose_scope("meaning")
    warmed = _asked(client)
    assert [config.text for config in warmed] == [""]
    list_.bar.alive.click()
    QTest.keyClicks(list_.search, "kings")
    qtbot.waitUntil(lambda: len(_asked(client)) == 2, timeout=5000)
    question = _asked(client)[-1]
    assert question.conditions.alive_only
    assert question.conditions.text == ""
    client.answer(client.jobs[-1], FOUND)
    assert list_.model.listed.tolist() == [30, 4, 17]
    notes = FeatureNotes.of(session)
    found = list_.model.index(0, LABEL)
    assert found.data(WORDS_ROLE) == notes.words(30)
    shown = [list_.model.index(row, LABEL).data(SCORE_ROLE) for row in range(3)]
    assert shown == ["near 0.52", "near 0.40", "by words"]
    tip = found.data(Qt.ItemDataRole.ToolTipRole)
    assert tip.startswith("Found by its contexts, cosine 0.52: ")
    assert "[" in tip.splitlines()[0]
    assert list_.count.text() == "The 3 nearest of 64 features"
    assert list_.model.index(1, LABEL).data(WORDS_ROLE) == notes.words(4)
    list_.bar.choose_scope("text")
    list_.apply_filter()
    assert list_.model.hits == {}
    list_.bar.clear_all()
    assert list_.model.index(0, LABEL).data(SCORE_ROLE) == ""
    assert "nearest" not in list_.count.text()


def test_answer__stays_while_more_is_typed_and_an_older_one_is_dropped(
    qtbot: QtBot, list_: FeatureListPanel, session: Session, client: FakeClient, cache: Path
) -> None:
    _put_encoder(cache)
    _put_vectors(session)
    list_.bar.choose_scope("meaning")
    QTest.keyClicks(list_.search, "king")
    qtbot.waitUntil(lambda: len(_asked(client)) == 2, timeout=5000)
    client.answer(client.jobs[-1], FOUND)
    QTest.keyClicks(list_.search, "dom")
    list_.apply_filter()
    assert list_.model.listed.tolist() == [30, 4, 17]
    qtbot.waitUntil(lambda: len(_asked(client)) == 3, timeout=5000)
    client.fail(client.jobs[-1], "No vectors.")
    assert list_.meaning.state.text() == "No vectors."
    QTest.keyClick(list_.search, Qt.Key.Key_Return)
    assert list_.search.text() == "kingdom"  # a question is no condition that stays
    list_.bar.clear_all()
    assert list_.model.rowCount() == list_.model.total


def test_many_newer_labels__are_told_with_the_button_that_reads_them(
    qtbot: QtBot, list_: FeatureListPanel, session: Session, client: FakeClient, cache: Path
) -> None:
    _put_encoder(cache)
    _put_vectors(session)
    list_.bar.choose_scope("meaning")
    QTest.keyClicks(list_.search, "king")
    qtbot.waitUntil(lambda: len(_asked(client)) == 2, timeout=5000)
    client.answer(client.jobs[-1], SearchMeaningResult(found=FOUND.found, newer=1200))
    assert "1,200 labels have changed" in list_.meaning.state.text()
    list_.meaning.button.click()
    assert isinstance(client.jobs[-1].config, EmbedLabelsConfig)
    done = EmbedLabelsResult(index="main", labels=1, contexts=2, read=3, seconds=1.0)
    client.answer(client.jobs[-1], done)
    qtbot.waitUntil(lambda: len(_asked(client)) == 3, timeout=5000)

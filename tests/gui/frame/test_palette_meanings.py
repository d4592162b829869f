"""The one search asks the engine by meaning, too, and leads to the context that was found."""

from __future__ import annotations

from pathlib import Path

import pytest
from index_session import (  # noqa: F401
    FakeClient,
    _light_theme,
    client,
    empty_session,
    index_file,
    session,
)
from pytestqt.qtbot import QtBot

from sae_desktop.features.reading.beside import meaning_path
from sae_desktop.gui.frame.palette_meanings import IndexMeanings
from sae_desktop.gui.frame.palette_rows import Row
from sae_desktop.gui.frame.palette_texts import IndexTexts
from sae_desktop.gui.state.session import Session
from sae_desktop.labels.search.config import (
    FoundMeaning,
    SearchMeaningConfig,
    SearchMeaningResult,
)
from sae_desktop.language_model.files.model_cache import models_cache
from sae_desktop.language_model.names import MINILM, ORIGIN


class _Shown:
    def __init__(self) -> None:
        self.contexts: list[tuple[int, int]] = []

    def show_context(self, feature: int, slot: int) -> None:
        self.contexts.append((feature, slot))

    def show_listed(self, conditions: object) -> None:
        raise AssertionError(conditions)


def test_meanings__are_asked_where_nothing_lacks_and_lead_to_their_context(
    qtbot: QtBot,
    session: Session,  # noqa: F811
    client: FakeClient,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shown = _Shown()
    meanings = IndexMeanings(session, IndexTexts(session, lambda: shown))
    meanings.ask("kings")
    assert meanings.rows("kings") == []
    (models_cache() / MINILM).mkdir(parents=True)
    (models_cache() / MINILM / ORIGIN).write_text("{}")
    assert session.index is not None
    meaning_path(session.index.path).write_bytes(b"vectors")
    meanings.ask("kings")
    qtbot.waitUntil(lambda: bool(client.jobs), timeout=5000)
    (job,) = client.jobs
    assert isinstance(job.config, SearchMeaningConfig)
    assert (job.config.text, job.config.by) == ("kings", "meaning")
    found: list[tuple[str, list[Row]]] = []
    meanings.found.connect(lambda query, rows: found.append((query, rows)))
    hits = [
        FoundMeaning(feature=3, found_by="contexts", cosine=0.5, slot=1),
        FoundMeaning(feature=4, found_by="label", cosine=0.4, text="kings"),
    ]
    client.answer(job, SearchMeaningResult(found=hits))
    ((query, rows),) = found
    assert (query, [entry.kind for entry, _ in rows]) == ("kings", ["Context", "Feature"])
    entry, provider = rows[0]
    first, last = entry.token
    assert entry.snippet[first - 1] == "["
    assert entry.snippet[last] == "]"
    provider.run(entry)
    assert shown.contexts == [(3, 1)]
    requested: list[str] = []
    meanings._search.requested.connect(requested.append)
    ((_, way),) = meanings.rows("kings ")
    way.run(rows[0][0])
    assert requested == ["kings"]

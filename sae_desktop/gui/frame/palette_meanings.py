"""What the search finds by meaning in the open index: the engine is asked, after the texts."""

from __future__ import annotations

from dataclasses import replace

import msgspec
from PySide6.QtCore import QObject, Signal

from sae_desktop.gui.frame.palette_rows import Provider, Row
from sae_desktop.gui.frame.palette_texts import IndexTexts
from sae_desktop.gui.parts.search import Entry
from sae_desktop.gui.state.latest_job import LatestJob
from sae_desktop.gui.state.meaning_search import MeaningSearch, asked
from sae_desktop.gui.state.session import Session
from sae_desktop.labels.search.config import FoundMeaning, SearchMeaningResult
from sae_desktop.words.found_words import found_in
from sae_desktop.words.meaning_text import TITLE

_PAUSE_MS = 150
_MOST = 6
_ROOM = 80
"""Characters of a context that was found."""


class IndexMeanings(QObject):
    """Searches the open index by meaning (`command_palette.SlowSearch`)."""

    found = Signal(str, object)

    def __init__(self, session: Session, texts: IndexTexts) -> None:
        super().__init__(session)
        self._session, self._texts = session, texts
        self._search = MeaningSearch.of(session)
        self._query = ""
        self._latest = LatestJob(session, _PAUSE_MS, self)
        self._latest.answered.connect(self._on_answered)

    def ask(self, query: str) -> None:
        """Ask for the features about `query`, where nothing is lacking for that."""
        self._query = query
        if self._search.lack or self._session.engine_stopped:
            return
        config = asked(self._session, query.strip())
        self._latest.ask(msgspec.structs.replace(config, limit=_MOST))

    def rows(self, query: str) -> list[Row]:
        """Return the way to the list of all that is found by meaning."""
        if self._search.lack:
            return []
        listed = Provider(lambda _query: [], lambda _entry: self._list(query), heading=TITLE)
        return [(Entry("List", f"List by meaning: “{query.strip()}”", TITLE), listed)]

    def _on_answered(self, result: SearchMeaningResult) -> None:
        provider = Provider(lambda _query: [], self._texts.open, heading=TITLE)
        rows = [(self._entry(hit), provider) for hit in result.found]
        self.found.emit(self._query, rows)

    def _entry(self, hit: FoundMeaning) -> Entry:
        assert self._session.index is not None
        detail = "" if hit.cosine is None else f"cosine {hit.cosine:.2f}"
        words = found_in(self._session.index, hit)
        if words is None:
            return self._texts.entry(hit.feature, detail=detail)
        snippet = words.context(_ROOM)
        first = max(snippet.find(f"[{words.peak}]") + 1, 0)
        entry = self._texts.entry(
            hit.feature, detail=detail, snippet=snippet, token=(first, first + len(words.peak))
        )
        return replace(entry, kind="Context", key=f"{hit.feature}:{hit.slot}")

    def _list(self, query: str) -> None:
        self._session.show_workspace("explore.feature")
        self._search.requested.emit(query.strip())

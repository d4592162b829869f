"""What the search finds in the open index: contexts, tokens it fires on, tokens it raises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sae_desktop.gui.frame.palette_names import automatic_names
from sae_desktop.gui.frame.palette_rows import Provider, Row
from sae_desktop.gui.parts.search import Entry, feature_number
from sae_desktop.gui.state.feature_link import parse_feature_link
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.words.amounts import exact_count, percent_text

if TYPE_CHECKING:  # h5py: not before the first show
    from sae_desktop.features.reading.filter import FeatureFilter
    from sae_desktop.features.reading.reader import FeatureIndex
    from sae_desktop.features.reading.text_hits import TextHits

_LEAST = 2
"""Letters from which on texts are searched."""


class Shown(Protocol):
    """The workspace in which what was found is shown."""

    def show_context(self, feature: int, slot: int) -> None: ...
    def show_listed(self, conditions: FeatureFilter) -> None: ...


class IndexTexts:
    """Searches the texts of the open index (`command_palette.TextSearch`)."""

    def __init__(self, session: Session, shown: Callable[[], Shown]) -> None:
        """`shown` returns the workspace Explore, which is built only when it is needed."""
        self._session, self._shown = session, shown
        self._notes = FeatureNotes.of(session)
        self._titles: dict[int, str] = {}

    def searched(self) -> str:
        """Return what is searched, to be continued with commands and settings."""
        if self._session.index is None:
            return ""
        return f"labels, tokens and contexts of the index “{self._session.index_name}”, "

    def work(self, query: str) -> Callable[[], object] | None:
        """Return what reads the index beside the window."""
        index, text = self._session.index, query.strip()
        if index is None or len(text) < _LEAST:
            return None
        if feature_number(text) is not None or parse_feature_link(text) is not None:
            return None
        from sae_desktop.features.reading.name_search import name_answer_is_known, names_with_text
        from sae_desktop.features.reading.text_hits import text_hits

        if name_answer_is_known(index, text):  # its names stand among the features already
            return lambda: (index, text_hits(index, text), False)

        def read() -> tuple[FeatureIndex, TextHits, bool]:
            names_with_text(index, text)  # the answer is kept
            return index, text_hits(index, text), True

        return read

    def rows(self, query: str, answer: tuple[FeatureIndex, TextHits, bool]) -> list[Row]:
        """Return the features found, the best of each kind, and the way to all of them."""
        from sae_desktop.features.reading.filter import FeatureFilter

        index, hits, names_too = answer
        if index is not self._session.index:
            return []
        text = query.strip()
        named = automatic_names(self._session, index, text) if names_too else []
        by_name = Provider(lambda _query: [], self.open, heading=f"Automatic names: “{text}”")
        self._titles = self._notes.labels(
            np.array([h.feature for h in hits.contexts] + [*hits.firing, *hits.raising], np.int64)
        )
        contexts = [
            self._entry(
                "Context",
                hit.feature,
                f"{hit.feature}:{hit.slot}",
                detail=f"in {percent_text(hit.share)} of its contexts",
                snippet=hit.snippet.text,
                found=hit.snippet.found,
                token=hit.snippet.token,
            )
            for hit in hits.contexts
        ]
        found = [(entry, by_name) for entry in named]
        found += self._group(
            f"In a context: “{text}”", contexts, hits.contexts_total, FeatureFilter(context=text)
        )
        for told, features, total, conditions in (
            ("Fires on", hits.firing, hits.firing_total, FeatureFilter(token=text)),
            ("Raises", hits.raising, hits.raising_total, FeatureFilter(raises=text)),
        ):
            entries = [self._entry("Feature", f, str(f)) for f in features]
            found += self._group(f"{told} “{text}”", entries, total, conditions)
        return found

    def _entry(self, kind: str, feature: int, key: str, **more: object) -> Entry:
        label, words = self._titles.get(feature, ""), self._notes.words(feature)
        aside = label or ("" if words is None or more.get("snippet") else words.line())
        score = self._notes.score_text(feature) if aside else ""
        aside = f"{aside} · {score}" if score else aside
        return Entry(kind, f"Feature {feature}", key, aside=aside, **more)  # type: ignore[arg-type]

    def entry(self, feature: int, **more: object) -> Entry:
        """Return a feature as an entry, under its label."""
        self._titles = self._notes.labels(np.array([feature], np.int64))
        return self._entry("Feature", feature, str(feature), **more)

    def _group(
        self, heading: str, entries: Sequence[Entry], total: int, conditions: FeatureFilter
    ) -> list[Row]:
        provider = Provider(lambda _query: [], self.open, heading=heading)
        rows = [(entry, provider) for entry in entries]
        if total > len(entries):
            title = f"List all {exact_count(total)} features"
            everything = Provider(
                lambda _query: [], lambda _entry: self._list(conditions), heading=heading
            )
            rows.append((Entry("List", title, heading), everything))
        return rows

    # ------------------------------------------------------------------ going there
    def open(self, entry: Entry) -> None:
        """Open the feature of an entry, at the context that was found."""
        feature, _, slot = entry.key.partition(":")
        self._session.show_workspace("explore.feature")
        if slot:
            self._shown().show_context(int(feature), int(slot))
        else:
            self._session.select_feature(int(feature))

    def _list(self, conditions: FeatureFilter) -> None:
        self._session.show_workspace("explore")
        self._shown().show_listed(conditions)

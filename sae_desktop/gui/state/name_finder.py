"""The feature that a typed name means: by a label, else by an automatic name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.project_labels import label_text

if TYPE_CHECKING:  # it brings h5py, which the window does without until an index is opened
    from sae_desktop.features.reading.reader import FeatureIndex

_OFFERED = 20_000
"""Of more features, automatic names are found but not offered while one types."""


class NameFinder(QObject):
    """Finds it at once; the automatic names of very many features are searched beside the window.

    Whoever asks again before there is an answer gets the last one alone.
    """

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._notes = FeatureNotes.of(session)
        self._work = Background(self)
        self._work.answered.connect(self._on_read)

    def find(self, text: str, then: Callable[[int | None], object]) -> None:
        """Call `then` with the feature whose label or automatic name has the words of `text`.

        None: the open index has none.
        """
        from sae_desktop.features.reading.name_search import name_answer_is_known, names_with_text

        index = self._session.index
        if index is None:
            return
        labelled = self._notes.found_features(text)
        labelled = labelled[labelled < index.features]
        if len(labelled):
            then(int(labelled[0]))
        elif name_answer_is_known(index, text):
            then(self._named(index, text))
        else:
            self._work.run((index, text, then), lambda: names_with_text(index, text))

    def offered(self, most: int) -> list[str]:
        """Return what is offered while a name is typed: labels, at most `most`, then automatic
        names, marked so."""
        index = self._session.index
        labelled = self._notes.labelled_features()
        labels = self._notes.labels(labelled[:most])
        told = [f"#{feature} {text}" for feature, text in sorted(labels.items())]
        if index is None or index.features > _OFFERED:
            return told
        shown = set(labelled.tolist())
        rejected = self._notes.rejected_names()
        for feature, text in enumerate(map(label_text, index.short_names())):
            gone = feature in shown or text.casefold() in rejected.get(feature, ())
            if text and not gone:
                told.append(f"#{feature} {text} · automatic")
        return told

    def _on_read(
        self, answer: tuple[tuple[FeatureIndex, str, Callable[[int | None], object]], object]
    ) -> None:
        index, text, then = answer[0]
        if index is self._session.index:
            then(self._named(index, text))

    def _named(self, index: FeatureIndex, text: str) -> int | None:
        from sae_desktop.features.reading.name_search import best_names

        found = best_names(index, self._notes.found_names(index, text), text, 1)
        return found[0] if found else None

"""What the features of a comparison's dictionary are called, where it has an index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sae_desktop.errors import UserError
from sae_desktop.gui.state.session import Session
from sae_desktop.label_words import isolated
from sae_desktop.words.feature_words import WIDE, FeatureWordsReader

if TYPE_CHECKING:  # it brings h5py, which the window does without until something is opened
    from sae_desktop.features.reading.reader import FeatureIndex


class FeatureNames:
    """Names of one dictionary's features, and the way to their pages."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.dictionary = ""
        self._reader: FeatureWordsReader | None = None

    def be_of(self, dictionary: str) -> None:
        """Name the features of another dictionary."""
        self.dictionary = dictionary
        name, project = self.index_name, self._session.project
        read = self._reader.index.path if self._reader is not None else None
        if name and project is not None and read == project.index_path(name):
            return
        index = self._index(name)
        self._reader = None if index is None else FeatureWordsReader(index)

    @property
    def index_name(self) -> str:
        """The newest index of the dictionary, the open one first; empty: none."""
        open_index = self._session.index
        if open_index is not None and open_index.info.dictionary == self.dictionary:
            return self._session.index_name
        items = [i for i in self._session.inventory.indexes if i.dictionary == self.dictionary]
        return max(items, key=lambda item: item.modified).name if items else ""

    def _index(self, name: str) -> FeatureIndex | None:
        project = self._session.project
        if not name or project is None:
            return None
        if name == self._session.index_name:
            return self._session.index
        from sae_desktop.gui.state.index_file import read_index

        try:
            return read_index(project, name)
        except UserError:  # the project's panel says which index is damaged
            return None

    def said(self, feature: int) -> tuple[str, bool]:
        """Return what stands beside a feature's number, and whether that is no label."""
        notes = self._session.notes
        label = notes.note(self.dictionary, feature).label if notes is not None else ""
        if label:
            return isolated(label), False
        if self._reader is None or feature >= self._reader.index.features:
            return "no index of the dictionary", True
        return self._reader.words(feature).line(WIDE), True

    def open(self, feature: int) -> None:
        """Show a feature in Explore; that there is no index is said."""
        name = self.index_name
        if not name:
            self._session.show_error(
                UserError(
                    f"The dictionary “{self.dictionary}” has no index, so its features have no "
                    "pages.",
                    next_step="Build one from its card in the Project panel.",
                )
            )
            return
        self._session.go_to_feature(name, feature)
        self._session.show_workspace("explore.feature")

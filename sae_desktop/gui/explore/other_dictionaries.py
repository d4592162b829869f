"""The features of the project's other dictionaries, as those of the open one are matched with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from sae_desktop.comparison.shared_outputs import writes_alike
from sae_desktop.errors import UserError
from sae_desktop.gui.state.session import Session
from sae_desktop.language_model.names import same_name
from sae_desktop.words.feature_words import FeatureWords, FeatureWordsReader
from sae_desktop.words.inventory import IndexItem

if TYPE_CHECKING:
    from sae_desktop.comparison.split_node import SplitNode
    from sae_desktop.comparison.splitting import Splitting
    from sae_desktop.features.reading.facts import Context
    from sae_desktop.features.reading.reader import FeatureIndex


class OtherDictionaries(QObject):
    """Matches of the open dictionary, and an index of each dictionary matched with it."""

    changed = Signal()
    """Other matches are here, or indexes of theirs came or went."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._splitting: Splitting | None = None
        self._open: dict[str, FeatureIndex] = {}
        self._words: dict[str, FeatureWordsReader] = {}
        session.contentsChanged.connect(self._forget)
        session.indexOpened.connect(self._forget)
        session.projectChanged.connect(self._forget)

    @classmethod
    def of(cls, session: Session) -> OtherDictionaries:
        """Return the session's one instance."""
        found = session.findChild(cls)
        return found if found is not None else cls(session)

    def _forget(self, _index: object = None) -> None:
        self._splitting = None
        self._open.clear()
        self._words.clear()
        self.changed.emit()

    # ------------------------------------------------------------------ matches
    @property
    def dictionary(self) -> str:
        """The open index's dictionary; empty without an index."""
        index = self._session.index
        return index.info.dictionary if index is not None else ""

    @property
    def splitting(self) -> Splitting | None:
        """The project's matches; None without a project."""
        if self._splitting is None and self._session.project is not None:
            from sae_desktop.comparison.splitting import Splitting  # h5py: not before it is used

            hashes = {item.dictionary: item.dictionary_hash for item in self._by_age()}
            index = self._session.index
            if index is not None:
                hashes[index.info.dictionary] = index.info.dictionary_hash
            known = {name: digest for name, digest in hashes.items() if digest}
            self._splitting = Splitting.of_project(self._session.project, known)
        return self._splitting

    def matched(self) -> list[str]:
        """Return the open dictionary and those matched with it, the smallest first."""
        found = self.splitting
        return found.dictionaries(self.dictionary) if found is not None else []

    def unmatched(self) -> list[str]:
        """Return dictionaries of the open one's model that write a site of its, not matched."""
        summaries = {
            item.name: item.summary
            for item in self._session.inventory.all_dictionaries
            if item.summary is not None
        }
        own = summaries.get(self.dictionary)
        if own is None or not own.site:
            return []
        matched = self.matched()
        return [
            name
            for name, other in summaries.items()
            if name != own.name
            and name not in matched
            and same_name(other.model, own.model)
            and writes_alike(other, own)
        ]

    def nearest(self, feature: int) -> dict[str, list[tuple[int, float]]]:
        """Return for each other dictionary the nearest features with their cosines."""
        found = self.splitting
        return found.nearest(self.dictionary, feature) if found is not None else {}

    def family(self, feature: int, least_cosine: float) -> SplitNode | None:
        """Return the tree the feature is in, from the smallest dictionary it can be followed to.

        None when the open dictionary is not matched.
        """
        found = self.splitting
        if found is None or not found.dictionaries(self.dictionary):
            return None
        root = (self.dictionary, feature)
        for above in reversed(found.ancestors(self.dictionary, feature)):
            if above.cosine < least_cosine:
                break
            root = (above.dictionary, above.feature)
        return found.tree(*root, least_cosine=least_cosine)

    # ------------------------------------------------------------------ their indexes
    def _by_age(self) -> list[IndexItem]:
        return sorted(self._session.inventory.indexes, key=lambda item: item.modified)

    def index_name(self, dictionary: str) -> str:
        """Return the newest index of a dictionary, the open one of its own; empty: none."""
        if dictionary == self.dictionary:
            return self._session.index_name
        names = [item.name for item in self._by_age() if item.dictionary == dictionary]
        return names[-1] if names else ""

    def index(self, dictionary: str) -> FeatureIndex | None:
        """Return an index of a dictionary, opened; None when there is none that can be read."""
        if dictionary == self.dictionary:
            return self._session.index
        if dictionary not in self._open:
            name, project = self.index_name(dictionary), self._session.project
            if not name or project is None:
                return None
            from sae_desktop.features.reading.reader import FeatureIndex

            try:
                self._open[dictionary] = FeatureIndex(project.index_path(name))
            except UserError:
                return None  # the project's panel says which index is damaged
        return self._open[dictionary]

    def title(self, dictionary: str, feature: int) -> str:
        """Return "#12 label", or "#12" without one."""
        notes = self._session.notes
        label = notes.note(dictionary, feature).label if notes is not None else ""
        return f"#{feature} {label}" if label else f"#{feature}"

    def words(self, dictionary: str, feature: int) -> FeatureWords | None:
        """Return what an index says of a feature; None where it has a label or no index."""
        notes = self._session.notes
        if notes is not None and notes.note(dictionary, feature).label:
            return None
        index = self.index(dictionary)
        if index is None:
            return None
        reader = self._words.get(dictionary)
        if reader is None or reader.index is not index:
            reader = self._words[dictionary] = FeatureWordsReader(index)
        return reader.words(feature)

    def strongest_context(self, dictionary: str, feature: int) -> Context | None:
        """Return the context with the largest activation; None when none is known."""
        index = self.index(dictionary)
        if index is None or feature >= index.features:
            return None
        rows = index.array("contexts/row")
        return index.context(feature, 0) if rows is not None and rows[feature, 0] >= 0 else None

    def open(self, dictionary: str, feature: int) -> None:
        """Show a feature of a dictionary, with an index of it; that there is none is said."""
        name = self.index_name(dictionary)
        if not name:
            self._session.show_error(
                UserError(
                    f"The dictionary “{dictionary}” has no index, so its features cannot be shown.",
                    next_step="Build one from its card in the Project panel.",
                )
            )
            return
        self._session.go_to_feature(name, feature)
        self._session.show_workspace("explore.feature")

"""What the clusters and areas of the open index's map are called, found beside the window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from sae_desktop.features.reading.clusters import Region, Regions, regions
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.gui.explore.map.map_names import MapName
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.feature_set import FeatureSet
from sae_desktop.gui.state.session import Session
from sae_desktop.project_notes import Notes
from sae_desktop.words.region_words import region_name


class MapRegions(QObject):
    """Finds them when the map is seen, and again when another index or other labels are there."""

    changed = Signal()

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._found = Regions()
        self._wanted = False
        self._finding, self._listing = Background(self), Background(self)
        self._finding.answered.connect(self._on_found)
        self._listing.answered.connect(self._on_listed)
        FeatureNotes.of(session).reloaded.connect(self.forget)

    def forget(self) -> None:
        """There are others now: those that are known are of no use."""
        self._found, self._wanted = Regions(), True
        self.changed.emit()

    def find(self) -> None:
        """Find them, unless they are known."""
        index = self._session.index
        if self._wanted and index is not None and "map_x" in index.columns:
            self._wanted = False
            self._finding.run(index, _work(index, self._notes_path()))

    def _notes_path(self) -> Path | None:
        notes = self._session.notes
        return None if notes is None else notes.path

    def _on_found(self, answer: tuple[FeatureIndex, Regions]) -> None:
        if answer[0] is self._session.index:
            self._found = answer[1]
            self.changed.emit()

    def names(self) -> list[MapName]:
        """Return the names there are, those of areas first."""
        index = self._session.index
        info = None if index is None else index.info
        found = [
            MapName(region_name(region, info), region.x, region.y, region, wide)
            for some, wide in ((self._found.areas, True), (self._found.clusters, False))
            for region in some
        ]
        return [name for name in found if name.text]

    def cluster(self, number: int) -> Region | None:
        """Return a cluster by its number."""
        return next((r for r in self._found.clusters if r.number == number), None)

    def show_members(self, region: Region) -> None:
        """List the features of a cluster or an area."""
        index, found = self._session.index, self._found
        if index is not None:
            title = f"“{region_name(region, index.info)}” on the map"
            self._listing.run((index, title), lambda: found.members(index, region))

    def _on_listed(self, answer: tuple[tuple[FeatureIndex, str], object]) -> None:
        (index, title), features = answer
        if index is self._session.index:
            self._session.featuresRequested.emit(FeatureSet(title, features))


def _work(index: FeatureIndex, notes_path: Path | None) -> Callable[[], Regions]:
    def work() -> Regions:
        if notes_path is None or not notes_path.exists():
            return regions(index)
        notes = Notes(notes_path)  # a connection of this thread's own
        try:
            return regions(index, notes.label_reader(index.info.dictionary))
        finally:
            notes.close()

    return work

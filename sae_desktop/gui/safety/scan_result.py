"""A scan as one page: what was found in words, sets × ways, and the features of one set."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from sae_desktop.gui.forms.grow_set_form import offer_growth
from sae_desktop.gui.parts.feature_menu import feature_menu, steer_with
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.terms import explain
from sae_desktop.gui.safety.cell_table import CellTable
from sae_desktop.gui.safety.found_feature import FoundFeatureView
from sae_desktop.gui.safety.scan_rows import FEATURE_HEADS, feature_rows, set_heads, set_rows
from sae_desktop.gui.state.monitor_draft import MonitorDraft
from sae_desktop.gui.state.session import Session
from sae_desktop.safety.listed_sets import listed_sets
from sae_desktop.safety.scan.config import FoundFeature, SetScan
from sae_desktop.safety.scan.scan_file import Scan
from sae_desktop.words.scan_words import (
    correction_sentence,
    headline,
    pieces_text,
    set_sentence,
)

_READ = (
    "AUROC: how often a held-out positive scores above a held-out near miss; .5 is chance, the "
    "tick. The line is the 95% interval for other templates, orange where it lies above chance. "
    "Bold is the best of a set."
)

_CHANGED = " The texts of the set have changed since: scan again for their figures."


class ScanResult(QWidget):
    """Shows the scan that is open."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.scan: Scan | None = None
        self._set: SetScan | None = None
        self._moved = False
        """Whether a hand has parted the two tables."""
        self.headline = label("", "heading", wrap=True, selectable=True)
        self.correction = label("", wrap=True, selectable=True)
        self.read = label(_READ, "small", wrap=True)
        explain(self.read, "AUROC", "Near miss", "Template")
        self.sets = CellTable("Concept sets and ways of telling them")
        self.about_set = label("", "muted", wrap=True, selectable=True)
        self.features = CellTable("Features found for the set")
        self.feature = FoundFeatureView()
        self._build()
        self.splitter.splitterMoved.connect(self._on_moved)
        self.sets.rowChosen.connect(self._on_set)
        self.sets.rowOpened.connect(lambda _row: self.features.setFocus())
        self.features.rowChosen.connect(self._on_feature)
        self.features.rowOpened.connect(lambda _row: self.open_feature())
        self.features.menuAsked.connect(self._show_menu)
        self.feature.openAsked.connect(self.open_feature)
        self.feature.steerAsked.connect(self.steer)
        self.feature.monitorAsked.connect(self.ask_monitor)
        self.feature.growAsked.connect(lambda text: offer_growth(session, text, self))
        session.contentsChanged.connect(self._refresh_feature)

    def _build(self) -> None:
        below = QSplitter(Qt.Orientation.Horizontal)
        below.addWidget(self.features)
        below.addWidget(self.feature)
        below.setSizes([690, 500])
        below.setStretchFactor(0, 1)
        below.setStretchFactor(1, 1)
        below.setChildrenCollapsible(False)
        part = QWidget()
        column = QVBoxLayout(part)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(4)
        self.about_set.setContentsMargins(12, 0, 12, 0)
        column.addWidget(self.about_set)
        column.addWidget(below, 1)
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        self.splitter.addWidget(self.sets)
        self.splitter.addWidget(part)
        self.splitter.setStretchFactor(0, 1)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setChildrenCollapsible(False)
        self.sets.setMinimumHeight(96)
        self.features.setMinimumHeight(96)
        self.feature.setMinimumWidth(240)
        self.features.setMinimumWidth(240)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 8, 0, 0)
        whole.setSpacing(4)
        for widget in (self.headline, self.correction, self.read):
            widget.setContentsMargins(12, 0, 12, 0)
            whole.addWidget(widget)
        whole.addWidget(self.splitter, 1)
        self.setFocusProxy(self.sets)

    def show_scan(self, scan: Scan, *, chosen_set: str = "") -> None:
        """Show a scan, and of it the set that is asked for, or the one told best."""
        self.scan = scan
        self.headline.setText(headline(scan.scans))
        self.correction.setText(f"{_unfinished(scan)}{correction_sentence(scan.scans)}")
        warnings = [f"{one.title}: {line}" for one in scan.info.sets for line in one.warnings]
        self.read.setText("\n".join([_READ, *warnings[:2]]))
        places = [n for n, one in enumerate(scan.scans) if one.set == chosen_set]
        place = places[0] if places else _most_found(scan)
        self.sets.show_rows(set_heads(scan), set_rows(scan), place)
        self._on_set(place)
        self._give_room()

    def _give_room(self) -> None:
        """Give the upper table what its rows need, and at most half, unless a hand moved it."""
        if self._moved:
            return
        row = self.sets.verticalHeader().defaultSectionSize()
        needed = (self.sets.cells.rowCount() + 1) * row + 16
        whole = sum(self.splitter.sizes())
        if whole:
            self.splitter.setSizes([min(needed, whole // 2), whole - min(needed, whole // 2)])
            self.sets.scrollTo(self.sets.currentIndex())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        QTimer.singleShot(0, self, self._give_room)  # once the splitter has its new height

    def _on_moved(self, _place: int, _index: int) -> None:
        self._moved = True

    @property
    def set(self) -> SetScan | None:
        """What is shown below: one set on one dictionary."""
        return self._set

    @property
    def found(self) -> FoundFeature | None:
        """The feature that is shown."""
        if self._set is None or not 0 <= self.features.chosen < len(self._set.features):
            return None
        return self._set.features[self.features.chosen]

    def _on_set(self, number: int) -> None:
        if self.scan is None or not 0 <= number < len(self.scan.scans):
            return
        one = self.scan.scans[number]
        if one is self._set:
            return
        self._set = one
        title = next((s.title for s in self.scan.info.sets if s.name == one.set), one.set)
        cut = f" {one.cut} texts were cut to what the model reads at once." if one.cut else ""
        changed = _CHANGED if self._changed_since(one.set) else ""
        self.about_set.setText(f"{title} · {one.index}. {set_sentence(one)}{cut}{changed}")
        self.features.show_rows(FEATURE_HEADS, feature_rows(one.features))
        self._refresh_feature()

    def _changed_since(self, name: str) -> bool:
        """Tell whether the texts of a set are others than those that were scanned."""
        told = next((s for s in self.scan.info.sets if s.name == name), None) if self.scan else None
        now = next((one for one in listed_sets(self._session.project) if one.name == name), None)
        if told is None or now is None or now.found is None:
            return False
        return now.found.digest != told.digest

    def _on_feature(self, _number: int) -> None:
        self._refresh_feature()

    def _refresh_feature(self) -> None:
        self.feature.show_feature(self.found, reachable=self._why_not())

    def _why_not(self) -> str:
        """Return why the features' pages cannot be opened; empty where they can."""
        if self._set is None or self.scan is None:
            return ""
        name = self._set.index
        item = next((i for i in self._session.inventory.indexes if i.name == name), None)
        if item is None:
            return f"The index “{name}” is no longer in the project."
        told = next((i for i in self.scan.info.indexes if i.name == name), None)
        if told is not None and item.dictionary_hash and item.dictionary_hash != told.hash:
            return f"The index “{name}” is of another dictionary by now: scan again."
        return ""

    # ------------------------------------------------------------------ what is done
    def open_feature(self) -> None:
        """Show the page of the feature in Explore."""
        if self._go():
            self._session.show_workspace("explore.feature")

    def steer(self) -> None:
        """Put the feature in the rack of sliders."""
        if self._go() and self.found is not None:
            steer_with(self._session, self.found.feature)

    def ask_monitor(self) -> None:
        """Ask for a monitor of the feature and the set."""
        if self.found is not None and self._set is not None and not self._why_not():
            self._session.monitorRequested.emit(
                MonitorDraft(self._set.index, (self.found.feature,), self._set.set)
            )
            self._session.show_workspace("safety.monitors")

    def _go(self) -> bool:
        if self.found is None or self._set is None or self._why_not():
            return False
        self._session.go_to_feature(self._set.index, self.found.feature)
        return self._session.index_name == self._set.index

    def _show_menu(self, _number: int, at: QPoint) -> None:
        if self._go() and self.found is not None:
            menu = feature_menu(self._session, self.found.feature, self)
            menu.addSeparator()
            menu.addAction("Make a monitor of it…", self.ask_monitor)
            menu.aboutToHide.connect(menu.deleteLater)
            menu.popup(at)


def _most_found(scan: Scan) -> int:
    """Return the set that any of the dictionary's ways tells best: there is most to see."""
    best = [max((m.scores.near.area for m in one.methods if m.side == "dictionary"), default=0.0)
            for one in scan.scans]  # fmt: skip
    return best.index(max(best)) if best else 0


def _unfinished(scan: Scan) -> str:
    if len(scan.scans) >= scan.info.wanted:
        return ""
    asked = pieces_text(len(scan.info.sets), len(scan.info.indexes))
    return f"Stopped after {len(scan.scans)} of {scan.info.wanted} ({asked}). "

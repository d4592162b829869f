"""The map of features beside the page: coloured by any column, searched, lassoed."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt, QTimer
from PySide6.QtGui import QContextMenuEvent, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QStackedWidget,
    QToolButton,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.features.reading.clusters import Region
from sae_desktop.features.reading.columns import column_info
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.gui.explore.map.feature_map_view import FeatureMapView
from sae_desktop.gui.explore.map.map_places import MapPlaces, View
from sae_desktop.gui.explore.map.map_regions import MapRegions
from sae_desktop.gui.parts import icons, theme
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.feature_menu import open_feature
from sae_desktop.gui.parts.kept_fields import give_values
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plain_text import show_tip
from sae_desktop.gui.parts.plot_image import add_image_actions
from sae_desktop.gui.parts.search import feature_number
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.feature_set import FeatureSet
from sae_desktop.gui.state.name_finder import NameFinder
from sae_desktop.gui.state.session import Session
from sae_desktop.language_names import language_name
from sae_desktop.words.column_text import column_text
from sae_desktop.words.feature_words import feature_words
from sae_desktop.words.region_words import region_lines, region_name
from sae_desktop.words.source_titles import source_title
from sae_desktop.words.unfinished_text import MAP_TO_COME

_DENSITY, _LABELLED = "", "labelled"
_FIRST = ("cluster", "language", "source")
"""Columns that come first among the colours."""


class FeatureMapPanel(QWidget):
    """Value that colours the map, a field that flies to a feature, and the map."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("explore.map")
        self._session = session
        self._notes = FeatureNotes.of(session)
        self._finder = NameFinder(session, self)
        self._index: FeatureIndex | None = None
        self._return: View | None = None
        self.map = FeatureMapView()
        self.map.names = self._names
        self.regions = MapRegions(session, self)
        self._told: tuple[object, ...] = ()
        """What the tip beside the pointer tells."""
        self.colour = QComboBox()
        self.colour.setAccessibleName("Value that colours the map")
        self.colour.setToolTip("Value that colours the map")
        self.search = QLineEdit()
        self.search.setPlaceholderText("Go to a number or name")
        self.search.setAccessibleName("Go to a feature")
        self.search.setClearButtonEnabled(True)
        self.lasso = QToolButton()
        self.lasso.setCheckable(True)
        self.lasso.setText("Select an area")
        self.lasso.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.lasso.setToolTip("Draw around features to list them (or Shift-drag)")
        self.lasso.setAccessibleName("Select an area")
        self.lasso.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        icons.set_icon(self.lasso, "polygon")
        self.whole = push_button(
            "", self.map.show_whole, icon="arrows-out", flat=True, tip="Show everything (0)"
        )
        self.whole.setAccessibleName("Show everything")
        self.read_out = ElidedLabel()
        self.read_out.setProperty("role", "small")
        self.legend = label("", "small", wrap=True)
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.empty = label("", "muted", wrap=True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._build()
        self.colour.currentIndexChanged.connect(self._colour)
        self.search.returnPressed.connect(self._on_search_entered)
        self.lasso.toggled.connect(self._on_lasso_toggled)
        self.map.featureClicked.connect(lambda feature: open_feature(session, feature))
        self.map.regionClicked.connect(self.regions.show_members)
        self.map.regionHovered.connect(self._tell_region)
        self.map.lassoDrawn.connect(self._on_lasso_drawn)
        self.map.featureHovered.connect(self._say)
        self.regions.changed.connect(self._on_regions_changed)
        self._notes.reloaded.connect(self._colour)
        self._notes.noteChanged.connect(lambda _feature: self.map.update())
        session.indexOpened.connect(self._on_index_opened)
        session.projectChanged.connect(lambda: self._on_index_opened(session.index))
        session.featureSelected.connect(self._on_feature_selected)
        theme.manager().themeChanged.connect(self._say_legend)
        self._on_index_opened(session.index)
        session.place.add(self, self._kept, self._give, of_index=True)

    def _build(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(label("Colour by", "small"))
        top.addWidget(self.colour)
        top.addWidget(self.search, 1)
        top.addWidget(self.lasso)
        top.addWidget(self.whole)
        content = QWidget()
        inner = QVBoxLayout(content)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(8)
        inner.addLayout(top)
        inner.addWidget(self.map, 1)
        inner.addWidget(self.read_out)
        inner.addWidget(self.legend)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(content)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 8)
        column.addWidget(self._stack)

    # ------------------------------------------------------------------ kept with the project
    def _kept(self) -> dict[str, Any]:
        view = self._return or self.map.view
        whole = self.map.places.whole(view.width / view.height)
        all_of_it = view.width >= whole.width and view.height >= whole.height
        colour = self.colour.currentData()
        return {"colour": colour, "view": [] if all_of_it else list(view.as_tuple())}

    def _give(self, kept: dict[str, Any]) -> None:
        give_values({"colour": self.colour}, kept)
        if kept["view"]:
            self._return = View(*map(float, kept["view"]))
            QTimer.singleShot(0, self, self._come_back)

    def _come_back(self) -> None:
        """Look at the piece of the map that was looked at, once the map has its size."""
        if self._return is not None and self.isVisible():
            self.map.set_view(self._return)
            self._return = None

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        QTimer.singleShot(0, self, self._come_back)
        self.regions.find()

    # ------------------------------------------------------------------ content
    def _on_index_opened(self, index: FeatureIndex | None) -> None:
        self._index, self._return = index, None
        has_map = index is not None and "map_x" in index.columns
        self._stack.setCurrentIndex(int(has_map))
        if index is None or not has_map:
            self.empty.setText(_why_none(index))
            self.map.set_places(MapPlaces(np.empty(0), np.empty(0)))
            return
        before = self.colour.currentData()
        with QSignalBlocker(self.colour):
            self.colour.clear()
            first = [name for name in _FIRST if name in index.columns]
            for name in (*first, *(name for name in index.columns if name not in first)):
                info = column_info(name)
                if info.kind not in ("coordinate", "token"):
                    self.colour.addItem(info.title, name)
            self.colour.insertItem(len(first), "Labelled", _LABELLED)
            self.colour.insertItem(len(first) + 1, "Number of features", _DENSITY)
            self.colour.setCurrentIndex(max(self.colour.findData(before), 0))
        self.map.set_places(MapPlaces(index.columns["map_x"], index.columns["map_y"]))
        self._colour()
        self.regions.forget()
        if self._session.feature is not None:
            self._on_feature_selected(self._session.feature)

    def _colour(self) -> None:
        index, name = self._index, self.colour.currentData()
        if index is None or name is None or "map_x" not in index.columns:
            return
        values: Any = None
        categorical = name == _LABELLED
        if name == _LABELLED:
            values = np.full(index.features, -1, dtype=np.int32)
            labelled = self._notes.labelled_features()
            values[labelled[labelled < index.features]] = 0
        elif name:
            info = column_info(name)
            values, categorical = index.columns[name], info.kind == "category"
            if name in ("language", "source"):
                values = self._ranked(name)[values]
            if info.spans_decades:
                with np.errstate(divide="ignore"):
                    values = np.log10(np.asarray(values, dtype=np.float32))
                values[~np.isfinite(values)] = np.nan
        self.map.colour_by(values, categorical=categorical)
        self._say_legend()

    def _ranked(self, name: str) -> Any:
        """Return the place of every language or source by how many features have it.

        Those for which there is no colour of their own have −1, as the last entry, none, has.
        """
        assert self._index is not None
        names = self._index.info.languages if name == "language" else self._index.info.sources
        values = self._index.columns[name]
        counts = np.bincount(values[values >= 0], minlength=len(names))
        ranks = np.full(len(names) + 1, -1, dtype=np.int32)
        order = np.argsort(-counts, kind="stable")[: len(theme.run_colours())]
        ranks[order] = np.arange(len(order))
        return ranks

    def _names(self, features: Any) -> dict[int, str]:
        index = self._index
        found = self._notes.labels(features)
        if index is not None:
            for feature in features.tolist():
                words = None if feature in found else self._notes.words(feature)
                if words is not None:
                    found[feature] = words.name or words.token_text or words.peak
        return found

    def _on_regions_changed(self) -> None:
        if self.isVisible():
            self.regions.find()
        self.map.region_names = self.regions.names()
        self.map.update()
        self._say_legend()

    def _say(self, feature: int | None) -> None:
        """Tell the feature that is pointed at: in the line below, and more beside it."""
        index, name = self._index, self.colour.currentData()
        if feature is None or index is None:
            self.read_out.setText("")
            self._tell((), "")
            return
        figures = []
        if name == "cluster":
            cluster = self.regions.cluster(int(index.columns["cluster"][feature]))
            called = region_name(cluster, index.info) if cluster is not None else ""
            figures = [f"in a cluster that shares {called}"] if called else []
        elif name and name != _LABELLED:
            value = column_text(index, name, feature)
            called = source_title(value, index.info) if name == "source" else value
            figures = [f"{column_info(name).title} {called}"]
        self.read_out.setText(" · ".join([self._notes.described(feature), *figures]))
        words = self._notes.words(feature)
        tip = self._notes.tip(feature)
        said, rest = f"#{feature}\n{tip}", ""
        if words is None:
            first, _, rest = tip.partition("\n")
            said = f"#{feature} {first}"
        context = "" if words is not None else feature_words(index, feature).context()
        self._tell((feature,), "\n".join(part for part in (said, context, *figures, rest) if part))

    def _tell_region(self, region: Region | None) -> None:
        if region is not None and self._index is not None:
            name, told = (say(region, self._index.info) for say in (region_name, region_lines))
            lines = [f"“{name}”", *told, "Click to list them"]
            self._tell((region.number, region.features), "\n".join(lines))

    def _tell(self, what: tuple[object, ...], text: str) -> None:
        """Show a tip beside what is pointed at, once for each."""
        if what == self._told:
            return
        self._told = what
        place = None if not what else self.map.told_place()
        if place is None:
            QToolTip.hideText()
        else:
            show_tip(self.map.mapToGlobal(place), text, self.map)

    def _say_legend(self) -> None:
        index, name = self._index, self.colour.currentData()
        text = ""
        if index is not None and name in ("language", "source"):
            names = index.info.languages if name == "language" else index.info.sources
            colours = theme.run_colours()
            ranks = self._ranked(name)[:-1]
            if name == "language":
                names = [language_name(code) for code in names]
            else:
                names = [source_title(code, index.info) for code in names]
            shown = sorted((rank, names[i]) for i, rank in enumerate(ranks.tolist()) if rank >= 0)
            text = " ".join(
                f'<span style="color:{colours[rank].name()}">●</span> {escape(title)}'
                for rank, title in shown
            )
            if len(names) > len(shown):
                text += " · others grey"
        elif name == "cluster":
            text = (
                "Neighbouring clusters have different colours; grey features are in none. A name "
                "says what features share there more than elsewhere, and more than chance gives; "
                "where there is none, nothing was found."
            )
        elif name and name != _LABELLED:
            info = column_info(name)
            scale = " (logarithmic)" if info.spans_decades else ""
            text = f"{escape(info.title)} from blue (low) to orange (high){scale}."
        self.legend.setText(text)
        self.legend.setVisible(bool(text))

    # ------------------------------------------------------------------ hands
    def _on_feature_selected(self, feature: int) -> None:
        if self._index is not None:
            self.map.select(feature, self._index.neighbours(feature))

    def _on_search_entered(self) -> None:
        index, text = self._index, self.search.text().strip()
        if index is None or not text:
            return
        number = feature_number(text)
        if number is not None and number < index.features:
            self._go_to(number)
        else:
            self._finder.find(text, self._go_to)

    def _go_to(self, feature: int | None) -> None:
        place = None if feature is None else self.map.places.place_of(feature)
        if feature is None or place is None:
            text = self.search.text().strip()
            self.read_out.setText(f"No feature on the map matches “{text}”.")
            return
        self._session.select_feature(feature)
        self.map.fly_to(*place)

    def _on_lasso_toggled(self, on: bool) -> None:
        self.map.lasso_mode = on

    def _on_lasso_drawn(self, features: Any) -> None:
        self.lasso.setChecked(False)
        self._session.featuresRequested.emit(FeatureSet("Lasso on the map", features))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        add_image_actions(menu, self.map, "feature map")
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(event.globalPos())


def _why_none(index: FeatureIndex | None) -> str:
    """Return why there is no map to be seen."""
    if index is None:
        return "No index is open."
    if index.info.whole_rows:
        return MAP_TO_COME
    return "This index has no map. Build it again to lay out the features."

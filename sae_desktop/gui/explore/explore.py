"""The Explore workspace: the list, and a feature, a text of one's own, text sets or the map."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from sae_desktop.features.reading.beside import read_with_index
from sae_desktop.features.reading.filter import FeatureFilter
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.gui.explore.ask.captions import CaptionChangesPanel
from sae_desktop.gui.explore.ask.completeness import CompletenessPanel
from sae_desktop.gui.explore.ask.kinds import ConceptKindsPanel
from sae_desktop.gui.explore.ask.languages import LanguagesPanel
from sae_desktop.gui.explore.ask.probe import ProbePanel
from sae_desktop.gui.explore.ask.text_sets import TextSetsPanel
from sae_desktop.gui.explore.compare.compare_panel import ComparePanel
from sae_desktop.gui.explore.explore_places import place_infos
from sae_desktop.gui.explore.labels.labels_panel import LabelsPanel
from sae_desktop.gui.explore.layer_chooser import LayerChooser
from sae_desktop.gui.explore.list.feature_list import FeatureListPanel
from sae_desktop.gui.explore.list.feature_lists import FeatureListsPanel
from sae_desktop.gui.explore.map.feature_map import FeatureMapPanel
from sae_desktop.gui.explore.map.splitting import SplittingPanel
from sae_desktop.gui.explore.page.feature_page import FeaturePage
from sae_desktop.gui.explore.unfinished_bar import UnfinishedBar
from sae_desktop.gui.parts.actions import ActionInfo
from sae_desktop.gui.parts.empty_state import EmptyState
from sae_desktop.gui.parts.feature_menu import copy_link, steer_with
from sae_desktop.gui.parts.places import Places
from sae_desktop.gui.parts.workspace import DockInfo, bring_forward
from sae_desktop.gui.state.feature_export import FeatureExport
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.further_training import can_start_from, train_further
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings
from sae_desktop.steering.effect_config import OutputEffectConfig
from sae_desktop.storage.stamp import file_stamp


class ExplorePanel(QWidget):
    """The places in the middle, the list beside them; without an index, the way to one."""

    def __init__(self, session: Session, settings: Settings | None = None) -> None:
        super().__init__()
        self.setObjectName("explore")
        self.setProperty("ground", "window")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._session = session
        self._notes = FeatureNotes.of(session)
        self.page = FeaturePage(session)
        self.probe = ProbePanel(session)
        self.text_sets = TextSetsPanel(session)
        self.map = FeatureMapPanel(session)
        self.compare = ComparePanel(session)
        self.list = FeatureListPanel(session, settings)
        self.lists = FeatureListsPanel(session)
        self.labels = LabelsPanel(session, self.list.listed_or_selected)
        self.languages = LanguagesPanel(session)
        self.splitting = SplittingPanel(session)
        self.completeness = CompletenessPanel(session)
        self.kinds = ConceptKindsPanel(session)
        self.captions = CaptionChangesPanel(session)
        self.empty = EmptyState(
            "No index is open. An index shows, feature by feature, when a dictionary’s "
            "features fire and what they do.",
            "Build an index",
            lambda: session.show_workspace("project"),
            icon="list-bullets",
        )
        self._stack = QStackedWidget()
        self._stack.addWidget(self.empty)
        self.places = Places(
            place_infos(self.page, self.probe, self.text_sets, self.map, self.compare, self.labels),
            "What Explore shows",
        )
        self.layer = LayerChooser(
            session, self._open_layer, self.list.show_only, lambda: self.list.bar.only
        )
        self.list.bar.toggled.connect(self.layer.refresh)
        self.places.add_beside(self.layer)
        self._stack.addWidget(self.places)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self.unfinished = UnfinishedBar(session)
        column.addWidget(self.unfinished)
        column.addWidget(self._stack)
        self.places.placeChanged.connect(self._on_place_changed)
        self.list.leftWithReturn.connect(self._read_feature)
        session.textRequested.connect(lambda _text: self.places.show_place("text"))
        self.probe.tokenHovered.connect(self.page.mark)
        self.page.legend.scaleChanged.connect(self.probe.set_logarithmic)
        self.page.legend.scaleChanged.connect(self.languages.set_logarithmic)
        self.languages.tokenHovered.connect(self.page.mark)
        self.page.deskRequested.connect(self._read_one_by_one)
        self.page.splittingRequested.connect(lambda: bring_forward(self.splitting))
        self.page.languagesRequested.connect(lambda: bring_forward(self.languages))
        session.indexOpened.connect(self._on_index_changed)
        session.projectChanged.connect(self._on_index_changed)
        session.contentsChanged.connect(self._on_contents_changed)
        self._stamp = _stamp(session.index)
        self._on_index_changed()

    def _on_index_changed(self, _index: object = None) -> None:
        has_index = self._session.index is not None
        self._stamp = _stamp(self._session.index)
        self._stack.setCurrentWidget(self.places if has_index else self.empty)
        self.setFocusProxy(self.list.table if has_index else self.empty.button)
        self.list.setEnabled(has_index)
        self.lists.setEnabled(has_index)

    def _on_place_changed(self, place: str) -> None:
        if self._session.workspace.partition(".")[0] == "explore":
            self._session.enter_workspace(f"explore.{place}")

    def _open_layer(self, index: str) -> None:
        """Open another layer of the set, its list filtered and sorted as this one’s is."""
        asked, place = self.list.conditions(), self.places.place
        if self._session.open_index(index):
            self.list.set_conditions(asked)
            self.places.show_place(place)

    def _read_feature(self) -> None:
        self.places.show_place("feature")
        self.page.contexts.setFocus()

    def _write_text(self) -> None:
        self.places.show_place("text")
        self.probe.text.setFocus()

    def _compare_texts(self) -> None:
        self.places.show_place("sets")
        self.text_sets.on.setFocus()

    def _look_at_map(self) -> None:
        self.places.show_place("map")
        self.map.map.setFocus()

    def _read_one_by_one(self) -> None:
        self.places.show_place("labels")
        self.labels.read(self._session.feature)

    def _on_contents_changed(self) -> None:
        """Open the index again when it was built again, at the feature that was open."""
        index, feature = self._session.index, self._session.feature
        stamp = _stamp(index)
        if index is None or stamp is None or stamp == self._stamp:
            return
        if self._session.open_index(self._session.index_name) and feature is not None:
            features = self._session.index.features if self._session.index else 1
            self._session.select_feature(min(feature, features - 1))

    def docks(self) -> list[DockInfo]:
        """Return what stands around the places: the lists, and what is asked for."""
        left, right = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea
        bottom = Qt.DockWidgetArea.BottomDockWidgetArea
        return [
            DockInfo("features", "Features", self.list, left, 388),
            DockInfo("lists", "Lists", self.lists, left, 388, tabbed_with="features"),
            DockInfo("splitting", "Splitting", self.splitting, bottom, 260, hidden=True),
            *(
                DockInfo(name, title, panel, bottom, 260, tabbed_with="splitting", hidden=True)
                for name, title, panel in (
                    ("languages", "Languages", self.languages),
                    ("kinds", "Kinds of instance", self.kinds),
                    ("captions", "Captions", self.captions),
                )
            ),
            DockInfo("completeness", "Completeness", self.completeness, right, 264, hidden=True),
        ]

    def _has_feature(self) -> bool:
        return self._session.index is not None and self._session.feature is not None

    def _with_feature(self, do: Callable[[int], object]) -> None:
        if self._session.feature is not None:
            do(self._session.feature)

    def action_infos(self) -> list[ActionInfo]:
        """Return what can be done here, for menus, shortcuts and the palette."""
        session, notes = self._session, self._notes

        def has_index() -> bool:
            return session.index is not None

        return [
            ActionInfo(
                "explore.search",
                "Search the features",
                self._focus_search,
                icon="magnifying-glass",
                shortcut="Ctrl+F",
                enabled_when=has_index,
            ),
            ActionInfo(
                "explore.meaning",
                "Search by meaning",
                lambda: self.list.search_by_meaning(""),
                icon="magnifying-glass",
                enabled_when=has_index,
            ),
            *self.labels.action_infos(lambda: self.places.show_place("labels"), has_index),
            ActionInfo(
                "explore.export",
                "Export the listed features",
                self.list.export_listed,
                icon="export",
                shortcut="Ctrl+E",
                enabled_when=has_index,
            ),
            ActionInfo(
                "explore.probe",
                "Try a text of your own",
                self._write_text,
                icon="text-aa",
                shortcut="Ctrl+T",
                enabled_when=has_index,
            ),
            ActionInfo(
                "explore.page",
                "Read the feature",
                self._read_feature,
                icon="article",
                shortcut="Ctrl+Shift+F",
                enabled_when=self._has_feature,
            ),
            ActionInfo(
                "explore.read",
                "Read and label features one by one",
                self._read_one_by_one,
                icon="book-open",
                shortcut="Ctrl+R",
                enabled_when=has_index,
                tip="Opens the reading desk at the selected feature; keys do everything there",
            ),
            ActionInfo(
                "explore.layer_before",
                "Open the previous layer of the set",
                lambda: self.layer.go(-1),
                icon="caret-left",
                shortcut="Alt+PgUp",
                enabled_when=lambda: self.layer.next(-1) is not None,
            ),
            ActionInfo(
                "explore.layer_after",
                "Open the next layer of the set",
                lambda: self.layer.go(1),
                icon="caret-right",
                shortcut="Alt+PgDown",
                enabled_when=lambda: self.layer.next(1) is not None,
            ),
            ActionInfo(
                "explore.sets",
                "Compare two sets of texts",
                self._compare_texts,
                icon="arrows-left-right",
                enabled_when=has_index,
            ),
            ActionInfo(
                "explore.map",
                "Show the map of the features",
                self._look_at_map,
                icon="map-trifold",
                shortcut="Ctrl+M",
                enabled_when=has_index,
            ),
            ActionInfo(
                "explore.compare",
                "Compare features",
                self.list.compare_selected,
                icon="columns",
                shortcut="Ctrl+Shift+M",
                enabled_when=self._has_feature,
                tip="Puts the selected features side by side; a single one is pinned, and every "
                "feature you open then stands beside it",
            ),
            ActionInfo(
                "explore.splitting",
                "Show how the feature splits in larger dictionaries",
                lambda: bring_forward(self.splitting),
                icon="tree-structure",
                enabled_when=self._has_feature,
            ),
            ActionInfo(
                "explore.languages",
                "Compare the feature across languages",
                lambda: bring_forward(self.languages),
                icon="translate",
                enabled_when=self._has_feature,
            ),
            ActionInfo(
                "explore.completeness",
                "Search the dictionaries for concepts",
                lambda: bring_forward(self.completeness),
                icon="chart-line-up",
                enabled_when=has_index,
            ),
            ActionInfo(
                "explore.output_effect",
                "Measure the features’ effect on the output",
                self.measure_effects,
                icon="lightning",
                enabled_when=has_index,
                tip="Clamps every feature on a few prompts and adds a column to sort the list by",
            ),
            ActionInfo(
                "explore.further",
                "Train the dictionary further",
                self._train_further,
                icon="trend-up",
                enabled_when=self._can_train_further,
                tip="Begins a training with what this dictionary has learnt, on other rows, "
                "another site or another model",
            ),
            ActionInfo(
                "explore.star",
                "Star or unstar the feature",
                lambda: self._with_feature(lambda f: notes.set_starred(f, not notes.starred(f))),
                icon="star",
                shortcut="Ctrl+D",
                enabled_when=self._has_feature,
            ),
            ActionInfo(
                "explore.label",
                "Edit the feature’s label",
                self._edit_label,
                icon="tag",
                shortcut="Ctrl+L",
                enabled_when=self._has_feature,
            ),
            *self.page.title.source.action_infos(self._has_feature),
            ActionInfo(
                "explore.steer",
                "Steer with the feature",
                lambda: self._with_feature(lambda f: steer_with(session, f)),
                icon="sliders-horizontal",
                shortcut="Ctrl+Shift+S",
                enabled_when=self._has_feature,
            ),
            ActionInfo(
                "explore.export_feature",
                "Export the feature",
                lambda: self._with_feature(lambda f: FeatureExport.of(session).ask([f], self)),
                icon="export",
                shortcut="Ctrl+Shift+E",
                enabled_when=self._has_feature,
            ),
            ActionInfo(
                "explore.copy_link",
                "Copy the link to the feature",
                lambda: self._with_feature(lambda f: copy_link(session, f)),
                icon="link",
                shortcut="Ctrl+Shift+C",
                enabled_when=self._has_feature,
            ),
        ]

    def measure_effects(self) -> None:
        """Measure what every feature does to the next token; the list then has a column of it."""
        session = self._session
        if session.index is not None:
            session.run(OutputEffectConfig(project=session.project_path, index=session.index_name))

    def _can_train_further(self) -> bool:
        index, session = self._session.index, self._session
        if index is None or session.read_only:
            return False
        return can_start_from(session.inventory.dictionary(index.info.dictionary))

    def _train_further(self) -> None:
        if self._session.index is not None:
            train_further(self._session, self._session.index.info.dictionary)

    def show_context(self, feature: int, slot: int) -> None:
        """Open a feature with one of its contexts in sight and marked."""
        self._session.select_feature(feature)
        if self._session.feature == feature:
            self.page.show_context(slot)
            self.page.contexts.setFocus()

    def show_listed(self, conditions: FeatureFilter) -> None:
        """List the features that meet conditions, and put the keyboard there."""
        bring_forward(self.list)
        self.list.show_conditions(conditions)
        self.list.table.setFocus()

    def _focus_search(self) -> None:
        self.list.search.setFocus()
        self.list.search.selectAll()

    def _edit_label(self) -> None:
        self.page.title.label.setFocus()
        self.page.title.label.selectAll()


def _stamp(index: FeatureIndex | None) -> tuple[int, ...] | None:
    """Return what tells one writing of an index's files from another; None without a file."""
    if index is None:
        return None
    files = (index.path, *read_with_index(index.path))
    return tuple(part for path in files for part in file_stamp(path)) or None

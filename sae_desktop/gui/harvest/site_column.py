"""The second column of the Harvest panel: which sites of the model."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QScrollArea,
    QVBoxLayout,
)

from sae_desktop.gui.harvest.site_picker import SitePicker
from sae_desktop.gui.parts.curve_bar import menu_button
from sae_desktop.gui.parts.labels import label, push_button, set_property
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.language_model.config import ModelDescription
from sae_desktop.words.site_words import (
    same_hook,
    same_layer,
    site_points,
    site_shapes,
    site_text,
    unnamed_sites,
    variant_points,
)

_MOST_ROWS = 3
_ROW_PADDING = 8


class PickedSites(QListWidget):
    """The picked sites in words; Delete removes those that are selected."""

    removalWanted = Signal(object)
    """list[str] of sites."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Chosen sites")
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSelectionMode(QListWidget.SelectionMode.ExtendedSelection)
        self.setUniformItemSizes(True)
        self.setViewportMargins(4, 0, 4, 0)

    def show_sites(self, texts: Sequence[tuple[str, str]]) -> None:
        """Show (site, words)."""
        self.clear()
        row = self.fontMetrics().height() + _ROW_PADDING
        for site, words in texts:
            item = QListWidgetItem(words)
            item.setData(Qt.ItemDataRole.UserRole, site)
            item.setToolTip(plain_tip(f"{words}\n{site}"))
            self.addItem(item)
            item.setSizeHint(QSize(0, row))
        shown = min(max(len(texts), 1), _MOST_ROWS)
        self.setFixedHeight(row * shown + 2 * self.frameWidth() + 4)

    def selected_sites(self) -> list[str]:
        return [str(item.data(Qt.ItemDataRole.UserRole)) for item in self.selectedItems()]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.removalWanted.emit(self.selected_sites())
        else:
            super().keyPressEvent(event)


class SiteColumn(QFrame):
    """The drawing, and beneath it what is picked in words."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._sites: list[str] = []
        self._chosen = False
        """Whether a person picked the sites; if not, another model gets its own middle."""
        self._wanted: list[str] = []
        """Sites of a harvest that was filled in before its model was known."""
        self.setProperty("card", "true")
        self.picker = SitePicker()
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area.setWidget(self.picker)
        self._area.setMinimumHeight(120)
        self._unknown = label("The model’s layers appear once it is known.", "muted", wrap=True)
        self.list = PickedSites()
        self.menu = QMenu(self)
        self.add_button = menu_button("Add", "plus", self.menu)
        self.add_button.setToolTip("More sites, read in the same pass")
        self.remove_button = push_button("Remove", self._remove_selected, icon="x", flat=True)
        self.remove_button.setToolTip("Remove the selected sites (Delete)")
        self._problem = label("", "error", wrap=True)
        self._problem.hide()
        self._lay_out()
        self.picker.pickedChanged.connect(self._on_picked)
        self.picker.currentChanged.connect(self._show_current)
        self.list.removalWanted.connect(self.remove)
        self.list.itemSelectionChanged.connect(self._on_selected)
        self.menu.aboutToShow.connect(self._fill_menu)
        self._show_picked()

    def _lay_out(self) -> None:
        foot = QHBoxLayout()
        foot.setSpacing(4)
        foot.addWidget(self.add_button)
        foot.addWidget(self.remove_button)
        foot.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 8)
        column.setSpacing(8)
        column.addWidget(label("2  Sites", "heading"))
        column.addWidget(self._unknown, 1, Qt.AlignmentFlag.AlignTop)
        column.addWidget(self._area, 1)
        column.addWidget(self.list)
        column.addWidget(self._problem)
        column.addLayout(foot)

    # ------------------------------------------------------------------ content
    @property
    def site(self) -> str:
        """The site picked first; empty while there is none."""
        return self.picker.site

    @property
    def further(self) -> tuple[str, ...]:
        """The others."""
        return tuple(self.picker.picked[1:])

    def show_model(self, model: ModelDescription | None) -> None:
        """Draw a model; what was picked stays picked where the model has it."""
        if model is None:
            if self._chosen:
                self._wanted = self._wanted or list(self.picker.picked)
            self._sites = []
            self.picker.show_sites([], [])
        else:
            self._sites = list(model.sites)
            wanted = self._wanted or (self.picker.picked if self._chosen else [])
            kept = [site for site in wanted if site in self._sites]
            self._chosen = bool(kept)
            default = [model.default_site] if model.default_site in self._sites else []
            self._wanted = []
            self.picker.show_sites(
                model.sites,
                kept or default or self._sites[:1],
                site_shapes(model),
                causal=model.causal,
            )
        self._show_picked()
        # The drawing has its height only once it has been laid out.
        QTimer.singleShot(0, self, self._centre)

    def want(self, sites: Sequence[str]) -> None:
        """Pick these sites: now, or once a model is known that has them."""
        if self._sites and all(site in self._sites for site in sites):
            self.picker.set_picked(sites)
        else:
            self._wanted = list(sites)
        self._chosen = True

    def show_problem(self, text: str) -> None:
        """Say what is wrong with the sites; nothing: they are fine."""
        self._problem.setText(text)
        self._problem.setVisible(bool(text))
        set_property(self.list, "invalid", "true" if text else "false")

    # ------------------------------------------------------------------ picking
    def _on_picked(self) -> None:
        self._chosen = self._chosen or bool(self._sites)
        self._show_picked()
        self.changed.emit()

    def _show_picked(self) -> None:
        known = bool(self._sites)
        self._unknown.setVisible(not known)
        for part in (self._area, self.list, self.add_button, self.remove_button):
            part.setVisible(known)
        texts = [(site, self.picker.site_words(site)) for site in self.picker.picked]
        self.list.show_sites(texts)
        self._on_selected()
        self._show_current()

    def _show_current(self) -> None:
        rect = self.picker.rect_of(self.picker.current)
        if not rect.isNull():
            centre = rect.center()
            self._area.ensureVisible(centre.x(), centre.y(), 0, rect.height() // 2)

    def _centre(self) -> None:
        """Put what the keyboard is at into the middle of what is shown of the drawing."""
        rect = self.picker.rect_of(self.picker.current)
        if not rect.isNull():
            half = self._area.viewport().height() // 2
            self._area.verticalScrollBar().setValue(rect.center().y() - half)

    def _on_selected(self) -> None:
        chosen = self.list.selected_sites()
        self.remove_button.setEnabled(0 < len(chosen) < self.list.count())
        if len(chosen) == 1:
            self.picker.walk_to(chosen[0])

    def _remove_selected(self) -> None:
        self.remove(self.list.selected_sites())

    def remove(self, sites: Sequence[str]) -> None:
        """Remove sites, unless none would be left."""
        kept = [site for site in self.picker.picked if site not in sites]
        if kept:
            self.picker.set_picked(kept)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        QTimer.singleShot(0, self, self._centre)

    # ------------------------------------------------------------------ the menu
    def _fill_menu(self) -> None:
        self.menu.clear()
        around = self.picker.current or self.site
        hook, layer = same_hook(self._sites, around), same_layer(self._sites, around)
        words = self.picker.site_words(around).partition(": ")[2].partition(",")[0]
        if hook:
            self._add_all(f"Every layer’s {words}", hook)
            self._add_all("Every site in this layer", layer)
        inputs = [site for site in self._sites if site.endswith(".mlp.hook_in")]
        outputs = [site for site in self._sites if site.endswith(".hook_mlp_out")]
        if inputs and outputs:
            both = [s for s in layer if s in inputs or s in outputs]
            self._add_all("This layer’s MLP input and output, for a transcoder", both)
            self._add_all(
                "Every MLP’s input and output, for transcoders across layers",
                [site for site in self._sites if site in inputs or site in outputs],
            )
        self.menu.addSeparator()
        only = self.menu.addAction("Only this one")
        only.setEnabled(len(self.picker.picked) > 1)
        only.triggered.connect(lambda _on=False: self.picker.pick(around))
        self._add_variants(layer)
        self._add_unnamed()

    def _add_variants(self, layer: Sequence[str]) -> None:
        """Offer what public dictionaries read besides, in the layer the keyboard is at."""
        drawn = site_points(layer)
        number = drawn[0].layer if drawn else -1
        sites = [p.site for p in variant_points(self._sites) if p.layer == number]
        if not sites:
            return
        menu: QMenu = self.menu.addMenu("More sites in this layer")
        menu.setToolTipsVisible(True)
        for site in sites:
            words = site_text(site).partition(": ")[2]
            action = menu.addAction(f"{words[0].upper()}{words[1:]}")
            action.setToolTip(plain_tip(site))
            action.setCheckable(True)
            action.setChecked(site in self.picker.picked)
            action.triggered.connect(lambda _on=False, site=site: self.picker.toggle(site))

    def _add_all(self, text: str, sites: Sequence[str]) -> None:
        action = self.menu.addAction(text)
        action.setEnabled(any(site not in self.picker.picked for site in sites))
        action.triggered.connect(
            lambda _on=False: self.picker.set_picked(
                [*self.picker.picked, *sites], self.picker.current
            )
        )

    def _add_unnamed(self) -> None:
        """Offer the sites that the drawing has no place for."""
        sites = unnamed_sites(self._sites)
        if not sites:
            return
        menu: QMenu = self.menu.addMenu("More sites by name")
        for site in sites:
            action = menu.addAction(site)
            action.setCheckable(True)
            action.setChecked(site in self.picker.picked)
            action.triggered.connect(lambda _on=False, site=site: self.picker.toggle(site))

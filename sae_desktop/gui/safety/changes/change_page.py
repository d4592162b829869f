"""A comparison on screen: what changed, how sure that is, since when, and which way saw it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSplitter, QTabWidget, QVBoxLayout, QWidget

from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.safety.changes.change_tabs import FeaturesTab, TokensTab, TraitsTab
from sae_desktop.gui.safety.changes.crosscoder_tab import CrosscoderTab
from sae_desktop.gui.safety.changes.figures_table import FiguresTable, Head
from sae_desktop.gui.safety.changes.outputs_tab import OutputsTab
from sae_desktop.gui.safety.changes.timeline import Timeline
from sae_desktop.gui.state.session import Session
from sae_desktop.words.change_curves import change_figures
from sae_desktop.words.change_ways import summary, titles_of, ways

if TYPE_CHECKING:
    from sae_desktop.safety.change.change_file import Change

_WAYS = (
    Head("Way of looking", words=True),
    Head("What it says of the checkpoint", words=True),
    Head("By chance", "What random directions, random signs or other draws of texts give", True),
    Head("Verdict", "Whether it says more than chance gives", short=True),
    Head("Largest step at", "The checkpoint by which it has changed most since the one before",
         short=True),
    Head("Stands out", "That step in multiples of the median of the other steps; empty with fewer "
         "than three"),
)  # fmt: skip


class ChangePage(QWidget):
    """The head with its sentence, the time line, and lists of what changed in tabs."""

    saveAsked = Signal()
    deleteAsked = Signal()
    againAsked = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("safety.change_page")
        self.change: Change | None = None
        self.title = ElidedLabel()
        self.title.setProperty("role", "title")
        self.about = ElidedLabel()
        self.about.setProperty("role", "small")
        self.sentence = label("", "heading", wrap=True, selectable=True)
        self.details = label("", wrap=True, selectable=True)
        self.warning = label("", "warning", wrap=True, selectable=True)
        self.checkpoint = ElidedComboBox(18)
        self.checkpoint.setAccessibleName("Checkpoint whose changes are shown")
        self.save_button = push_button(
            "Save as a page…", self.saveAsked.emit, icon="globe",
            tip="Save all of it as an HTML page that needs nothing else",
        )  # fmt: skip
        self.more_button = push_button("More", icon="dots-three", tip="Compare again, or delete")
        menu = QMenu(self.more_button)
        menu.addAction("Compare again with other settings…", self.againAsked.emit)
        menu.addAction("Delete the comparison…", self.deleteAsked.emit)
        self.more_button.setMenu(menu)
        self.timeline = Timeline()
        self.ways = FiguresTable("What each way of looking saw")
        self.features = FeaturesTab(session)
        self.tokens = TokensTab()
        self.traits = TraitsTab()
        self.outputs = OutputsTab()
        self.crosscoder = CrosscoderTab()
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName("Parts of the change")
        self.tabs.setDocumentMode(True)
        self._build()
        self.checkpoint.currentIndexChanged.connect(self.show_checkpoint)
        self.timeline.checkpointChosen.connect(self.checkpoint.setCurrentIndex)

    def _build(self) -> None:
        overview = QSplitter(Qt.Orientation.Vertical)
        overview.setContentsMargins(0, 8, 0, 0)
        overview.setChildrenCollapsible(False)
        overview.addWidget(self.ways)
        overview.addWidget(self.timeline)
        overview.setSizes([210, 240])
        self.tabs.addTab(overview, "Overview")
        for tab, name in self._lists():
            self.tabs.addTab(tab, name)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.title, 1)
        head.addWidget(label("Checkpoint"))
        head.addWidget(self.checkpoint)
        head.addWidget(self.save_button)
        head.addWidget(self.more_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.about)
        column.addWidget(self.sentence)
        column.addWidget(self.details)
        column.addWidget(self.warning)
        column.addWidget(self.tabs, 1)
        self.setFocusProxy(self.checkpoint)

    def _lists(self) -> list[tuple[QWidget, str]]:
        return [
            (self.outputs, "Side by side"),
            (self.features, "Features"),
            (self.tokens, "Tokens"),
            (self.traits, "Traits"),
            (self.crosscoder, "Crosscoder"),
        ]

    def show_change(self, change: Change) -> None:
        """Show a comparison, its last checkpoint first."""
        self.change = change
        info = change.info
        titles = titles_of(change)
        self.title.setText(info.name)
        with_dictionary = f" with the dictionary “{info.dictionary}”" if info.dictionary else ""
        self.about.setText(
            f"{len(titles)} models, {info.texts} texts of {info.context_size} tokens, read at "
            f"{info.site}{with_dictionary}"
        )
        first, *others = summary(change)
        self.sentence.setText(first)
        self.details.setText("\n".join(others))
        self.details.setVisible(bool(others))
        self.warning.setText(" ".join(info.warnings))
        self.warning.setVisible(bool(info.warnings))
        self.timeline.show_figures(change_figures(change), titles)
        with QSignalBlocker(self.checkpoint):
            self.checkpoint.clear()
            self.checkpoint.addItems(titles)
            self.checkpoint.setCurrentIndex(len(titles) - 1)
        self.crosscoder.show_change(change)
        for tab, shown in (
            (self.features, "features/size" in change.arrays),
            (self.traits, bool(info.traits and info.traits[0])),
            (self.outputs, bool(info.answers or info.steered)),
            (self.crosscoder, "crosscoder/kind" in change.arrays),
        ):
            self.tabs.setTabVisible(self.tabs.indexOf(tab), shown)
        self.show_checkpoint(len(titles) - 1)

    def show_checkpoint(self, checkpoint: int) -> None:
        """Show what changed by a checkpoint."""
        change = self.change
        if change is None or checkpoint < 0:
            return
        titles = titles_of(change)
        self.timeline.show_chosen(checkpoint)
        found = ways(change, checkpoint)
        rows = [
            [
                way.title, way.found, way.chance, way.verdict,
                "–" if way.step is None else titles[way.step],
                "" if way.stands_out is None else f"{way.stands_out:.1f} ×",
            ]
            for way in found
        ]  # fmt: skip
        self.ways.show_rows(_WAYS, rows, tips=[way.tip for way in found])
        for tab in (self.features, self.tokens, self.traits, self.outputs):
            tab.show_checkpoint(change, checkpoint)

"""Attribution of one dictionary's features to a token: the simpler question, without a graph."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QGridLayout,
    QHeaderView,
    QLineEdit,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.circuits.lens_config import AttributeConfig, AttributeResult
from sae_desktop.gui.circuits.asked_page import lay_out
from sae_desktop.gui.circuits.firing_model import NAME, FiringModel
from sae_desktop.gui.circuits.open_graph import OpenGraph
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.kept_fields import keep_fields
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.quiet_words import QuietWordsDelegate
from sae_desktop.gui.state.asked_job import AskedJob
from sae_desktop.gui.state.session import Session
from sae_desktop.words.attribution_text import attribution_text
from sae_desktop.words.trace_text import read_tokens

_FIRST = (
    "Which features of one dictionary push towards a token, at which token of the prompt? "
    "Attribution answers at once for every feature; the strongest are switched off one by one, "
    "which is the test. Write a prompt and press Attribute."
)
_ROOM = 20


class AttributionPlace(QWidget):
    """Asks, and lists firings with attribution beside ablation."""

    def __init__(self, session: Session, opened: OpenGraph) -> None:
        super().__init__()
        self.setObjectName("circuits.attribution")
        self._session, self._opened = session, opened
        self.asked = AskedJob(session, self)
        self.prompt, self.target, self.against = QLineEdit(), QLineEdit(), QLineEdit()
        for field, name, hint in (
            (self.prompt, "Prompt", "A prompt"),
            (self.target, "Token", "Token, or empty: the likeliest"),
            (self.against, "Against", "Against, or empty: the next likeliest"),
        ):
            field.setAccessibleName(name)
            field.setPlaceholderText(hint)
            field.textChanged.connect(lambda _text: self._show_buttons())
            field.returnPressed.connect(self.attribute)
        self.index = ElidedComboBox(14)
        self.index.setAccessibleName("Index")
        self.index.setToolTip("The index of the dictionary whose features are asked")
        self.button = push_button(
            "Attribute", self.attribute, icon="list-numbers", primary=True,
            tip="Rank the features by what they add to the token’s logit (Return)",
        )  # fmt: skip
        self.table = QTableView()
        self.model = FiringModel(session, self)
        self.told = label("", "small", wrap=True)
        self._build()
        self.asked.answered.connect(self.show_result)
        self.asked.busyChanged.connect(lambda _busy: self._show_buttons())
        self.table.activated.connect(lambda index: self._open(index.row()))
        session.contentsChanged.connect(self._list_indexes)
        session.projectChanged.connect(self._on_project_changed)
        session.indexOpened.connect(self._on_index_opened)
        opened.opened.connect(self._on_opened)
        keep_fields(
            session, self,
            {"prompt": self.prompt, "target": self.target, "against": self.against},
        )  # fmt: skip
        self._list_indexes()
        self._on_opened()

    def _build(self) -> None:
        fields = QGridLayout()
        fields.setContentsMargins(12, 8, 12, 6)
        fields.setHorizontalSpacing(8)
        fields.setVerticalSpacing(4)
        fields.addWidget(self.prompt, 0, 0, 1, 3)
        fields.addWidget(self.index, 1, 0)
        fields.addWidget(self.target, 1, 1)
        fields.addWidget(self.against, 1, 2)
        fields.addWidget(self.button, 0, 3)
        for column in range(3):
            fields.setColumnStretch(column, 1)
        table = self.table
        table.setModel(self.model)
        table.setAccessibleName("Firings and what they add")
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSortingEnabled(True)
        table.setTabKeyNavigation(False)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setItemDelegateForColumn(NAME, QuietWordsDelegate(table))
        table.verticalHeader().hide()
        table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        table.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 8)
        head = table.horizontalHeader()
        head.setHighlightSections(False)
        head.setSortIndicator(-1, Qt.SortOrder.DescendingOrder)
        head.setSortIndicatorClearable(True)
        head.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        head.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        metrics = self.fontMetrics()
        for column, sample in enumerate(("#00000", "", "representation", "Activation ▾",
                                         "Attribution ▾", "Ablation ▾")):  # fmt: skip
            if sample:
                table.setColumnWidth(column, metrics.horizontalAdvance(sample) + _ROOM)
        page = QWidget()
        whole = QVBoxLayout(page)
        whole.setContentsMargins(12, 6, 12, 8)
        whole.setSpacing(6)
        whole.addWidget(self.told)
        whole.addWidget(table, 1)
        self._stack = lay_out(self, fields, _FIRST, page)
        self.setFocusProxy(self.prompt)

    # ------------------------------------------------------------------ what is asked
    def _on_project_changed(self) -> None:
        self._stack.setCurrentIndex(0)
        self._list_indexes()

    def _on_opened(self) -> None:
        graph = self._opened.graph
        if graph is not None and not self.prompt.text():
            self.prompt.setText(graph.info.prompt)

    def _list_indexes(self) -> None:
        names = [item.name for item in self._session.inventory.indexes]
        if names != [self.index.itemText(n) for n in range(self.index.count())]:
            chosen = self.index.currentText() or self._session.index_name
            self.index.clear()
            self.index.addItems(names)
            self.index.setCurrentIndex(max(self.index.findText(chosen), 0))
        self._show_buttons()

    def _on_index_opened(self, _index: object) -> None:
        if self._session.index_name and not self.asked.busy and not self.model.rowCount():
            self.index.setCurrentText(self._session.index_name)

    def _show_buttons(self) -> None:
        ready = bool(self.prompt.text().strip()) and bool(self.index.currentText())
        self.button.setEnabled(ready and not self.asked.busy)
        self.button.setText("Attributing…" if self.asked.busy else "Attribute")

    def attribute(self) -> None:
        """Ask for the attribution of every feature at every token."""
        project, index = self._session.project, self.index.currentText()
        if project is None or not index or not self.prompt.text().strip():
            return
        target, against = (
            (read_tokens(field.text()) or ("",))[0] for field in (self.target, self.against)
        )
        self.asked.ask(
            AttributeConfig(
                project=str(project.path), index=index, prompt=self.prompt.text(),
                target=target, against=against,
            )
        )  # fmt: skip

    def show_result(self, result: AttributeResult) -> None:
        """List the firings, the most effective first."""
        self._stack.setCurrentIndex(1)
        self.told.setText(attribution_text(result))
        self.model.show_result(self.index.currentText(), result)

    def _open(self, row: int) -> None:
        feature = self.model.feature(row)
        if feature is not None:
            self._session.go_to_feature(self.model.index_name, feature)
            self._session.show_workspace("explore.feature")

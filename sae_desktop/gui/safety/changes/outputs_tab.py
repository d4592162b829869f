"""Models side by side: the same beginning, and what each makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.safety.changes.figures_table import FiguresTable, Head
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.words.amounts import probability_text
from sae_desktop.words.change_ways import titles_of

if TYPE_CHECKING:
    from sae_desktop.safety.change.change_file import Change

_HEADS = (
    Head("Model", short=True),
    Head("Likeliest next tokens", short=True),
    Head("Writes", "What follows if it always takes the likeliest token. The whole text of the "
         "chosen model is below, beside that of the first", True),
)  # fmt: skip
_NEXT = 3
_STEERED = (
    "The mean difference at the first tokens is added to the last checkpoint, beside a random "
    "direction as long: what a fine-tune was for often shows more than it does plain"
)


class OutputsTab(QSplitter):
    """A row for each model, the whole text of two of them, and what the difference adds."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Vertical)
        self._change: Change | None = None
        self.prompt = ElidedComboBox(40)
        self.prompt.setAccessibleName("Beginning")
        self.table = FiguresTable("What each model makes of it")
        self.table.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.first, self.first_title = _text(), label("", "heading")
        self.chosen, self.chosen_title = _text(), label("", "heading")
        self.steered_title = label("", "heading")
        self.steered_title.setToolTip(plain_tip(_STEERED))
        self.steered = [(label("", "small"), _text()) for _ in range(3)]
        self._build()
        self.prompt.currentIndexChanged.connect(lambda _place: self._show())
        self.table.rowPointed.connect(self._show_whole)

    def _build(self) -> None:
        above = QWidget()
        column = QVBoxLayout(above)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(8)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(label("Beginning"))
        row.addWidget(self.prompt, 1)
        column.addLayout(row)
        column.addWidget(self.table, 1)
        page = QWidget()
        grid = QGridLayout(page)
        grid.setContentsMargins(0, 4, 8, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)
        grid.addWidget(self.first_title, 0, 0)
        grid.addWidget(self.chosen_title, 0, 1)
        grid.addWidget(self.first, 1, 0)
        grid.addWidget(self.chosen, 1, 1)
        grid.addWidget(self.steered_title, 2, 0, 1, 2)
        rows = QGridLayout()
        rows.setHorizontalSpacing(12)
        rows.setVerticalSpacing(4)
        rows.setColumnStretch(1, 1)
        for place, (name, text) in enumerate(self.steered):
            rows.addWidget(name, place, 0, Qt.AlignmentFlag.AlignTop)
            rows.addWidget(text, place, 1)
        grid.addLayout(rows, 3, 0, 1, 2)
        grid.setRowStretch(4, 1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setWidget(page)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.addWidget(above)
        self.addWidget(area)
        self.setChildrenCollapsible(False)
        self.setSizes([240, 200])

    def show_checkpoint(self, change: Change, checkpoint: int) -> None:
        """List all models, and show the whole text of a checkpoint."""
        if change is not self._change:
            self._change = change
            with QSignalBlocker(self.prompt):
                self.prompt.clear()
                steered = change.info.steered
                self.prompt.addItems(change.info.prompts or (steered.prompts if steered else []))
            self._show()
        self.table.selectRow(checkpoint)

    def _show(self) -> None:
        change, place = self._change, self.prompt.currentIndex()
        if change is None or place < 0:
            return
        kept, rows = self.table.currentIndex().row(), []
        titles = titles_of(change)
        for title, answers in zip(titles, change.info.answers, strict=False):
            answer = answers[place]
            following = "   ".join(
                f"{visible_token(t.token)} {probability_text(t.score)}"
                for t in answer.next_tokens[:_NEXT]
            )
            rows.append([title, following, " ".join(answer.written.split())])
        self.table.show_rows(_HEADS, rows)
        self.table.setVisible(bool(rows))
        self.table.selectRow(kept if 0 <= kept < len(rows) else len(rows) - 1)
        self._show_steered(place)

    def _show_whole(self, row: int) -> None:
        change, place = self._change, self.prompt.currentIndex()
        if change is None or not 0 <= row < len(change.info.answers) or place < 0:
            return
        titles = titles_of(change)
        both = ((self.first_title, self.first, 0), (self.chosen_title, self.chosen, row))
        for title, text, model in both:
            title.setText(f"“{titles[model]}” writes")
            text.setText(" ".join(change.info.answers[model][place].written.split()))
        for widget in (self.chosen_title, self.chosen):
            widget.setVisible(row > 0)

    def _show_steered(self, place: int) -> None:
        change = self._change
        steered = change.info.steered if change is not None else None
        there = change is not None and steered is not None and place < len(steered.prompts)
        self.steered_title.setVisible(there)
        for name, text in self.steered:
            name.setVisible(there)
            text.setVisible(there)
        if change is None or steered is None or not there:
            return
        prompt = " ".join(steered.prompts[place].split())
        self.steered_title.setText(f"“{titles_of(change)[-1]}” after “{prompt}”, drawn at random")
        told = (
            ("Plain", steered.plain[place]),
            ("With the first-token difference", steered.steered[place]),
            ("With a random direction as long", steered.random[place]),
        )
        for (name, text), (title, written) in zip(self.steered, told, strict=True):
            name.setText(title)
            text.setText(" ".join(written.split()))


def _text() -> QLabel:
    return label("", wrap=True, selectable=True)

"""The tokens of a prompt, some of them chosen."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QItemSelection, QItemSelectionModel, QSignalBlocker, Signal
from PySide6.QtWidgets import QAbstractItemView, QListView, QListWidget, QListWidgetItem

from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.language_model.text.token_text import visible_token


class TokenPicker(QListWidget):
    """Tokens in running order; a click or the space bar chooses one or lets it go."""

    picked = Signal(object)
    """The numbers of the chosen tokens, in order."""

    def __init__(self) -> None:
        super().__init__()
        self._tokens: list[str] = []
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setSelectionMode(QAbstractItemView.SelectionMode.MultiSelection)
        self.setSpacing(1)
        self.setAccessibleName("Tokens of the prompt: choose the ones the sliders affect")
        self.selectionModel().selectionChanged.connect(self._on_selection_changed)

    def set_tokens(self, tokens: Sequence[str]) -> None:
        """Show other tokens; what was chosen by number stays chosen."""
        if list(tokens) == self._tokens:
            return
        chosen = self.chosen()
        self._tokens = list(tokens)
        with QSignalBlocker(self):
            self.clear()
            for number, token in enumerate(tokens):
                item = QListWidgetItem(visible_token(token))
                item.setToolTip(plain_tip(f"Token {number}"))
                self.addItem(item)
        self.choose(chosen)

    def chosen(self) -> list[int]:
        """Return the numbers of the chosen tokens, in order."""
        return sorted(index.row() for index in self.selectedIndexes())

    def choose(self, numbers: Sequence[int]) -> None:
        """Choose just these without announcing it; numbers beyond the last are left out."""
        selection = QItemSelection()
        for number in numbers:
            if number < self.count():
                place = self.model().index(number, 0)
                selection.select(place, place)
        with QSignalBlocker(self):
            self.selectionModel().select(
                selection, QItemSelectionModel.SelectionFlag.ClearAndSelect
            )

    def _on_selection_changed(self, _new: object, _old: object) -> None:
        self.picked.emit(self.chosen())

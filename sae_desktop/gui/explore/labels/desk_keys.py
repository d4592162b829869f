"""The keys of the reading desk: what each does, as a table and as a dialog."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QVBoxLayout, QWidget

from sae_desktop.gui.parts.labels import label

Key = Qt.Key

CHOOSE, EDIT, REJECT, RATE, TAGS = "choose", "edit", "reject", "rate", "tags"
STAR, NEXT, BACK, HELP = "star", "next", "back", "help"
ACTIONS: dict[int, str] = {
    **{Key(Key.Key_0 + digit): CHOOSE for digit in range(1, 10)},
    Key.Key_E: EDIT,
    Key.Key_F2: EDIT,
    Key.Key_X: REJECT,
    Key.Key_R: RATE,
    Key.Key_T: TAGS,
    Key.Key_S: STAR,
    Key.Key_N: NEXT,
    Key.Key_P: BACK,
    Key.Key_Backspace: BACK,
    Key.Key_Question: HELP,
}
"""Key → what it does, while no text is being typed."""
ROWS = (
    ("1 to 9", "Agree with the name of this number, and show the next feature"),
    ("E or F2", "Type a label of your own"),
    ("Return", "In the label: save it, and show the next feature"),
    ("Esc", "In the label: leave it as it was"),
    ("X", "Reject the first of the names: no digit chooses it any more"),
    ("R", "Give the label, or else the one you gave last, a star more; after the fifth, none"),
    ("T", "Type tags, with commas between them; Return saves them, and you stay"),
    ("S", "Star or unstar the feature"),
    ("N", "Show the next feature"),
    ("P or Backspace", "Show the feature before"),
    ("Space, ↑, ↓", "Scroll the texts"),
    ("Ctrl+Z", "Undo the last change, and show its feature"),
    ("Ctrl+Shift+Z", "Do again what was undone"),
    ("?", "Show these keys"),
)


def show_keys(parent: QWidget) -> QDialog:
    """Show what the keys do."""
    dialog = QDialog(parent.window())
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle("Keys of the reading desk")
    grid = QGridLayout()
    grid.setHorizontalSpacing(24)
    grid.setVerticalSpacing(6)
    for row, (keys, text) in enumerate(ROWS):
        grid.addWidget(label(keys, "figure"), row, 0)
        grid.addWidget(label(text), row, 1)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    column = QVBoxLayout(dialog)
    column.setContentsMargins(16, 16, 16, 12)
    column.setSpacing(16)
    column.addLayout(grid)
    column.addWidget(buttons)
    dialog.open()
    return dialog

"""A dialog that asks for the name of a preset, and before it replaces one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.errors import UserError
from sae_desktop.gui.parts.default_button import set_default_button
from sae_desktop.gui.parts.labels import label, push_button, set_property
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.project import checked_name
from sae_desktop.steering.kept_pictures import KeptPicture
from sae_desktop.storage.faults import format_bytes


class PresetNameDialog(QDialog):
    """Takes a name; one that is taken is replaced by a button that says so, and never by Return."""

    def __init__(
        self,
        parent: QWidget,
        title: str,
        button: str,
        taken: Collection[str],
        take: Callable[[str], object],
        *,
        name: str = "",
        may_replace: bool = False,
        pictures: Sequence[KeptPicture] = (),
    ) -> None:
        """`take` gets the name. Without `may_replace` a name that is taken is refused.

        `pictures`: those of the preset, with the files that it can keep.
        """
        super().__init__(parent.window(), Qt.WindowType.Dialog)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self._button, self._taken, self._take = button, taken, take
        self._may_replace = may_replace
        self.name = QLineEdit(name)
        self.name.setAccessibleName("Preset name")
        self.said = label("", "warning", wrap=True)
        self.accept_button = push_button(button, self.accept, primary=True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        buttons.addButton(self.accept_button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setSpacing(8)
        column.addWidget(label("Name", "small"))
        column.addWidget(self.name)
        column.addWidget(self.said)
        self.whole = QCheckBox("Keep the files of its pictures, too")
        size = format_bytes(sum(len(picture.whole) for picture in pictures))
        self.whole.setToolTip(
            plain_tip(
                f"{size} in the preset’s file. Without them it has their places, their digests and "
                "thumbnails, and needs the files where they are; pasted ones are always kept"
            )
        )
        self.whole.setVisible(bool(pictures))
        column.addWidget(self.whole)
        column.addWidget(buttons)
        set_default_button(self, self.accept_button)
        self.setMinimumWidth(360)
        self.name.textChanged.connect(self._look)
        self._look()
        self.name.selectAll()

    @property
    def wanted(self) -> str:
        return self.name.text().strip()

    def _look(self, _text: str = "") -> None:
        problem = ""
        try:
            checked_name(self.wanted)
        except UserError as error:
            problem = str(error) if self.wanted else "Give it a name."
        taken = not problem and self.wanted in self._taken
        if taken and not self._may_replace:
            problem = f"A preset named “{self.wanted}” already exists."
        replaces = taken and self._may_replace
        told = f"A preset named “{self.wanted}” already exists; it would be replaced."
        self.said.setText(told if replaces else problem)
        self.accept_button.setText("Replace it" if replaces else self._button)
        self.accept_button.setEnabled(not problem)
        # Return saves a new one; replacing takes a click or the button's own key.
        self.accept_button.setAutoDefault(not replaces)
        self.accept_button.setDefault(not replaces)
        set_property(self.name, "invalid", "true" if problem and self.wanted else "false")

    def accept(self) -> None:
        if self.accept_button.isEnabled():
            wanted = self.wanted
            super().accept()
            self._take(wanted)

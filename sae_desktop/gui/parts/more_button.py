"""A button that unfolds settings one seldom changes."""

from __future__ import annotations

from PySide6.QtWidgets import QPushButton, QWidget

from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.labels import ICON_SIZE


class MoreButton(QPushButton):
    """Shows a part while it is checked, and hides it again.

    The part is hidden, and not squeezed to no height as superqt's collapsible does it: the Tab
    key must not lead into fields out of sight, and the text under a field must find its room.
    """

    def __init__(
        self,
        part: QWidget | None,
        settings: str,
        words: tuple[str, str] = ("More", "Less"),
        unfolded: str = "caret-down",
    ) -> None:
        """Fold `part`; `settings` is read out after the word, `unfolded` is the icon."""
        super().__init__()
        self._part, self._settings, self._words, self._unfolded = part, settings, words, unfolded
        self.setProperty("flat", "true")
        self.setIconSize(ICON_SIZE)
        self.setCheckable(True)
        self.setAutoDefault(False)
        self.toggled.connect(self._show)
        self._show(False)

    def _show(self, shown: bool) -> None:
        if self._part is not None:
            self._part.setVisible(shown)
        word = self._words[shown]
        self.setText(word)
        self.setAccessibleName(f"{word} {self._settings}".strip())
        icons.set_icon(self, self._unfolded if shown else "caret-right")

"""What F1 does in a window or form: the glossary, at what is under the pointer or has the focus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication, QWidget

from sae_desktop.gui.parts.terms import terms_at

if TYPE_CHECKING:
    from sae_desktop.gui.parts.glossary_dialog import GlossaryDialog
    from sae_desktop.words.terms.entry import Entry


class Glossary:
    """Makes the dialog when it is first asked for."""

    def __init__(self, window: QWidget) -> None:
        self._window = window
        self._dialog: GlossaryDialog | None = None

    @property
    def dialog(self) -> GlossaryDialog:
        if self._dialog is None:
            from sae_desktop.gui.parts.glossary_dialog import GlossaryDialog

            self._dialog = GlossaryDialog(self._window)
        return self._dialog

    def open(self) -> None:
        """Open at the term under the pointer, else at that of what has the keyboard."""
        self.dialog.show_terms(self._here())

    def open_here(self) -> bool:
        """Do so if there is such a term, and return whether there is."""
        found = self._here()
        if found:
            self.dialog.show_terms(found)
        return bool(found)

    def _here(self) -> list[Entry]:
        under = QApplication.widgetAt(QCursor.pos())
        inside = under is not None and under.window() is self._window
        found = terms_at(under) if inside else []
        return found or terms_at(self._window.focusWidget())

    def show_term(self, term: str) -> None:
        """Open at a term, if the glossary has it."""
        from sae_desktop.words.glossary import terms_in

        self.dialog.show_terms(terms_in(term))

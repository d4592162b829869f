"""Windows of a corpus as the model reads them: tokens, special ones, and who speaks."""

from __future__ import annotations

import html
from collections.abc import Sequence

from PySide6.QtCore import QMimeData, QSize
from PySide6.QtWidgets import QTextBrowser

from sae_desktop.corpus.config import WindowPreview
from sae_desktop.gui.parts import theme
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.words.corpus_card import role_runs, window_heading
from sae_desktop.words.running_text import RunningText

_LEAST_HEIGHT = 96
_MAY_BREAK = "\u200b"
"""After any token."""
_STAYS_WHOLE = "\u2060"
"""Between the letters of a special token."""


class WindowPreviews(QTextBrowser):
    """Tokens on alternating grounds; special ones in italics, underlined, on their own ground."""

    def __init__(self) -> None:
        super().__init__()
        self._previews: list[WindowPreview] = []
        self.setOpenLinks(False)
        self.setAccessibleName("The beginning of the text, token by token")
        self.setMinimumHeight(_LEAST_HEIGHT)
        theme.manager().themeChanged.connect(self._paint)

    def show_windows(self, previews: Sequence[WindowPreview]) -> None:
        """Show windows, one below the other."""
        self._previews = list(previews)
        self._paint()

    def sizeHint(self) -> QSize:
        return QSize(256, _LEAST_HEIGHT)  # it takes what is left, and asks for no more

    def createMimeDataFromSelection(self) -> QMimeData:
        """Return the selected text without what only guides where lines break."""
        text = self.textCursor().selection().toPlainText()
        data = QMimeData()
        data.setText(text.replace(_MAY_BREAK, "").replace(_STAYS_WHOLE, ""))
        return data

    def _paint(self) -> None:
        self.setHtml(
            "".join(_html(number, preview) for number, preview in enumerate(self._previews, 1))
        )


def _html(number: int, preview: WindowPreview) -> str:
    muted = theme.palette().muted_text.name()
    heading = html.escape(window_heading(number, preview))
    parts = [f'<p style="margin:0 0 2px 0;color:{muted}">{heading}</p>']
    runs = role_runs(preview)
    for run in runs:
        role = ""
        if run.role:
            role = f'<span style="color:{muted};font-weight:600">{html.escape(run.role)}</span>  '
        tokens = _tokens(preview, run.first, run.end)
        below = 12 if run is runs[-1] else 4
        parts.append(f'<p style="margin:0 0 {below}px 0;line-height:135%">{role}{tokens}</p>')
    return "".join(parts)


def _tokens(preview: WindowPreview, first: int, end: int) -> str:
    colours = theme.palette()
    grounds = (colours.hover.name(), colours.surface.name())
    special = (
        f"background-color:{colours.selection.name()};font-style:italic;text-decoration:underline"
    )
    flags = preview.special if len(preview.special) == len(preview.tokens) else []
    spans = []
    for number, piece in enumerate(RunningText(preview.tokens[first:end]).pieces):
        marked = any(flags[first + piece.first : first + piece.end])
        style = special if marked else f"background-color:{grounds[(first + number) % 2]}"
        shown = visible_token(piece.text)
        text = html.escape(_STAYS_WHOLE.join(shown) if marked else shown)
        spans.append(f'<span style="{style}">{text}</span>{_MAY_BREAK}')
    return "".join(spans)

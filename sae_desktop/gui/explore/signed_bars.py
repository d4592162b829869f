"""Tokens with a signed figure each: bars from blue (down) to orange (up), the sign written."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtGui import QFontMetricsF

from sae_desktop.gui.parts.labelled_bars import Bar, LabelledBars
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.words.amounts import signed_text


class SignedBars(LabelledBars):
    """Rows of (token, value), the bar behind the token as long as the value is large."""

    def set_rows(self, rows: Sequence[tuple[str, float]], extreme: float) -> None:
        """Show (token, value) from the top down; a bar of `extreme` fills the width."""
        most = max(extreme, 1e-9)
        self.set_bars([self._bar(token, value, most) for token, value in rows])

    @staticmethod
    def _bar(token: str, value: float, most: float) -> Bar:
        name, hue = visible_token(token), "positive" if value >= 0 else "negative"
        tip = f"{name}\n{signed_text(value, 4)} on its logit"
        return Bar(name, abs(value) / most, signed_text(value), hue, hue, tip)

    def _figure_width(self) -> float:
        # Fixed, so that bars keep their scale from one feature to the next.
        return QFontMetricsF(self.font()).horizontalAdvance("+00.00")

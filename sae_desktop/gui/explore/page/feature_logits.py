"""The part of a feature's page that shows what it does to the next token."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QGridLayout, QWidget

from sae_desktop.gui.explore.signed_bars import SignedBars
from sae_desktop.gui.parts.labels import label

_UNIT = "Effect on the logit per unit of activation, times the final norm’s scale"
_NO_MODEL = "The index was built without a model."
_NOT_AT_OUTPUT = "The feature has no logits of its own at this output, or they were not measured."


class FeatureLogits(QWidget):
    """Tokens whose logits a feature raises, beside those that it lowers."""

    def __init__(self) -> None:
        super().__init__()
        self.raised = SignedBars("Tokens whose logits the feature raises most")
        self.lowered = SignedBars("Tokens whose logits the feature lowers most")
        self.centred = QCheckBox("Median-centred")
        self.centred.setToolTip("Subtracts the median over the vocabulary from each effect")
        self.none = label(_NO_MODEL, "small", wrap=True)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(4)
        grid.addWidget(label("Raises next token", "heading"), 0, 0)
        grid.addWidget(label("Lowers next token", "heading"), 0, 1)
        grid.addWidget(self.raised, 1, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self.lowered, 1, 1, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self.none, 2, 0, 1, 2)
        self.unit = label(_UNIT, "small", wrap=True)
        self.unit.setToolTip(
            "The final norm divides the stream by its size, which differs from token to token. "
            "At a token, the change of a logit is this figure, times the activation, divided by "
            "that size: the figures show how tokens compare, not how far a logit moves."
        )
        grid.addWidget(self.unit, 3, 0)
        grid.addWidget(self.centred, 3, 1, Qt.AlignmentFlag.AlignRight)
        grid.setRowStretch(4, 1)

    def show_rows(
        self,
        raised: list[tuple[str, float]],
        lowered: list[tuple[str, float]],
        *,
        measured: bool,
        by: str = "",
    ) -> None:
        """Show (token, effect); `measured`: the index was built with a model.

        `by`: through which output alone.
        """
        extreme = max((abs(value) for _, value in (*raised, *lowered)), default=1.0)
        self.raised.set_rows(raised, extreme)
        self.lowered.set_rows(lowered, extreme)
        self.none.setText(_NOT_AT_OUTPUT if measured else _NO_MODEL)
        self.none.setVisible(not measured or (bool(by) and not raised and not lowered))
        self.unit.setText(f"Through {by} alone: e{_UNIT[1:]}" if by else _UNIT)

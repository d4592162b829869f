"""What is shown of contexts where some are pictures: which kind, and under which light."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QSizePolicy, QWidget

from sae_desktop.gui.explore.context_blocks import Kind
from sae_desktop.gui.explore.picture_dialog import LIT_TIP
from sae_desktop.gui.parts.plain_text import plain_tip

_KINDS: tuple[tuple[str, Kind], ...] = (
    ("All kinds", ""),
    ("Pictures", "pictures"),
    ("Text", "text"),
)


class PictureBar(QWidget):
    """Which contexts are shown, and whether pictures are lit."""

    kindChosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.kinds = QComboBox()
        for text, kind in _KINDS:
            self.kinds.addItem(text, kind)
        self.kinds.setAccessibleName("Which contexts to show")
        self.kinds.setToolTip("Which contexts to show")
        self.lit = QCheckBox("Lit")
        self.lit.setChecked(True)
        self.lit.setToolTip(plain_tip(LIT_TIP))
        self.lit.setAccessibleName("Show pictures lit by activation")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.kinds)
        row.addWidget(self.lit)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.kinds.currentIndexChanged.connect(lambda _: self.kindChosen.emit())

    @property
    def kind(self) -> Kind:
        """The kind of contexts that is shown; of an index without pictures all."""
        found: Kind = self.kinds.currentData()
        return found if not self.isHidden() else ""

    @property
    def kind_words(self) -> str:
        """The same in a sentence."""
        return "a picture" if self.kind == "pictures" else "a text"

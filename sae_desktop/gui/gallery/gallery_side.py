"""The side of the Gallery: what is chosen, whether it fits, and the buttons that get it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.gui.gallery.download_card import DownloadCard
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.state.session import Session

WIDTH = 300


class GallerySide(QScrollArea):
    """Widgets that the panel fills; they scroll where they are higher than the window."""

    def __init__(
        self,
        session: Session,
        get: Callable[[], None],
        choose: Callable[[], None],
        features: Callable[[], None],
        page: Callable[[], None],
        model_page: Callable[[], None],
    ) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMinimumWidth(WIDTH)
        self.title = label("", "heading", wrap=True)
        self.about = label("", "", wrap=True, selectable=True)
        self.layer = QComboBox()
        self.layer.setAccessibleName("Layer")
        self.fit = label("", "", wrap=True, selectable=True)
        self.access = label("", "", wrap=True, selectable=True)
        self.state = label("", "small", wrap=True)
        self.get_button = push_button(
            "Get dictionary and model", get, icon="download-simple", primary=True
        )
        self.import_button = push_button(
            "Import…", choose, icon="download-simple",
            tip="Choose a name and settings, and import it into the open project (Return)",
        )  # fmt: skip
        self.features_button = push_button("Look at features", features, icon="arrow-square-out")
        self.page_button = push_button(
            "Dictionary’s page", page, icon="arrow-square-out", tip="Open its page on the hub"
        )
        self.model_page_button = push_button(
            "Model’s page", model_page, icon="arrow-square-out",
            tip="Open the model’s page on the hub, where its terms are accepted",
        )  # fmt: skip
        self.download = DownloadCard(session)
        self._build()

    def _build(self) -> None:
        inside = QWidget()
        side = QVBoxLayout(inside)
        side.setContentsMargins(8, 12, 12, 12)
        side.setSpacing(12)
        side.addWidget(self.title)
        side.addWidget(self.about)
        self.form = QFormLayout()
        self.form.addRow("Layer", self.layer)
        side.addLayout(self.form)
        side.addWidget(self.fit)
        side.addWidget(self.access)
        side.addWidget(self.state)
        side.addWidget(self.get_button)
        side.addWidget(self.download)
        others = QVBoxLayout()
        others.setSpacing(8)
        for button in (
            self.import_button, self.features_button, self.page_button, self.model_page_button,
        ):  # fmt: skip
            others.addWidget(button)
        side.addLayout(others)
        side.addStretch(1)
        self.setWidget(inside)

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
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.session import Session
from sae_desktop.words.set_words import newest_index

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
        self._session, self._choose = session, choose
        self._own = ""
        """The dictionary of the open project that is chosen; empty: none is."""
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
        self.open_button = push_button("Open dictionary", self._open_own, primary=True)
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
        side.addWidget(self.open_button)
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

    # ------------------------------------------------------------------ what the project has
    def offer_open(self, name: str) -> None:
        """Offer to open a dictionary of the open project; empty: what is chosen is not there."""
        self._own = name
        self.open_button.setVisible(bool(name))
        self.import_button.setVisible(not name)
        tip = "Read its features in Explore" if self._newest() else "Show it among the project’s"
        self.open_button.setToolTip(plain_tip(f"{tip} (Return)"))

    def act(self) -> None:
        """Do what Return does to what is chosen: open it, or import it."""
        if self._own:
            self._open_own()
        else:
            self._choose()

    def _newest(self) -> str:
        """Return the newest index of the dictionary, of a set its first layer’s; empty: none."""
        inventory = self._session.inventory
        whole = None if inventory.dictionary(self._own) else inventory.set_named(self._own)
        if whole is not None:
            return newest_index(whole.indexed[0]) if whole.indexed else ""
        found = [i for i in inventory.indexes if i.dictionary == self._own]
        return max(found, key=lambda item: item.modified).name if found else ""

    def _open_own(self) -> None:
        """Show its features in Explore; of one without an index, the project that holds it."""
        session, newest = self._session, self._newest()
        if not newest:
            session.select_dictionary(self._own)
            session.show_workspace("project")
            return
        opened = session.index.info.dictionary if session.index is not None else ""
        whole = session.inventory.set_of(opened)
        shown = opened == self._own or (whole is not None and whole.name == self._own)
        if shown or session.open_index(newest):
            session.show_workspace("explore")

"""The nearest features of the project's other dictionaries."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from sae_desktop.gui.explore.feature_links import FeatureLinks, FeatureRow
from sae_desktop.gui.explore.other_dictionaries import OtherDictionaries
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.state.session import Session

_SHOWN = 3


class FeatureElsewhere(QWidget):
    """A few features of each dictionary that the open one is matched with."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._others = OtherDictionaries.of(session)
        self._feature: int | None = None
        self._parts: list[tuple[QLabel, FeatureLinks]] = []
        self.none = label("", "small", wrap=True)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        self._column.addWidget(self.none)
        self._others.changed.connect(self._on_changed)

    def show_feature(self, feature: int) -> None:
        """Show the features nearest to another one."""
        self._feature = feature
        found = self._others.nearest(feature)
        while len(self._parts) < len(found):
            part = (label("", "small"), FeatureLinks(self._session, ""))
            self._parts.append(part)
            for widget in part:
                self._column.addWidget(widget)
        for number, (name, links) in enumerate(self._parts):
            name.setVisible(number < len(found))
            links.setVisible(number < len(found))
        for (name, links), (dictionary, near) in zip(self._parts, found.items(), strict=False):
            name.setText(dictionary)
            links.setAccessibleName(f"Nearest features in {dictionary}")
            rows = [FeatureRow(i, f"{c:.3f}", c) for i, c in near[:_SHOWN]]
            links.set_rows(rows, dictionary)
        self.none.setText(
            ""
            if found
            else "Not matched with another dictionary for this site yet."
            if self._others.unmatched()
            else "The project has no other dictionary for this site."
        )
        self.none.setVisible(not found)

    def _on_changed(self) -> None:
        if self._feature is not None and self._session.feature == self._feature:
            self.show_feature(self._feature)

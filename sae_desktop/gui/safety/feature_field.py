"""A field for numbers of features, which says what they stand for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.safety.changes.feature_names import FeatureNames
from sae_desktop.gui.state.session import Session
from sae_desktop.words.inventory import IndexItem

NO_FEATURE = "Name a feature, such as 12."
_NAMED = 4
"""Features whose names are shown."""
_WHERE = "A scan finds the features of a concept; Explore lists all of them."


class FeatureField(QWidget):
    """Numbers, parted by whatever is no digit; below them the names."""

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._names = FeatureNames(session)
        self.line = QLineEdit()
        self.line.setPlaceholderText("Numbers of features, such as 12, 40")
        self.line.setAccessibleName("Features")
        self.named = label(_WHERE, "small", wrap=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.line)
        column.addWidget(self.named)
        self.setFocusProxy(self.line)
        self.line.textChanged.connect(lambda _text: self.changed.emit())

    def set_numbers(self, features: Sequence[int]) -> None:
        self.line.setText(", ".join(map(str, features)))

    def numbers(self) -> list[int]:
        """Return the features that are typed."""
        return [int(found) for found in re.findall(r"\d+", self.line.text())]

    def problem(self, index: IndexItem | None) -> str:
        """Say what the features are called in an index; return why they cannot be read."""
        numbers = self.numbers()
        if index is not None:
            self._name([feature for feature in numbers if feature < index.features], index)
            if numbers and max(numbers) >= index.features:
                return (
                    f"There is no feature {max(numbers)} in “{index.name}”: its features are 0 to "
                    f"{index.features - 1}."
                )
        return "" if numbers else NO_FEATURE

    def _name(self, features: Sequence[int], index: IndexItem) -> None:
        if features:
            self._names.be_of(index.dictionary)
        lines = [f"#{feature}: {self._names.said(feature)[0]}" for feature in features[:_NAMED]]
        if len(features) > _NAMED:
            lines.append(f"and {len(features) - _NAMED} more")
        self.named.setText("\n".join(lines) or _WHERE)

"""What is added to the rack beside features: chosen from a menu, some in a dialog."""

from __future__ import annotations

import random
from collections.abc import Callable

from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.default_button import set_default_button
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.number_fields import WholeField
from sae_desktop.gui.parts.text_box import PlainTextField
from sae_desktop.gui.state.session import Session
from sae_desktop.steering.config import DecoderRow, Direction, MeanDifference, RandomDirection

_MOST_FEATURES = 2**31 - 1
_MOST_SEEDS = 9999
_NONE_ELSE = "There is no other in this project."


class DirectionButton(QPushButton):
    """Opens a menu of what can be added, and hands on what is chosen."""

    def __init__(
        self,
        session: Session,
        chosen: Callable[[Direction], None],
        chosen_elsewhere: Callable[[str, int], None],
        ask_stop: Callable[[], None],
    ) -> None:
        """`chosen_elsewhere` gets another index of the project and a number of its features.

        `ask_stop` asks where the text is to end.
        """
        super().__init__()
        self._session, self._chosen = session, chosen
        self._chosen_elsewhere = chosen_elsewhere
        icons.set_icon(self, "compass")
        self.setProperty("flat", "true")
        self.setToolTip(
            "Add a direction that is not a feature of this dictionary, or end the text early"
        )
        self.setAccessibleName("Add a direction")
        menu = QMenu(self)
        menu.addAction("Random direction", self.add_random)
        menu.addAction("Between two kinds of texts…", self._ask_texts)
        menu.addAction("Direction of a feature of another dictionary…", self._ask_feature)
        menu.addSeparator()
        menu.addAction("Feature of another index…", self._ask_elsewhere)
        menu.addSeparator()
        menu.addAction("Stop the text under a condition…", ask_stop)
        self.setMenu(menu)

    def add_random(self) -> None:
        """Add a direction drawn from all; another one each time."""
        self._chosen(RandomDirection(seed=random.randrange(_MOST_SEEDS)))

    def _ask_texts(self) -> None:
        dialog = TextsDialog(self)
        if dialog.exec() == QDialog.DialogCode.Accepted:
            self._chosen(dialog.direction())

    def _ask_feature(self) -> None:
        project = self._session.project
        names = project.all_dictionaries() if project is not None else []
        dialog = DecoderRowDialog(names, self)
        if dialog.exec() == QDialog.DialogCode.Accepted:
            self._chosen(dialog.direction())

    def _ask_elsewhere(self) -> None:
        project = self._session.project
        names = [] if project is None else project.indexes()
        dialog = IndexFeatureDialog([n for n in names if n != self._session.index_name], self)
        if dialog.exec() == QDialog.DialogCode.Accepted:
            self._chosen_elsewhere(*dialog.chosen())


class _DirectionDialog(QDialog):
    """A form, and a button that adds once the form is filled."""

    def __init__(self, title: str, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.form = QVBoxLayout(self)
        self.form.setSpacing(8)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.add_button = self._buttons.addButton("Add", QDialogButtonBox.ButtonRole.AcceptRole)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)

    def _finish(self) -> None:
        self.form.addWidget(self._buttons)
        set_default_button(self, self.add_button)
        self._check()

    def _check(self) -> None:
        raise NotImplementedError


class TextsDialog(_DirectionDialog):
    """Asks for the texts of a difference of means, one a line."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("From one set of texts to another", parent)
        self.on, self.off = PlainTextField(), PlainTextField()
        for field, title, example in (
            (self.on, "Towards these texts, one per line", "I am so happy today.\nWhat a joy!"),
            (self.off, "Away from these", "I am so sad today.\nWhat a pity."),
        ):
            field.setPlaceholderText(example)
            field.setAccessibleName(title)
            field.setTabChangesFocus(True)
            field.textChanged.connect(self._check)
            self.form.addWidget(label(title, "heading"))
            self.form.addWidget(field)
        self.form.addWidget(
            label("The mean of the site’s values on the first set minus that on the second.",
                  "small", wrap=True)
        )  # fmt: skip
        self._finish()

    def direction(self) -> MeanDifference:
        """Return what is set."""
        return MeanDifference(on=_lines(self.on), off=_lines(self.off))

    def _check(self) -> None:
        on, off = _lines(self.on), _lines(self.off)
        self.add_button.setEnabled(bool(on) and bool(off) and on != off)


class _FeatureDialog(_DirectionDialog):
    """Asks for a feature of something of the project."""

    def __init__(
        self, title: str, what: str, names: list[str], told: str, parent: QWidget | None
    ) -> None:
        super().__init__(title, parent)
        self.where = QComboBox()
        self.where.addItems(names)
        self.feature = WholeField()
        self.feature.setRange(0, _MOST_FEATURES)
        self.feature.problemChanged.connect(lambda _problem: self._check())
        rows = QFormLayout()
        rows.addRow(what, self.where)
        rows.addRow("Feature", self.feature)
        self.form.addLayout(rows)
        self.form.addWidget(label(told if names else f"{_NONE_ELSE} {told}", "small", wrap=True))
        self._finish()

    def _check(self) -> None:
        self.add_button.setEnabled(self.where.count() > 0 and not self.feature.problem)


class DecoderRowDialog(_FeatureDialog):
    """Asks for a feature of a dictionary of the project, whose direction is steered here."""

    def __init__(self, dictionaries: list[str], parent: QWidget | None = None) -> None:
        told = "Its direction is added where the features of the open index are."
        super().__init__(
            "The direction of another dictionary’s feature",
            "Dictionary",
            dictionaries,
            told,
            parent,
        )

    def direction(self) -> DecoderRow:
        """Return what is set."""
        return DecoderRow(dictionary=self.where.currentText(), feature=self.feature.value())


class IndexFeatureDialog(_FeatureDialog):
    """Asks for a feature of another index of the project, steered at a site of its own."""

    def __init__(self, indexes: list[str], parent: QWidget | None = None) -> None:
        told = (
            "It is steered where its own dictionary writes, in the same forward pass: what comes "
            "later in the model reads what was changed before."
        )
        super().__init__("A feature of another index", "Index", indexes, told, parent)

    def chosen(self) -> tuple[str, int]:
        """Return the index and the number."""
        return self.where.currentText(), self.feature.value()


def _lines(field: PlainTextField) -> list[str]:
    return [line for line in map(str.strip, field.toPlainText().splitlines()) if line]

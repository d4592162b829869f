"""How the chosen text is read: its column, its windows, and what one seldom changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.described import setting
from sae_desktop.gui.harvest.labelled_field import LabelledField
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.field_ranges import decimal_range, least_count
from sae_desktop.gui.parts.more_button import MoreButton
from sae_desktop.gui.parts.number_fields import CountField, DecimalField
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.words.corpus_card import (
    BOS_POLICIES,
    ORDERS,
    PACKINGS,
    SPECIAL_POLICIES,
    ColumnChoice,
)

_TYPING_MS = 500
_LONGEST_CONTEXT = 1_048_576
_LIMIT_DIGITS = 4
_RARE = ("bos", "special_tokens", "seed", "order", "overlap", "skip_limit")
_SHARES = {"text_column": 5, "packing": 4}
"""Of the width of their row; the others have 3."""


class CorpusFields(QWidget):
    """Everything of CorpusSettings but the corpus itself."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        defaults = CorpusSettings()
        self.subset = QLineEdit()
        self.subset.setPlaceholderText("default")
        self.split = QLineEdit(defaults.split)
        self.split.setPlaceholderText(defaults.split)
        self.column = _box(())
        self.context_size = CountField(
            defaults.context_size, least_count(CorpusSettings, "context_size"), _LONGEST_CONTEXT
        )
        self.context_size.setMinimumWidth(80)
        self.packing = _box(PACKINGS)
        self.bos = _box(BOS_POLICIES)
        self.special = _box(SPECIAL_POLICIES)
        self.seed = CountField(defaults.seed, least_count(CorpusSettings, "seed"))
        self.seed.setMinimumWidth(80)
        self.order = _box(ORDERS)
        self.overlap = CountField(defaults.overlap, least_count(CorpusSettings, "overlap"))
        self.overlap.setMinimumWidth(80)
        low, high = decimal_range(CorpusSettings, "skip_limit", 1.0)
        self.skip_limit = DecimalField(defaults.skip_limit, high, _LIMIT_DIGITS)
        self.skip_limit.setMinimum(low)
        duplicates = setting(CorpusSettings, "deduplicate")
        self.deduplicate = QCheckBox(duplicates.title)
        self.deduplicate.setChecked(defaults.deduplicate)
        self.deduplicate.setToolTip(plain_tip(duplicates.description))
        fields: dict[str, tuple[QWidget, bool]] = {
            "subset": (self.subset, False),
            "split": (self.split, False),
            "text_column": (self.column, False),
            "context_size": (self.context_size, True),
            "packing": (self.packing, True),
            "bos": (self.bos, True),
            "special_tokens": (self.special, True),
            "seed": (self.seed, True),
            "order": (self.order, True),
            "overlap": (self.overlap, True),
            "skip_limit": (self.skip_limit, True),
        }
        self._fields = {
            name: LabelledField.of(CorpusSettings, name, field, marked=marked)
            for name, (field, marked) in fields.items()
        }
        self._pictures = False
        self._typing = QTimer(self, singleShot=True, interval=_TYPING_MS)
        self._typing.timeout.connect(self.changed)
        self._lay_out()
        self.show_columns([])
        self.show_hub(False)
        self._connect()

    def _lay_out(self) -> None:
        often = _rows(
            [["subset", "split"], ["text_column", "packing", "context_size"]], self._fields
        )
        self.more = QWidget()
        rare = _rows(
            [["bos", "special_tokens", "seed"], ["order", "overlap", "skip_limit"]], self._fields
        )
        rare.addWidget(self.deduplicate)
        self.more.setLayout(rare)
        self.more_button = MoreButton(self.more, "settings of the text")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(often)
        column.addWidget(self.more_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.more)

    def _connect(self) -> None:
        for box in (self.column, self.packing, self.bos, self.special, self.order):
            box.currentIndexChanged.connect(self._tell)
        self.deduplicate.toggled.connect(self._tell)
        for spin in (self.context_size, self.seed, self.overlap, self.skip_limit):
            spin.valueChanged.connect(self._tell)
            spin.problemChanged.connect(self._tell)
        for field in (self.subset, self.split):
            field.textEdited.connect(lambda _text: self._typing.start())

    def _tell(self, _value: object = None) -> None:
        self.changed.emit()

    # ------------------------------------------------------------------ values
    def values(self) -> dict[str, Any]:
        """Return field of CorpusSettings → value."""
        choice = self._column_choice()
        hub = not self._fields["subset"].isHidden()
        return {
            "subset": self.subset.text().strip() if hub else "",
            "split": (self.split.text().strip() if hub else "") or CorpusSettings().split,
            "text_column": choice.text_column,
            "chat_column": choice.chat_column,
            "deduplicate": self.deduplicate.isChecked(),
            "seed": self.seed.value(),
            "order": self.order.currentData(),
            "overlap": 0 if self._pictures else self.overlap.value(),
            "skip_limit": self.skip_limit.value(),
            "context_size": self.context_size.value(),
            **(_usual() if self._pictures else self._of_text()),
        }

    def _of_text(self) -> dict[str, Any]:
        return {
            "packing": self.packing.currentData(),
            "bos": self.bos.currentData(),
            "special_tokens": self.special.currentData(),
        }

    def fill(self, fields: Mapping[str, Any]) -> None:
        """Put in values of CorpusSettings; what is not named stays. Tells of nothing."""
        with QSignalBlocker(self):
            self.subset.setText(fields.get("subset", self.subset.text()))
            self.split.setText(fields.get("split", self.split.text()))
            if "text_column" in fields or "chat_column" in fields:
                text, chat = fields.get("text_column", ""), fields.get("chat_column", "")
                name = text or (f"{chat} (chat)" if chat else "")
                wanted = ColumnChoice(name or "Auto", text, chat)
                self.show_columns([ColumnChoice("Auto"), wanted] if name else [])
                self._choose_column(wanted)
            self.deduplicate.setChecked(fields.get("deduplicate", self.deduplicate.isChecked()))
            for spin, name in (
                (self.seed, "seed"),
                (self.context_size, "context_size"),
                (self.overlap, "overlap"),
                (self.skip_limit, "skip_limit"),
            ):
                spin.setValue(fields.get(name, spin.value()))
            for box, name in (
                (self.packing, "packing"),
                (self.bos, "bos"),
                (self.special, "special_tokens"),
                (self.order, "order"),
            ):
                if name in fields:
                    box.setCurrentIndex(max(box.findData(fields[name]), 0))

    # ------------------------------------------------------------------ what there is
    def show_hub(self, hub: bool) -> None:
        """Show what only a dataset on the hub has."""
        self._fields["subset"].setVisible(hub)
        self._fields["split"].setVisible(hub)

    def show_pictures(self, pictures: bool, words: bool = True) -> None:
        """Show what matters to pictures alone; `words`: whether the model reads words, too."""
        self._pictures = pictures
        for name in ("packing", "bos", "special_tokens", "overlap"):
            self._fields[name].setVisible(not pictures)
        self._fields["context_size"].setVisible(words or not pictures)
        if pictures:
            self.show_columns([])

    def show_columns(self, choices: Sequence[ColumnChoice]) -> None:
        """Offer the columns of a table; none: the text has no columns."""
        kept = self._column_choice()
        with QSignalBlocker(self.column):
            self.column.clear()
            for choice in choices or [ColumnChoice("Auto")]:
                self.column.addItem(choice.text, choice)
                if choice.tip:
                    self.column.setItemData(
                        self.column.count() - 1, plain_tip(choice.tip), Qt.ItemDataRole.ToolTipRole
                    )
            if choices and (kept.text_column or kept.chat_column):
                self._choose_column(kept)
        self._fields["text_column"].setVisible(bool(choices))

    def _column_choice(self) -> ColumnChoice:
        choice = self.column.currentData()
        return choice if isinstance(choice, ColumnChoice) else ColumnChoice("")

    def _choose_column(self, wanted: ColumnChoice) -> None:
        """Choose a column by its name; one that is not there is offered none the less."""
        for place in range(self.column.count()):
            choice = self.column.itemData(place)
            if (choice.text_column, choice.chat_column) == (
                wanted.text_column,
                wanted.chat_column,
            ):
                self.column.setCurrentIndex(place)
                return
        self.column.addItem(wanted.text, wanted)
        self.column.setCurrentIndex(self.column.count() - 1)

    def show_problems(self, problems: Mapping[str, str]) -> None:
        """Say under each field what is wrong with it."""
        for name, field in self._fields.items():
            field.show_problem(problems.get(name, ""))
        if any(name in problems for name in _RARE):
            self.more_button.setChecked(True)


def _usual() -> dict[str, Any]:
    """Return what is not asked of pictures."""
    usual = CorpusSettings()
    names = ("packing", "bos", "special_tokens")
    return {name: getattr(usual, name) for name in names}


def _box(options: Sequence[tuple[str, str]]) -> QComboBox:
    box = ElidedComboBox()
    for value, text in options:
        box.addItem(text, value)
    return box


def _rows(rows: Sequence[Sequence[str]], fields: Mapping[str, QWidget]) -> QVBoxLayout:
    column = QVBoxLayout()
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(8)
    for row in rows:
        line = QHBoxLayout()
        line.setSpacing(8)
        for name in row:
            line.addWidget(fields[name], _SHARES.get(name, 3))
        column.addLayout(line)
    return column

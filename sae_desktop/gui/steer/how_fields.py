"""What all sliders of the rack do, on which tokens, at which layers, and how far they reach."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.labels import label, set_property
from sae_desktop.gui.parts.number_fields import WholeField
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.steer import rack as racks
from sae_desktop.gui.steer.rack import How, Positions
from sae_desktop.language_model.sites.site_names import parse_site
from sae_desktop.steering.config import Mode

_MODES: tuple[tuple[str, Mode, str], ...] = (
    ("Clamp", "clamp", "Sets the feature’s activation, as in the paper"),
    ("Add", "add", "Adds the feature’s direction, whatever its activation is"),
    ("Multiply", "multiply", "Multiplies the feature’s activation"),
    ("Ablate", "ablate", "Removes the feature’s activation"),
)
_PLACES: tuple[tuple[str, Positions], ...] = (
    ("everywhere", "all"),
    ("on the prompt", "prompt"),
    ("on the output", "output"),
    ("on the pictures", "pictures"),
    ("on the words", "words"),
    ("on chosen tokens", "tokens"),
)
_UNITS: dict[Mode, str] = {
    "clamp": "× counts in multiples of a feature’s maximum, ‖x‖ in typical norms.",
    "add": "× counts in multiples of a feature’s maximum, ‖x‖ in typical norms.",
    "multiply": "Multiplies the feature’s own activation; 1 leaves it unchanged.",
    "ablate": "Removes the feature, wherever its slider stands.",
}


_ALL_OUTPUTS = "At all outputs"


class HowFields(QWidget):
    """Mode, place, tokens, layers and range, with the unit of the sliders told beneath."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.mode, self.where = QComboBox(), QComboBox()
        self._other_layers = True
        for title, mode, tip in _MODES:
            self.mode.addItem(title, mode)
            self.mode.setItemData(
                self.mode.count() - 1, plain_tip(tip), Qt.ItemDataRole.ToolTipRole
            )
        for title, where in _PLACES:
            self.where.addItem(title, where)
        self.mode.setAccessibleName("What the sliders do")
        self.mode.setToolTip("What the sliders do to a feature")
        self.where.setAccessibleName("Which tokens they affect")
        self.where.setToolTip("Which tokens the sliders affect")
        self.start = WholeField()
        self.start.setRange(0, 100_000)
        self.start.setPrefix("from token ")
        self.start.setAccessibleName("First token of the prompt to affect")
        self.start.setToolTip("First token of the prompt to affect, counting from 0")
        self.start.setKeyboardTracking(False)
        self.start.valueChanged.connect(lambda _value: self.changed.emit())
        self.tokens = QLineEdit()
        self.tokens.setPlaceholderText("such as 2, 5-7")
        self.tokens.setAccessibleName("Tokens of the prompt to affect, by number")
        self.tokens.setToolTip("Tokens of the prompt, counting from 0; or click them in the prompt")
        self.layers = QLineEdit()
        self.layers.setPlaceholderText("such as 2, 4-5")
        self.layers.setAccessibleName("More layers to add it at")
        self.layers.setToolTip("The same direction is also added at the same place in these layers")
        for field in (self.tokens, self.layers):
            field.textChanged.connect(self._on_numbers_typed)
        self.output = ElidedComboBox(14)
        self.output.setAccessibleName("Output that is steered")
        self.output.setToolTip(
            plain_tip("A feature writes at several sites: change all of them, or one alone")
        )
        self.output.addItem(_ALL_OUTPUTS, "")
        self.output.hide()
        self._wanted_output = ""
        """That of a preset, until its dictionary is there."""
        self.range = QComboBox()
        for limit in racks.LIMITS:
            self.range.addItem(f"±{limit:g}", limit)
        self.range.setCurrentIndex(racks.LIMITS.index(racks.LIMIT))
        self.range.setAccessibleName("Range of the sliders")
        self.range.setToolTip("How far the sliders reach")
        self.unit = label(_UNITS["clamp"], "small", wrap=True)
        self.mode.currentIndexChanged.connect(self._on_chosen)
        self.where.currentIndexChanged.connect(self._on_chosen)
        self.output.activated.connect(self._on_output)
        self._lay_out()
        self._on_chosen()

    def _lay_out(self) -> None:
        how = QHBoxLayout()
        how.setSpacing(4)
        how.addWidget(self.mode, 1)
        how.addWidget(self.where, 1)
        place = QHBoxLayout()
        place.setSpacing(4)
        place.addWidget(self.start, 1)
        self._tokens_row = _named("tokens", self.tokens)
        self._layers_row = _named("also at layers", self.layers)
        place.addWidget(self._tokens_row, 1)
        place.addWidget(self.range)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(how)
        column.addLayout(place)
        column.addWidget(self.output)
        column.addWidget(self._layers_row)
        column.addWidget(self.unit)

    def how(self, sites: tuple[str, ...]) -> How:
        """Return what is chosen; what cannot be read counts as not given.

        sites: those that `more_layers` are of.
        """
        return How(
            mode=self.mode.currentData(),
            place=self.where.currentData(),
            start=self.start.value(),
            tokens=_numbers(self.tokens),
            sites=sites,
            output=self.output.currentData() or "",
        )

    def more_layers(self) -> tuple[int, ...]:
        """Return the layers at which a direction is added, too."""
        return _numbers(self.layers) if self._other_layers else ()

    def allow_more_layers(self, allowed: bool) -> None:
        """Offer to add at more layers, or not: what is written at several sites cannot be."""
        self._other_layers = allowed
        self._layers_row.setVisible(allowed and self.mode.currentData() == "add")

    def offer_outputs(self, sites: Sequence[str]) -> None:
        """Offer the sites that features write, where there are several; all of them at first."""
        several = list(sites) if len(sites) > 1 else []
        if several != [self.output.itemData(n) for n in range(1, self.output.count())]:
            self.output.clear()
            self.output.addItem(_ALL_OUTPUTS, "")
            for site in several:
                self.output.addItem(f"Only {site}", site)
        self.output.setCurrentIndex(max(self.output.findData(self._wanted_output), 0))
        self.output.setVisible(bool(several))

    def _on_output(self, _index: int) -> None:
        self._wanted_output = self.output.currentData()
        self.changed.emit()

    def take(self, how: How) -> None:
        """Choose what was kept."""
        self._wanted_output = how.output
        self.output.setCurrentIndex(max(self.output.findData(how.output), 0))
        self.mode.setCurrentIndex(self.mode.findData(how.mode))
        self.where.setCurrentIndex(self.where.findData(how.place))
        self.start.setValue(how.start)
        self.tokens.setText(racks.numbers_text(how.tokens))
        self.layers.setText(racks.numbers_text([parse_site(site).layer for site in how.sites]))

    def choose_tokens(self, tokens: Sequence[int]) -> None:
        """Set the tokens on which the sliders work, where they work on chosen ones."""
        self.tokens.setText(racks.numbers_text(tokens))

    def _on_chosen(self, _index: int = 0) -> None:
        self.unit.setText(_UNITS[self.mode.currentData()])
        chosen = self.where.currentData() == "tokens"
        self.start.setVisible(not chosen)
        self._tokens_row.setVisible(chosen)
        self._layers_row.setVisible(self._other_layers and self.mode.currentData() == "add")
        self.changed.emit()

    def _on_numbers_typed(self, _text: str) -> None:
        for field in (self.tokens, self.layers):
            unread = bool(field.text().strip()) and not _numbers(field)
            set_property(field, "invalid", "true" if unread else "false")
        self.changed.emit()


def _numbers(field: QLineEdit) -> tuple[int, ...]:
    """Return the numbers typed; none where they cannot be read."""
    try:
        return racks.parsed_numbers(field.text())
    except ValueError:
        return ()


def _named(name: str, field: QLineEdit) -> QWidget:
    """Return a field with its name before it."""
    row = QWidget()
    inner = QHBoxLayout(row)
    inner.setContentsMargins(0, 0, 0, 0)
    inner.setSpacing(4)
    inner.addWidget(label(name, "small"))
    inner.addWidget(field, 1)
    return row

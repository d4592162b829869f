"""The program's one field for numbers, and its kinds: counts, small numbers, numbers or none.

What is typed is read in any locale (`number_reading`) and kept as it is: never rounded, never
clipped. What cannot be read, or is outside the bounds, stays in the field, is marked, and
`problem` says what is wrong; `value` is then still the last one that could be read.
"""

from __future__ import annotations

import math

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QValidator, QWheelEvent
from PySide6.QtWidgets import QAbstractSpinBox, QStyle, QStyleOptionSpinBox, QWidget

from sae_desktop.gui.parts.field_ranges import MOST_COUNT
from sae_desktop.gui.parts.labels import set_property
from sae_desktop.words.number_reading import NotANumberError, read_count, read_number

_MARGIN = 6
_UNSET = -1.0
_WIDEST = 13
"""Characters a field is made for; longer numbers scroll."""
_ESCAPE = 0x01000000  # Qt.Key_Escape


def inset(field: QAbstractSpinBox) -> None:
    """Give a spin box's text the gap at its left that the style sheet gives other fields."""
    field.lineEdit().setTextMargins(_MARGIN, 0, 0, 0)


def problems_of(form: QWidget) -> list[str]:
    """Return what is wrong with the numbers typed in a form; nothing where all can be read."""
    return [field.problem for field in form.findChildren(NumberField) if field.problem]


class NumberField(QAbstractSpinBox):
    """A number from `low` to `high`; with `digits` digits shown after the point."""

    valueChanged = Signal(object)
    """The new value."""
    problemChanged = Signal(str)
    """What is wrong with what is typed; empty: nothing."""

    def __init__(
        self, value: float = 0.0, low: float = 0.0, high: float = 99.99, digits: int | None = 2
    ) -> None:
        super().__init__()
        self._low, self._high, self._digits = low, high, digits
        self._value = value
        self._step = 1.0
        self._prefix = self._suffix = ""
        self.problem = ""
        self._typing = False
        inset(self)
        self.lineEdit().textEdited.connect(self._on_typed)
        # Not interpretText itself: Qt would call its own, which knows nothing of this one.
        self.editingFinished.connect(lambda: self.interpretText())
        self._show()

    # ------------------------------------------------------------------ what it holds
    def value(self) -> float:
        return self._value

    def setValue(self, value: float) -> None:
        """Set and show a value; one outside the bounds is shown and marked, not changed."""
        changed = value != self._value
        self._value = self._kept(value)
        self._show()
        if changed:
            self.valueChanged.emit(self._value)

    def _kept(self, value: float) -> float:
        return float(value)

    @property
    def typing(self) -> bool:
        """Whether something was typed that is not taken over yet."""
        return self._typing

    def minimum(self) -> float:
        return self._low

    def maximum(self) -> float:
        return self._high

    def setRange(self, low: float, high: float) -> None:
        """Set the bounds; a value outside moves to the nearer one."""
        self._low, self._high = low, high
        bounded = min(max(self._value, low), high)
        if bounded != self._value:
            self.setValue(bounded)
        elif not self.typing:
            self._show()

    def setMinimum(self, low: float) -> None:
        self.setRange(low, max(low, self._high))

    def setDecimals(self, digits: int) -> None:
        """Show at least a given number of digits after the point."""
        self._digits = digits
        if not self.typing:
            self._show()

    def setSingleStep(self, step: float) -> None:
        self._step = step

    def setPrefix(self, prefix: str) -> None:
        self._prefix = prefix
        self._show()

    def setSuffix(self, suffix: str) -> None:
        self._suffix = suffix
        self._show()

    def setSpecialValueText(self, text: str) -> None:
        """Say what the least value means."""
        super().setSpecialValueText(text)
        if not self.typing:
            self._show()

    # ------------------------------------------------------------------ text
    def textFromValue(self, value: float) -> str:
        """Return a number as the person's locale writes it."""
        text = f"{value:.12g}"
        if self._digits is not None:
            fixed, short = f"{value:.{self._digits}f}", f"{value:.6g}"
            # A number typed with more digits shows them; a computed one has no end of them.
            exact = math.isclose(float(fixed), value, rel_tol=1e-12)
            text = fixed if exact or not math.isclose(float(short), value) else short
        return self._localised(text)

    def _localised(self, text: str) -> str:
        mantissa, e, exponent = text.partition("e")
        mantissa = mantissa.replace(".", self.locale().decimalPoint())
        return f"{mantissa}e{int(exponent)}" if e else mantissa

    def _read(self, text: str) -> float:
        return read_number(text, grouping=self.locale().groupSeparator())

    def _shown(self) -> str:
        if self.specialValueText() and self._value == self._low:
            return self.specialValueText()
        return f"{self._prefix}{self.textFromValue(self._value)}{self._suffix}"

    def _show(self) -> None:
        if self.lineEdit().text() != self._shown():
            self.lineEdit().setText(self._shown())
        self._typing = False
        self._say(self._bounds_problem(self._value))
        self.update()

    def _bounds_problem(self, value: float) -> str:
        if value < self._low:
            return f"At least {self.textFromValue(self._low)}."
        if value > self._high:
            return f"At most {self.textFromValue(self._high)}."
        return ""

    def _say(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            set_property(self, "invalid", "true" if problem else "false")
            self.problemChanged.emit(problem)

    # ------------------------------------------------------------------ typing
    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Let anything be typed: what is not a number is marked, not swallowed."""
        return QValidator.State.Acceptable, text, position

    def _on_typed(self, _text: str) -> None:
        self._typing = True
        value = self._typed()
        if value is not None and self.keyboardTracking() and value != self._value:
            self._value = value
            self.valueChanged.emit(value)

    def _typed(self) -> float | None:
        """Return the number in the field; None, and the field is marked, where there is none."""
        text = self.lineEdit().text().removeprefix(self._prefix).removesuffix(self._suffix)
        special = self.specialValueText()
        if special and text.strip() in ("", special):
            self._say("")
            return self._low
        try:
            value = self._read(text)
        except NotANumberError as error:
            self._say(str(error))
            return None
        self._say(self._bounds_problem(value))
        return None if self.problem else value

    def interpretText(self) -> None:
        """Take over what was typed, if it can be read; otherwise leave it there, marked."""
        if not self.typing:
            return
        value = self._typed()
        if value is not None:
            changed, self._value = value != self._value, value
            self._show()
            if changed:
                self.valueChanged.emit(value)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.interpretText()
        super().focusOutEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == _ESCAPE and (self.typing or self.problem):
            self._show()  # back to the last number that could be read
            return
        super().keyPressEvent(event)

    # ------------------------------------------------------------------ steps
    def stepEnabled(self) -> QAbstractSpinBox.StepEnabledFlag:
        flags = QAbstractSpinBox.StepEnabledFlag.StepNone
        if self._value < self._high:
            flags |= QAbstractSpinBox.StepEnabledFlag.StepUpEnabled
        if self._value > self._low:
            flags |= QAbstractSpinBox.StepEnabledFlag.StepDownEnabled
        return flags

    def stepBy(self, steps: int) -> None:
        self.interpretText()
        stepped = self._value + steps * self._step_size(steps)
        self.setValue(min(max(round(stepped, 12), self._low), self._high))
        self.selectAll()

    def _step_size(self, steps: int) -> float:
        del steps
        return self._step

    # ------------------------------------------------------------------ size
    def sizeHint(self) -> QSize:
        self.ensurePolished()
        texts = [self.specialValueText()]
        for bound in (self._low, self._high):
            texts.append(f"{self._prefix}{self.textFromValue(bound)[:_WIDEST]}{self._suffix}")
        metrics = self.fontMetrics()
        width = max(metrics.horizontalAdvance(f"{text} ") for text in texts) + 2 * _MARGIN
        option = QStyleOptionSpinBox()
        self.initStyleOption(option)
        inner = QSize(width, self.lineEdit().sizeHint().height())
        return self.style().sizeFromContents(QStyle.ContentsType.CT_SpinBox, option, inner, self)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()


class CountField(NumberField):
    """A count that steps by its own size: 10k, 20k … 100k, 200k …"""

    def __init__(self, value: int, low: int = 1_000, high: int = MOST_COUNT) -> None:
        super().__init__(value, low, high, 0)
        self.setMinimumWidth(140)

    def value(self) -> int:
        return int(self._value)

    def _kept(self, value: float) -> float:
        return int(value)

    def _read(self, text: str) -> float:
        return read_count(text)

    def textFromValue(self, value: float) -> str:
        return f"{int(value):,}".replace(",", self.locale().groupSeparator())

    def _step_size(self, steps: int) -> float:
        return max(10 ** (len(str(self.value() - (1 if steps < 0 else 0))) - 1), 1)


class WholeField(CountField):
    """A whole number that steps by one."""

    def __init__(self, value: int = 0, low: int = 0, high: int = MOST_COUNT) -> None:
        super().__init__(value, low, high)
        self.setMinimumWidth(0)

    def _step_size(self, steps: int) -> float:
        del steps
        return self._step


class DecimalField(NumberField):
    """A number from 0 up that steps by a tenth of its size, or by a step of its own."""

    def __init__(self, value: float, high: float, digits: int, step: float = 0.0) -> None:
        self._finest = 10.0**-digits
        super().__init__(value, 0.0, high, None)
        self._step = step

    def _step_size(self, steps: int) -> float:
        if self._step:
            return self._step
        size = abs(self._value)
        if size < self._finest:
            return self._finest
        magnitude = math.floor(math.log10(size) + 1e-9)
        if steps < 0 and math.isclose(size, 10.0**magnitude):
            magnitude -= 1  # from 0.001 down to 0.0009
        return 10.0 ** (magnitude - 1)


class OptionalDecimalField(DecimalField):
    """A number, or none of one's own: the default, which it names."""

    def __init__(self, high: float, digits: int) -> None:
        self._default = 0.0
        super().__init__(0.0, high, digits)
        self.setMinimum(_UNSET)
        self.setValue(_UNSET)
        self.set_default(0.0)

    def set_default(self, value: float) -> None:
        """Say what is taken where none is chosen; 0 is not named."""
        self._default = value
        self.setSpecialValueText(f"default ({self.textFromValue(value)})" if value else "default")

    def chosen(self) -> float | None:
        """The number; None: the default."""
        return None if self._value < 0 else self._value

    def choose(self, value: float | None) -> None:
        self.setValue(_UNSET if value is None else value)

    def _bounds_problem(self, value: float) -> str:
        if _UNSET < value < 0:
            return f"At least {self.textFromValue(0.0)}."
        return super()._bounds_problem(value)

    def stepBy(self, steps: int) -> None:
        """Step from the default's value; below 0 it is the default again."""
        self.interpretText()
        if self._value < 0 and steps > 0:
            self.setValue(self._default)
        elif self._value <= 0 and steps < 0:
            self.setValue(_UNSET)
        else:
            super().stepBy(steps)
            if self._value < 0:
                self.setValue(0.0)

"""The prompt of the Steer workspace, how it is continued, and what is shown beside."""

from __future__ import annotations

from functools import partial

import msgspec
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.described import default, setting
from sae_desktop.gui.parts.field_ranges import MOST_COUNT, decimal_range, least_count
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.number_fields import NumberField, WholeField
from sae_desktop.gui.parts.picture_strip import PictureStrip
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.text_box import TextBox
from sae_desktop.gui.steer.generated_text import HEADING_HEIGHT
from sae_desktop.gui.steer.monitor_choice import MonitorChoice
from sae_desktop.gui.steer.steering_outputs import CONTROLS
from sae_desktop.gui.steer.token_picker import TokenPicker
from sae_desktop.gui.steer.watch_view import WatchView
from sae_desktop.steering.config import Sampling, SteerConfig
from sae_desktop.steering.presets import Preset

EXAMPLES = ("In the beginning", "def", "Everyone has the right to", "The meaning of the word")
"""Openings that the built-in model has learned to continue."""
_MOST = 100.0
"""Where a number of the sampling has no bound of its own."""


class _WideEnough(QScrollArea):
    """Never narrower than what it shows and the bar beside that: it scrolls up and down alone."""

    def __init__(self, shown: QWidget) -> None:
        super().__init__()
        self._shown = shown
        self.setWidget(shown)

    def minimumSizeHint(self) -> QSize:
        hint, bar = super().minimumSizeHint(), self.verticalScrollBar().sizeHint().width()
        return QSize(self._shown.minimumSizeHint().width() + bar, hint.height())


class SteeringPrompt(QWidget):
    """Prompt, its tokens where some are to be chosen, sampling, controls, and the buttons."""

    promptChanged = Signal()
    controlsChanged = Signal()
    samplingChanged = Signal()

    def __init__(
        self, presets: QPushButton, generate: QPushButton, stop: QPushButton, watch: MonitorChoice
    ) -> None:
        super().__init__()
        self.monitors = watch
        self.watched = WatchView(watch.promise)
        self.strip = PictureStrip()
        self.prompt = TextBox(pictures=self.strip)
        self.prompt.setPlaceholderText("A prompt for the model to continue")
        self.prompt.setAccessibleName("Prompt")
        self.prompt.setTabChangesFocus(True)
        self.picker = TokenPicker()
        self.picker.hide()
        self.tokens, self.seed, self.top_k = WholeField(), WholeField(), WholeField()
        self.temperature, self.top_p, self.penalty = NumberField(), NumberField(), NumberField()
        chat = setting(SteerConfig, "chat")
        self.chat = QCheckBox(chat.title)
        self.preset_taken = False
        """Whether a preset said if the chat template is used."""
        self.chat.setToolTip(plain_tip(chat.description))
        self.random = QCheckBox(CONTROLS[0])
        self.random.setToolTip("Compare with an equally large change in a random direction")
        self.means = QCheckBox(CONTROLS[1])
        self.means.setToolTip(
            "Compare with an equally large change along the mean of the feature’s contexts minus "
            "the mean of all the text"
        )
        self.asking = QLineEdit()
        self.asking.setPlaceholderText("A prompt that asks for it")
        self.asking.setAccessibleName("A prompt that asks for it")
        self.asking.setToolTip("Compare with the plain model’s answer to a prompt that asks for it")
        self._build(presets, generate, stop)
        self.prompt.textChanged.connect(self._on_prompt_changed)
        self.strip.changed.connect(self._on_prompt_changed)
        self.chat.toggled.connect(self.promptChanged)
        self.temperature.valueChanged.connect(self._show_sampling)
        for box in self._numbers().values():
            box.valueChanged.connect(lambda _value: self.samplingChanged.emit())
        self.random.toggled.connect(self.controlsChanged)
        self.means.toggled.connect(self.controlsChanged)
        self.asking.textChanged.connect(self.controlsChanged)
        self._show_sampling()

    # ------------------------------------------------------------------ layout
    def _build(self, presets: QPushButton, generate: QPushButton, stop: QPushButton) -> None:
        self._build_numbers()
        form = QFormLayout()
        form.setHorizontalSpacing(8)
        form.setVerticalSpacing(4)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for name, field in self._numbers().items():
            told = setting(Sampling, name)
            field.setAccessibleName(told.title)
            field.setToolTip(plain_tip(told.description))
            form.addRow(told.title, field)
        for title, control in (
            ("", self.chat), ("Compare with", self.random), ("", self.means), ("", self.asking),
            ("Watch with", self.monitors),
        ):  # fmt: skip
            form.addRow(title, control)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(generate, 1)
        buttons.addWidget(stop)
        head = QHBoxLayout()
        head.addWidget(label("Prompt", "heading"))
        head.addStretch()
        head.addWidget(presets)
        presets.setFixedHeight(HEADING_HEIGHT)
        fields = QWidget()
        inner = QVBoxLayout(fields)
        inner.setContentsMargins(0, 0, 4, 0)
        inner.setSpacing(4)
        inner.addWidget(self.prompt, 100)
        inner.addWidget(self.strip)
        inner.addWidget(self.picker, 60)
        inner.addWidget(self.watched)
        inner.addWidget(self._examples())
        inner.addLayout(form)
        inner.addStretch(1)
        # Where a low window has no room for all of it, the fields scroll and Generate stays.
        scroll = _WideEnough(fields)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(head)
        column.addWidget(scroll, 1)
        column.addLayout(buttons)
        column.setSpacing(4)
        line = self.prompt.fontMetrics().lineSpacing()
        for view in (self.prompt, self.picker):
            view.setMinimumHeight(line * 3 + 16)
            view.setMaximumHeight(line * 24 + 16)
            # Where the fields scroll, it does not push them out of sight.
            view.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)

    def _numbers(self) -> dict[str, NumberField]:
        """Return the fields of the sampling, by the settings they are of."""
        return {
            "max_new_tokens": self.tokens,
            "repetition_penalty": self.penalty,
            "temperature": self.temperature,
            "top_k": self.top_k,
            "top_p": self.top_p,
            "seed": self.seed,
        }

    def _build_numbers(self) -> None:
        for name, field in self._numbers().items():
            if isinstance(field, WholeField):
                field.setRange(least_count(Sampling, name), MOST_COUNT)
            else:
                field.setRange(*decimal_range(Sampling, name, _MOST))
                field.setSingleStep(0.1)
            field.setValue(default(Sampling, name))
            field.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.tokens.setSuffix(" tokens")
        self.temperature.setDecimals(1)
        self.penalty.setDecimals(1)
        self.top_k.setSpecialValueText("all")

    def _examples(self) -> QWidget:
        self.examples = QWidget()
        examples = QVBoxLayout(self.examples)
        examples.setContentsMargins(0, 0, 0, 0)
        examples.setSpacing(0)
        examples.addWidget(label("For example", "small"))
        for text in EXAMPLES:
            button = push_button(f"“{text}”", partial(self.take_example, text), flat=True)
            examples.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
        return self.examples

    # ------------------------------------------------------------------ what is set
    def sampling(self) -> Sampling:
        """Return how tokens are chosen."""
        set_now = {name: field.value() for name, field in self._numbers().items()}
        return msgspec.convert(set_now, Sampling)

    @property
    def ready(self) -> bool:
        """Whether there is something to continue: words, or a picture."""
        return bool(self.prompt.toPlainText().strip() or self.strip.files)

    def uses_chat(self) -> bool:
        """Return whether the prompt goes through a chat template."""
        return self.chat.isChecked() and not self.chat.isHidden()

    def take(self, preset: Preset) -> str:
        """Set prompt, sampling and controls as a preset has them.

        Return what became of the files of its pictures; nothing of those that are as they were.
        """
        became = self.strip.take(preset.pictures)
        self.prompt.setPlainText(preset.prompt)
        for name, field in self._numbers().items():
            field.setValue(getattr(preset.sampling, name))
        self.chat.setChecked(preset.chat)
        self.preset_taken = True
        names = {variant.name: variant for variant in preset.variants}
        self.random.setChecked(CONTROLS[0] in names)
        self.means.setChecked(CONTROLS[1] in names)
        self.asking.setText(names[CONTROLS[2]].prompt if CONTROLS[2] in names else "")
        return became

    def take_example(self, text: str) -> None:
        """Set the prompt and let it be typed on."""
        self.prompt.setPlainText(text)
        self.prompt.setFocus()

    def _on_prompt_changed(self) -> None:
        self.examples.setVisible(not self.prompt.toPlainText() and not self.strip.files)
        self.promptChanged.emit()

    def _show_sampling(self, _value: object = None) -> None:
        for box in (self.seed, self.top_k, self.top_p):
            box.setEnabled(self.temperature.value() > 0.0)

"""The Steer workspace: a rack of sliders, a prompt, plain and steered text and their controls."""

from __future__ import annotations

import datetime
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QScrollArea,
    QSpinBox,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.engine.protocol import ErrorInfo, JobOutput
from sae_desktop.errors import UserError
from sae_desktop.gui.actions import ActionInfo
from sae_desktop.gui.latest_job import LatestJob
from sae_desktop.gui.panels.preset_button import PresetButton
from sae_desktop.gui.panels.steering_rack import SteeringRack
from sae_desktop.gui.panels.strength_sweep import StrengthSweepPanel
from sae_desktop.gui.session import Session
from sae_desktop.gui.widgets.empty_state import EmptyState
from sae_desktop.gui.widgets.generated_text import HEADING_HEIGHT, GeneratedText
from sae_desktop.gui.widgets.labels import label, push_button
from sae_desktop.gui.widgets.probability_bars import ProbabilityBars, TokenProbability
from sae_desktop.gui.workspace import DockInfo, bring_forward
from sae_desktop.steering.config import (
    PLAIN,
    NextToken,
    Sampling,
    SteerConfig,
    SteeredToken,
    SteerResult,
    Variant,
)
from sae_desktop.steering.controls import asking_control, means_control, random_control
from sae_desktop.steering.history import SteeredRun, remember_run
from sae_desktop.steering.presets import Preset, preset_of

if TYPE_CHECKING:
    from sae_desktop.client.job import Job

PAUSE_MS = 60
"""Pause in the moving of a slider after which the next token is asked for."""
EXAMPLES = ("In the beginning", "def", "Everyone has the right to", "The meaning of the word")
"""Openings that the built-in model has learned to continue."""
LONGEST = 400
CONTROLS = ("Random direction", "Difference of means", "Asked for")
BUILTIN = "builtin"
"""The model that ships: it has no chat template."""


class SteeringPanel(QWidget):
    """Prompt and outputs in the middle, next-token bars below; the rack is its dock."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("steer")
        self.setProperty("ground", "window")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._session = session
        self._job: Job | None = None
        self._running_config: SteerConfig | None = None
        self._texts: list[GeneratedText] = []
        """Where the variants of the generation under way are shown."""
        self.rack = SteeringRack(session)
        self.prompt = QPlainTextEdit()
        self.prompt.setPlaceholderText("A prompt for the model to continue")
        self.prompt.setAccessibleName("Prompt")
        self.prompt.setTabChangesFocus(True)
        self.tokens = QSpinBox()
        self.temperature = QDoubleSpinBox()
        self.seed = QSpinBox()
        self.chat = QCheckBox("Chat template")
        self.chat.setToolTip("Put the prompt through the model’s chat template, as a question")
        self.generate_button = push_button(
            "Generate", self.generate, icon="play", primary=True, tip="Continue it (Ctrl+Return)"
        )
        self.stop_button = push_button("Stop", self.stop, icon="stop", tip="Stop (Esc)")
        self.random = QCheckBox("Random direction")
        self.random.setToolTip("Beside it: as large a change in a random direction")
        self.means = QCheckBox("Difference of means")
        self.means.setToolTip(
            "Beside it: as large a change along the mean of the feature’s contexts less that of "
            "the text at large"
        )
        self.asking = QLineEdit()
        self.asking.setPlaceholderText("A prompt that asks for it")
        self.asking.setAccessibleName("A prompt that asks for it")
        self.asking.setToolTip("Beside it: what the plain model makes of a prompt that asks for it")
        self.plain = GeneratedText("Plain")
        self.steered = GeneratedText("Steered")
        self.controls = [GeneratedText(name) for name in CONTROLS]
        self.bars = ProbabilityBars()
        self.bars_state = label("", "small")
        self.next_token = LatestJob(session, PAUSE_MS, self)
        self.sweep = StrengthSweepPanel(session, self.asked)
        self.presets = PresetButton(session, self.asked, self.take_preset, self.take_run)
        self.empty = EmptyState(
            "Steering turns the features of an index up and down; no index is open yet.",
            "Build an index",
            lambda: session.show_workspace("project"),
            icon="list-bullets",
        )
        self._build()
        self._connect()
        self._on_index_changed()
        self._show_running()
        self._show_controls()

    # ------------------------------------------------------------------ layout
    def _build(self) -> None:
        for field, name, low, high, value in (
            (self.tokens, "New tokens", 1, LONGEST, 40),
            (self.seed, "Seed", 0, 2**31 - 1, 0),
        ):
            field.setRange(low, high)
            field.setValue(value)
            field.setAccessibleName(name)
            field.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.tokens.setSuffix(" tokens")
        self.temperature.setRange(0.0, 2.0)
        self.temperature.setSingleStep(0.1)
        self.temperature.setDecimals(1)
        self.temperature.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.temperature.setAccessibleName("Temperature")
        self.temperature.setToolTip("0: always the likeliest token; higher: more chance")
        self.seed.setToolTip("The same seed draws the same random numbers on both sides")
        outputs = QSplitter(Qt.Orientation.Horizontal)
        outputs.setHandleWidth(8)
        outputs.setChildrenCollapsible(False)
        texts = QSplitter(Qt.Orientation.Vertical)
        texts.setHandleWidth(8)
        texts.setChildrenCollapsible(False)
        pair, self._control_row = QSplitter(), QSplitter()
        for row, widgets in (
            (pair, (self.plain, self.steered)),
            (self._control_row, self.controls),
        ):
            row.setHandleWidth(8)
            row.setChildrenCollapsible(False)
            for text in widgets:
                row.addWidget(text)
            texts.addWidget(row)
        texts.setSizes([300, 200])
        for widget, stretch in ((self._prompt_part(), 2), (texts, 6)):
            outputs.addWidget(widget)
            outputs.setStretchFactor(outputs.count() - 1, stretch)
        outputs.setSizes([260, 640])
        work = QWidget()
        column = QVBoxLayout(work)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(12)
        column.addWidget(outputs, 1)
        column.addLayout(self._bars_heading())
        column.addWidget(self.bars)
        self._work = work
        self._stack = QStackedWidget()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(work)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._stack)

    def _prompt_part(self) -> QWidget:
        part = QWidget()
        self.examples = QWidget()
        examples = QVBoxLayout(self.examples)
        examples.setContentsMargins(0, 0, 0, 0)
        examples.setSpacing(0)
        examples.addWidget(label("For example", "small"))
        left = Qt.AlignmentFlag.AlignLeft
        for text in EXAMPLES:
            quoted = f"“{text.strip()}”"
            button = push_button(quoted, partial(self._on_example, text), flat=True)
            examples.addWidget(button, 0, left)
        form = QFormLayout()
        form.setHorizontalSpacing(8)
        form.setVerticalSpacing(4)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Length", self.tokens)
        form.addRow("Temperature", self.temperature)
        form.addRow("Seed", self.seed)
        form.addRow("", self.chat)
        form.addRow("Beside it", self.random)
        form.addRow("", self.means)
        form.addRow("", self.asking)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.generate_button, 1)
        buttons.addWidget(self.stop_button)
        head = QHBoxLayout()
        head.addWidget(label("Prompt", "heading"))
        head.addStretch()
        head.addWidget(self.presets)
        self.presets.setFixedHeight(HEADING_HEIGHT)
        fields = QWidget()
        inner = QVBoxLayout(fields)
        inner.setContentsMargins(0, 0, 4, 0)
        inner.setSpacing(4)
        inner.addWidget(self.prompt, 100)
        inner.addWidget(self.examples)
        inner.addLayout(form)
        inner.addStretch(1)
        # Where a low window has no room for all of it, the fields scroll and Generate stays.
        scroll = QScrollArea()
        scroll.setWidget(fields)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        column = QVBoxLayout(part)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(head)
        column.addWidget(scroll, 1)
        column.addLayout(buttons)
        column.setSpacing(4)
        line = self.prompt.fontMetrics().lineSpacing()
        self.prompt.setMinimumHeight(line * 3 + 16)
        self.prompt.setMaximumHeight(line * 24 + 16)
        part.setMinimumWidth(200)
        return part

    def _bars_heading(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(label("Next token", "heading"))
        row.addWidget(self.bars_state)
        row.addStretch()
        return row

    def docks(self) -> list[DockInfo]:
        """Return what stands beside: the rack, and below the sweep over strengths."""
        left, bottom = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.BottomDockWidgetArea
        return [
            DockInfo("rack", "Sliders", self.rack, left, 304),
            DockInfo("sweep", "Strengths", self.sweep, bottom, 260, hidden=True),
        ]

    def _connect(self) -> None:
        session = self._session
        self.rack.rackChanged.connect(self.ask_next_token)
        self.prompt.textChanged.connect(self._on_prompt_changed)
        self.temperature.valueChanged.connect(self._show_running)
        self.chat.toggled.connect(self.ask_next_token)
        for box in (self.random, self.means):
            box.toggled.connect(self._show_controls)
        self.asking.textChanged.connect(self._show_controls)
        self.next_token.answered.connect(self._on_next_token)
        self.next_token.failed.connect(self._on_next_token_failed)
        self.next_token.busyChanged.connect(self._on_next_token_busy)
        self.sweep.strengthChosen.connect(self.rack.multiply)
        session.indexOpened.connect(self._on_index_changed)
        session.projectChanged.connect(self._on_index_changed)

    def action_infos(self) -> list[ActionInfo]:
        """Return what can be done here, for menus, shortcuts and the palette."""
        return [
            ActionInfo(
                "steer.generate",
                "Generate plain and steered",
                "play",
                "Ctrl+Return",
                self.generate,
                self.can_generate,
            ),
            ActionInfo(
                "steer.stop", "Stop generating", "stop", "Esc", self.stop, lambda: self.running
            ),
            ActionInfo(
                "steer.sweep",
                "Try many strengths",
                "chart-line-up",
                "",
                lambda: bring_forward(self.sweep),
                lambda: self._session.index is not None,
            ),
            ActionInfo(
                "steer.add_feature",
                "Add a feature to the rack",
                "plus",
                "Ctrl+Shift+A",
                self.rack.add_field.setFocus,
                lambda: self._session.index is not None,
            ),
            ActionInfo(
                "steer.all_off",
                "Switch all sliders off",
                "sliders",
                "",
                self.rack.switch_all_off,
                lambda: any(entry.on for entry in self.rack.rack),
            ),
        ]

    # ------------------------------------------------------------------ asking
    @property
    def running(self) -> bool:
        """True while text is generated."""
        return self._job is not None

    def can_generate(self) -> bool:
        """Return whether there is an index and a prompt, and nothing is under way."""
        return (
            self._session.index is not None
            and not self.running
            and bool(self.prompt.toPlainText().strip())
        )

    def _config(self, new_tokens: int, variants: list[Variant]) -> SteerConfig:
        return SteerConfig(
            project=self._session.project_path,
            index=self._session.index_name,
            prompt=self.prompt.toPlainText(),
            variants=variants,
            sampling=Sampling(
                max_new_tokens=new_tokens,
                temperature=self.temperature.value(),
                seed=self.seed.value(),
            ),
            chat=self.chat.isChecked() and not self.chat.isHidden(),
            compare=new_tokens > 1,
        )

    def asked(self) -> SteerConfig | None:
        """Return what Generate would ask for; None without a prompt or a feature that is on."""
        ready = self._session.index is not None and self.prompt.toPlainText().strip()
        if not ready or not self.rack.interventions():
            return None
        return self._config(self.tokens.value(), self.variants())

    def take_preset(self, preset: Preset) -> None:
        """Set prompt, sliders and sampling as a preset has them."""
        acts = next((v.interventions for v in preset.variants if v.interventions), [])
        self.rack.take(acts)
        self.prompt.setPlainText(preset.prompt)
        self.tokens.setValue(preset.sampling.max_new_tokens)
        self.temperature.setValue(preset.sampling.temperature)
        self.seed.setValue(preset.sampling.seed)
        self.chat.setChecked(preset.chat)
        names = {variant.name: variant for variant in preset.variants}
        self.random.setChecked(CONTROLS[0] in names)
        self.means.setChecked(CONTROLS[1] in names)
        self.asking.setText(names[CONTROLS[2]].prompt if CONTROLS[2] in names else "")
        if self.rack.interventions() != acts:
            self._session.notify(
                "A part of it the sliders cannot show: directions, chosen tokens, other sites or "
                "mixed modes. The command “steer --preset” does all of it."
            )

    def variants(self) -> list[Variant]:
        """Return the model as it is, the steered one, and the controls that are asked for."""
        return [*self._pair(), *(variant for _, variant in self._asked_controls())]

    def _pair(self) -> list[Variant]:
        return [PLAIN, Variant(name="steered", interventions=self.rack.interventions())]

    def _asked_controls(self) -> list[tuple[GeneratedText, Variant]]:
        """Return the controls asked for, each with the text it is shown in."""
        index, acts = self._session.index, self.rack.interventions()
        found = []
        if self.random.isChecked() and acts:
            found.append((self.controls[0], random_control(acts)))
        if self.means.isChecked() and acts and index is not None:
            found.append((self.controls[1], means_control(acts, index)))
        if self.asking.text().strip():
            found.append((self.controls[2], asking_control(self.asking.text())))
        return found

    def _show_controls(self, _value: object = None) -> None:
        if self.running:
            return
        shown = {id(text) for text, _ in self._asked_controls()}
        for text in self.controls:
            text.setVisible(id(text) in shown)
        self._control_row.setVisible(bool(shown))

    def generate(self) -> None:
        """Continue the prompt plain and steered; tokens appear as they come."""
        if not self.can_generate():
            return
        self._show_controls()
        config = self._config(self.tokens.value(), self.variants())
        job = self._session.run(config)
        if job is None:
            return
        self._job, self._running_config = job, config
        self._texts = [self.plain, self.steered, *(text for text, _ in self._asked_controls())]
        for text, variant in zip(self._texts, config.variants, strict=True):
            text.begin(variant.prompt or config.prompt)
        job.outputReceived.connect(self._on_output)
        job.finished.connect(self._on_finished)
        job.failed.connect(self._on_failed)
        job.cancelled.connect(self._on_ended)
        self._show_running()

    def stop(self) -> None:
        """End the generation; the text so far stays."""
        if self._job is not None:
            self._job.stop_and_keep()

    def ask_next_token(self) -> None:
        """Ask how the next token's probabilities are now, once the hand pauses."""
        if self._session.index is None or not self.prompt.toPlainText().strip():
            self.next_token.forget()
            self.bars.set_tokens([])
            self._say_bars("Type a prompt to see the likeliest next tokens.")
            return
        self.next_token.ask(self._config(1, self._pair()))

    # ------------------------------------------------------------------ answers
    def _on_output(self, output: JobOutput) -> None:
        token: SteeredToken = output.data
        for text, piece in zip(self._texts, token.texts, strict=True):
            text.add(piece)
        if token.next_tokens and not self.next_token.busy:
            self._show_bars(token.next_tokens)

    def _on_finished(self, result: SteerResult) -> None:
        for text, variant in zip(self._texts, result.variants, strict=True):
            text.set_result(variant)
        self._remember([variant.text for variant in result.variants])
        self._on_ended()

    def _remember(self, texts: list[str]) -> None:
        """Add the run to the project's history."""
        index, project, asked = self._session.index, self._session.project, self._running_config
        if index is None or project is None or asked is None or self._session.read_only:
            return
        preset = preset_of(
            "", index.info, asked.prompt, asked.variants, asked.sampling, chat=asked.chat
        )
        now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        try:
            remember_run(project, SteeredRun(at=now, asked=preset, texts=texts))
        except UserError as error:
            self._session.show_error(error)

    def take_run(self, run: SteeredRun) -> None:
        """Show a run of before: its settings, and what it wrote."""
        if self.running:
            return
        self.take_preset(run.asked)
        self._show_controls()
        outputs = [self.plain, self.steered, *(text for text, _ in self._asked_controls())]
        for text, variant, written in zip(outputs, run.asked.variants, run.texts, strict=False):
            text.show_text(variant.prompt or run.asked.prompt, written)

    def _on_failed(self, error: ErrorInfo) -> None:
        self._on_ended()
        if self._session.client.state != "crashed":  # of that the window tells once for all
            self._session.show_error(error)

    def _on_ended(self, _message: object = None) -> None:
        self._job = None
        self._show_running()

    def _on_next_token(self, result: SteerResult) -> None:
        self._show_bars(result.next_tokens)

    def _show_bars(self, tokens: list[NextToken]) -> None:
        self.bars.set_tokens(
            [TokenProbability(t.token, t.probabilities[0], t.probabilities[1]) for t in tokens]
        )
        self._say_bars("")

    def _on_next_token_failed(self, error: ErrorInfo) -> None:
        self._say_bars(" ".join(part for part in (error.what, error.next_step) if part))

    def _on_next_token_busy(self, busy: bool) -> None:
        if busy and not self.bars.rows():
            self._say_bars("Reading…")

    def _say_bars(self, text: str) -> None:
        self.bars_state.setText(text)

    # ------------------------------------------------------------------ state
    def _on_prompt_changed(self) -> None:
        self.examples.setVisible(not self.prompt.toPlainText())
        self._show_running()
        self.ask_next_token()

    def _on_example(self, text: str) -> None:
        self.prompt.setPlainText(text)
        self.prompt.setFocus()

    def _on_index_changed(self, _index: object = None) -> None:
        index = self._session.index
        self._stack.setCurrentWidget(self.empty if index is None else self._work)
        self.setFocusProxy(self.empty.button if index is None else self.prompt)
        self.chat.setVisible(index is not None and index.info.model != BUILTIN)
        self._show_running()
        self.ask_next_token()

    def _show_running(self, _value: object = None) -> None:
        self.generate_button.setEnabled(self.can_generate())
        self.stop_button.setEnabled(self.running)
        self.seed.setEnabled(self.temperature.value() > 0.0)

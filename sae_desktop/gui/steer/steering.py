"""The Steer workspace: a rack of sliders, a prompt, plain and steered text and their controls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSplitter, QStackedWidget, QVBoxLayout, QWidget

from sae_desktop.engine.protocol import ErrorInfo, JobOutput
from sae_desktop.errors import UserError
from sae_desktop.gui.parts.actions import ActionInfo
from sae_desktop.gui.parts.empty_state import EmptyState
from sae_desktop.gui.parts.engine_offer import EngineOffer
from sae_desktop.gui.parts.labels import push_button
from sae_desktop.gui.parts.number_fields import problems_of
from sae_desktop.gui.parts.workspace import DockInfo
from sae_desktop.gui.state.described_model import DescribedModel
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.asked_controls import asked_controls
from sae_desktop.gui.steer.chat_choice import ChatChoice
from sae_desktop.gui.steer.first_text import FirstText, show_verdicts
from sae_desktop.gui.steer.generated_text import GeneratedText, made_of
from sae_desktop.gui.steer.kept_steering import keep_steering
from sae_desktop.gui.steer.last_run import LastRun
from sae_desktop.gui.steer.monitor_choice import MonitorChoice
from sae_desktop.gui.steer.next_token import NextTokenBars
from sae_desktop.gui.steer.preset_button import PresetButton
from sae_desktop.gui.steer.rack_panel import SteeringRack
from sae_desktop.gui.steer.steering_actions import steering_actions
from sae_desktop.gui.steer.steering_outputs import CONTROLS, MOST_SHOWN, SteeringOutputs
from sae_desktop.gui.steer.steering_prompt import SteeringPrompt
from sae_desktop.gui.steer.strength_sweep import StrengthSweepPanel
from sae_desktop.steering.config import PLAIN, SteerConfig, SteeredToken, SteerResult, Variant
from sae_desktop.steering.history import SteeredRun
from sae_desktop.steering.kept_pictures import KeptPicture
from sae_desktop.steering.presets import Preset

if TYPE_CHECKING:
    from sae_desktop.client.job import Job


class SteeringPanel(QWidget):
    """Prompt and outputs in the middle, next-token bars below; the rack is its dock."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("steer")
        self.setProperty("ground", "window")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._session = session
        self._job: Job | None = None
        self._running_config: SteerConfig | None = None
        self.by_itself = False
        """Whether nobody pressed the button for what was generated last."""
        self.last = LastRun(session, self)
        self._texts: list[GeneratedText] = []
        """Where the variants of the generation under way are shown."""
        self.rack = SteeringRack(session)
        self.generate_button = push_button(
            "Generate",
            self.generate,
            icon="play",
            primary=True,
            tip="Continue the prompt (Ctrl+Return)",
        )
        self.stop_button = push_button("Stop", self.stop, icon="stop", tip="Stop (Esc)")
        self.presets = PresetButton(
            session, self.asked, self._kept_pictures, self.take_preset, self.take_run
        )
        self.monitors = MonitorChoice(session)
        self.form = SteeringPrompt(
            self.presets, self.generate_button, self.stop_button, self.monitors
        )
        self.engine = EngineOffer(
            session, "The texts stay as they are; the model is needed to continue a prompt."
        )
        self.outputs = SteeringOutputs(self.monitors.promise)
        self.next_token = NextTokenBars(session)
        model = DescribedModel.of(session)
        ChatChoice(model, self.form)
        self.form.strip.follow(model)
        self.sweep = StrengthSweepPanel(session, self.asked)
        self.empty = EmptyState(
            "Steering turns an index’s features up and down. No index is open.",
            "Build an index",
            lambda: session.show_workspace("project"),
            icon="list-bullets",
        )
        self._build()
        self._connect()
        self._first = FirstText(session, self, self)
        self._on_index_changed()
        self._show_running()
        self._show_controls()
        keep_steering(session, self, self)

    # ------------------------------------------------------------------ layout
    def _build(self) -> None:
        sides = QSplitter(Qt.Orientation.Horizontal)
        sides.setHandleWidth(8)
        sides.setChildrenCollapsible(False)
        for widget, stretch in ((self.form, 2), (self.outputs, 6)):
            sides.addWidget(widget)
            sides.setStretchFactor(sides.count() - 1, stretch)
        sides.setSizes([260, 640])
        self.outputs.setSizes([300, 200])
        work = QWidget()
        column = QVBoxLayout(work)
        column.setContentsMargins(12, 12, 12, 12)
        column.setSpacing(12)
        column.addWidget(self.engine)
        column.addWidget(sides, 1)
        column.addWidget(self.next_token)
        self._work = work
        self._stack = QStackedWidget()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(work)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._stack)

    def docks(self) -> list[DockInfo]:
        """Return what stands beside: the rack, and below the sweep over strengths."""
        left, bottom = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.BottomDockWidgetArea
        return [
            DockInfo("rack", "Sliders", self.rack, left, 304),
            DockInfo("sweep", "Sweep over strengths", self.sweep, bottom, 260, hidden=True),
        ]

    def _connect(self) -> None:
        session = self._session
        self.rack.rackChanged.connect(self._on_rack_changed)
        self.form.promptChanged.connect(self._on_prompt_changed)
        self.form.prompt.refused.connect(session.show_error)
        self.form.controlsChanged.connect(self._show_controls)
        self.form.samplingChanged.connect(self._mark_earlier)
        self.monitors.changed.connect(self._on_monitors_changed)
        self.form.picker.picked.connect(self.rack.form.choose_tokens)
        self.outputs.keepAsked.connect(self.keep)
        self.outputs.keptChanged.connect(self._show_controls)
        self.outputs.steered.factorChosen.connect(self.try_factor)
        self.next_token.answered.connect(self._on_next_token)
        self.sweep.strengthsChosen.connect(self.rack.set_strengths)
        session.client.stateChanged.connect(self._on_engine_state)
        session.indexOpened.connect(self._on_index_changed)
        session.projectChanged.connect(self._on_index_changed)

    def action_infos(self) -> list[ActionInfo]:
        """Return what can be done here, for menus, shortcuts and the palette."""
        return steering_actions(self._session, self)

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
            and not self._session.engine_stopped
            and self.form.ready
        )

    def _config(self, variants: list[Variant], *, only_next: bool = False) -> SteerConfig:
        sampling = self.form.sampling()
        if only_next:
            sampling = msgspec.structs.replace(sampling, max_new_tokens=1)
        return SteerConfig(
            project=self._session.project_path,
            index=self._session.index_name,
            prompt=self.form.prompt.toPlainText(),
            variants=variants,
            sampling=sampling,
            chat=self.form.uses_chat(),
            compare=not only_next,
            monitors=self.monitors.chosen,
            pictures=self.form.strip.files,
        )

    def asked(self) -> SteerConfig | None:
        """Return what Generate would ask for; None without a prompt or anything that is on."""
        if self._session.index is None or not self.form.ready or not self._steers():
            return None
        return self._config(self.variants())

    def take_preset(self, preset: Preset) -> None:
        """Set prompt, sliders, what is kept, controls and sampling as a preset has them."""
        changed = [v for v in preset.variants if v.interventions or v.stop]
        steered = [v for v in changed if v.name not in CONTROLS]
        acts = steered[0].interventions if steered else []
        self.rack.take(acts, steered[0].stop if steered else [])
        if became := self.form.take(preset):
            self._session.notify(became)
        self.outputs.drop_all()
        for variant in steered[1:]:
            self.outputs.keep(variant)
        if self.rack.interventions() != acts:
            self._session.notify(
                "The sliders cannot show part of it, such as several modes at once. The "
                "command “steer --preset” applies all of it."
            )

    def _kept_pictures(self, whole: bool) -> list[KeptPicture]:
        return self.form.strip.as_kept(whole=whole)

    def can_keep(self) -> bool:
        """Return whether something is steered, and there is room for one text more."""
        return self._steers() and len(self.variants()) < MOST_SHOWN

    def _steers(self) -> bool:
        """Return whether anything is done to the model, or its text ends early."""
        variant = self.rack.variant()
        return bool(variant.interventions or variant.stop)

    def keep(self) -> None:
        """Keep what the sliders do now beside what they will do."""
        if self.can_keep() and not self.running:
            steered, shown = self._pair()[1], self.outputs.steered
            text = self.outputs.keep(steered)
            if shown.made == self.made_with(steered):
                text.take(shown)

    def variants(self) -> list[Variant]:
        """Return the model as it is, the steered one, those kept, and the controls asked for."""
        kept = [variant for variant, _ in self.outputs.kept]
        return [*self._pair(), *kept, *(variant for _, variant in self._asked_controls())]

    def _pair(self) -> list[Variant]:
        return [PLAIN, self.rack.variant()]

    def _asked_controls(self) -> list[tuple[GeneratedText, Variant]]:
        found = asked_controls(
            self.form, self.outputs.controls, self.rack.interventions(), self._session.index
        )
        return found[: max(MOST_SHOWN - 2 - len(self.outputs.kept), 0)]

    def texts(self) -> list[GeneratedText]:
        """Return where the texts of all variants are shown, side by side from now on."""
        return self.outputs.arrange([text for text, _ in self._asked_controls()])

    def made_with(self, variant: Variant, asked: SteerConfig | Preset | None = None) -> object:
        """Return all that a variant's text depends on; without `asked`, as it is set now."""
        return made_of(variant, self._config([variant]) if asked is None else asked)

    def _mark_earlier(self) -> None:
        """Mark the texts that were generated with other settings than those set now."""
        if self.running:
            return
        texts = self.texts()
        if self._session.project is not None:
            for text, variant in zip(texts, self.variants(), strict=True):
                text.compare_with(self.made_with(variant))

    def _show_controls(self, _value: object = None) -> None:
        self._mark_earlier()
        self.outputs.keep_button.setEnabled(self.can_keep() and not self.running)

    def generate(self) -> None:
        """Continue the prompt plain and steered; tokens appear as they come."""
        self._generate(by_itself=False)

    def generate_by_itself(self) -> None:
        """Generate without anybody having pressed the button."""
        self._generate(by_itself=True)

    def _generate(self, *, by_itself: bool) -> None:
        if not self.can_generate():
            return
        if unread := problems_of(self.form):
            self._session.show_error(UserError(unread[0], kept="The texts are unchanged."))
            return
        config, self.by_itself = self._config(self.variants()), by_itself
        job = self._session.run(config)
        if job is None:
            return
        if not by_itself:
            self._first.forget()
        self._job, self._running_config = job, config
        self._texts = self.texts()
        for text, variant in zip(self._texts, config.variants, strict=True):
            text.begin(variant.prompt or config.prompt, self.made_with(variant, config))
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
        if self._session.index is None or not self.form.ready:
            self.next_token.forget("Type a prompt to see the most likely next tokens.")
            self.form.watched.show_watched([])
        else:
            self.next_token.ask(self._config(self._pair(), only_next=True))

    # ------------------------------------------------------------------ answers
    def _on_output(self, output: JobOutput) -> None:
        token = output.data
        assert isinstance(token, SteeredToken)
        for text, piece in zip(self._texts, token.texts, strict=True):
            text.add(piece)
        if token.next_tokens:
            self.next_token.show_written(token.next_tokens)

    def _on_finished(self, result: SteerResult) -> None:
        if self._running_config is not None:
            self.show_result(self._texts, self._running_config, result)
            self.form.strip.learn(result.pictures)
            self.last.keep(self._running_config, result)
            self.show_verdicts(self._texts, self._running_config, result)
        self._on_ended()
        self._first.take_verdict(self.outputs.steered)

    def show_result(
        self, texts: list[GeneratedText], asked: SteerConfig, result: SteerResult
    ) -> None:
        """Show what was written, and where what was asked for worked."""
        for text, variant, found in zip(texts, asked.variants, result.variants, strict=False):
            text.set_result(found, variant, () if variant.prompt else result.prompt_tokens)

    def show_verdicts(
        self, texts: list[GeneratedText], asked: SteerConfig, result: SteerResult
    ) -> None:
        """Say under each text what became of it."""
        show_verdicts(texts, asked, result, self._session.index, self.rack)

    def try_factor(self, factor: float) -> None:
        """Set the sliders as a verdict proposes, and generate again."""
        self.rack.scale(factor)
        self.generate()

    def take_run(self, run: SteeredRun) -> None:
        """Show a run of before: its settings, and what it wrote."""
        if self.running:
            return
        self.take_preset(run.asked)
        texts = self.texts()
        for text, variant, written in zip(texts, run.asked.variants, run.texts, strict=False):
            made = self.made_with(variant, run.asked)
            text.show_text(variant.prompt or run.asked.prompt, written, made)

    def _on_failed(self, error: ErrorInfo) -> None:
        self._on_ended()
        if self._session.client.state != "crashed":  # of that the window tells once for all
            self._session.show_error(error)

    def _on_ended(self, _message: object = None) -> None:
        self._job = None
        self._show_running()
        self._mark_earlier()

    def _on_next_token(self, result: SteerResult) -> None:
        self.rack.set_typical_norm(result.typical_norm)
        self.form.strip.learn(result.pictures)
        self.form.picker.set_tokens(result.prompt_tokens)
        self.form.picker.choose(self.rack.how().tokens)
        self.form.watched.show_watched(result.variants[-1].watched, result.prompt_tokens)

    # ------------------------------------------------------------------ state
    def _on_prompt_changed(self) -> None:
        self._show_running()
        self._mark_earlier()
        self.ask_next_token()

    def _on_monitors_changed(self) -> None:
        self._mark_earlier()
        self.ask_next_token()

    def _on_rack_changed(self) -> None:
        how = self.rack.how()
        self.form.picker.setVisible(how.place == "tokens")
        self.form.picker.choose(how.tokens)
        self._show_controls()
        self.ask_next_token()

    def _on_index_changed(self, _index: object = None) -> None:
        index = self._session.index
        self._stack.setCurrentWidget(self.empty if index is None else self._work)
        self.setFocusProxy(self.empty.button if index is None else self.form.prompt)
        self._show_running()
        self.ask_next_token()

    def _on_engine_state(self, state: object) -> None:
        self._show_running()
        if state == "ready":
            self.ask_next_token()

    def _show_running(self) -> None:
        self.generate_button.setEnabled(self.can_generate())
        self.stop_button.setEnabled(self.running)
        self.outputs.keep_button.setEnabled(self.can_keep() and not self.running)

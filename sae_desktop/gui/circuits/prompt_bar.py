"""What is to be traced: a prompt, what of its next token is explained, by which set."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.circuits.config import EstimateTraceConfig, TraceConfig, TraceEstimate
from sae_desktop.demonstrations import CIRCUIT_PROMPT, SENTENCES, demonstration_of
from sae_desktop.dictionary.set_info import read_set_info
from sae_desktop.engine.protocol import ErrorInfo, JobProgress
from sae_desktop.errors import UserError
from sae_desktop.gui.circuits.chat_turns import ChatTurns
from sae_desktop.gui.circuits.token_strip import TokenStrip
from sae_desktop.gui.parts.copy_code import copy_code_button
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.kept_fields import keep_fields
from sae_desktop.gui.parts.labels import push_button, set_property
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.latest_job import LatestJob
from sae_desktop.gui.state.session import Session
from sae_desktop.language_model.config import DescribeModelConfig, ModelDescription
from sae_desktop.project import LONGEST_NAME
from sae_desktop.words.trace_text import estimate_text, graph_name, read_tokens, tracing_text

_PAUSE_MS = 500
_BUILTIN = "builtin"
"""The model that ships: it has no chat template."""
TARGETS = (
    ("likely", "Likely next tokens", "The tokens that the model thinks of, until they have most "
     "of the probability together"),
    ("tokens", "These tokens", "Tokens that you name, however likely they are"),
    ("difference", "One token against another", "Why the model prefers one token to another: "
     "what both have in common drops out"),
)  # fmt: skip
_HINTS = {"tokens": "Paris, London", "difference": "Paris, London"}


_NO_SET = "There is no set of transcoders to trace with: train one, or import one in Gallery."


class PromptBar(QWidget):
    """Says before the start what it takes; `traceAsked` carries the config."""

    traceAsked = Signal(object)
    stopAsked = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("circuits.prompt")
        self._session = session
        self._running = False
        self._described = ""
        """The set of whose model it is known whether it has a chat template."""
        self.prompt = QLineEdit()
        self.prompt.setPlaceholderText("A prompt, such as: The capital of the state with Dallas is")
        self.prompt.setAccessibleName("Prompt")
        self.prompt.setMaxLength(200_000)
        self.target = QComboBox()
        self.target.setAccessibleName("What is explained")
        for value, text, _ in TARGETS:
            self.target.addItem(text, value)
        self.tokens = QLineEdit()
        self.tokens.setAccessibleName("Tokens to explain")
        self.tokens.setMinimumWidth(120)
        self.tokens.setMaximumWidth(220)
        self.set = ElidedComboBox(12)
        self.set.setAccessibleName("Set of transcoders")
        self.set.setToolTip("The transcoders whose features the graph is made of")
        self.chat = QCheckBox("Chat")
        self.chat.setToolTip(
            plain_tip("The prompt is a chat, which the model reads through its template")
        )
        self.chat.setMinimumHeight(self.target.sizeHint().height())
        self.turns = ChatTurns()
        self.turns.hide()
        self.trace_button = push_button(
            "Trace", self.trace, icon="tree-structure", primary=True,
            tip="Trace which features make the next token (Return, Ctrl+Shift+G)",
        )  # fmt: skip
        self.stop_button = push_button(
            "Cancel", self.stopAsked.emit, icon="stop", tip="Cancel tracing (Esc)"
        )
        self.strip = TokenStrip()
        self.estimate = ElidedLabel(chars=12)
        self.estimate.setProperty("role", "small")
        self._estimates = LatestJob(session, _PAUSE_MS, self)
        self._estimated: EstimateTraceConfig | None = None
        """What was asked of last."""
        self._estimates.answered.connect(self._on_estimate)
        self._estimates.failed.connect(self._on_refused)
        self._build()
        self.prompt.textChanged.connect(self._on_changed)
        self.tokens.textChanged.connect(self._on_changed)
        self.target.currentIndexChanged.connect(self._on_changed)
        self.set.currentIndexChanged.connect(self._on_changed)
        self.chat.toggled.connect(self._on_chat)
        self.turns.changed.connect(self._on_changed)
        self.turns.asked.connect(self.trace)
        self.prompt.returnPressed.connect(self.trace)
        session.contentsChanged.connect(self.list_sets)
        session.projectChanged.connect(self.list_sets)
        session.traceRequested.connect(self.take_set)
        keep_fields(
            session, self,
            {"prompt": self.prompt, "target": self.target, "tokens": self.tokens, "set": self.set},
        )  # fmt: skip
        session.place.add(self, self._kept_chat, self._give_chat, part="chat")
        self.list_sets()

    def _build(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.prompt, 1)
        row.addWidget(self.turns, 1)
        for widget in (self.chat, self.target, self.tokens, self.set):
            row.addWidget(widget, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.trace_button, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.stop_button, 0, Qt.AlignmentFlag.AlignTop)
        self._below = QWidget()
        below = QHBoxLayout(self._below)
        below.setContentsMargins(0, 0, 0, 0)
        below.setSpacing(8)
        below.addWidget(self.strip, 1)
        below.addWidget(self.estimate, 1)
        copy = copy_code_button(self._session, self.asked)
        below.addWidget(copy, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 4)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self._below)
        self.chat.hide()
        self.setFocusProxy(self.prompt)
        self.set_running(False)
        self._on_changed()

    # ------------------------------------------------------------------ what is set
    def take_set(self, name: str) -> None:
        """Trace with a set, as its card in the project asks; the prompt can be typed at once."""
        self.set.setCurrentText(name)
        self.focus_prompt()

    def focus_prompt(self) -> None:
        """Put the keyboard where the prompt is written."""
        if self.is_chat:
            self.turns.setFocus()
        else:
            self.prompt.setFocus()
            self.prompt.selectAll()

    @property
    def is_chat(self) -> bool:
        """Whether the prompt is a chat, of a model that has a template for it."""
        return self.chat.isChecked() and not self.chat.isHidden()

    def text(self) -> str:
        """Return the prompt as it is asked for: one line, or the turns of a chat."""
        return self.turns.text() if self.is_chat else self.prompt.text()

    def _on_chat(self, _on: bool = False) -> None:
        """Show one line or turns; what was written in one goes to an empty other."""
        chat = self.is_chat
        focus = QApplication.focusWidget()
        had_focus = focus is not None and focus is not self.chat and self.isAncestorOf(focus)
        if chat and not self.turns.text():
            self.turns.set_text(self.prompt.text())
        elif not chat and not self.prompt.text() and len(self.turns.turns) == 1:
            self.prompt.setText(self.turns.turns[0].said.toPlainText())
        self.turns.setVisible(chat)
        self.prompt.setVisible(not chat)
        self.setFocusProxy(self.turns if chat else self.prompt)
        if had_focus:
            self.focus_prompt()
        self._on_changed()

    def _kept_chat(self) -> dict[str, object]:
        return {"chat": self.chat.isChecked(), "turns": self.turns.text()}

    def _give_chat(self, kept: dict[str, object]) -> None:
        turns = kept.get("turns")
        if isinstance(turns, str):
            self.turns.set_text(turns)
        self.chat.setChecked(kept.get("chat") is True)

    def list_sets(self) -> None:
        """List the sets of the project again."""
        project = self._session.project
        names = [] if project is None else project.sets()
        self._offer_prompt()
        if names != [self.set.itemText(n) for n in range(self.set.count())]:
            chosen = self.set.currentText()
            self.set.clear()
            self.set.addItems(names)
            if chosen in names:
                self.set.setCurrentText(chosen)
        self.set.setVisible(len(names) > 1)
        self._on_changed()

    def asked(self) -> TraceConfig | None:
        """Return what Trace would ask for; None without a prompt or a set, or where a token that
        is to be explained lacks."""
        project = self._session.project
        prompt = self.text()
        if project is None or not prompt.strip() or not self.set.currentText():
            return None
        target = self.target.currentData()
        tokens = () if target == "likely" else read_tokens(self.tokens.text())
        if len(tokens) < {"likely": 0, "tokens": 1, "difference": 2}[target]:
            return None
        return TraceConfig(
            project=str(project.path), name=graph_name(prompt, project.graphs())[:LONGEST_NAME],
            set=self.set.currentText(), prompt=prompt, chat=self.is_chat,
            target=target, tokens=tokens,
        )  # fmt: skip

    def take(
        self, prompt: str, target: str, tokens: tuple[str, ...], *, chat: bool = False
    ) -> None:
        """Set the fields as a graph was asked for."""
        if chat:
            self.turns.set_text(prompt)
        else:
            self.prompt.setText(prompt)
        self.chat.setChecked(chat)
        self.target.setCurrentIndex(max(self.target.findData(target), 0))
        self.tokens.setText(", ".join(f"“{token}”" for token in tokens))

    def _on_changed(self, _value: object = None) -> None:
        target = self.target.currentData()
        self.target.setToolTip(plain_tip(TARGETS[self.target.currentIndex()][2]))
        self.tokens.setVisible(target != "likely")
        self.tokens.setPlaceholderText(_HINTS.get(target, ""))
        config = self.asked()
        self._show_buttons()
        wanted = None
        if config is not None and not self._session.engine_stopped:
            names = EstimateTraceConfig.__struct_fields__
            wanted = EstimateTraceConfig(**{name: getattr(config, name) for name in names})
        if wanted is None or wanted != self._estimated:
            # Of the same question the answer stays until the next: what is below would jump.
            self.strip.show_tokens(())
            project = self._session.project
            lacks = project is not None and not self.set.count() and bool(self.text().strip())
            self._say(_NO_SET if lacks else "")
        self._estimated = wanted
        self._ask_for_template()
        if wanted is None:
            self._estimates.forget()
        else:
            self._estimates.ask(wanted)

    # ------------------------------------------------------------------ answers
    def _on_estimate(self, estimate: TraceEstimate) -> None:
        self.strip.show_tokens(estimate.tokens, frozenset(estimate.special_tokens))
        self._say(estimate_text(estimate), warning=not estimate.fits)

    def _on_refused(self, error: ErrorInfo) -> None:
        self._say(f"{error.what} {error.next_step}".strip(), warning=True)

    def _say(self, text: str, *, warning: bool = False) -> None:
        self.estimate.setText(text)
        self._below.setVisible(bool(text))
        set_property(self.estimate, "role", "warning" if warning else "small")

    def trace(self) -> None:
        """Ask for the graph of what is set."""
        config = self.asked()
        if config is not None and not self._running:
            self.traceAsked.emit(config)

    def _ask_for_template(self) -> None:
        """Offer the chat template of the set's model, where it has one; asked once a set."""
        name, project = self.set.currentText(), self._session.project
        if project is None or name == self._described or self._session.engine_stopped:
            return
        self._described = name
        self.chat.hide()
        self._on_chat()
        try:
            model = read_set_info(project.set_path(name)).model if name else ""
        except UserError:  # the estimate says what is wrong with it
            return
        if model and model != _BUILTIN:
            job = self._session.run(DescribeModelConfig(model=model))
            if job is not None:
                job.finished.connect(lambda found: self._on_described(name, found))

    def _on_described(self, name: str, found: ModelDescription) -> None:
        if name == self.set.currentText():
            self.chat.setVisible(found.chat_template)
            self._on_chat()

    def show_progress(self, progress: JobProgress) -> None:
        """Say how far the trace is."""
        if self._running:
            self._say(tracing_text(progress.done, progress.total, progress.seconds_left))

    def _offer_prompt(self) -> None:
        """Have a prompt written in the one with a set, so that one press shows a graph."""
        if demonstration_of(self._session.project) is SENTENCES and not self.prompt.text():
            self.prompt.setText(CIRCUIT_PROMPT)

    def set_running(self, running: bool) -> None:
        """Show that a prompt is being traced, and how to cancel it."""
        self._running = running
        shown, hidden = self.stop_button, self.trace_button
        if not running:
            shown, hidden = hidden, shown
        held = hidden.hasFocus()
        shown.show()
        self._show_buttons()
        if held:  # or Qt hands the keyboard on to wherever the window begins
            shown.setFocus()
        hidden.hide()

    def _show_buttons(self) -> None:
        self.trace_button.setEnabled(self.asked() is not None)

"""The third column of the Harvest panel: which text, how it is cut, and how it looks as tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QVBoxLayout

from sae_desktop.corpus.config import CorpusDescription, CorpusSettings, DescribeCorpusConfig
from sae_desktop.corpus.names import ENDINGS
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.exchange.recognise import dialog_filter
from sae_desktop.gui.forms.source_choice import SourceChoice, SourceOption
from sae_desktop.gui.harvest.corpus_fields import CorpusFields
from sae_desktop.gui.harvest.window_preview import WindowPreviews
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button, set_property
from sae_desktop.gui.state.latest_job import LatestJob
from sae_desktop.gui.state.session import Session
from sae_desktop.words.corpus_card import column_choices, corpus_text, notes_text

_ASK_MS = 250
HUB = SourceOption("A dataset on the hub", placeholder="owner/dataset, streamed as it is read")
OPTIONS = [
    SourceOption("Built-in corpus", "builtin"),
    SourceOption(
        "A file",
        browse=dialog_filter("corpus"),
        placeholder="Text, JSON lines, CSV, Parquet or Arrow",
        suffixes=ENDINGS,
    ),
    SourceOption("A folder", browse="folder", placeholder="Texts, a source tree, or a dataset"),
    HUB,
]


class CorpusColumn(QFrame):
    """Asks the engine how the chosen corpus begins."""

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._model = ""
        self.description: CorpusDescription | None = None
        self.choice = SourceChoice("Text", OPTIONS)
        self.fields = CorpusFields()
        self._name = ElidedLabel(chars=12)
        self._name.setProperty("role", "figure")
        self._message = label("", "muted", wrap=True)
        self._looked_up = ""
        """The dataset that the person had the hub asked about."""
        self._look_up = push_button("Look it up on the hub", self.look_up, icon="magnifying-glass")
        self._look_up.hide()
        self._notes = label("", "small", wrap=True)
        self.preview = WindowPreviews()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.choice)
        column.addWidget(self.fields)
        column.addWidget(self._name)
        column.addWidget(self._message)
        column.addWidget(self._look_up, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self._notes)
        column.addWidget(self.preview, 1)
        self._asking = LatestJob(session, _ASK_MS, self)
        self._asking.answered.connect(self._on_described)
        self._asking.failed.connect(self._on_failed)
        self.choice.changed.connect(self._on_chosen)
        self.choice.optionChanged.connect(self._show_hub)
        self.fields.changed.connect(self._on_settings)
        self._show()

    @property
    def corpus(self) -> str:
        return self.choice.value

    def values(self) -> dict[str, Any]:
        """Return field of CorpusSettings → value."""
        return {"corpus": self.corpus, **self.fields.values()}

    def fill(self, values: Mapping[str, Any]) -> None:
        """Put in values of CorpusSettings; what is not named stays."""
        if "corpus" in values:
            self.choice.set_value(values["corpus"])
        self.fields.fill(values)
        self._on_settings()

    def set_model(self, model: str) -> None:
        """Say whose tokens are shown; none: they cannot be yet."""
        if model != self._model:
            self._model = model
            self.ask()

    def show_problems(self, problems: Mapping[str, str]) -> None:
        """Say under each field what is wrong with it."""
        self.fields.show_problems(problems)

    # ------------------------------------------------------------------ asking
    def _on_chosen(self, _value: str) -> None:
        # What is shown is of the text before.
        self.description = None
        self.fields.show_columns([])
        self._show()
        self._on_settings()

    def _on_settings(self) -> None:
        self.ask()
        self.changed.emit()

    def _show_hub(self) -> None:
        self.fields.show_hub(self.choice.option is HUB)

    def ask(self) -> None:
        """Have the beginning of the corpus read."""
        if not self.corpus or not self._model:
            self._asking.forget()
            self.description = None
            self._show()
            self._say("Choose a text." if not self.corpus else "")
            return
        self._look_up.hide()
        if self.choice.option is HUB and self.corpus != self._looked_up:
            self._asking.forget()
            self._say("The hub is asked about a dataset only when you request it.")
            self._look_up.show()
            return
        if self.description is None:
            self._say("Reading the beginning of the text…")
        self._asking.ask(DescribeCorpusConfig(model=self._model, **self.values()))
        self._show_notes()

    def look_up(self) -> None:
        """Ask the hub about the named dataset, and from then on as its settings change."""
        self._looked_up = self.corpus
        self.ask()

    def _on_described(self, description: CorpusDescription) -> None:
        self.description = description
        asked = self.fields.values()["text_column"]
        self.fields.show_columns(column_choices(description, asked))
        self._show()
        if description.problem:
            self._say(description.problem, "error")
        else:
            self._say(corpus_text(description))

    def _on_failed(self, error: ErrorInfo) -> None:
        self.description = None
        self._show()
        self._say(f"{error.what} {error.next_step}".strip(), "error")

    # ------------------------------------------------------------------ the card
    def _say(self, text: str, role: str = "muted") -> None:
        self._message.setText(text)
        self._message.setVisible(bool(text))
        set_property(self._message, "role", role)

    def _show_notes(self) -> None:
        self._notes.setText(notes_text(CorpusSettings(**self.values()), self.description))

    def _show(self) -> None:
        found = self.description
        # Only where it says more than what was chosen.
        name = found.name if found and found.name != self.corpus else ""
        self._name.setText(name)
        self._name.setVisible(bool(name))
        self.preview.show_windows(found.preview if found else [])
        self._show_notes()

"""A choice of text to be read: what ships, a file or a folder, and how many documents it has."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from sae_desktop.corpus.config import CorpusDescription, DescribeCorpusConfig
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.gui.forms.source_choice import SourceChoice, SourceOption
from sae_desktop.gui.parts.labels import label, set_property
from sae_desktop.gui.parts.terms import explain
from sae_desktop.gui.parts.text_box import local_files
from sae_desktop.gui.state.latest_job import LatestJob
from sae_desktop.gui.state.session import Session
from sae_desktop.words.corpus_card import corpus_text

_ASK_MS = 250
_BUILTIN = SourceOption("Built-in corpus", "builtin")
_OWN = (
    SourceOption(
        "A file",
        browse="corpus",
        placeholder="Text, chats or a table; drop it here",
    ),
    SourceOption("A folder", browse="folder", placeholder="Texts, or a dataset; drop it here"),
)


class TextSource(QWidget):
    """Asks the engine how the chosen text begins, and says how many documents it has."""

    changed = Signal()
    """Another text was chosen, or its documents are counted."""

    def __init__(self, session: Session, name: str) -> None:
        super().__init__()
        self.setAcceptDrops(True)
        self.documents = -1
        """Of the chosen text; −1: not counted."""
        self._model = ""
        self._asked: tuple[str, str] | None = None
        """Corpus and model that are counted; None: nobody saw the answer yet."""
        self.choice = SourceChoice(name, [_BUILTIN, *_OWN])
        explain(self.choice.kind, "Corpus")
        self.message = label("", "small", wrap=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.choice)
        column.addWidget(self.message)
        self.setFocusProxy(self.choice)
        self._asking = LatestJob(session, _ASK_MS, self)
        self._asking.answered.connect(self._on_described)
        self._asking.failed.connect(self._on_failed)
        self.choice.changed.connect(self._on_chosen)
        self.choice.optionChanged.connect(self._on_option)
        self._say("")

    @property
    def corpus(self) -> str:
        """What a job's config calls it; empty while nothing is chosen."""
        return self.choice.value

    def set_corpus(self, corpus: str) -> None:
        self.choice.set_value(corpus)

    def set_model(self, model: str) -> None:
        """Say which model reads it; without one nothing is counted."""
        if model != self._model:
            self._model = model
            self._ask()

    def _on_option(self) -> None:
        if not self.corpus:
            self._on_chosen("")

    def _on_chosen(self, _value: str) -> None:
        self.documents = -1
        self._ask()
        self.changed.emit()

    def _ask(self) -> None:
        if not self.corpus or not self._model:
            self._asking.forget()
            self._say("" if self.corpus else "Choose a text.")
            return
        if not self.isVisible():
            self._asked = None
            return
        self._asked = (self.corpus, self._model)
        self._say("Reading the beginning of the text…")
        self._asking.ask(DescribeCorpusConfig(corpus=self.corpus, model=self._model, preview=0))

    def _on_described(self, found: CorpusDescription) -> None:
        self.documents = found.documents
        self._say(found.problem or corpus_text(found), "error" if found.problem else "small")
        self.changed.emit()

    def _on_failed(self, error: ErrorInfo) -> None:
        self.documents = -1
        self._say(f"{error.what} {error.next_step}".strip(), "error")
        self.changed.emit()

    def _say(self, text: str, role: str = "small") -> None:
        self.message.setText(text)
        self.message.setVisible(bool(text))
        set_property(self.message, "role", role)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._asked != (self.corpus, self._model):
            self._ask()

    # ------------------------------------------------------------------ drops
    def take(self, path: Path) -> None:
        """Choose a file or folder."""
        self.choice.set_value(str(path))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if len(local_files(event.mimeData())) == 1:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        self.take(local_files(event.mimeData())[0])
        event.acceptProposedAction()

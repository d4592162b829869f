"""The third column of the Harvest panel: which text, and how it looks as tokens."""

from __future__ import annotations

import html

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QTextBrowser, QVBoxLayout

from sae_desktop.client.job import Job
from sae_desktop.corpus.config import CorpusDescription, DescribeCorpusConfig, WindowPreview
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.gui import theme
from sae_desktop.gui.harvest_draft import corpus_text
from sae_desktop.gui.running_text import RunningText
from sae_desktop.gui.session import Session
from sae_desktop.gui.widgets.labels import label, set_property
from sae_desktop.gui.widgets.source_choice import SourceChoice, SourceOption
from sae_desktop.language_model.token_text import visible_token

OPTIONS = [
    SourceOption("Built-in corpus", "builtin"),
    SourceOption(
        "A file",
        browse="Texts (*.txt *.md *.jsonl *.xz *.gz);;All files (*)",
        placeholder=".txt, or .jsonl with a “text” in each line",
    ),
    SourceOption("A folder of texts", browse="folder", placeholder="Folder"),
]


class CorpusColumn(QFrame):
    """Asks the engine how the chosen corpus begins."""

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._asking: Job | None = None
        self._model = ""
        self.description: CorpusDescription | None = None
        self.setProperty("card", "true")
        self.choice = SourceChoice("Text", OPTIONS)
        self.choice.changed.connect(self._on_chosen)
        self._message = label("", "muted", wrap=True)
        self._preview = QTextBrowser()
        self._preview.setOpenLinks(False)
        self._preview.setAccessibleName("How the text begins, token by token")
        self._preview.setMinimumHeight(96)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        column.addWidget(label("3  Text", "heading"))
        column.addWidget(self.choice)
        column.addWidget(self._message)
        column.addWidget(self._preview, 1)
        theme.manager().themeChanged.connect(self._paint_preview)

    @property
    def corpus(self) -> str:
        return self.choice.value

    def set_model(self, model: str) -> None:
        """Say whose tokens are shown."""
        if model != self._model:
            self._model = model
            self.ask()

    def _on_chosen(self, _value: str) -> None:
        self.ask()
        self.changed.emit()

    def ask(self) -> None:
        """Have the beginning of the corpus read."""
        if self._asking is not None and not self._asking.ended:
            self._asking.cancel()
        self.description = None
        self._paint_preview()
        if not self.corpus or not self._model:
            self._say("Name a text." if not self.corpus else "")
            return
        self._say("Reading how the text begins…")
        job = self._session.run(DescribeCorpusConfig(corpus=self.corpus, model=self._model))
        self._asking = job
        if job is not None:
            job.finished.connect(lambda result: self._on_described(job, result))
            job.failed.connect(lambda error: self._on_failed(job, error))

    def _on_described(self, job: Job | None, description: CorpusDescription) -> None:
        if job is self._asking:
            self.description = description
            self._say(corpus_text(description))
            self._paint_preview()

    def _on_failed(self, job: Job | None, error: ErrorInfo) -> None:
        if job is self._asking:
            self._say(f"{error.what} {error.next_step}".strip(), "error")

    def _say(self, text: str, role: str = "muted") -> None:
        self._message.setText(text)
        set_property(self._message, "role", role)

    def _paint_preview(self) -> None:
        previews = self.description.preview if self.description else []
        self._preview.setHtml("".join(_preview_html(preview) for preview in previews))


def _preview_html(preview: WindowPreview) -> str:
    colours = theme.palette()
    grounds = (colours.hover.name(), colours.surface.name())
    tokens = "".join(
        f'<span style="background-color:{grounds[number % 2]}">'
        f"{html.escape(visible_token(piece.text))}</span>&#8203;"
        for number, piece in enumerate(RunningText(preview.tokens).pieces)
    )
    source = " · ".join(part for part in (preview.title, preview.language) if part)
    return (
        f'<p style="margin:0 0 2px 0;color:{colours.muted_text.name()}">{html.escape(source)}</p>'
        f'<p style="margin:0 0 12px 0;line-height:135%">{tokens}</p>'
    )

"""The third column of the Harvest panel: which text or pictures, how they are read, and how they
look as tokens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QVBoxLayout

from sae_desktop.corpus.config import CorpusDescription, CorpusSettings, DescribeCorpusConfig
from sae_desktop.corpus.documents import hub_name
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.gui.forms.source_choice import SourceChoice, SourceOption
from sae_desktop.gui.harvest.corpus_fields import CorpusFields
from sae_desktop.gui.harvest.picture_fields import PictureFields
from sae_desktop.gui.harvest.picture_previews import PicturePreviews
from sae_desktop.gui.harvest.window_preview import WindowPreviews
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button, set_property
from sae_desktop.gui.state.latest_job import LatestJob
from sae_desktop.gui.state.session import Session
from sae_desktop.language_model.config import ModelDescription
from sae_desktop.language_model.picture_config import PicturesDescription, PreviewPicturesConfig
from sae_desktop.words.corpus_card import column_choices, corpus_text, notes_text
from sae_desktop.words.pictures_card import pictures_text, refused_text

_ASK_MS = 250
HUB = SourceOption("A dataset on the hub", placeholder="owner/dataset, streamed as it is read")
TEXTS = [
    SourceOption("Built-in corpus", "builtin"),
    SourceOption(
        "A file",
        browse="corpus",
        placeholder="Text, JSON lines, CSV, Parquet or Arrow",
    ),
    SourceOption("A folder", browse="folder", placeholder="Texts, a source tree, or a dataset"),
    HUB,
]
PICTURE_FOLDER = SourceOption(
    "A folder of pictures",
    browse="folder",
    placeholder="Pictures, and .txt files of the same names",
)
PICTURE_FILE = SourceOption(
    "An archive or table of pictures",
    browse="pictures",
    placeholder=".zip, .tar, Parquet, JSON lines or CSV",
)
PICTURE_HUB = SourceOption(
    "Pictures of a dataset on the hub", placeholder="owner/dataset, streamed as it is read"
)
OPTIONS = [*TEXTS, PICTURE_FOLDER, PICTURE_FILE, PICTURE_HUB]
_OF_PICTURES = (PICTURE_FOLDER, PICTURE_FILE, PICTURE_HUB)
_ON_HUB = (HUB, PICTURE_HUB)
_PREVIEWED = 12
_USUAL_WINDOW = 2048
"""Tokens of a window of words and pictures, where the model reads as many."""
_ALL = 100
"""Of the room beside the fields, for a preview."""


def _option_of(pictures: str) -> SourceOption:
    if Path(pictures).is_dir():
        return PICTURE_FOLDER
    return PICTURE_FILE if Path(pictures).exists() or not hub_name(pictures) else PICTURE_HUB


class CorpusColumn(QFrame):
    """Asks the engine how the chosen corpus begins."""

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._model = ""
        self._reads, self._most = "", 0
        self.description: CorpusDescription | None = None
        self.pictures: PicturesDescription | None = None
        self._room = 0
        """Tokens that a window was given for pictures."""
        self.choice = SourceChoice("Text", OPTIONS)
        self.fields = CorpusFields()
        self.picture_fields = PictureFields()
        self._name = ElidedLabel(chars=12)
        self._name.setProperty("role", "figure")
        self._message = label("", "muted", wrap=True)
        self._refused = label("", "small", wrap=True)
        self._looked_up = ""
        """The dataset that the person had the hub asked about."""
        self._look_up = push_button("Look it up on the hub", self.look_up, icon="magnifying-glass")
        self._look_up.hide()
        self._notes = label("", "small", wrap=True)
        self.preview = WindowPreviews()
        self.pictures_preview = PicturePreviews()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.choice)
        column.addWidget(self._message)
        column.addWidget(self._refused)
        column.addWidget(self.pictures_preview, _ALL)
        column.addWidget(self.picture_fields)
        column.addWidget(self.fields)
        column.addWidget(self._name)
        column.addWidget(self._look_up, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self._notes)
        column.addWidget(self.preview, _ALL)
        column.addStretch(1)  # what is left while there is no preview
        self._asking = LatestJob(session, _ASK_MS, self)
        self._asking.answered.connect(self._on_described)
        self._asking.failed.connect(self._on_failed)
        self.choice.changed.connect(self._on_chosen)
        self.choice.optionChanged.connect(self._on_option)
        for fields in (self.fields, self.picture_fields):
            fields.changed.connect(self._on_settings)
        self._on_option()
        self._show()

    @property
    def of_pictures(self) -> bool:
        """Whether pictures are chosen, not a text."""
        return self.choice.option in _OF_PICTURES

    @property
    def source(self) -> str:
        """The text or the pictures that are chosen; empty: none yet."""
        return self.choice.value

    def settings(self) -> dict[str, Any]:
        """Return field of CorpusSettings → value."""
        corpus = CorpusSettings().corpus if self.of_pictures else self.source
        return {"corpus": corpus, **self.fields.values()}

    def values(self) -> dict[str, Any]:
        """Return field of HarvestConfig → value."""
        found = self.settings()
        if self.of_pictures:
            found |= {"pictures": self.source, **self.picture_fields.values()}
        return found

    def fill(self, values: Mapping[str, Any]) -> None:
        """Put in values of HarvestConfig; what is not named stays."""
        if values.get("pictures"):
            self.choice.set_option(_option_of(values["pictures"]), values["pictures"])
        elif "corpus" in values:
            self.choice.set_value(values["corpus"])
        self.fields.fill(values)
        self.picture_fields.fill(values)
        self._on_settings()

    def lacking(self) -> dict[str, str]:
        """Return what is not chosen yet, as a problem of the field."""
        return {} if self.source else {"corpus": self._choose_text()}

    def _choose_text(self) -> str:
        if self.choice.option in _ON_HUB:
            return "Name a dataset on the hub, such as owner/dataset."
        return "Choose pictures." if self.of_pictures else "Choose a text."

    def set_model(self, name: str, description: ModelDescription | None = None) -> None:
        """Say whose tokens are shown; those of a model that is not here cannot be yet."""
        model, reads, most = "", "", 0
        if description is not None and description.cached:
            model, reads, most = name, description.reads, description.context_size
        if (model, reads, most) != (self._model, self._reads, self._most):
            self._model, self._reads, self._most = model, reads, most
            self._show_fields()
            self.ask()

    def show_problems(self, problems: Mapping[str, str]) -> None:
        """Say under each field what is wrong with it."""
        self.fields.show_problems(problems)
        self.picture_fields.show_problems(problems)

    # ------------------------------------------------------------------ asking
    def _on_chosen(self, _value: str) -> None:
        # What is shown is of the text before.
        self.description = self.pictures = None
        self.fields.show_columns([])
        self._show()
        self._on_settings()

    def _on_settings(self) -> None:
        self.ask()
        self.changed.emit()

    def _on_option(self) -> None:
        self.fields.show_hub(self.choice.option in _ON_HUB)
        self._show_fields()
        if not self.source:  # nothing was chosen before, and nothing is now: but of another kind
            self._say(self._choose_text())
            self.changed.emit()

    def _show_fields(self) -> None:
        """Show the settings of what is chosen, and give windows room for pictures."""
        pictures = self.of_pictures
        self.picture_fields.setVisible(pictures)
        self.fields.show_pictures(pictures, self._reads != "pictures")
        usual, room = CorpusSettings().context_size, min(self._most or _USUAL_WINDOW, _USUAL_WINDOW)
        after = room if pictures else usual
        # What was given for pictures of a model that was not known yet is given again.
        given = (usual, self._room) if pictures else (self._room,)
        if self.fields.context_size.value() in given:
            self.fields.fill({"context_size": after})
        self._room = room

    def ask(self) -> None:
        """Have the beginning of the text or of the pictures read."""
        self._look_up.hide()
        if not self.source or not (self._model or self.of_pictures):
            self._asking.forget()
            self.description = self.pictures = None
            self._show()
            self._say(self._choose_text() if not self.source else "")
            return
        if self.choice.option in _ON_HUB and self.source != self._looked_up:
            self._asking.forget()
            self._say("The hub is asked about a dataset only when you request it.")
            self._look_up.show()
            return
        if self.of_pictures:
            self._ask_pictures()
            return
        if self.description is None:
            self._say("Reading the beginning of the text…")
        self._asking.ask(DescribeCorpusConfig(model=self._model, **self.settings()))
        self._show_notes()

    def _ask_pictures(self) -> None:
        if self.pictures is None:
            self._say("Reading the first pictures…")
        model = self._model if self._reads in ("both", "pictures") else ""
        part = {name: self.fields.values()[name] for name in ("subset", "split")}
        self._asking.ask(
            PreviewPicturesConfig(pictures=self.source, model=model, preview=_PREVIEWED, **part)
        )

    def look_up(self) -> None:
        """Ask the hub about the named dataset, and from then on as its settings change."""
        self._looked_up = self.source
        self.ask()

    def _on_described(self, description: CorpusDescription | PicturesDescription) -> None:
        if isinstance(description, PicturesDescription):
            self.pictures = description
            self._show()
            self._say(pictures_text(description))
            return
        self.description = description
        asked = self.fields.values()["text_column"]
        self.fields.show_columns(column_choices(description, asked))
        self._show()
        if description.problem:
            self._say(description.problem, "error")
        else:
            self._say(corpus_text(description))

    def _on_failed(self, error: ErrorInfo) -> None:
        self.description = self.pictures = None
        self._show()
        self._say(f"{error.what} {error.next_step}".strip(), "error")

    # ------------------------------------------------------------------ the card
    def _say(self, text: str, role: str = "muted") -> None:
        self._message.setText(text)
        self._message.setVisible(bool(text))
        set_property(self._message, "role", role)

    def _show_notes(self) -> None:
        settings = CorpusSettings(**self.settings())
        self._notes.setText("" if self.of_pictures else notes_text(settings, self.description))
        self._notes.setVisible(not self.of_pictures)
        refused = refused_text(self.pictures) if self.pictures and self.of_pictures else ""
        self._refused.setText(refused)
        self._refused.setVisible(bool(refused))

    def _show(self) -> None:
        found = self.description
        # Only where it says more than what was chosen.
        name = found.name if found and found.name != self.source else ""
        self._name.setText(name)
        self._name.setVisible(bool(name))
        self.preview.show_windows(found.preview if found else [])
        self.preview.setVisible(not self.of_pictures)
        shown = self.pictures.previews if self.pictures and self.of_pictures else []
        self.pictures_preview.show_pictures(shown)
        self._show_notes()

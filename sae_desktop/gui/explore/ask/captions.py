"""Concepts clamped while pictures of something else are captioned: does the caption name them?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from sae_desktop.benchmark.captions.config import CaptionChangesConfig, CaptionChangesResult
from sae_desktop.benchmark.kinds.instances import LANGUAGES
from sae_desktop.described import default
from sae_desktop.errors import UserError
from sae_desktop.gui.explore.ask.captions_table import CaptionsTableModel
from sae_desktop.gui.explore.ask.measured_panel import MeasuredPanel
from sae_desktop.gui.parts.kept_fields import keep_fields
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.more_button import MoreButton
from sae_desktop.gui.parts.number_fields import WholeField, problems_of
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.row_table import RowTable
from sae_desktop.gui.state.save_file import ask_file
from sae_desktop.gui.state.session import Session
from sae_desktop.words.caption_files import save_captions
from sae_desktop.words.captions_text import CAUTION, CaptionTable, how_text, tables_of, verdict_text
from sae_desktop.words.concept_list import parse_concepts
from sae_desktop.words.kinds_text import KIND_TITLES
from sae_desktop.words.strength_list import parse_strengths

_INTRO = (
    "Does a feature make the model say what the picture does not show? Pictures of other concepts "
    "are captioned with each concept’s feature clamped; beside it stand as large a change in a "
    "random direction, along another feature and along the difference of means, and a prompt that "
    "asks for it. The model must read pictures."
)
_ROOM = 12
"""Beside what a column holds."""
_MOST_WIDE = 320
"""Pixels of a column; a caption has more."""


class CaptionChangesPanel(MeasuredPanel):
    """What is asked, the button, who won, and the tables."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.setObjectName("explore.captions")
        self._result: CaptionChangesResult | None = None
        self._tables: list[CaptionTable] = []
        self.prompt = _line("Prompt of captions", default(CaptionChangesConfig, "prompt"))
        self.prompt.setToolTip("What each caption is written after; it ends with its line")
        self.language = QComboBox()
        for language in LANGUAGES:
            self.language.addItem(KIND_TITLES[language], language)
        self.language.setAccessibleName("Language of captions")
        self.language.setToolTip("In which language a caption may name the concept")
        usual = ", ".join(f"{s:g}" for s in default(CaptionChangesConfig, "strengths"))
        self.strengths = _line("Strengths to clamp at", usual)
        self.strengths.setToolTip("In multiples of each feature’s maximum, as the sliders of Steer")
        self.count = WholeField()
        self.count.setRange(2, 1000)
        self.count.setValue(default(CaptionChangesConfig, "pictures"))
        self.count.setAccessibleName("Pictures for each concept")
        self.count.setToolTip("Drawn from the drawings of the other concepts")
        self.concepts = _line("Concepts to clamp", "")
        self.concepts.setPlaceholderText("the best 10")
        self.concepts.setToolTip(
            plain_tip(
                "Names with commas, such as horse, red; horse=123 names the feature, too. Empty: "
                "the ten concepts whose features tell them best"
            )
        )
        self.measure = push_button("Measure", self.ask, primary=True)
        self.stop = push_button("Stop", self._on_stop, icon="stop")
        self.stop.setToolTip("Stop after this concept and keep those that were tried")
        self.view = QComboBox()
        self.view.setAccessibleName("Table that is shown")
        self.export = push_button(
            "Export…", self._on_export, icon="export", tip="Save as CSV or Markdown"
        )
        self.intro = label(_INTRO, "muted", wrap=True)
        self.verdict = label("", wrap=True, selectable=True)
        self.verdict.setToolTip(plain_tip(CAUTION))
        self.state = label("", "small", wrap=True, selectable=True)
        self.model = CaptionsTableModel(self)
        self.table = _Captions(session, self.model)
        self._build()
        self.view.currentIndexChanged.connect(self._show_table)
        fields = {
            "drawings": self.drawings, "prompt": self.prompt, "language": self.language,
            "strengths": self.strengths, "count": self.count, "concepts": self.concepts,
        }  # fmt: skip
        keep_fields(session, self, fields)
        session.place.add(self, self._kept, self._give, part="found", of_index=True)
        self._show()

    def _build(self) -> None:
        rare = QWidget()
        rest = _flow(
            ("Concepts", self.concepts), ("Language", self.language),
            ("Strengths", self.strengths), ("Pictures", self.count),
        )  # fmt: skip
        rare.setLayout(rest)
        self.more = MoreButton(rare, "of the captions", ("More settings", "Fewer settings"))
        bar = _flow(
            ("", self.drawings), ("", self.folder), ("Prompt", self.prompt), ("", self.more),
            ("", self.measure), ("", self.stop), ("", self.view), ("", self.export),
        )  # fmt: skip
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 8)
        column.setSpacing(4)
        column.addWidget(self.intro)
        column.addLayout(bar)
        column.addWidget(rare)
        column.addWidget(self.verdict)
        column.addWidget(self.table, 1)
        column.addWidget(self.state)
        self._rest = QWidget()
        column.addWidget(self._rest, 1)
        self.setMinimumSize(240, 160)

    # ------------------------------------------------------------------ asking
    def ask(self) -> None:
        """Caption the pictures with what is set."""
        if self._session.index is None or self._job is not None:
            return
        try:
            config = self._config()
        except UserError as error:
            self._session.show_error(error)
            return
        self._measure(config)

    def _config(self) -> CaptionChangesConfig:
        if unread := problems_of(self):
            raise UserError(unread[0], kept="Nothing was measured.")
        try:
            strengths = parse_strengths(self.strengths.text())
        except ValueError as error:
            raise UserError(
                f"The strength “{error}” is not a number.", next_step="Write them as 2, 4, 8."
            ) from error
        concepts, features = parse_concepts(self.concepts.text())
        return CaptionChangesConfig(
            project=self._session.project_path,
            index=self._session.index_name,
            drawings=self._folders,
            pictures=self.count.value(),
            concepts=concepts,
            features=features,
            prompt=self.prompt.text(),
            language=self.language.currentData(),
            strengths=tuple(strengths),
        )

    def _on_stop(self) -> None:
        if self._job is not None:
            self._job.stop_and_keep()

    def _on_export(self) -> None:
        if self._result is None:
            return
        first, kinds = Path.home() / "captions.csv", "Every setting (*.csv);;To read (*.md)"
        chosen = ask_file(self, "Export the captions", first, kinds)
        if chosen is not None:
            self.save(chosen.path)

    def save(self, path: Path) -> None:
        """Write what was measured to a file, as its ending says."""
        if self._result is None:
            return
        try:
            save_captions(self._result, path)
        except UserError as error:
            self._session.show_error(error)
        else:
            self._session.notify(f"“{path.name}” was saved.")

    # ------------------------------------------------------------------ showing
    def _kept(self) -> dict[str, Any]:
        return {"result": msgspec.to_builtins(self._result), "view": self.view.currentIndex()}

    def _give(self, kept: dict[str, Any]) -> None:
        self._result = msgspec.convert(kept["result"], CaptionChangesResult | None)
        self._show()
        self.view.setCurrentIndex(min(int(kept["view"]), self.view.count() - 1))

    def _show(self) -> None:
        result, shown = self._result, max(self.view.currentIndex(), 0)
        self._tables = [] if result is None else tables_of(result)
        self.view.clear()
        for number, one in enumerate(self._tables):
            self.view.addItem(one.title)
            self.view.setItemData(number, plain_tip(one.tip), Qt.ItemDataRole.ToolTipRole)
        self.view.setCurrentIndex(min(shown, self.view.count() - 1))
        self.verdict.setText("" if result is None else verdict_text(result))
        for widget in (self.table, self.view, self.export, self.verdict):
            widget.setVisible(result is not None)
        self.intro.setVisible(result is None)
        self._rest.setVisible(result is None)
        self._show_table()
        self._say()

    def _show_table(self, _place: int = 0) -> None:
        place = self.view.currentIndex()
        shown = self._tables[place] if 0 <= place < len(self._tables) else None
        self.model.show_table(shown)
        self.view.setToolTip(plain_tip("" if shown is None else shown.tip))
        self.table.resizeColumnsToContents()
        for column in range(self.model.columnCount()):
            width = self.table.columnWidth(column) + _ROOM
            self.table.setColumnWidth(column, min(width, _MOST_WIDE))

    def _say(self, said: str = "") -> None:
        stopped, idle = self._session.engine_stopped, self._job is None
        self.measure.setEnabled(not stopped and idle and self._session.index is not None)
        self.measure.setToolTip(
            "The model is needed to caption pictures" if stopped else "Caption them and count"
        )
        self.stop.setVisible(not idle)
        if not said and not idle:
            said = "Captioning pictures; the jobs at the bottom tell how far it is."
        elif not said and self._result is not None:
            said = " ".join([how_text(self._result), *self._result.notes])
        self.state.setText(said)
        self.state.setVisible(bool(said))


class _Captions(RowTable):
    """Rows of which some open a feature."""

    def __init__(self, session: Session, model: CaptionsTableModel) -> None:
        super().__init__("Captions with concepts clamped", model)
        self._session, self._captions = session, model
        self.setToolTip(
            plain_tip("Press Return or double-click a row of a concept to open its feature")
        )

    def open_row(self, row: int) -> None:
        feature = self._captions.feature(row)
        if feature is not None:
            self._session.select_feature(feature)


def _line(name: str, text: str) -> QLineEdit:
    field = QLineEdit(text)
    field.setAccessibleName(name)
    field.setMinimumWidth(88)
    return field


def _flow(*fields: tuple[str, QWidget]) -> QFlowLayout:
    """Return fields with their titles in rows as wide as there is room."""
    bar = QFlowLayout()
    bar.setContentsMargins(0, 0, 0, 4)
    bar.setHorizontalSpacing(8)
    bar.setVerticalSpacing(4)
    for title, field in fields:
        bar.addWidget(_titled(title, field) if title else field)
    return bar


def _titled(title: str, field: QWidget) -> QWidget:
    pair = QWidget()
    row = QHBoxLayout(pair)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(8)
    row.addWidget(label(title, "small"))
    row.addWidget(field)
    return pair

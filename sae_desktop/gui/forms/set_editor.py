"""The form of one's own concept set: texts on both sides, and what is wrong with them at once."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QInputDialog,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.errors import UserError
from sae_desktop.gui.forms.job_forms import name_problem
from sae_desktop.gui.parts.default_button import set_default_button
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.labels import label, push_button, set_property
from sae_desktop.gui.parts.more_button import MoreButton
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.text_box import TextBox
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.own_sets import OwnSets
from sae_desktop.gui.state.session import Session
from sae_desktop.language_names import language_name
from sae_desktop.safety.concept_file import SIDES, ConceptFile, Families, Side, check_language
from sae_desktop.safety.concept_set import ConceptSet
from sae_desktop.safety.set_draft import (
    check,
    families_of,
    filled,
    fillers_of,
    held_out_by_itself,
    typed,
)
from sae_desktop.words.set_text import checked_text

_PAUSE_MS = 350
_HOW = (
    "A line is a text. A line that begins with “+ ” is another wording of the template above it; "
    "↵ in a line stands for a new line."
)
_NOTHING = (
    "Write at least four texts on each side, of different templates: some are learnt from, the "
    "others are scored on. What is wrong is said here as you write."
)
_TITLES = {"positive": "Positives: texts of the concept", "negative": "Near misses: without it"}
_HINTS = {
    "positive": "Texts that show the concept, one a line",
    "negative": "Texts about the same matters in much the same words, that do not show it",
}
_BY_ITSELF = (
    "A scan learns from some templates and is scored on others, which it has never seen. Without "
    "this you say yourself which are held out."
)


class SetEditor(QDialog):
    """Makes or changes a set of the project."""

    saved = Signal(str)
    """Name of the set."""

    def __init__(
        self, session: Session, name: str = "", file: ConceptFile | None = None, *, new: bool = True
    ) -> None:
        """`file`: what is changed, or copied where `new`; none: an empty set."""
        super().__init__()
        self.setWindowTitle("New concept set" if new else f"Concept set “{name}”")
        self._session, self._new, self._own = session, new, OwnSets(session)
        self._file = _copied(file or ConceptFile(title="", positive={}, negative={}))
        self.found: ConceptSet | None = None
        self.name = QLineEdit(name)
        self.name.setReadOnly(not new)
        self.title = QLineEdit(self._file.title)
        self.about = QLineEdit(self._file.about)
        self.language = ElidedComboBox(22)
        self.boxes: dict[tuple[Side, bool], TextBox] = {}
        self.by_itself = QCheckBox("Hold out every third template")
        self.by_itself.setToolTip(plain_tip(_BY_ITSELF))
        self.by_itself.setChecked(file is None)
        self.fillers = TextBox()
        self.told = label("", wrap=True)
        self.save_button = push_button("Save the set", self.save, primary=True)
        self._checking = Background(self)
        self._pause = QTimer(self, singleShot=True, interval=_PAUSE_MS)
        self._build()
        self.about.setCursorPosition(0)
        self._list_languages(self._file.language)
        self._show_language()
        self._pause.timeout.connect(self._check)
        self._checking.answered.connect(self._on_checked)
        self._checking.refused.connect(self._on_refused)
        for field in (self.name, self.title, self.about):
            field.textChanged.connect(self._on_changed)
        for box in (*self.boxes.values(), self.fillers):
            box.textChanged.connect(self._on_changed)
            box.refused.connect(session.show_error)
        self.by_itself.toggled.connect(self._on_by_itself)
        self.language.activated.connect(self._on_language)
        self._on_by_itself(self.by_itself.isChecked())

    # ------------------------------------------------------------------ layout
    def _build(self) -> None:
        self.resize(880, 600)
        grid = QGridLayout()
        grid.setSpacing(6)
        rows: Iterable[tuple[str, QLineEdit, str]] = (
            ("Name", self.name, "Such as French text; its file bears it too"),
            ("Title", self.title, "What it is called in lists; empty: its name"),
            ("About", self.about, "What its texts have in common that the near misses have not"),
        )
        for row, (text, field, tip) in enumerate(rows):
            title = label(text)
            title.setBuddy(field)
            field.setAccessibleName(text)
            field.setToolTip(plain_tip(tip))
            field.setPlaceholderText(tip)
            grid.addWidget(title, row, 0)
            grid.addWidget(field, row, 1)
        texts = QGridLayout()
        texts.setSpacing(4)
        for column, side in enumerate(SIDES):
            texts.addWidget(label(_TITLES[side], "heading"), 0, column)
            for held_out in (False, True):
                box = TextBox()
                part = "held out" if held_out else "learnt from"
                box.setAccessibleName(f"{_TITLES[side].partition(':')[0]}, {part}")
                box.setPlaceholderText(
                    "Texts of other templates, which a scan is scored on"
                    if held_out else _HINTS[side]
                )  # fmt: skip
                box.setTabChangesFocus(True)
                self.boxes[side, held_out] = box
                texts.addWidget(box, 3 if held_out else 1, column)
        self._held_out = label("Held out: never learnt from, the scan is scored on these", "small")
        texts.addWidget(self._held_out, 2, 0, 1, 2)
        texts.setRowStretch(1, 3)
        self._texts = texts
        self.language.setAccessibleName("Language of the texts that are shown")
        under = QHBoxLayout()
        under.addWidget(label("Language"))
        under.addWidget(self.language)
        under.addWidget(self.by_itself)
        under.addStretch(1)
        self.fillers.setTabChangesFocus(True)
        self.fillers.setAccessibleName("Fillers of places")
        self.fillers.setPlaceholderText("place: Rome | Oslo   fills {{place}} in a template")
        self.fillers.setMaximumHeight(4 * (self.fontMetrics().height() + 6))
        folded = QWidget()
        inner = QVBoxLayout(folded)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(self.fillers)
        self.more = MoreButton(folded, "fillers", ("Fill places…", "Hide the fillers"))
        under.addWidget(self.more)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        buttons.addButton(self.save_button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        whole = QVBoxLayout(self)
        whole.setSpacing(8)
        whole.addLayout(grid)
        whole.addLayout(under)
        whole.addWidget(folded)
        whole.addLayout(texts, 1)
        whole.addWidget(label(_HOW, "small", wrap=True))
        whole.addWidget(self.told)
        whole.addWidget(buttons)
        set_default_button(self, self.save_button)

    def present(self, parent: QWidget) -> None:
        """Show the form over a window, its first empty field ready."""
        self.setParent(parent.window(), Qt.WindowType.Dialog)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.open()
        first = self.name if self._new else self.boxes["positive", False]
        first.setFocus()

    # ------------------------------------------------------------------ languages
    def _list_languages(self, chosen: str) -> None:
        codes = dict.fromkeys([self._file.language, *self._file.positive, *self._file.negative])
        codes[chosen] = None
        with QSignalBlocker(self.language):
            self.language.clear()
            for code in codes:
                main = " (learnt from)" if code == self._file.language else ""
                self.language.addItem(f"{language_name(code)}{main}", code)
            self.language.addItem("Another language…", "")
            self.language.setCurrentIndex(self.language.findData(chosen))
        self._shown = chosen

    def _on_language(self, _index: int) -> None:
        self._take()
        code = str(self.language.currentData())
        if not code:
            code = self._asked_language() or self._shown
        self._list_languages(code)
        self._show_language()

    def _asked_language(self) -> str:
        text, given = QInputDialog.getText(
            self, "Another language",
            "Code of the language, such as de or zh, or a programming language such as python:",
        )  # fmt: skip
        code = text.strip().lower()
        if not given or not code:
            return ""
        try:
            check_language(self.name.text() or "new", code)
        except UserError as error:
            self._session.show_error(error)
            return ""
        if not (self._file.positive or self._file.negative):
            self._file.language = code  # nothing is written yet: this is the set’s own
        return code

    def _show_language(self) -> None:
        """Show the texts of the chosen language. Others than the set's are all held out."""
        main = self._shown == self._file.language
        for (side, held_out), box in self.boxes.items():
            families = self._file.side(side).get(self._shown, Families(train=[], held_out=[]))
            lines = typed(families.held_out if held_out else families.train)
            if not main:
                lines = typed([*families.train, *families.held_out]) if held_out else ""
            with QSignalBlocker(box):
                box.setPlainText(lines)
        with QSignalBlocker(self.fillers):
            self.fillers.setPlainText(filled(self._file.fill.get(self._shown, {})))
        self.more.setChecked(bool(self._file.fill.get(self._shown)))
        self._on_by_itself(self.by_itself.isChecked())

    def _on_by_itself(self, on: bool) -> None:
        main = self._shown == self._file.language
        self.by_itself.setVisible(main)
        for (side, held_out), box in self.boxes.items():
            box.setVisible((not held_out or not on) if main else held_out)
            if on and main and held_out and box.toPlainText().strip():
                learnt = self.boxes[side, False]
                lines = [learnt.toPlainText().rstrip("\n"), box.toPlainText()]
                learnt.setPlainText("\n".join(filter(None, lines)))
                box.clear()
        both = main and not on
        self._held_out.setVisible(not main or not on)
        self._texts.setRowStretch(1, 3 if main else 0)
        self._texts.setRowStretch(3, 2 if both else 0 if main else 3)
        self._on_changed()

    # ------------------------------------------------------------------ what is typed
    def _take(self) -> None:
        """Put what is typed into the file."""
        self._file.title = self.title.text().strip() or self.name.text().strip()
        self._file.about = self.about.text().strip()
        main = self._shown == self._file.language
        for side in SIDES:
            learnt, kept = (
                families_of(self.boxes[side, held_out].toPlainText()) for held_out in (False, True)
            )
            if main and self.by_itself.isChecked():
                families = held_out_by_itself([*learnt, *kept])
            else:
                families = Families(train=learnt if main else [], held_out=kept)
            if families.train or families.held_out:
                self._file.side(side)[self._shown] = families
            else:
                self._file.side(side).pop(self._shown, None)
        lists = fillers_of(self.fillers.toPlainText())
        if lists:
            self._file.fill[self._shown] = lists
        else:
            self._file.fill.pop(self._shown, None)

    def file(self) -> ConceptFile:
        """Return what is typed, as it is saved."""
        self._take()
        return _copied(self._file)

    def _on_changed(self, _text: object = None) -> None:
        self.found = None
        self.save_button.setEnabled(False)
        self._pause.start()

    def _check(self) -> None:
        name, file = self.name.text().strip() or "new", self.file()
        if not (file.positive or file.negative):
            self._say(_NOTHING, wrong=False)
            return
        self._checking.run(file, lambda: check(name, file))

    def _problem_of_name(self) -> str:
        if not self._new:
            return ""
        return name_problem(self.name.text().strip(), self._own.names())

    def _on_checked(self, answer: tuple[object, ConceptSet]) -> None:
        if self._pause.isActive():
            return
        self.found = answer[1]
        problem = self._problem_of_name()
        set_property(self.name, "invalid", "true" if problem else "false")
        self._say(problem or checked_text(self.found), wrong=bool(problem))
        self.save_button.setEnabled(not problem)

    def _on_refused(self, answer: tuple[object, UserError]) -> None:
        if not self._pause.isActive():
            self._say(str(answer[1]), wrong=True)

    def _say(self, text: str, *, wrong: bool) -> None:
        set_property(self.told, "role", "warning" if wrong else "muted")
        self.told.setText(text)

    def save(self) -> None:
        """Write the set into the project."""
        name = self.name.text().strip()
        if self.found is None or self._problem_of_name():
            return
        if self._own.save(name, self.file(), "add" if self._new else "change"):
            self.saved.emit(name)
            self.accept()


def _copied(file: ConceptFile) -> ConceptFile:
    return msgspec.convert(msgspec.to_builtins(file), ConceptFile)

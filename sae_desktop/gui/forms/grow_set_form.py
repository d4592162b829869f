"""Adds a text that was found somewhere to one of the project's own concept sets."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, QTimer
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.errors import UserError
from sae_desktop.gui.parts.default_button import set_default_button
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.labels import label, push_button, set_property
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.text_box import TextBox
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.own_sets import OwnSets
from sae_desktop.gui.state.session import Session
from sae_desktop.language_names import language_name
from sae_desktop.safety.concept_file import ConceptFile, Side
from sae_desktop.safety.concept_set import ConceptSet
from sae_desktop.safety.listed_sets import ListedSet, listed_sets
from sae_desktop.safety.own_sets import set_file
from sae_desktop.safety.set_draft import added_to, check
from sae_desktop.words.set_text import checked_text

_PAUSE_MS = 250
_EXPLAINED = (
    "The text becomes a template of its own in the set. Of a set that comes with the program a "
    "copy is made in the project."
)


class GrowSetForm(QDialog):
    """Shows the text, and what the set would be with it."""

    def __init__(self, session: Session, text: str, *, chosen: str = "") -> None:
        """`chosen`: the set that is offered first; without it the project's own come first."""
        super().__init__()
        self.setWindowTitle("Add to a concept set")
        self._session, self._own = session, OwnSets(session)
        self._ready: ConceptFile | None = None
        self.text = TextBox()
        self.text.setPlainText(text.strip())
        self.text.setAccessibleName("Text")
        self.text.setTabChangesFocus(True)
        self.set = ElidedComboBox(24)
        self.set.setAccessibleName("Concept set")
        self.positive = QRadioButton("Positive: it shows the concept")
        self.negative = QRadioButton("Near miss: it only looks like it")
        self.language = ElidedComboBox(12)
        self.language.setAccessibleName("Language of the text")
        self.held_out = QCheckBox("Hold it out")
        self.held_out.setToolTip(
            plain_tip(
                "A scan is then scored on it. Hold out no text that you found by looking at a "
                "scan’s held-out scores: it would flatter them."
            )
        )
        self.told = label("", "muted", wrap=True)
        self.add_button = push_button("Add the text", self.add, primary=True)
        self._checking = Background(self)
        self._pause = QTimer(self, singleShot=True, interval=_PAUSE_MS)
        self._build()
        self._list_sets(chosen)
        self.positive.setChecked(True)
        self._pause.timeout.connect(self._check)
        self._checking.answered.connect(self._on_checked)
        self._checking.refused.connect(self._on_refused)
        self.text.textChanged.connect(self._on_changed)
        self.set.currentIndexChanged.connect(self._on_set)
        self._sides.buttonToggled.connect(self._on_changed)
        self.language.currentIndexChanged.connect(self._on_changed)
        self.held_out.toggled.connect(self._on_changed)
        self._on_set()

    def _build(self) -> None:
        self.resize(560, 420)
        self._sides = QButtonGroup(self)
        sides = QVBoxLayout()
        sides.setSpacing(4)
        for button in (self.positive, self.negative):
            self._sides.addButton(button)
            sides.addWidget(button)
        form = QFormLayout()
        form.setSpacing(8)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.addRow("Concept set", self.set)
        form.addRow("Side", sides)
        part = QHBoxLayout()
        part.setSpacing(12)
        part.addWidget(self.language, 1)
        part.addWidget(self.held_out)
        form.addRow("Language", part)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        buttons.addButton(self.add_button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setSpacing(10)
        column.addWidget(label(_EXPLAINED, "muted", wrap=True))
        column.addWidget(self.text, 1)
        column.addLayout(form)
        column.addWidget(self.told)
        column.addWidget(buttons)
        set_default_button(self, self.add_button)

    def _list_sets(self, chosen: str) -> None:
        self._listed: list[ListedSet] = [
            one for one in listed_sets(self._session.project) if one.found is not None
        ]
        for one in self._listed:
            self.set.addItem(one.title if not one.ships else f"{one.title} (a copy)", one.name)
        self.set.setCurrentIndex(max(self.set.findData(chosen), 0))

    def present(self, parent: QWidget) -> None:
        """Show the form over a window."""
        self.setParent(parent.window(), Qt.WindowType.Dialog)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.open()
        self.set.setFocus()

    def _on_set(self, _index: int = 0) -> None:
        found = self._found()
        with QSignalBlocker(self.language):
            self.language.clear()
            if found is not None:
                for code in (found.language, *found.other_languages):
                    self.language.addItem(language_name(code), code)
        self._on_changed()

    def _found(self) -> ConceptSet | None:
        name = self.set.currentData()
        return next((one.found for one in self._listed if one.name == name), None)

    @property
    def side(self) -> Side:
        return "positive" if self.positive.isChecked() else "negative"

    def _on_changed(self, *_changed: object) -> None:
        found = self._found()
        main = found is not None and self.language.currentData() == found.language
        self.held_out.setEnabled(main)
        self._ready = None
        self.add_button.setEnabled(False)
        self._pause.start()

    def _check(self) -> None:
        project, found = self._session.project, self._found()
        text = self.text.toPlainText().strip()
        if project is None or found is None or not text:
            self._say("Write the text that is to be added." if not text else "", wrong=True)
            return
        name, side = found.name, self.side
        language, held_out = str(self.language.currentData()), self.held_out.isChecked()

        def work() -> tuple[ConceptFile, ConceptSet]:
            file = added_to(set_file(project, name), [text], side, language, held_out=held_out)
            return file, check(name, file)

        self._checking.run(name, work)

    def _on_checked(self, answer: tuple[object, tuple[ConceptFile, ConceptSet]]) -> None:
        if not self._pause.isActive():
            self._ready = answer[1][0]
            self._say(f"With it: {checked_text(answer[1][1])}", wrong=False)
            self.add_button.setEnabled(True)

    def _on_refused(self, answer: tuple[object, UserError]) -> None:
        if not self._pause.isActive():
            self._say(str(answer[1]), wrong=True)

    def _say(self, text: str, *, wrong: bool) -> None:
        set_property(self.told, "role", "warning" if wrong else "muted")
        self.told.setText(text)

    def add(self) -> None:
        """Write the set with the text."""
        found = self._found()
        if self._ready is None or found is None:
            return
        if self._own.save(found.name, self._ready, "add to"):
            self._session.notify(f"The text was added to “{found.title}”.")
            self.accept()


def offer_growth(session: Session, text: str, parent: QWidget) -> None:
    """Ask which concept set a text is to be added to."""
    if session.project is not None and text.strip():
        GrowSetForm(session, text).present(parent)

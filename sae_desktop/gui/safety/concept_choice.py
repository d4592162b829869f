"""A list of concept sets to choose from, and what the chosen one holds."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtGui import QShowEvent

from sae_desktop.errors import UserError
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project
from sae_desktop.safety.concept_set import ConceptSet, all_sets, read_set


class SetTexts(NamedTuple):
    """The texts of a set that a monitor is learnt from, and those it is tried on."""

    name: str
    title: str
    on: int
    off: int
    positives: list[str]
    negatives: list[str]


class ConceptChoice(ElidedComboBox):
    """Names all sets; those that ship, and the project's own. Read beside the window."""

    changed = Signal()
    """Another set was chosen, or the sets were read."""

    def __init__(self, session: Session, none: str) -> None:
        """`none` stands for no set."""
        super().__init__(12)
        self._session, self._none = session, none
        self._sets: dict[str, SetTexts] = {}
        self._wanted = ""
        self._unread = False
        self.addItem(none, "")
        self._reading = Background(self)
        self._reading.answered.connect(self._on_read)
        self.currentIndexChanged.connect(lambda _index: self.changed.emit())

    @property
    def name(self) -> str:
        """The chosen set; empty: none."""
        return str(self.currentData() or "")

    @property
    def texts(self) -> SetTexts | None:
        return self._sets.get(self.name)

    def of(self, name: str) -> SetTexts | None:
        return self._sets.get(name)

    def look(self) -> None:
        """Read the sets again, as soon as they can be seen."""
        project = self._session.project
        self._unread = not self.isVisible()
        if project is not None and not self._unread:
            self._reading.run(project.path, lambda: _read_all(project))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._unread:
            self.look()

    def choose(self, name: str) -> None:
        """Choose a set, as soon as it is read."""
        self._wanted = name
        place = self.findData(name)
        if place >= 0:
            self._wanted = ""
            self.setCurrentIndex(place)

    def _on_read(self, answer: tuple[object, list[SetTexts]]) -> None:
        chosen = self._wanted or self.name
        self._sets = {one.name: one for one in answer[1]}
        with QSignalBlocker(self):
            self.clear()
            self.addItem(self._none, "")
            for one in answer[1]:
                self.addItem(one.title, one.name)
            self.setCurrentIndex(max(self.findData(chosen), 0))
        self._wanted = ""
        self.changed.emit()


def _read_all(project: Project) -> list[SetTexts]:
    found = []
    for name in all_sets(project):
        with suppress(UserError):
            found.append(_texts(read_set(project, name)))
    return found


def _texts(found: ConceptSet) -> SetTexts:
    def side(positive: bool, held_out: bool) -> list[str]:
        places = found.part(positive=positive, held_out=held_out, other=False)
        return [found.texts[place].text for place in places]

    return SetTexts(
        found.name, found.title, len(side(True, False)), len(side(False, False)),
        side(True, True), side(False, True),
    )  # fmt: skip

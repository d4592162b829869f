"""Where one is: project › model › site › dictionary › index; each part switches."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QMenu, QToolButton, QWidget

from sae_desktop.gui.parts.labels import IconLabel
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.session import Session
from sae_desktop.words.amounts import elide_middle
from sae_desktop.words.set_words import count_text, member_text
from sae_desktop.words.source_titles import model_title

PARTS = ("project", "model", "site", "dictionary", "index")
_LENGTH = 24

Choice = tuple[str, bool, Callable[[], object]]
"""Text, whether it is the present one, what choosing it does."""


class Breadcrumb(QWidget):
    """Five buttons with menus; a part that has nothing to name is not shown."""

    def __init__(self, session: Session, project_menu: QMenu) -> None:
        super().__init__()
        self._session = session
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self._buttons: dict[str, QToolButton] = {}
        self._arrows: dict[str, IconLabel] = {}
        for part in PARTS:
            if part != "project":
                self._arrows[part] = IconLabel("caret-right", "muted_text", 12)
                layout.addWidget(self._arrows[part])
            button = QToolButton()
            button.setProperty("flat", "true")
            button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            menu = project_menu if part == "project" else QMenu(button)
            if part != "project":
                menu.aboutToShow.connect(lambda part=part: self._fill(part))
            button.setMenu(menu)
            self._buttons[part] = button
            layout.addWidget(button)
        layout.addStretch(1)
        for signal in (
            session.projectChanged,
            session.contentsChanged,
            session.selectionChanged,
            session.indexOpened,
        ):
            signal.connect(self.refresh)
        self.refresh()

    def texts(self) -> dict[str, str]:
        """Return what each part names; empty where it names nothing."""
        session = self._session
        store = next((s for s in session.inventory.stores if s.name == session.store), None)
        return {
            "project": session.project.title if session.project else "No project",
            "model": store.model if store else session.index.info.model if session.index else "",
            "site": store.site if store else session.index.info.site if session.index else "",
            "dictionary": session.dictionary,
            "index": session.index_name,
        }

    def refresh(self, _message: object = None) -> None:
        for part, text in self.texts().items():
            button = self._buttons[part]
            short = model_title(text) if part == "model" else text
            button.setText(elide_middle(short, _LENGTH))
            button.setToolTip(plain_tip(f"{part.capitalize()}: {text}"))
            button.setAccessibleName(f"{part.capitalize()} {text}")
            button.setVisible(bool(text))
            if part in self._arrows:
                self._arrows[part].setVisible(bool(text))

    def choices(self, part: str) -> list[Choice]:
        """Return what a part can be switched to."""
        session, inventory = self._session, self._session.inventory
        if part == "model":
            now = self.texts()["model"]
            return [
                (_told(m.name), m.name == now, partial(session.select_store, m.stores[-1]))
                for m in inventory.models
                if m.stores
            ]
        if part == "site":
            return [
                (
                    f"{s.site}  —  {s.name}",
                    s.name == session.store,
                    partial(session.select_store, s.name),
                )
                for s in inventory.stores
            ]
        if part == "dictionary":
            return [self._dictionary(d.name, d.name) for d in inventory.dictionaries]
        return [self._index(i.name, i.name) for i in inventory.own_indexes]

    def groups(self, part: str) -> list[tuple[str, list[Choice]]]:
        """Return what is chosen from a menu of its own: the layers of each set."""
        found = []
        for one in self._session.inventory.sets if part in ("dictionary", "index") else ():
            if part == "dictionary":
                choices = [self._dictionary(member_text(m.name), m.name) for m in one.members]
            else:
                choices = [
                    self._index(_of_layer(member.name, name), name)
                    for member in one.members
                    for name in member.indexes
                ]
            if choices:
                found.append((f"{one.name}  —  {count_text(one)}", choices))
        return found

    def _dictionary(self, text: str, name: str) -> Choice:
        return text, name == self._session.dictionary, partial(self._choose_dictionary, name)

    def _index(self, text: str, name: str) -> Choice:
        session = self._session
        return text, name == session.index_name, partial(session.open_index, name)

    def _choose_dictionary(self, name: str) -> None:
        # An index of the chosen dictionary comes along; without one, only the name changes.
        indexes = [i for i in self._session.inventory.indexes if i.dictionary == name]
        if indexes:
            self._session.open_index(max(indexes, key=lambda item: item.modified).name)
        else:
            self._session.select_dictionary(name)

    def _fill(self, part: str) -> None:
        menu = self._buttons[part].menu()
        menu.clear()
        _add(menu, self.choices(part))
        for title, choices in self.groups(part):
            below = menu.addMenu(title)
            _add(below, choices)
            if any(present for _, present, _ in choices):
                below.menuAction().setCheckable(True)
                below.menuAction().setChecked(True)
        if menu.isEmpty():
            menu.addAction("Nothing else yet").setEnabled(False)


def _add(menu: QMenu, choices: list[Choice]) -> None:
    for text, present, choose in choices:
        action = menu.addAction(text)
        action.setCheckable(True)
        action.setChecked(present)
        action.triggered.connect(lambda _checked=False, choose=choose: choose())


def _of_layer(member: str, index: str) -> str:
    """Return an index among those of a set: its layer, and its name where that is another."""
    return member_text(member) if index == member else f"{member_text(member)}  —  {index}"


def _told(model: str) -> str:
    """Return a model's name for a menu, where two folders may end alike."""
    return model if "/" in model else model_title(model)

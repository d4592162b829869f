"""Actions are data: what a menu, a button, a shortcut and the command palette all show."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QToolButton, QWidget

from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.plain_text import plain_tip


@dataclass(frozen=True)
class ActionInfo:
    """One thing a person can do.

    `id` is `area.verb`, such as `train.start`; `shortcut` is in Qt's portable notation, or
    empty; `icon` is a name of the icon font, or empty. Without `enabled_when` the action can
    always be done. `tip` says more than `text` where that helps.
    """

    id: str
    text: str
    callback: Callable[[], object]
    _: KW_ONLY
    icon: str = ""
    shortcut: str = ""
    enabled_when: Callable[[], bool] | None = None
    tip: str = ""


def tooltip(info: ActionInfo) -> str:
    """Return the text of a tooltip: what it does and the keys that do it."""
    text = info.tip or info.text.replace("…", "")
    if not info.shortcut:
        return text
    keys = QKeySequence(info.shortcut).toString(QKeySequence.SequenceFormat.NativeText)
    return f"{text} ({keys})"


class ActionRegistry(QObject):
    """Every action of the window, by id."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._infos: dict[str, ActionInfo] = {}
        self._actions: dict[str, QAction] = {}

    def add(self, infos: Iterable[ActionInfo], owner: QWidget) -> None:
        """Make actions of `infos`; their shortcuts work while the focus is inside `owner`.

        Raises ValueError for an id that is taken, or a shortcut that is where it would work:
        two panels may share one, a window and a panel may not.
        """
        taken = {
            info.shortcut: info.id
            for info in self._infos.values()
            if info.shortcut and _overlap(self._actions[info.id].parent(), owner)
        }
        for info in infos:
            if info.id in self._actions:
                raise ValueError(f"action id {info.id} is taken")
            if info.shortcut in taken:
                raise ValueError(f"{info.id}: {info.shortcut} belongs to {taken[info.shortcut]}")
            if info.shortcut:
                taken[info.shortcut] = info.id
            self._infos[info.id] = info
            self._actions[info.id] = self._make(info, owner)

    def _make(self, info: ActionInfo, owner: QWidget) -> QAction:
        action = QAction(info.text, owner)
        action.setObjectName(info.id)
        if info.icon:
            icons.set_icon(action, info.icon)
        if info.shortcut:
            action.setShortcut(QKeySequence(info.shortcut))
            scope = Qt.ShortcutContext.WidgetWithChildrenShortcut
            action.setShortcutContext(
                Qt.ShortcutContext.WindowShortcut if owner.isWindow() else scope
            )
        action.setToolTip(plain_tip(tooltip(info)))
        action.triggered.connect(lambda _checked=False: self.trigger(info.id))
        owner.addAction(action)
        return action

    def trigger(self, action_id: str) -> None:
        """Do it, if it can be done now."""
        info = self._infos[action_id]
        if info.enabled_when is None or info.enabled_when():
            info.callback()
        self.refresh()

    def refresh(self) -> None:
        """Enable and disable every action by its condition."""
        for action_id, info in self._infos.items():
            if info.enabled_when is not None:
                self._actions[action_id].setEnabled(info.enabled_when())

    def has(self, action_id: str) -> bool:
        return action_id in self._actions

    def action(self, action_id: str) -> QAction:
        return self._actions[action_id]

    def info(self, action_id: str) -> ActionInfo:
        return self._infos[action_id]

    def owner(self, action_id: str) -> QObject | None:
        """Return the widget in which the action's shortcut works."""
        return self._actions[action_id].parent()

    def infos(self) -> list[ActionInfo]:
        return list(self._infos.values())

    def button(self, action_id: str, *, with_text: bool = True) -> QToolButton:
        """Return a new button that does the action."""
        button = QToolButton()
        button.setDefaultAction(self._actions[action_id])
        button.setAccessibleName(self._infos[action_id].text)
        style = Qt.ToolButtonStyle
        button.setToolButtonStyle(
            style.ToolButtonTextBesideIcon if with_text else style.ToolButtonIconOnly
        )
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        return button


def _overlap(one: QObject | None, other: QWidget) -> bool:
    same = one is other or not isinstance(one, QWidget)
    return same or other.isWindow() or (isinstance(one, QWidget) and one.isWindow())

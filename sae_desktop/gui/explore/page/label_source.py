"""Beside a feature's label: how well it fits, who made it, and the other labels there are."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QHBoxLayout, QInputDialog, QMenu, QPushButton, QWidget

from sae_desktop.gui.explore.page.label_history import LabelHistory
from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.actions import ActionInfo
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plain_text import menu_text, plain_tip
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.label_actions import LabelActions
from sae_desktop.gui.state.session import Session
from sae_desktop.label_words import is_own, isolated, label_line, label_tip, score_figure, whose
from sae_desktop.project_labels import AGREED, PERSON, REJECTED, Label

_SHOWN = 60
"""Characters of a label in a menu."""


class LabelSource(QWidget):
    """The score of the shown label, and a button that opens the menu of all labels."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._notes, self._actions = FeatureNotes.of(session), LabelActions.of(session)
        self._feature = 0
        self.score = label("", "small")
        self.agree = push_button("Agree", self.agree_with_shown, icon="check", flat=True)
        self.button: QPushButton = push_button("", self.open_menu, flat=True)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.score)
        row.addWidget(self.agree)
        row.addWidget(self.button)

    # ------------------------------------------------------------------ what is shown
    def show_feature(self, feature: int) -> None:
        """Show what there is to say of a feature's name."""
        self._feature = feature
        labels = self._actions.labels(feature)
        shown = self._in_place(labels)
        me = self._session.person
        self.score.setText("" if shown is None else score_figure(shown.score))
        self.score.setVisible(bool(self.score.text()))
        tip = "" if shown is None else label_tip(shown, me=me)
        self.score.setToolTip(plain_tip(tip))
        self.score.setAccessibleDescription(tip)
        self.agree.setVisible(shown is not None and shown.state != AGREED)
        if shown is not None:
            text = isolated(shown.text[:_SHOWN])
            self.agree.setToolTip(
                plain_tip(f"Make “{text}” the label you agree with (Ctrl+Shift+Y)")
            )
        others = len(labels) - (shown is not None)
        self.button.setVisible(bool(labels))
        if labels:
            made_by = whose(shown, me=me) if shown is not None else ""
            counted = f"{others} other{'s' if others > 1 else ''}" if others else ""
            text = " · ".join(filter(None, (made_by, counted)))
            self.button.setText(menu_text(f"{text[:1].upper()}{text[1:]}"))
            self.button.setAccessibleName(f"Other labels: {text}")
            self.button.setToolTip(
                plain_tip("Choose among the labels of this feature, reject one, see their history")
            )

    def _in_place(self, labels: list[Label]) -> Label | None:
        """Return what stands in the label's place: the shown one, or the name by statistics."""
        shown = next((one for one in labels if one.shown), None)
        if shown is None and self._notes.words(self._feature) is not None:
            shown = next((one for one in labels if one.number < 0), None)
        return shown

    # ------------------------------------------------------------------ what can be done
    def action_infos(self, enabled_when: Callable[[], bool]) -> list[ActionInfo]:
        """Return what one key does with the name in the label's place."""
        return [
            ActionInfo(
                "explore.agree",
                "Agree with the feature’s name",
                self.agree_with_shown,
                icon="check",
                shortcut="Ctrl+Shift+Y",
                enabled_when=enabled_when,
            ),
            ActionInfo(
                "explore.reject",
                "Reject the feature’s name",
                self.reject_shown,
                icon="x",
                shortcut="Ctrl+Shift+X",
                enabled_when=enabled_when,
            ),
        ]

    def agree_with_shown(self) -> None:
        """Say that the name in the label's place is right."""
        shown = self._in_place(self._actions.labels(self._feature))
        if shown is not None and shown.state != AGREED:
            self._actions.agree(self._feature, shown)

    def reject_shown(self) -> None:
        """Say that the name in the label's place is wrong."""
        shown = self._in_place(self._actions.labels(self._feature))
        if shown is not None:
            self._actions.reject(self._feature, shown)

    def open_menu(self) -> None:
        """Open the menu of all labels under the button."""
        menu = self.menu()
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.place_of(menu))

    def place_of(self, menu: QMenu) -> QPoint:
        """Return where the menu opens: under the button, so far left that what can be done with a
        label opens to the right of it, and nothing covers the name."""
        place = self.button.mapToGlobal(QPoint(0, self.button.height()))
        subs = [sub for action in menu.actions() if (sub := action.menu()) is not None]
        widest = max((sub.sizeHint().width() for sub in subs), default=0)  # type: ignore[attr-defined]
        screen = self.button.screen().availableGeometry()
        room = screen.right() - menu.sizeHint().width() - widest
        return QPoint(max(min(place.x(), room), screen.left()), place.y())

    def menu(self) -> QMenu:
        """Return the menu: each label with what can be done with it, then the history."""
        menu = QMenu(self)
        for one in self._actions.labels(self._feature):
            self._add_label(menu, one)
        if not menu.isEmpty():
            menu.addSeparator()
        history = menu.addAction("History of the labels…")
        icons.set_icon(history, "clock-counter-clockwise")
        history.triggered.connect(self.open_history)
        return menu

    def _add_label(self, menu: QMenu, one: Label) -> None:
        feature, me = self._feature, self._session.person
        text = one.text if len(one.text) <= _SHOWN else f"{one.text[: _SHOWN - 1]}…"
        sub = menu.addMenu(menu_text(f"{isolated(text)}   ({label_line(one, me=me)})"))
        sub.menuAction().setToolTip(plain_tip(label_tip(one, me=me)))
        if one.shown:
            icons.set_icon(sub.menuAction(), "check")
        entries = [
            (
                "check",
                "Agree with it" if one.shown else "Agree with it and show it",
                self._actions.agree,
                one.state != AGREED,
            ),
            (
                "eye",
                "Show it instead",
                self._actions.choose,
                one.state == AGREED and not one.shown,
            ),
            (
                "pencil-simple",
                "Edit it…" if is_own(one.method, one.author, me) else "Edit a copy as your own…",
                self._edit,
                True,
            ),
            (
                "x",
                "Reject it: do not propose it again" if one.method != PERSON else "Set it aside",
                self._actions.reject,
                one.state != REJECTED,
            ),
        ]
        for icon, title, act, offered in entries:
            if offered:
                action = sub.addAction(title)
                icons.set_icon(action, icon)
                action.triggered.connect(lambda _checked=False, act=act: act(feature, one))

    def _edit(self, feature: int, one: Label) -> None:
        dictionary = self._notes.dictionary  # another may be open when the text is given
        text, given = QInputDialog.getText(self, "Edit the label", "Label", text=one.text)
        if given:
            self._actions.edit(feature, one, text, dictionary)

    def open_history(self) -> None:
        """Show what became of the feature's labels."""
        LabelHistory(self._session, self._feature, self).open()

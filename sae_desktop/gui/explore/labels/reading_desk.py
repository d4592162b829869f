"""The reading desk: feature after feature with its texts and proposed names, by keys alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy.typing as npt
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QHideEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QApplication

from sae_desktop.errors import UserError
from sae_desktop.features.reading.names_file import NamePiece
from sae_desktop.gui.explore.labels import desk_keys, desk_sayings
from sae_desktop.gui.explore.labels.desk_cards import AHEAD, CardReader, FeatureCard
from sae_desktop.gui.explore.labels.desk_labels import DeskLabels, GivenLabels, line_of
from sae_desktop.gui.explore.labels.desk_page import DeskPage
from sae_desktop.gui.explore.labels.desk_route import DeskRoute
from sae_desktop.gui.explore.labels.desk_side import HIDDEN
from sae_desktop.gui.explore.labels.undo_steps import UndoSteps
from sae_desktop.gui.explore.picture_dialog import enlarge_from
from sae_desktop.gui.parts.kept_fields import keep_fields
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.project_labels import Label
from sae_desktop.words.amounts import one_in_text, percent_text

Array = npt.NDArray[Any]

_SELECT_MS = 40
"""After which the list follows: the desk itself is drawn first."""


class ReadingDesk(DeskPage):
    """One feature at a time; every decision leads to the next."""

    def __init__(self, session: Session, listed: Callable[[], Array]) -> None:
        """`listed` gives the features that the list shows, or those selected in it."""
        super().__init__()
        self.setObjectName("explore.desk")
        self._session = session
        self._notes = FeatureNotes.of(session)
        self.labels = DeskLabels(session)
        self.route = DeskRoute(session, self.labels, listed)
        self.cards = CardReader(self)
        self.feature: int | None = None
        """The one that is shown; None: there is none."""
        self._card: FeatureCard | None = None
        self._revealed = False
        self._decided: int | None = None
        """The feature of which a change is being made that leads to the next."""
        self._given = GivenLabels()
        self._steps = UndoSteps(session.undo_stack)
        self._select = QTimer(self, singleShot=True, interval=_SELECT_MS)
        self._select.timeout.connect(self._select_feature)
        self._do: dict[str, Callable[[], object]] = {
            desk_keys.EDIT: self.edit,
            desk_keys.REJECT: self.reject,
            desk_keys.RATE: self.rate,
            desk_keys.TAGS: self.foot.edit_tags,
            desk_keys.STAR: self.toggle_star,
            desk_keys.NEXT: self.go_forward,
            desk_keys.BACK: self.go_back,
            desk_keys.HELP: lambda: desk_keys.show_keys(self),
        }
        self._connect()
        keep_fields(session, self, {"order": self.head.order, "blind": self.head.blind})
        session.place.add(
            self, lambda: self.route.kept(self.feature), self._give, part="place", of_index=True
        )

    def _connect(self) -> None:
        session, foot = self._session, self.foot
        self.head.orderChosen.connect(self._on_order_chosen)
        self.head.blind.toggled.connect(self._show_names)
        self.head.keysWanted.connect(self._do[desk_keys.HELP])
        self.head.starClicked.connect(self.toggle_star)
        self.readAllWanted.connect(self._read_all)
        self.side.chosen.connect(self.choose)
        self.side.pieceChosen.connect(self._on_piece_chosen)
        self.text.view.textChosen.connect(session.textRequested)
        enlarge_from(self.text.view, session)
        foot.label.returnPressed.connect(self._on_label_entered)
        foot.label.committed.connect(self._on_label_typed)
        foot.label.left.connect(self._leave_label)
        foot.tags.returnPressed.connect(self._on_tags_entered)
        foot.tags.committed.connect(self._on_tags_typed)
        foot.tags.left.connect(self._leave_label)
        foot.rejected.connect(self.reject)
        foot.rated.connect(self.rate)
        foot.back.connect(self.go_back)
        foot.next.connect(self.go_forward)
        self._notes.noteChanged.connect(self._on_note_changed)
        self._notes.reloaded.connect(self._show_names)
        session.undo_stack.indexChanged.connect(self._on_step)
        session.leaving.connect(self.foot.commit)
        session.indexOpened.connect(self._on_index_opened)
        session.featureSelected.connect(self._on_feature_selected)
        self._on_index_opened()

    # ------------------------------------------------------------------ what is read
    def _on_index_opened(self, _index: object = None) -> None:
        self.cards.set_index(self._session.index)
        self.route.forget()
        self.feature, self._card, self._given = None, None, GivenLabels()
        if self.isVisible():
            self._begin()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self.route.stale:
            self._begin()
        elif self._session.feature not in (None, self.feature):
            self._follow(self._session.feature)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if self._select.isActive():
            self._select.stop()
            self._select_feature()

    def read(self, feature: int | None = None) -> None:
        """Begin, at a feature where one is given, and put the keyboard on the texts."""
        self._begin(feature)
        self.take_keyboard()

    def _begin(self, feature: int | None = None) -> None:
        self.route.plan(self.feature, feature)
        self._show_current()

    def _on_order_chosen(self, order: str) -> None:
        self.route.choose(order)
        self.feature = None
        if self.isVisible():
            self._begin()

    def _read_all(self) -> None:
        self.route.read_all()
        self.feature = None
        self.read()

    def _follow(self, feature: int) -> None:
        """Show a feature that was selected elsewhere."""
        self.route.queue.insert(feature)
        self._show_current()

    def _on_feature_selected(self, feature: int) -> None:
        if self.isVisible() and feature != self.feature and not self.route.stale:
            self._follow(feature)

    # ------------------------------------------------------------------ the present feature
    def _show_current(self) -> None:
        feature, index = self.route.queue.current, self._session.index
        self.head.progress.setText(self.route.progress)
        if feature is None or index is None:
            self._show_end()
            return
        try:
            self._card = self.cards.card(feature)
        except UserError as error:
            self._session.show_error(error)
            return
        self.feature, self._revealed = feature, False
        density = float(index.columns["density"][feature])
        self.head.show_feature(
            feature, f"fires on {percent_text(density)} of tokens ({one_in_text(density)})"
        )
        self.text.show_card(self._card, index.info)
        self.side.to_top()
        self._show_names()
        self.show_desk()
        self.foot.back_button.setEnabled(self.route.queue.at > 0)
        self.cards.read_ahead(self.route.queue.near(AHEAD))
        self._select.start()

    def _select_feature(self) -> None:
        """Have the list and all others follow, once the feature is seen here."""
        if self.feature not in (None, self._session.feature):
            self._session.select_feature(self.feature, remember=False)

    def _show_end(self) -> None:
        focused = QApplication.focusWidget()
        had_keyboard = focused is not None and self.isAncestorOf(focused)
        self.feature = self._card = None
        self.head.show_feature(None, "")
        self.show_end(self.route.end)
        if had_keyboard:
            self.empty.button.setFocus()

    @property
    def hidden(self) -> bool:
        """Whether the proposed names are out of sight for now."""
        if self.feature is None or not self.head.blind.isChecked():
            return False
        return not self._revealed and not self.labels.is_settled(self.feature)

    def candidates(self) -> list[Label]:
        """Return the names of the present feature, the one under the digit 1 first."""
        return [] if self.feature is None else self.labels.candidates(self.feature)

    def _best(self) -> Label | None:
        """Return the first name that is not rejected."""
        return next(iter(self.labels.proposed(self.feature)), None)

    def _show_names(self, _changed: object = None) -> None:
        if self.feature is None or self._card is None:
            return
        hidden = self.hidden
        self.side.show_candidates(self.candidates(), self._session.person, hidden=hidden)
        self.side.show_card(self._card, hidden=hidden)
        self.foot.show_hint(hidden=hidden)
        self.foot.reject_button.setEnabled(not hidden and self._best() is not None)
        note, key = self._notes.note(self.feature), (self._notes.dictionary, self.feature)
        self.foot.label.show_text(key, self.labels.own(self.feature))
        self.foot.tags.show_text(key, ", ".join(note.tags))
        self.foot.show_rating(note.rating, shown=bool(note.label) and not hidden)
        self.head.show_star(self._notes.starred(self.feature))

    def _on_piece_chosen(self, piece: NamePiece | None) -> None:
        if piece is None:
            self.text.show_all()
        else:
            self.text.show_rows(f"Texts for {piece.value}", piece.rows)

    def _on_note_changed(self, feature: int) -> None:
        """Show what was changed; an undone step leads back to its feature."""
        if feature == self._decided:
            return  # it is said by whoever decided
        if feature == self.feature:
            self._show_names()
        elif self.isVisible() and (feature in self.route.today or feature in self._given):
            self._follow(feature)
            self.foot.say(desk_sayings.called(feature, self._notes.label(feature)))

    def _on_step(self, at: int) -> None:
        """Say what was undone or done again; without its label, a feature is still to be read."""
        feature, step = self.feature, self._steps.moved(at)
        if step is None or feature is None or not self.isVisible():
            return
        before, now = self._given.label(feature), self._notes.label(feature)
        self.foot.say(desk_sayings.stepped(feature, before, now, step))
        if before and before != now:
            self.route.today.discard(feature)
            self.head.progress.setText(self.route.progress)

    # ------------------------------------------------------------------ decisions
    def choose(self, candidate: Label) -> None:
        """Agree with a name, and go on."""
        if self.feature is not None:
            with self._decision(self.feature):
                self.labels.agree(self.feature, candidate)
            self._name(self.feature, line_of(candidate))

    @contextmanager
    def _decision(self, feature: int) -> Iterator[None]:
        """While a feature is changed, nothing is drawn that the next takes the place of."""
        self._decided = feature
        try:
            yield
        finally:
            self._decided = None

    def choose_number(self, number: int) -> None:
        """Agree with the name under a digit."""
        found = self.labels.proposed(self.feature)
        if self.hidden:
            self.foot.say(HIDDEN)
        elif number <= len(found):
            self.choose(found[number - 1])
        else:
            self.foot.say(f"There is no name with the number {number}.")

    def edit(self) -> None:
        """Type a label; the best of the names is there to be changed."""
        best = None if self.hidden else self._best()
        self.foot.edit_label("" if best is None else line_of(best))

    def reject(self) -> None:
        """Reject the first of the names that is not yet."""
        best = None if self.hidden else self._best()
        if self.feature is not None and best is not None:
            self.labels.reject(self.feature, best)
            self.foot.say(desk_sayings.rejected(line_of(best), more=self._best() is not None))

    def rate(self) -> None:
        """Give a label one star more, after the last none: the one that is shown, else the one
        that was given last.
        """
        if self.feature is None:
            return
        feature = self.feature
        if not self._notes.label(feature) or self.hidden:
            feature = feature if self._given.latest is None else self._given.latest
        if not self._notes.label(feature) or (feature == self.feature and self.hidden):
            self.foot.say(desk_sayings.NOT_TO_RATE)
            return
        with self._decision(feature):
            rating = self.labels.rate_higher(feature)
        self._show_names()
        self.foot.say(desk_sayings.rated(feature, rating))

    def toggle_star(self) -> None:
        if self.feature is not None:
            self._notes.set_starred(self.feature, not self._notes.starred(self.feature))

    def go_forward(self) -> None:
        """Show the next feature."""
        self.foot.commit()
        if self.feature is not None:
            self._done(self.feature, "")

    def go_back(self) -> None:
        """Show the feature before."""
        self.foot.commit()
        if self.route.queue.back() is not None:
            self._show_current()
            self.foot.say("")
            self.take_keyboard()

    def _name(self, feature: int, text: str) -> None:
        """A feature was given a label, or has none now: go on."""
        self._given.give(feature, text)
        self._done(feature, f"{desk_sayings.called(feature, text)} {desk_sayings.BACK}")

    def _done(self, feature: int, said: str) -> None:
        self.route.today.add(feature)
        self.route.queue.forward()
        self.foot.say(said)
        self._show_current()
        self.take_keyboard()

    # ------------------------------------------------------------------ the fields
    def _on_tags_entered(self) -> None:
        self.foot.tags.commit()
        self.take_keyboard()

    def _on_tags_typed(self, key: tuple[str, int], text: str) -> None:
        dictionary, feature = key
        if dictionary == self._notes.dictionary:
            self.labels.set_tags(feature, text.split(","))
            self.foot.say(desk_sayings.tagged(feature, self._notes.note(feature).tags))

    def _on_label_entered(self) -> None:
        """Save what stands in the field, also where it is a name that was not changed."""
        feature, text = self.feature, " ".join(self.foot.label.text().split())
        if feature is None:
            return
        self.foot.label.setModified(False)
        changed, was_hidden = text != self.labels.own(feature), self.hidden
        with self._decision(feature):
            self.labels.take(feature, text)
        if was_hidden and text:
            self._revealed = True
            self._given.give(feature, text)
            self._show_names()
            self.foot.say(f"{desk_sayings.called(feature, text)} {desk_sayings.COMPARE}")
            self.take_keyboard()
            return
        if changed:
            self._name(feature, text)
        else:
            self._done(feature, "")

    def _on_label_typed(self, key: tuple[str, int], text: str) -> None:
        dictionary, feature = key
        if dictionary == self._notes.dictionary:
            self.labels.take(feature, text)

    def _leave_label(self) -> None:
        self._show_names()
        self.take_keyboard()

    # ------------------------------------------------------------------ keys
    def take_keyboard(self) -> None:
        """Put the keyboard where the keys of the desk are heard."""
        if self.feature is not None:
            self.text.view.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            self.empty.button.setFocus(Qt.FocusReason.OtherFocusReason)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Do what a key stands for; whoever has the keyboard was asked first."""
        commands = event.modifiers() & ~(
            Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier
        )
        action = None if commands else desk_keys.ACTIONS.get(event.key())
        if action is None or self.feature is None:
            super().keyPressEvent(event)
        elif action == desk_keys.CHOOSE:
            self.choose_number(event.key() - Qt.Key.Key_0)
        else:
            self._do[action]()

    # ------------------------------------------------------------------ kept with the project
    def _give(self, kept: dict[str, Any]) -> None:
        self.route.give(kept)
        if self.isVisible():
            self._begin()

"""What to search and filtered: a field, toggles, a menu of conditions, chips for those set."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import msgspec
import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QInputDialog,
    QLineEdit,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.errors import UserError
from sae_desktop.features.reading.categories import category_names
from sae_desktop.features.reading.columns import FIRES_ON_RULE
from sae_desktop.features.reading.filter import FeatureFilter, Range
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.reading.same_concept import CONCEPT_COLUMN
from sae_desktop.gui.explore.list.condition_chips import ConditionChips
from sae_desktop.gui.explore.list.filter_words import (
    MEANING,
    SCOPES,
    Condition,
    conditions_in_words,
)
from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.labels import push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.feature_set import FeatureSet
from sae_desktop.gui.state.kept_lists import KeptLists
from sae_desktop.gui.state.session import Session
from sae_desktop.label_words import NAMED_IN_WORDS
from sae_desktop.language_names import language_name
from sae_desktop.project_changes import FilterChange
from sae_desktop.project_lists import SavedFilters
from sae_desktop.words.amounts import exact_count
from sae_desktop.words.picture_words import MODALITY_WORDS, modality_title

_MANY = 40
"""Entries of a menu at most; the rest is chosen by typing."""
_MOST_KEPT = 20_000
"""Features picked out by hand that are listed again the next time."""


class FilterBar(QWidget):
    """Keeps the conditions of the list."""

    edited = Signal()
    """Something was typed: apply it when the typing pauses."""
    toggled = Signal()
    """A condition came or went: apply it at once."""
    scopeChosen = Signal(str)
    """Another field of the filter is searched."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._index: FeatureIndex | None = None
        self._rest = FeatureFilter()
        """All conditions that neither the field nor a toggle shows."""
        self._scope = "text"
        self._filled: str | None = None
        """What the field has come to show without anybody typing."""
        self._chips: list[Condition] = []
        self.only: FeatureSet | None = None
        self.search = QLineEdit()
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Search the features")
        self.scope = QToolButton()
        self.scope.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.scope.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.scope.setAccessibleName("What to search")
        self.scope.setMenu(self._scope_menu())
        self.alive = _toggle("Alive", "Only features that fire")
        self.starred = _toggle("Starred", "Only features with a star", "star")
        self.labelled = _toggle(
            "Labelled",
            "Only features with a label: one that a person or a model gave, or that was imported. "
            "An automatic name, in grey, is none",
        )
        self.more = QToolButton()
        self.more.setText("Filter ▾")
        self.more.setToolTip("More conditions, and saved filters")
        self.more.setAccessibleName("More conditions")
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.more.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        menu = QMenu(self)
        menu.aboutToShow.connect(self._fill_menu)
        self.more.setMenu(menu)
        self.clear = push_button("Clear", self.clear_all, flat=True, tip="Show all features")
        self.chips = ConditionChips()
        self._build()
        self.choose_scope("text")
        self.search.textChanged.connect(self._on_typed)
        self.search.returnPressed.connect(self._on_entered)
        for toggle in (self.alive, self.starred, self.labelled):
            toggle.toggled.connect(self._on_changed)
        self.chips.removed.connect(self._on_chip_removed)

    def _build(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(4)
        top.addWidget(self.scope)
        top.addWidget(self.search, 1)
        toggles = QHBoxLayout()
        toggles.setSpacing(4)
        for widget in (self.alive, self.starred, self.labelled, self.more):
            toggles.addWidget(widget)
        toggles.addStretch()
        toggles.addWidget(self.clear)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(top)
        column.addLayout(toggles)
        column.addWidget(self.chips)

    # ------------------------------------------------------------------ conditions
    def set_index(self, index: FeatureIndex | None) -> None:
        """Start again with another index."""
        self._index = index
        self.only = None
        self.set_conditions(FeatureFilter())

    def conditions(self) -> FeatureFilter:
        """Return all conditions that are set."""
        typed = self.search.text()
        told = {self._scope: typed} if typed and not self.meant else {}
        return msgspec.structs.replace(self._not_typed(), **told)

    def _not_typed(self) -> FeatureFilter:
        return msgspec.structs.replace(
            self._rest,
            alive_only=self.alive.isChecked(),
            starred_only=self.starred.isChecked(),
            labelled_only=self.labelled.isChecked(),
        )

    @property
    def meant(self) -> bool:
        """Whether what is typed is searched by meaning."""
        return self._scope == MEANING

    def set_conditions(self, conditions: FeatureFilter) -> None:
        """Show these conditions; nothing is emitted."""
        with ExitStack() as quiet:
            for widget in (self.alive, self.starred, self.labelled):
                quiet.enter_context(QSignalBlocker(widget))
            self.choose_scope("text")
            self._fill_search(conditions.text)
            self.alive.setChecked(conditions.alive_only)
            self.starred.setChecked(conditions.starred_only)
            self.labelled.setChecked(conditions.labelled_only)
        self._rest = msgspec.structs.replace(
            conditions, text="", alive_only=False, starred_only=False, labelled_only=False
        )
        self._show_chips()

    def kept(self) -> dict[str, Any]:
        """Return all that is set, and what is being typed, as plain data."""
        only = None
        if self.only is not None and len(self.only.features) <= _MOST_KEPT:
            only = {"title": self.only.title, "features": np.asarray(self.only.features).tolist()}
        return {
            "scope": self._scope,
            "typed": self.search.text(),
            "conditions": msgspec.to_builtins(self._not_typed()),
            "only": only,
        }

    def give(self, kept: dict[str, Any]) -> None:
        """Set what `kept` returned; nothing is emitted."""
        only = kept["only"]
        conditions = msgspec.convert(kept["conditions"], FeatureFilter)
        if only is not None:
            self.only = FeatureSet(only["title"], np.array(only["features"], dtype=np.int64))
        self.set_conditions(conditions)
        if kept["scope"] in SCOPES:
            self.choose_scope(kept["scope"])
        self._fill_search(kept["typed"])
        self._show_chips()

    def set_range(self, bounds: object) -> None:
        """Bound a column; nothing is emitted."""
        assert isinstance(bounds, Range)
        self._rest = self._rest.with_range(bounds)
        self._show_chips()

    def set_only(self, features: FeatureSet | None) -> None:
        """Let only these features come into question; nothing is emitted."""
        self.only = features
        self._show_chips()

    def clear_all(self) -> None:
        """Take every condition away."""
        self.only = None
        self.set_conditions(FeatureFilter())
        self.toggled.emit()

    def _show_chips(self) -> None:
        self._chips = []
        if self._index is not None:
            self._chips = conditions_in_words(self._rest, self._index)
        texts = [condition.text for condition in self._chips]
        if self.only is not None:
            texts.append(f"{self.only.title} ({exact_count(len(self.only.features))})")
        self.chips.set_texts(texts)
        typed = self.meant and bool(self.search.text())
        anything = typed or self.only is not None or not self.conditions().lists_all
        self.clear.setEnabled(anything)

    def _on_chip_removed(self, number: int) -> None:
        if number < len(self._chips):
            self._rest = self._chips[number].without
        else:
            self.only = None
        self._on_changed()

    def _fill_search(self, text: str) -> None:
        """Show a text that nobody has typed; nothing is emitted.

        The field’s signals are not blocked: Qt shows and hides its clear icon by them.
        """
        self._filled = text
        self.search.setText(text)

    def _on_typed(self) -> None:
        filled, self._filled = self._filled, None
        if self.search.text() != filled:
            self._show_chips()
            self.edited.emit()

    def _on_changed(self, _value: object = None) -> None:
        self._show_chips()
        self.toggled.emit()

    def _on_entered(self) -> None:
        """What was searched beside labels becomes a chip, and the field is free for more."""
        text = self.search.text().strip()
        if text and self._scope not in ("text", MEANING):
            self._rest = msgspec.structs.replace(self._rest, **{self._scope: text})
            self._fill_search("")
            self._on_changed()

    # ------------------------------------------------------------------ menus
    def _scope_menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        for name, (title, _, tip) in SCOPES.items():
            action = menu.addAction(title)
            action.setToolTip(plain_tip(tip))
            action.triggered.connect(lambda _checked=False, name=name: self._on_scope_chosen(name))
        return menu

    def choose_scope(self, name: str) -> None:
        """Search another field of the filter."""
        self._scope = name
        title, placeholder, tip = SCOPES[name]
        self.scope.setText(f"{title} ▾")
        self.search.setPlaceholderText(placeholder)
        self.search.setToolTip(plain_tip(f"{tip} (Ctrl+F)"))
        self.scope.setToolTip(plain_tip(f"Searching: {tip[:1].lower()}{tip[1:]}"))
        self.scopeChosen.emit(name)

    def _on_scope_chosen(self, name: str) -> None:
        self.choose_scope(name)
        self.search.setFocus()
        if self.search.text():
            self._on_changed()

    def _fill_menu(self) -> None:
        menu = self.more.menu()
        menu.clear()
        if self._index is None:
            return
        self._add_choices(menu.addMenu("Language"), "languages", self._index.info.languages)
        self._add_choices(menu.addMenu("Source"), "sources", self._index.info.sources)
        if "modality" in self._index.columns:
            kinds = menu.addMenu("Pictures or text")
            self._add_choices(kinds, "modalities", list(MODALITY_WORDS))
            kinds.addSeparator()
            rule = FIRES_ON_RULE.removeprefix("both ")
            kinds.addAction(f"“On pictures and text” {rule}").setEnabled(False)
        if (concepts := category_names(self._index, CONCEPT_COLUMN)) is not None:
            self._add_choices(menu.addMenu("Concept it tells best"), "concepts", concepts)
        cluster = menu.addAction("Cluster…", self._ask_cluster)
        cluster.setEnabled("cluster" in self._index.columns)
        menu.addAction("Dead: never fires on this text", lambda: self._set(dead_only=True))
        named = menu.addMenu("Whose name is shown")
        for kind, told in NAMED_IN_WORDS.items():
            action = named.addAction(f"{told[:1].upper()}{told[1:]}")
            action.triggered.connect(lambda _checked=False, kind=kind: self._set(named=kind))
        lists = menu.addMenu("On a list")
        for name, count in KeptLists.of(self._session).names():
            action = lists.addAction(f"{name} ({count})")
            action.triggered.connect(lambda _checked=False, name=name: self._set(member_of=name))
        lists.setEnabled(not lists.isEmpty())
        menu.addSeparator()
        saved = self._saved()
        if saved is None:
            return
        for name, conditions in saved.all().items():
            action = menu.addAction(f"“{name}”")
            action.triggered.connect(
                lambda _checked=False, kept=conditions: self._apply_saved(kept)
            )
        menu.addAction("Save this filter…", self._ask_name).setEnabled(
            not self.conditions().lists_all
        )
        forget = menu.addMenu("Delete a filter")
        for name in saved.all():
            action = forget.addAction(name)
            action.triggered.connect(lambda _checked=False, name=name: self._write(name, None))
        forget.setEnabled(not forget.isEmpty())

    def _add_choices(self, menu: QMenu, field: str, names: list[str]) -> None:
        menu.setEnabled(bool(names))
        chosen = getattr(self._rest, field)
        told = {"languages": language_name, "modalities": modality_title}.get(field, str)
        for name in sorted(names, key=told)[:_MANY]:
            action = menu.addAction(told(name))
            action.setCheckable(True)
            action.setChecked(name in chosen)
            action.toggled.connect(
                lambda on, name=name: self._set(
                    **{field: (*chosen, name) if on else tuple(c for c in chosen if c != name)}
                )
            )
        if len(names) > _MANY:
            menu.addAction("Another…", lambda: self._ask_choice(field, sorted(names)))

    def _set(self, **changes: object) -> None:
        self._rest = msgspec.structs.replace(self._rest, **changes)
        self._on_changed()

    def _ask_choice(self, field: str, names: list[str]) -> None:
        name, given = QInputDialog.getItem(self, "Filter", field.capitalize(), names, 0, True)
        if given and name in names:
            self._set(**{field: (*getattr(self._rest, field), name)})

    def _ask_cluster(self) -> None:
        assert self._index is not None
        most = int(self._index.columns["cluster"].max(initial=0))
        number, given = QInputDialog.getInt(
            self, "Filter", f"Cluster, 0 to {most}, or −1 for none", 0, -1, most
        )
        if given:
            self._set(clusters=(number,))

    # ------------------------------------------------------------------ kept filters
    def _saved(self) -> SavedFilters | None:
        notes = self._session.notes
        return None if notes is None else SavedFilters(notes)

    def _ask_name(self) -> None:
        conditions = msgspec.json.encode(self.conditions()).decode()  # as set when it was asked
        name, given = QInputDialog.getText(self, "Save this filter", "Name")
        if given and name.strip():
            self._write(name.strip(), conditions)

    def _write(self, name: str, conditions: str | None) -> None:
        if self._session.may_write_notes():
            self._session.write_notes(FilterChange(name=name, conditions=conditions))

    def _apply_saved(self, conditions: str) -> None:
        try:
            kept = msgspec.json.decode(conditions, type=FeatureFilter)
        except msgspec.DecodeError as error:
            self._session.show_error(
                UserError(
                    f"This filter cannot be read: {error}.",
                    next_step="Delete it and save it again.",
                )
            )
            return
        self.only = None
        self.set_conditions(kept)
        self.toggled.emit()


def _toggle(text: str, tip: str, icon: str = "") -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setCheckable(True)
    button.setToolTip(plain_tip(tip))
    button.setAccessibleName(tip)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    if icon:
        icons.set_icon(button, icon)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    return button

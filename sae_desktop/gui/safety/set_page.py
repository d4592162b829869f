"""One concept set: what it is about, its positives beside its near misses, what is held out."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.passages import Heading, Passage
from sae_desktop.gui.parts.terms import explain
from sae_desktop.gui.parts.token_text import TokenTextView
from sae_desktop.language_names import language_name
from sae_desktop.safety.concept_set import ConceptSet
from sae_desktop.safety.listed_sets import ListedSet
from sae_desktop.words.set_text import HELD_OUT, checked_text

_MOST = 300
"""Texts of a side that are shown."""
_PARTS = (("all", "All texts"), ("learnt", "Learnt from"), ("kept", "Held out"))


class SetPage(QWidget):
    """Shows a set."""

    scanAsked = Signal()
    copyAsked = Signal()
    editAsked = Signal()
    deleteAsked = Signal()
    fileAsked = Signal()
    growAsked = Signal(str)
    """A text to be added to a set."""

    def __init__(self) -> None:
        super().__init__()
        self.listed: ListedSet | None = None
        self.title = ElidedLabel()
        self.title.setProperty("role", "title")
        self.about = label("", wrap=True, selectable=True)
        self.counts = label("", "muted", wrap=True)
        self.problem = label("", "warning", wrap=True, selectable=True)
        self.scan_button = push_button(
            "Scan for it…", self.scanAsked.emit, icon="target", primary=True,
            tip="Find the features of a dictionary that tell its positives from its near misses",
        )  # fmt: skip
        self.edit_button = push_button("Edit…", self.editAsked.emit, icon="pencil-simple")
        self.copy_button = push_button(
            "Copy to change…", self.copyAsked.emit, icon="copy",
            tip="Make a set of your own that begins with these texts",
        )  # fmt: skip
        self.file_button = push_button(
            "Show the file", self.fileAsked.emit, icon="folder-open", tip="In the file manager"
        )
        self.delete_button = push_button(
            "Delete", self.deleteAsked.emit, icon="trash", tip="Move the set to the trash"
        )
        self.language = QComboBox()
        self.language.setAccessibleName("Language of the texts that are shown")
        self.part = QComboBox()
        self.part.setAccessibleName("Part of the texts that is shown")
        for value, text in _PARTS:
            self.part.addItem(text, value)
        self.positives, self.negatives = TokenTextView(), TokenTextView()
        self._heads = label("Positives", "heading"), label("Near misses", "heading")
        self._held_out = label(HELD_OUT, "small", wrap=True)
        explain(self._held_out, "Held out", "Template")
        self._build()
        self.language.currentIndexChanged.connect(lambda _index: self._show_texts())
        self.part.currentIndexChanged.connect(lambda _index: self._show_texts())

    def _build(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        for button in (
            self.scan_button, self.edit_button, self.copy_button, self.file_button,
            self.delete_button,
        ):  # fmt: skip
            buttons.addWidget(button)
        buttons.addStretch(1)
        shown = QHBoxLayout()
        shown.setSpacing(8)
        shown.addWidget(self.language)
        shown.addWidget(self.part)
        shown.addWidget(self._held_out, 1)
        top = QVBoxLayout()
        top.setContentsMargins(16, 12, 16, 4)
        top.setSpacing(6)
        for widget in (self.title, self.about, self.counts, self.problem):
            top.addWidget(widget)
        top.addLayout(buttons)
        top.addLayout(shown)
        inner = QWidget()
        inner.setProperty("ground", "surface")
        inner.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        sides = QHBoxLayout(inner)
        sides.setContentsMargins(16, 8, 16, 16)
        sides.setSpacing(24)
        named = ("Positives of the set", "Near misses of the set")
        for head, view, name in zip(
            self._heads, (self.positives, self.negatives), named, strict=True
        ):
            view.setAccessibleName(name)
            view.textKept.connect(self.growAsked)
            side = QVBoxLayout()
            side.setSpacing(4)
            side.addWidget(head)
            side.addWidget(view)
            side.addStretch(1)
            sides.addLayout(side, 1)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setWidget(inner)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(top)
        column.addWidget(self._scroll, 1)
        self.setFocusProxy(self.scan_button)

    def show_set(self, listed: ListedSet | None, scanned: str) -> None:
        """Show a set; `scanned`: what is said of scans for it."""
        same = listed is not None and self.listed is not None and listed.name == self.listed.name
        self.listed = listed
        self.setVisible(listed is not None)
        if listed is None:
            return
        found = listed.found
        self.title.setText(listed.title)
        self.about.setText(found.about if found is not None else "")
        self.about.setVisible(bool(self.about.text()))
        told = [] if found is None else [checked_text(found, listed.warnings), scanned]
        self.counts.setText("\n".join(filter(None, told)))
        self.counts.setVisible(bool(told))
        self.problem.setText(listed.problem)
        self.problem.setVisible(bool(listed.problem))
        for button in (self.edit_button, self.delete_button):
            button.setVisible(not listed.ships)
        for button in (self.scan_button, self.edit_button, self.copy_button):
            button.setEnabled(found is not None)
        self._scroll.setVisible(found is not None)
        for widget in (self.language, self.part, self._held_out):
            widget.setVisible(found is not None)
        if found is not None:
            self._list_languages(found, str(self.language.currentData()) if same else "")
            self._show_texts()
            if not same:
                self._scroll.verticalScrollBar().setValue(0)

    def _list_languages(self, found: ConceptSet, chosen: str) -> None:
        with QSignalBlocker(self.language):
            self.language.clear()
            for code in (found.language, *found.other_languages):
                self.language.addItem(language_name(code), code)
            self.language.setCurrentIndex(max(self.language.findData(chosen), 0))
            self.language.setVisible(self.language.count() > 1)

    def _show_texts(self) -> None:
        found = self.listed.found if self.listed is not None else None
        if found is None:
            return
        language, part = self.language.currentData(), self.part.currentData()
        self.part.setEnabled(language == found.language)
        own = language == found.language
        views = zip((True, False), (self.positives, self.negatives), self._heads, strict=True)
        for positive, view, head in views:
            places = [
                place
                for place in found.part(positive=positive)
                if found.texts[place].language == language
                and (not own or part == "all" or found.texts[place].held_out == (part == "kept"))
            ]
            name = "Positives" if positive else "Near misses"
            head.setText(f"{name} · {len(places):,}")
            view.set_blocks(_blocks(found, places[:_MOST], len(places) - _MOST))


def _blocks(found: ConceptSet, places: list[int], more: int) -> list[Heading | Passage]:
    blocks: list[Heading | Passage] = []
    before, number = None, 0
    for place in places:
        text = found.texts[place]
        if text.template != before:
            before, number = text.template, number + 1
            part = "held out" if text.held_out else "learnt from"
            blocks.append(Heading(f"Template {number} · {part}"))
        blocks.append(Passage([text.text], [0.0]))
    if more > 0:
        blocks.append(Heading(f"{more:,} more texts are in the file"))
    return blocks

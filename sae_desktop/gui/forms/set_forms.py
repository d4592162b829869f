"""Small dialogs about sets: how their layers are indexed, how they are saved and called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QComboBox, QFileDialog, QLineEdit

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.described import default, setting
from sae_desktop.dictionary.set_info import member_name
from sae_desktop.exchange.set_config import ExportSetConfig, SetFormat
from sae_desktop.features.set_index_config import IndexSetConfig
from sae_desktop.gui.forms.job_forms import JobForm
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.number_fields import CountField
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.session import Session
from sae_desktop.storage.faults import format_bytes
from sae_desktop.words.inventory import SetItem, StoreItem
from sae_desktop.words.set_words import count_text
from sae_desktop.words.source_titles import corpus_title

_TRAINED, _DRAFT, _STORE = "trained", "draft", "store"
_BYTES = 2
"""Of a number in a store."""


class IndexSetForm(JobForm):
    """Indexes and names the features of all layers that have no index yet, or those of one."""

    def __init__(self, session: Session, item: SetItem, layer: int | None = None) -> None:
        left = len(item.members) - len(item.indexed)
        of, start = count_text(item), "Index all layers"
        kept = " Layers with such an index are kept."
        if layer is not None:
            of, start, kept = f"layer {layer}", f"Index layer {layer}", ""
        elif left < len(item.members):
            start = "Index the other layers"
        super().__init__(
            session,
            f"Index “{item.name}”" if layer is None else f"Index layer {layer} of “{item.name}”",
            f"Reads the text once through the model and keeps, for every feature of {of}, where "
            f"it fires and what it makes more likely; each gets an automatic name.{kept}",
            start,
        )
        self._item, self._layer = item, layer
        self.source = QComboBox()
        self._offer_sources()
        self.add_row("Text", self.source, "Where the features are looked for")
        self.rows = CountField(default(IndexSetConfig, "rows"), 1)
        self.add_setting(IndexSetConfig, "rows", self.rows)
        lean = setting(IndexSetConfig, "lean")
        self.lean = QCheckBox(lean.title)
        self.lean.setChecked(default(IndexSetConfig, "lean"))
        self.add_row("", self.lean, lean.description)
        self.lean.setAccessibleName(lean.title)
        self._room = label("", "small", wrap=True)
        self.add_below(self._room)
        self.rows.valueChanged.connect(self._say_room)
        self.source.currentIndexChanged.connect(self._say_room)
        self._say_room()

    def _offer_sources(self) -> None:
        trained = self._item.train.train.stream if self._item.train is not None else None
        if trained is not None:
            self._offer(f"{corpus_title(trained.corpus)}, as it was trained on", (_TRAINED, ""))
        for store in self.session.inventory.stores:
            if self._fits(store):
                self._offer(f"Store “{store.name}”", (_STORE, store.name))
        draft = self.session.harvest_draft
        if trained is None or draft.corpus != trained.corpus:
            self._offer(f"{corpus_title(draft.corpus)}, as set in Harvest", (_DRAFT, ""))

    def _offer(self, text: str, choice: tuple[str, str]) -> None:
        self.source.addItem(text, choice)
        tip = Qt.ItemDataRole.ToolTipRole
        self.source.setItemData(self.source.count() - 1, plain_tip(text), tip)

    def _fits(self, store: StoreItem) -> bool:
        """Whether a store has what every member reads."""
        info = self._item.info
        return info is not None and {m.reads for m in info.members} <= set(store.sites)

    def _say_room(self, _value: object = None) -> None:
        """Say what the activations take while they are needed."""
        kind, _ = self.source.currentData()
        members = self._item.members
        if self._layer is not None:
            members = tuple(m for m in members if m.name.endswith(f".{member_name(self._layer)}"))
        widths = [m.summary.width for m in members if m.summary is not None]
        size = self.rows.value() * sum(widths) * _BYTES
        text = f"The activations take {format_bytes(size)} of disk until that is done."
        self._room.setText("" if kind == _STORE else text)

    def config(self) -> IndexSetConfig:
        kind, store = self.source.currentData()
        harvest: HarvestConfig | None = self.session.harvest_draft if kind == _DRAFT else None
        return IndexSetConfig(
            project=self.session.project_path,
            set=self._item.name,
            layers=() if self._layer is None else (self._layer,),
            activations=store,
            harvest=harvest,
            rows=self.rows.value(),
            lean=self.lean.isChecked(),
        )

    def accept(self) -> None:
        self.session.run(self.config())
        super().accept()


_READERS: tuple[tuple[str, SetFormat], ...] = (
    ("circuit-tracer", "circuit_tracer"),
    ("SAELens: a folder for each layer", "saelens"),
)


class ExportSetForm(JobForm):
    """Writes a set as another library reads it."""

    def __init__(self, session: Session, name: str) -> None:
        super().__init__(
            session,
            f"Export “{name}”",
            "Saves all layers in a form that other programs read; scalars and norms are folded "
            "in. Its indexes and labels stay here.",
            "Export",
        )
        self._name = name
        self.reader = QComboBox()
        for title, form in _READERS:
            self.reader.addItem(title, form)
        self.add_row("Format", self.reader, "Which program will read it")
        self.target = QLineEdit(str(Path.home() / name))
        self.target.textChanged.connect(self._check)
        self.add_row("Save to", self.target, "A new or empty folder")
        self.form.addRow("", push_button("Choose…", self._choose))

    def _choose(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Where to create the folder")
        if name:
            self.target.setText(str(Path(name) / self._name))

    def _check(self, text: str) -> None:
        self.say_problem("" if text.strip() else "Name a folder to save it to.", self.target)

    def config(self) -> ExportSetConfig:
        return ExportSetConfig(
            project=self.session.project_path,
            set=self._name,
            path=self.target.text().strip(),
            format=self.reader.currentData(),
        )

    def accept(self) -> None:
        self.session.run(self.config())
        super().accept()


class RenameSetForm(JobForm):
    """Asks for another name; its indexes and labels go along."""

    def __init__(self, session: Session, name: str, rename: Callable[[str, str], object]) -> None:
        super().__init__(
            session,
            f"Rename “{name}”",
            "Its layers, their indexes and the labels of their features go along.",
            "Rename the set",
        )
        self._name, self._rename = name, rename
        others = [item.name for item in session.inventory.sets if item.name != name]
        self.name = self.add_name(name, others)
        self.name.selectAll()

    def accept(self) -> None:
        if self.name.text() != self._name:
            self._rename(self._name, self.name.text())
        super().accept()

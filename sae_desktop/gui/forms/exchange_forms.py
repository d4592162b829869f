"""Dialogs that bring in what others made, and hand on a dictionary or a table of labels."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QLineEdit, QWidget

from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.exchange.config import (
    DictionaryFormat,
    DictionaryFound,
    ExportDictionaryConfig,
    ExportPackageConfig,
    FindDictionariesConfig,
    FindDictionariesResult,
    ImportDictionaryConfig,
    ImportFeaturesConfig,
    ImportLabelsConfig,
)
from sae_desktop.exchange.recognise import dialog_filter
from sae_desktop.exchange.set_config import ImportSetConfig, SetFound
from sae_desktop.file_kinds import PACKAGE_ENDING
from sae_desktop.gui.forms.found_sets import found_name, found_text, found_title
from sae_desktop.gui.forms.job_forms import JobForm, free_name
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.number_fields import NumberField
from sae_desktop.gui.parts.text_box import PathField
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.words.amounts import exact_count
from sae_desktop.words.architecture_titles import architecture_title

_READERS: tuple[tuple[str, DictionaryFormat | Literal["package"]], ...] = (
    ("SAELens", "saelens"),
    ("sparsify", "sparsify"),
    ("dictionary_learning", "dictionary_learning"),
    ("SAE Desktop: one file with index and labels", "package"),
    ("HTML page about its training", "html"),
)
_SUFFIXES = {"package": PACKAGE_ENDING, "html": ".html"}


def safe_name(text: str) -> str:
    """Return a text as a name in a project."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in text)
    return kept.strip("-_.") or "imported"


class ImportDictionaryForm(JobForm):
    """Looks what a source holds, asks for what its files do not say, and imports one of them."""

    def __init__(self, session: Session, source: str = "") -> None:
        super().__init__(
            session,
            "Import a dictionary",
            "Opens dictionaries of SAELens, sparsify, dictionary_learning, Gemma Scope, "
            "circuit-tracer, Llama Scope and others, and transcoders of all layers as one set. "
            "The format is recognised from the files.",
            "Import",
        )
        self._found: list[DictionaryFound] = []
        self._sets: list[SetFound] = []
        """Sets among them, which are offered first."""
        self.source = PathField(source)
        self.source.setPlaceholderText("A folder, a file, a .zip, or owner/name on the hub")
        self.source.setToolTip("With SAELens installed, also saelens:release/id from its directory")
        self.source.setMinimumWidth(280)
        row = QWidget()
        row.setFocusProxy(self.source)
        inner = QHBoxLayout(row)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(4)
        inner.addWidget(self.source, 1)
        inner.addWidget(push_button("Folder…", self._choose_folder))
        inner.addWidget(push_button("File…", self._choose_file))
        self.form.addRow("Source", row)
        self.source.setAccessibleName("Source")
        self.which = QComboBox()
        self.which.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.which.setMinimumContentsLength(24)
        self.add_row("Dictionary", self.which, "Which of the dictionaries in the source")
        self.about = label("", "small", wrap=True)
        self.add_below(self.about)
        self._taken = [d.name for d in session.inventory.dictionaries]
        self.name = self.add_name(free_name("imported", self._taken), self._taken)
        self.model, self.site, self.site_out = QLineEdit(), QLineEdit(), QLineEdit()
        self.add_row("Model", self.model, "builtin, smollm2, a folder, or owner/name on the hub")
        self.add_row("Site", self.site, "The site it reads, such as blocks.8.hook_resid_post")
        self.add_row("Output site", self.site_out, "The site it writes, for a transcoder")
        self.scale = NumberField()
        self.scale.setDecimals(6)
        self.scale.setRange(1e-6, 1e6)
        self.scale.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.scale.setValue(1.0)
        self.add_row(
            "Row scale",
            self.scale,
            "What the rows were multiplied by during training; 1 leaves them unscaled",
        )
        self.source.editingFinished.connect(self.look)
        self.which.currentIndexChanged.connect(self._on_chosen)
        for field in (self.model, self.site):
            field.textChanged.connect(self._check)
        self._looked_at = ""
        self._expected = ("", "", "")
        self._sha256 = ""
        self._check()
        if source:
            self.look()

    def expect(self, model: str, site: str, site_out: str, sha256: str) -> None:
        """Set what stands in the fields where the files do not say it, and what is checked."""
        self._expected = (model, site, site_out)
        self._sha256 = sha256
        for field, expected in zip(
            (self.model, self.site, self.site_out), self._expected, strict=True
        ):
            field.setText(field.text() or expected)

    # ------------------------------------------------------------------ looking
    def look(self) -> None:
        """Ask which dictionaries the source holds."""
        source = self.source.text().strip()
        if not source or source == self._looked_at:
            return
        self._looked_at = source
        self._found, self._sets = [], []
        self.which.clear()
        self.about.setText("Looking…")
        job = self.session.run(FindDictionariesConfig(source=source))
        if job is None:
            return
        job.finished.connect(self._on_found)
        job.failed.connect(self._on_not_found)
        self._check()

    def _on_found(self, result: FindDictionariesResult) -> None:
        if result.source != self._looked_at:
            return
        self._found, self._sets = result.dictionaries, result.sets
        for one in self._sets:
            self.which.addItem(found_title(one))
        for found in self._found:
            self.which.addItem(found.path)
        self._on_chosen(0)

    def _on_not_found(self, error: ErrorInfo) -> None:
        self.about.setText(" ".join(part for part in (error.what, error.next_step) if part))
        self._check()

    @property
    def chosen_set(self) -> SetFound | None:
        """The set that is chosen; None: a single dictionary is."""
        number = self.which.currentIndex()
        return self._sets[number] if 0 <= number < len(self._sets) else None

    def _show_set(self, found: SetFound) -> None:
        self.about.setText(found_text(found))
        self.model.setText(found.model or self._expected[0])
        self.site.setText("")
        self.site_out.setText("")
        self.name.setText(free_name(safe_name(found_name(found, self._looked_at)), self._taken))

    def _on_chosen(self, number: int) -> None:
        one, inventory = self.chosen_set, self.session.inventory
        self._taken[:] = [
            d.name for d in (inventory.dictionaries if one is None else inventory.sets)
        ]
        for field in (self.site, self.site_out, self.scale):  # a set’s follow from its layers
            self.form.setRowVisible(field, one is None)
        if one is not None:
            self._show_set(one)
            self._check()
            return
        number -= len(self._sets)
        if not 0 <= number < len(self._found):
            return
        found = self._found[number]
        form = f"{found.format}, {architecture_title(found.architecture)}"
        size = f"{exact_count(found.features)} features of width {exact_count(found.width)}"
        lines = [
            f"{form}: {size}.",
            *found.notes,
        ]
        self.about.setText("\n".join(lines))
        told = (found.model, found.site, found.site_out)
        fields = (self.model, self.site, self.site_out)
        for field, own, expected in zip(fields, told, self._expected, strict=True):
            field.setText(own or expected)
        path = Path(self._looked_at if found.path == "." else found.path)
        parts = [p for p in (path.parent.name, path.stem) if p not in ("", ".")]
        generic = path.stem in ("sae", "ae", "params", "sae_weights", "final")
        own = parts[0] if generic and len(parts) > 1 else path.name if path.is_dir() else path.stem
        if generic and path.parent.name in ("", "."):
            own = Path(self._looked_at).stem
        self.name.setText(free_name(safe_name(own), self._taken))
        self._check()

    def _check(self, _text: str = "") -> None:
        asked = [("model", self.model), ("site", self.site)][: 1 if self.chosen_set else 2]
        missing = [what for what, field in asked if not field.text().strip()]
        ready = bool(self._found) and not missing
        self._start.setEnabled(ready)
        them = "it" if len(missing) == 1 else "both"
        said = f"Its files do not name the {' and '.join(missing)}: enter {them}."
        self._problem.setText(said if self._found and missing else "")

    def _choose_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Dictionary folder")
        if name:
            self.source.setText(name)
            self.look()

    def _choose_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, "Dictionary weights", "", dialog_filter("dictionary")
        )
        if name:
            self.source.setText(name)
            self.look()

    # ------------------------------------------------------------------ importing
    def config(self) -> ImportDictionaryConfig | ImportSetConfig:
        one = self.chosen_set
        if one is not None:
            return ImportSetConfig(
                project=self.session.project_path,
                name=self.name.text(),
                source=self._looked_at,
                which=one.path,
                model=self.model.text().strip(),
            )
        return ImportDictionaryConfig(
            project=self.session.project_path,
            name=self.name.text(),
            source=self._looked_at,
            which=self.which.currentText() if len(self._found) > 1 else "",
            model=self.model.text().strip(),
            site=self.site.text().strip(),
            site_out=self.site_out.text().strip(),
            scale=self.scale.value(),
            sha256=self._sha256,
        )

    def accept(self) -> None:
        self.session.run(self.config())
        super().accept()


class ImportFeaturesForm(JobForm):
    """Makes an index of feature data of another program."""

    def __init__(self, session: Session, folder: Path) -> None:
        super().__init__(
            session,
            "Import feature data",
            f"Makes an index of the feature data in “{folder.name}”, to read without a model.",
            "Import",
        )
        self._folder = folder
        taken = [i.name for i in session.inventory.indexes]
        self.name = self.add_name(free_name(safe_name(folder.name), taken), taken)
        self.dictionary, self.model, self.site = QComboBox(), QLineEdit(), QLineEdit()
        self.dictionary.setEditable(True)
        self.dictionary.addItems(["", *(d.name for d in session.inventory.dictionaries)])
        self.add_row(
            "Dictionary",
            self.dictionary,
            "The dictionary these features belong to; it gets the labels",
        )
        self.add_row("Model", self.model, "Overrides the model in the data")
        self.add_row(
            "Site", self.site, "Overrides the site in the data, such as blocks.8.hook_resid_post"
        )
        for field in (self.model, self.site):
            field.setPlaceholderText("as in the data")

    def config(self) -> ImportFeaturesConfig:
        return ImportFeaturesConfig(
            project=self.session.project_path, name=self.name.text(), source=str(self._folder),
            dictionary=self.dictionary.currentText().strip(), model=self.model.text().strip(),
            site=self.site.text().strip(),
        )  # fmt: skip

    def accept(self) -> None:
        self.session.run(self.config())
        super().accept()


class ImportLabelsForm(JobForm):
    """Takes labels, scores, stars and notes from a table, or a folder's explanations."""

    def __init__(self, session: Session, file: Path) -> None:
        super().__init__(
            session,
            "Import labels",
            f"Uses the explanations in “{file.name}” as labels."
            if file.is_dir()
            else f"Imports labels, scores, stars and notes from “{file.name}”: columns feature, "
            f"label, "
            "score, starred, note. Whatever the file leaves out stays unchanged.",
            "Import",
        )
        self._file = file
        self.index = QComboBox()
        self.index.addItems([i.name for i in session.inventory.indexes])
        self.index.setCurrentText(session.index_name)
        self.add_row("Index", self.index, "The index whose features they label")
        self.list_name = QLineEdit()
        self.list_name.setPlaceholderText("none")
        self.add_row("As a list", self.list_name, "Make a list of the file’s features")
        if not self.index.count():
            self.say_problem("There is no index to label yet.", self.index)

    def config(self) -> ImportLabelsConfig:
        return ImportLabelsConfig(
            project=self.session.project_path, index=self.index.currentText(),
            file=str(self._file), make_list=self.list_name.text().strip(),
        )  # fmt: skip

    def accept(self) -> None:
        session = self.session
        job = session.run(self.config())
        if job is not None:
            job.finished.connect(lambda _result: FeatureNotes.of(session).reload())
        super().accept()


class ExportDictionaryForm(JobForm):
    """Writes a dictionary as another library, or another person, reads it."""

    def __init__(self, session: Session, dictionary: str) -> None:
        super().__init__(
            session,
            f"Export “{dictionary}”",
            "Saves the dictionary in a format other programs read; scalars and norms are "
            "folded in.",
            "Export",
        )
        self._dictionary = dictionary
        self.reader = QComboBox()
        for title, form in _READERS:
            self.reader.addItem(title, form)
        self.add_row("Format", self.reader, "Which program will read it")
        self.index, self.licence, self.about = QComboBox(), QLineEdit(), QLineEdit()
        item = session.inventory.dictionary(dictionary)
        self.index.addItems([*(item.indexes if item is not None else []), ""])
        self.licence.setPlaceholderText("mit, apache-2.0, cc-by-4.0")
        self.add_row("Index", self.index, "Which index to include, with its contexts and labels")
        self.add_row("Licence", self.licence, "The licence’s name as used on the hub")
        self.add_row("About", self.about, "One sentence about it, for its card")
        self.target = QLineEdit(str(Path.home() / dictionary))
        self.add_row("Save to", self.target, "A new or empty folder; for a single file, its name")
        self.form.addRow("", push_button("Choose…", self._choose))
        self.reader.currentIndexChanged.connect(self._on_reader_chosen)
        self._on_reader_chosen(0)

    def _on_reader_chosen(self, _number: int) -> None:
        form = self.reader.currentData()
        stem = self.target.text()
        for suffix in _SUFFIXES.values():
            stem = stem.removesuffix(suffix)
        self.target.setText(stem + _SUFFIXES.get(form, ""))
        for field in (self.index, self.licence, self.about):
            self.form.setRowVisible(field, form == "package")
        self.adjustSize()

    def _choose(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Where to create the folder")
        if name:
            suffix = _SUFFIXES.get(self.reader.currentData(), "")
            self.target.setText(str(Path(name) / (self._dictionary + suffix)))

    def config(self) -> ExportDictionaryConfig | ExportPackageConfig:
        project, path = self.session.project_path, self.target.text().strip()
        form = self.reader.currentData()
        if form == "package":
            return ExportPackageConfig(
                project=project, dictionary=self._dictionary, path=path,
                index=self.index.currentText(), licence=self.licence.text().strip(),
                about=self.about.text().strip(),
            )  # fmt: skip
        return ExportDictionaryConfig(
            project=project, dictionary=self._dictionary, path=path, format=form
        )

    def accept(self) -> None:
        self.session.run(self.config())
        super().accept()

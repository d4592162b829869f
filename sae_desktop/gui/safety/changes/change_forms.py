"""What a comparison, a watch and a calibration need to know."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from PySide6.QtWidgets import QCheckBox, QComboBox, QPlainTextEdit, QWidget

from sae_desktop.described import default, setting
from sae_desktop.gui.forms.job_forms import JobForm, free_name
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.more_button import MoreButton
from sae_desktop.gui.parts.number_fields import CountField, NumberField
from sae_desktop.gui.safety.changes.model_fields import (
    CheckpointsField,
    ModelField,
    NamesField,
    PathChoice,
)
from sae_desktop.gui.state.session import Session
from sae_desktop.language_model.names import BUILTIN, same_name
from sae_desktop.resources import resource_path
from sae_desktop.safety.change.alerts import needed_runs
from sae_desktop.safety.change.config import (
    CalibrateWatchConfig,
    CompareCheckpointsConfig,
    WatchConfig,
)
from sae_desktop.safety.concept_set import all_sets
from sae_desktop.storage.faults import format_bytes

_WIDE = 600
_NONE = "None: predictions, first tokens and traits only"
_CROSSCODER = 1024
_FEWEST_TOKENS = 8


def _model_bytes(name: str) -> int:
    """Return the bytes of a model's weights; 0 where they cannot be found."""
    folder = resource_path("models/builtin") if name == BUILTIN else Path(name).expanduser()
    with suppress(OSError):
        return sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    return 0


class _ReadingForm(JobForm):
    """What is read of each model: a dictionary, traits and texts."""

    def __init__(self, session: Session, title: str, sentence: str, button: str) -> None:
        super().__init__(session, title, sentence, button)
        self.setMinimumWidth(_WIDE)
        self.dictionary = QComboBox()
        self.traits = NamesField("None", all_sets(session.project))
        self.corpus = PathChoice("Text", "The built-in text", kind="corpus")
        self.texts = CountField(default(CompareCheckpointsConfig, "texts"), 1)
        self.context_size = CountField(
            default(CompareCheckpointsConfig, "context_size"), _FEWEST_TOKENS
        )

    def add_read(self) -> None:
        """Add the rows of what is read."""
        self.add_setting(CompareCheckpointsConfig, "dictionary", self.dictionary)
        self.add_setting(CompareCheckpointsConfig, "traits", self.traits)
        self.add_setting(CompareCheckpointsConfig, "corpus", self.corpus)

    def offer_dictionaries(self, model: str) -> None:
        """Offer the dictionaries of a model that read and write one site."""
        kept = self.dictionary.currentData()
        self.dictionary.clear()
        self.dictionary.addItem(_NONE, "")
        for item in self.session.inventory.all_dictionaries:
            summary = item.summary
            if summary is None or not same_name(summary.model, model):
                continue
            if len(summary.inputs) == 1 and summary.inputs == summary.outputs:
                self.dictionary.addItem(f"{item.name} ({summary.site})", item.name)
        place = self.dictionary.findData(kept) if kept is not None else -1
        first = 1 if self.dictionary.count() > 1 else 0
        self.dictionary.setCurrentIndex(place if place >= 0 else first)

    def show_read(self, config: CompareCheckpointsConfig | WatchConfig) -> None:
        """Fill in what an earlier one read."""
        self.dictionary.setCurrentIndex(max(self.dictionary.findData(config.dictionary), 0))
        self.traits.tick(config.traits)
        self.corpus.field.setText(config.corpus)
        self.texts.setValue(config.texts)
        self.context_size.setValue(config.context_size)


class CompareForm(_ReadingForm):
    """Asks which models are compared, and how."""

    def __init__(self, session: Session, again: CompareCheckpointsConfig | None = None) -> None:
        """`again`: what an earlier comparison was asked, to be changed."""
        super().__init__(
            session,
            "Compare models",
            "The same texts are put through every model. What changed is said by its predictions, "
            "its activations, the features of a dictionary and the directions of traits, each "
            "beside what chance alone gives.",
            "Compare",
        )
        project = session.project
        taken = project.changes() if project is not None else []
        self.name = self.add_name(free_name(again.name if again else "comparison", taken), taken)
        self.base = ModelField(session)
        self.add_row("Started from", self.base, "The model that the others are compared with")
        self.checkpoints = CheckpointsField()
        self.add_row(
            "Checkpoints", self.checkpoints, "Models that came of it, in the order of training"
        )
        self.add_read()
        self.crosscoder = QCheckBox("Train a crosscoder over all models")
        self.add_row(
            "", self.crosscoder,
            "One dictionary of all models at once: tells features that all share from those of one "
            "alone and those that are rotated. It takes the longest of all",
        )  # fmt: skip
        self.crosscoder.setAccessibleName(self.crosscoder.text())
        self._add_more()
        self.estimate = label("", "small", wrap=True)
        self.add_below(self.estimate)
        self.base.textChanged.connect(self._on_base)
        self.checkpoints.changed.connect(self._check)
        self.checkpoints.refused.connect(lambda why: self.say_problem(why, self.checkpoints))
        for field in (self.texts, self.context_size):
            field.valueChanged.connect(lambda _value: self._estimate())
        self.crosscoder.toggled.connect(lambda _on: self._estimate())
        self.offer_dictionaries(self.base.text())
        if again is not None:
            self._show_again(again)
        self._check()

    def _add_more(self) -> None:
        self.prompts = QPlainTextEdit()
        self.prompts.setPlaceholderText("One a line; empty: the beginnings of a few texts")
        self.prompts.setFixedHeight(self.prompts.fontMetrics().height() * 2 + 8)
        self.prompts.setTabChangesFocus(True)
        self.features = CountField(_CROSSCODER, 1)
        self.steps = CountField(default(CompareCheckpointsConfig, "crosscoder_steps"), 1)
        rare: tuple[tuple[str, QWidget], ...] = (
            ("prompts", self.prompts),
            ("texts", self.texts),
            ("context_size", self.context_size),
            ("crosscoder_features", self.features),
            ("crosscoder_steps", self.steps),
        )
        more = MoreButton(None, "settings of the comparison")
        self.form.addRow("", more)
        for name, field in rare:
            self.add_setting(CompareCheckpointsConfig, name, field)
        self.more = more

        def unfold(on: bool) -> None:
            for _, field in rare:
                of_crosscoder = field in (self.features, self.steps)
                shown = on and (self.crosscoder.isChecked() or not of_crosscoder)
                self.form.setRowVisible(field, shown)

        more.toggled.connect(unfold)
        self.crosscoder.toggled.connect(lambda _on: unfold(more.isChecked()))
        unfold(False)

    def _show_again(self, again: CompareCheckpointsConfig) -> None:
        base, *rest = again.checkpoints
        self.base.box.setCurrentText(base)
        self.checkpoints.show_paths(rest)
        self.offer_dictionaries(base)
        self.show_read(again)
        self.prompts.setPlainText("\n".join(again.prompts))
        self.crosscoder.setChecked(again.crosscoder_features > 0)
        self.features.setValue(again.crosscoder_features or _CROSSCODER)
        self.steps.setValue(again.crosscoder_steps)

    def _on_base(self, name: str) -> None:
        self.offer_dictionaries(name)
        self._check()

    def _check(self) -> None:
        base, paths = self.base.text(), self.checkpoints.paths
        self.say_problem("" if base else "Choose the model that training started from.", self.base)
        why = "" if paths else "Add at least one checkpoint, or another model of the same shape."
        if base in paths:
            why = "The model that training started from is among the checkpoints."
        self.say_problem(why, self.checkpoints)
        self._estimate()

    def _estimate(self) -> None:
        models = 1 + len(self.checkpoints.paths)
        tokens = self.texts.value() * self.context_size.value()
        size = _model_bytes(self.base.text())
        weights = f" ({format_bytes(2 * size)} of weights)" if size else ""
        crosscoder = (
            f" Then a crosscoder of {self.features.value():,} features is trained over all of them."
            if self.crosscoder.isChecked()
            else ""
        )
        if models < 2:
            self.estimate.setText("")
            return
        self.estimate.setText(
            f"Reads {tokens:,.0f} tokens with each of {models} models, two of them in memory at a "
            f"time{weights}.{crosscoder}"
        )

    def config(self) -> CompareCheckpointsConfig:
        lines = self.prompts.toPlainText().splitlines()
        return CompareCheckpointsConfig(
            project=self.session.project_path,
            name=self.name.text().strip(),
            checkpoints=(self.base.text(), *self.checkpoints.paths),
            dictionary=self.dictionary.currentData() or "",
            corpus=self.corpus.text(),
            texts=int(self.texts.value()),
            context_size=int(self.context_size.value()),
            traits=self.traits.names,
            prompts=tuple(line for line in lines if line.strip()),
            crosscoder_features=int(self.features.value()) if self.crosscoder.isChecked() else 0,
            crosscoder_steps=int(self.steps.value()),
            device=self.session.device,
        )

    def accept(self) -> None:
        self.session.run(self.config())
        super().accept()


class WatchForm(_ReadingForm):
    """Asks which folder is watched, what with, and when an alert is raised."""

    def __init__(self, session: Session, again: WatchConfig | None = None) -> None:
        """`again`: what an earlier watch was asked, for another folder."""
        super().__init__(
            session,
            "Watch a folder",
            "Every checkpoint that a training saves into the folder is compared with the one "
            "before, as soon as it is complete. With a calibration from harmless runs, an alert "
            "says what changed, how sure that is, and since when.",
            "Start watching",
        )
        project = session.project
        taken = project.watches() if project is not None else []
        self.name = self.add_name(free_name(again.name if again else "watch", taken), taken)
        self.folder = PathChoice("Folder of checkpoints")
        self.add_row("Folder", self.folder, "Into which the training saves its checkpoints")
        self.base = ModelField(session, optional="The first checkpoint")
        self.add_setting(WatchConfig, "base", self.base)
        self.add_read()
        self.monitors = NamesField("None", project.monitors() if project is not None else [])
        self.add_setting(WatchConfig, "monitors", self.monitors)
        self.calibration = QComboBox()
        self.calibration.addItem("None: scores are kept, no alert is raised", "")
        for name in project.calibrations() if project is not None else []:
            self.calibration.addItem(name, name)
        self.add_setting(WatchConfig, "calibration", self.calibration)
        self.expected = CountField(0, 0)
        self.expected.setSpecialValueText("Until it is stopped")
        self.add_setting(WatchConfig, "expected", self.expected)
        self.add_setting(CompareCheckpointsConfig, "texts", self.texts)
        self.add_setting(CompareCheckpointsConfig, "context_size", self.context_size)
        self.base.textChanged.connect(self._on_base)
        self.folder.textChanged.connect(lambda _text: self._check())
        self.offer_dictionaries(self.base.text())
        if again is not None:
            self.base.box.setCurrentText(again.base)
            self.offer_dictionaries(again.base)
            self.show_read(again)
            self.monitors.tick(again.monitors)
            place = self.calibration.findData(again.calibration)
            self.calibration.setCurrentIndex(max(place, 0))
        self._check()

    def _on_base(self, name: str) -> None:
        self.offer_dictionaries(name)

    def _check(self) -> None:
        text = self.folder.text()
        why = "Choose the folder into which the training saves its checkpoints."
        if text:
            there = Path(text).expanduser().is_dir()
            why = "" if there else f"There is no folder “{text}”."
        self.say_problem(why, self.folder)

    def config(self) -> WatchConfig:
        return WatchConfig(
            project=self.session.project_path,
            name=self.name.text().strip(),
            folder=self.folder.text(),
            base=self.base.text(),
            calibration=self.calibration.currentData() or "",
            dictionary=self.dictionary.currentData() or "",
            corpus=self.corpus.text(),
            texts=int(self.texts.value()),
            context_size=int(self.context_size.value()),
            traits=self.traits.names,
            monitors=self.monitors.names,
            expected=int(self.expected.value()),
            device=self.session.device,
        )

    def accept(self) -> None:
        self.session.run(self.config())
        super().accept()


class CalibrateForm(JobForm):
    """Asks which watches were of harmless runs, and which rate is promised."""

    def __init__(self, session: Session) -> None:
        super().__init__(
            session,
            "Calibrate alerts",
            "Watches of harmless runs (same model, texts and recipe, other seeds) set the "
            "threshold, so that at most the promised share of further harmless runs raises an "
            "alert.",
            "Calibrate",
        )
        self.setMinimumWidth(_WIDE)
        project = session.project
        taken = project.calibrations() if project is not None else []
        self.name = self.add_name(free_name("calibration", taken), taken)
        self.watches = NamesField("None", project.watches() if project is not None else [])
        self.add_row(
            "Watches", self.watches, "Watches of runs of which you know that they are harmless"
        )
        usual = default(CalibrateWatchConfig, "rate")
        self.rate = NumberField(100 * usual, 0.1, 50.0, digits=None)
        self.rate.setSuffix("%")
        told = setting(CalibrateWatchConfig, "rate")
        self.add_row(told.title, self.rate, told.description)
        self.need = label("", "small", wrap=True)
        self.add_below(self.need)
        self.watches.changed.connect(self._check)
        self.rate.valueChanged.connect(lambda _value: self._check())
        self._check()

    def _check(self) -> None:
        rate = self.rate.value() / 100
        needed, chosen = needed_runs(rate), len(self.watches.names)
        self.need.setText(
            f"A rate of {100 * rate:g}% needs {needed} harmless runs; {chosen} are chosen."
        )
        lacking = needed - chosen
        why = f"{lacking} more harmless {'run is' if lacking == 1 else 'runs are'} needed."
        self.say_problem(why if lacking > 0 else "", self.watches)

    def config(self) -> CalibrateWatchConfig:
        return CalibrateWatchConfig(
            project=self.session.project_path,
            name=self.name.text().strip(),
            watches=self.watches.names,
            rate=self.rate.value() / 100,
        )

    def accept(self) -> None:
        self.session.run(self.config())
        super().accept()

"""What a watch and a calibration need to know."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec
from PySide6.QtWidgets import QComboBox, QSizePolicy

from sae_desktop.described import default, setting
from sae_desktop.errors import UserError
from sae_desktop.gui.forms.job_forms import JobForm, free_name
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.number_fields import CountField, NumberField
from sae_desktop.gui.safety.changes.change_forms import WIDE, ReadingForm, same_names
from sae_desktop.gui.safety.changes.model_fields import ModelField, NamesField, PathChoice
from sae_desktop.gui.state.session import Session
from sae_desktop.safety.change.alerts import needed_runs
from sae_desktop.safety.change.checkpoint_order import checkpoints_in
from sae_desktop.safety.change.config import (
    CalibrateWatchConfig,
    CompareCheckpointsConfig,
    ReadAs,
    WatchConfig,
)
from sae_desktop.safety.change.watch_file import read_calibration


class WatchForm(ReadingForm):
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
        self.add_row("Started from", self.base, setting(WatchConfig, "base").description)
        self.add_read()
        self.monitors = NamesField(
            "None", same_names(project.monitors() if project is not None else [])
        )
        self.add_setting(WatchConfig, "monitors", self.monitors)
        self.calibration = QComboBox()
        self.calibration.addItem("None: scores are kept, no alert is raised", "")
        for name in project.calibrations() if project is not None else []:
            self.calibration.addItem(name, name)
        self.add_setting(WatchConfig, "calibration", self.calibration)
        self.as_calibrated = label("", "small", wrap=True)
        self.as_calibrated.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.form.addRow("", self.as_calibrated)
        self.form.setRowVisible(self.as_calibrated, False)
        self._as = ReadAs()
        self.expected = CountField(0, 0)
        self.expected.setSpecialValueText("Until it is stopped")
        self.add_setting(WatchConfig, "expected", self.expected)
        self.add_setting(CompareCheckpointsConfig, "texts", self.texts)
        self.add_setting(CompareCheckpointsConfig, "context_size", self.context_size)
        self.calibration.currentIndexChanged.connect(lambda _index: self._read_as_calibrated())
        self.estimate = label("", "small", wrap=True)
        self.add_below(self.estimate)
        self.base.textChanged.connect(self._on_base)
        for field in (self.texts, self.context_size):
            field.valueChanged.connect(lambda _value: self._check())
        self.dictionary.currentIndexChanged.connect(lambda _place: self._check())
        self.traits.changed.connect(self._check)
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
        self._read_as_calibrated()

    def _read_as_calibrated(self) -> None:
        """Fill in what the harmless runs were read with: a threshold promises nothing otherwise."""
        project, name = self.session.project, self.calibration.currentData()
        fixed = (self.dictionary, self.traits, self.corpus, self.texts, self.context_size)
        for field in (*fixed, self.monitors):
            field.setEnabled(not name)
        self.monitors.setEnabled(not name and self.monitors.any)
        self.form.setRowVisible(self.as_calibrated, bool(name))
        self._as = ReadAs()
        self.say_problem("", self.base)
        if project is None or not name:
            return
        try:
            kept = read_calibration(project.calibration_path(name))
            read = msgspec.json.decode(kept.settings, type=ReadAs)
        except (UserError, msgspec.DecodeError) as error:
            self.as_calibrated.setText(str(error))
            return
        self._as = read
        self.dictionary.setCurrentIndex(self.dictionary.findData(read.dictionary))
        lacking = read.dictionary and self.dictionary.currentIndex() < 0
        why = f"Name the model that “{read.dictionary}” belongs to: the calibration was made so."
        self.say_problem(why if lacking else "", self.base)
        self.as_calibrated.setText("What is read is as in the harmless runs of the calibration.")
        self.traits.tick(read.traits)
        self.monitors.tick(read.monitors)
        self.corpus.field.setText(read.corpus)
        self.texts.setValue(read.texts)
        self.context_size.setValue(read.context_size)

    def _check(self) -> None:
        text = self.folder.text()
        why = "Choose the folder into which the training saves its checkpoints."
        if text:
            there = Path(text).expanduser().is_dir()
            why = "" if there else f"There is no folder “{text}”."
        self.say_problem(why, self.folder)
        self.estimate.setText("" if why else self._estimate())

    def _estimate(self) -> str:
        """Say how long each checkpoint takes; the first there is tells how large the model is."""
        base = self.base.text()
        if not base:
            with suppress(UserError, OSError):
                base = next((str(p) for p in checkpoints_in(Path(self.folder.text()))), "")
        if not base:
            return "How long a checkpoint takes is shown once there is one."
        config = self.config()
        compared = CompareCheckpointsConfig(
            project=config.project, name=config.name, checkpoints=(base, "", ""),
            dictionary=config.dictionary, texts=config.texts, context_size=config.context_size,
            traits=config.traits,
        )  # fmt: skip
        return self.needs_text(compared, 2, "for each checkpoint")

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
            site=self._as.site,
            seed=self._as.seed,
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
        self.setMinimumWidth(WIDE)
        project = session.project
        taken = project.calibrations() if project is not None else []
        self.name = self.add_name(free_name("calibration", taken), taken)
        self.watches = NamesField(
            "None", same_names(project.watches() if project is not None else [])
        )
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

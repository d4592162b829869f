"""What a comparison needs to know, and what it has in common with a watch."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QCheckBox, QComboBox, QWidget

from sae_desktop.described import default
from sae_desktop.gui.forms.job_forms import JobForm, free_name
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.more_button import MoreButton
from sae_desktop.gui.parts.number_fields import CountField
from sae_desktop.gui.parts.text_box import PlainTextField
from sae_desktop.gui.safety.changes.model_fields import (
    CheckpointsField,
    ModelField,
    NamesField,
    PathChoice,
)
from sae_desktop.gui.state.session import Session
from sae_desktop.language_model.names import same_name
from sae_desktop.project import Project
from sae_desktop.safety.change.config import (
    CompareCheckpointsConfig,
    WatchConfig,
)
from sae_desktop.safety.change.needs import model_size, needs, pace
from sae_desktop.safety.concept_set import all_sets
from sae_desktop.storage.memory import free_memory
from sae_desktop.words.change_needs import compared_text, needs_text
from sae_desktop.words.change_words import trait_title

WIDE = 600
_NONE = "None: predictions, first tokens and traits only"
_CROSSCODER = 1024
_FEWEST_TOKENS = 8


def _titles(project: Project | None) -> dict[str, str]:
    """Return every concept set with what it is called."""
    return {name: trait_title(name) for name in all_sets(project)}


def same_names(names: Sequence[str]) -> dict[str, str]:
    """Return names that are called as they are."""
    return {name: name for name in names}


class ReadingForm(JobForm):
    """What is read of each model: a dictionary, traits and texts."""

    def __init__(self, session: Session, title: str, sentence: str, button: str) -> None:
        super().__init__(session, title, sentence, button)
        self.setMinimumWidth(WIDE)
        project = session.project
        self._pace = pace(project, self._features) if project is not None else 0.0
        self.dictionary = QComboBox()
        self.traits = NamesField("None", _titles(session.project))
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
        # A choice that was one: of a list that offered nothing, “none” was not.
        kept = self.dictionary.currentData() if self.dictionary.count() > 1 else None
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

    def needs_text(self, config: CompareCheckpointsConfig, read: int = 0, each: str = "") -> str:
        """Return what a comparison takes, of which `read` models are read: see `needs`."""
        size = model_size(config.checkpoints[0])
        features = self._features(config.dictionary)
        found = None if size is None else needs(config, size, features, read)
        return needs_text(found, self._pace, free_memory(), each)

    def _features(self, dictionary: str) -> int:
        """Return how many features a dictionary of the project has; 0 of none."""
        for item in self.session.inventory.all_dictionaries:
            if item.name == dictionary and item.summary is not None:
                return item.summary.features
        return 0

    def show_read(self, config: CompareCheckpointsConfig | WatchConfig) -> None:
        """Fill in what an earlier one read."""
        self.dictionary.setCurrentIndex(max(self.dictionary.findData(config.dictionary), 0))
        self.traits.tick(config.traits)
        self.corpus.field.setText(config.corpus)
        self.texts.setValue(config.texts)
        self.context_size.setValue(config.context_size)


class CompareForm(ReadingForm):
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
        for field in (self.texts, self.context_size, self.features, self.steps):
            field.valueChanged.connect(lambda _value: self._estimate())
        self.dictionary.currentIndexChanged.connect(lambda _place: self._estimate())
        self.traits.changed.connect(self._estimate)
        self.crosscoder.toggled.connect(lambda _on: self._estimate())
        self.offer_dictionaries(self.base.text())
        if again is not None:
            self._show_again(again)
        self._check()

    def _add_more(self) -> None:
        self.prompts = PlainTextField()
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
        config = self.config()
        if len(config.checkpoints) < 2:
            self.estimate.setText("")
            return
        tokens = config.texts * config.context_size
        told = compared_text(tokens, len(config.checkpoints), config.crosscoder_features)
        self.estimate.setText(f"{told} {self.needs_text(config)}")

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

"""Features by two sets of texts: active on all of A, on none of B."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QPlainTextEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.errors import UserError
from sae_desktop.features.asking.text_set_config import (
    THRESHOLD,
    FindFeaturesConfig,
    FindFeaturesResult,
    FoundFeature,
)
from sae_desktop.features.reading.text_lists import joined_texts, read_texts, split_texts
from sae_desktop.gui.explore.feature_links import FeatureLinks, FeatureRow
from sae_desktop.gui.parts.copy_code import copy_code_button
from sae_desktop.gui.parts.kept_fields import keep_fields
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.number_fields import NumberField, WholeField, problems_of
from sae_desktop.gui.parts.picture_strip import PictureStrip
from sae_desktop.gui.parts.terms import explain
from sae_desktop.gui.parts.text_box import TextBox
from sae_desktop.gui.state.compared import MOST, Compared
from sae_desktop.gui.state.described_model import DescribedModel
from sae_desktop.gui.state.feature_set import FeatureSet
from sae_desktop.gui.state.latest_job import LatestJob
from sae_desktop.gui.state.session import Session
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.words.amounts import exact_count

_SHOWN = 20
_KEPT = 1000
_LINES = 7
_EXAMPLE_ON = (
    "Le chat dort sur la chaise devant la fenêtre.",
    "Les enfants jouent dans le jardin avec leur père.",
    "Nous avons mangé du pain et du fromage ce matin.",
    "La ville est très belle quand il fait nuit.",
)
_EXAMPLE_OFF = (
    "The cat sleeps on the chair in front of the window.",
    "The children are playing in the garden with their father.",
    "We ate bread and cheese this morning.",
    "The town is very beautiful at night.",
)
"""The same in two languages, so that what is found is the language."""


class TextSetsPanel(QWidget):
    """Two boxes of texts, one a line; the features that tell them apart beneath."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("explore.text_sets")
        self._session = session
        self._result: FindFeaturesResult | None = None
        self.on_pictures, self.off_pictures = PictureStrip(), PictureStrip()
        for strip in (self.on_pictures, self.off_pictures):
            strip.add_button.setToolTip("Put a picture beside the texts of this side")
        self.on = _box(
            "Texts the feature is active on: one per line, or paragraphs",
            "Texts A", self.on_pictures,
        )  # fmt: skip
        self.off = _box(
            "Texts the feature is not active on: one per line, or paragraphs",
            "Texts B", self.off_pictures,
        )  # fmt: skip
        self.threshold = NumberField()
        self.threshold.setRange(0.0, 0.95)
        self.threshold.setSingleStep(0.05)
        self.threshold.setValue(THRESHOLD)
        self.threshold.setAccessibleName("Threshold, as a share of the feature’s maximum")
        self.threshold.setToolTip("Active: above this share of the feature’s maximum")
        self.missed = WholeField()
        self.missed.setRange(0, 10_000)
        self.missed.setAccessibleName("How many of the A texts may lack the feature")
        self.missed.setToolTip("How many of the A texts may lack the feature")
        self.classify = QCheckBox("Also train a classifier")
        self.classify.setToolTip(
            "Compares a sparse linear classifier on the features with one on the raw "
            "activations, scored on held-out texts"
        )
        self.find_button = push_button("Find features", self.ask, primary=True)
        self.example = push_button(
            "Try French against English",
            self._on_example,
            tip="Fill both boxes with the same four sentences in two languages, and find the "
            "features that fire on French alone",
        )
        self.start = push_button("Start the engine", session.client.restart)
        self.state = label("", "small", wrap=True)
        self.caution = label("", "small", wrap=True)
        self.found_heading = label("Features found", "heading")
        self.margin_heading = label("Margin", "small")
        explain(self.margin_heading, "Margin")
        self.scores = label("", "small", wrap=True, selectable=True)
        self.links = FeatureLinks(session, "Features that tell A from B")
        self.show_all = push_button(
            "Show in the list", self._on_show, tip="List the features found, sorted by margin"
        )
        self.compare = push_button(
            "Compare the best",
            self._on_compare,
            icon="columns",
            tip="Put the features with the largest margins side by side",
        )
        self.weights_heading = label("Weights of the classifier", "heading")
        self.weights = FeatureLinks(session, "Features with a weight in the classifier")
        self.latest = LatestJob(session, 0, self)
        self._build()
        for box in (self.on, self.off):
            box.refused.connect(session.show_error)
            box.textChanged.connect(self._say_engine)
        for strip in (self.on_pictures, self.off_pictures):
            strip.changed.connect(self._say_engine)
            strip.follow(DescribedModel.of(session))
        self.latest.answered.connect(self._on_answered)
        self.latest.failed.connect(self._on_failed)
        self.latest.busyChanged.connect(self._on_busy)
        session.client.stateChanged.connect(lambda _state: self._say_engine())
        session.indexOpened.connect(self._forget)
        session.projectChanged.connect(self._forget)
        self._show()
        self._say_engine()
        asked = {"on": self.on, "off": self.off, "threshold": self.threshold}
        keep_fields(session, self, {**asked, "missed": self.missed, "classify": self.classify})
        session.place.add(self, self._kept, self._give, part="found", of_index=True)
        session.place.add(self, self._kept_pictures, self._give_pictures, part="pictures")

    def _build(self) -> None:
        content = QWidget()
        inner = QVBoxLayout(content)
        inner.setContentsMargins(0, 0, 4, 0)
        inner.setSpacing(8)
        intro = "Finds the features that fire on every text and picture of A and on none of B."
        inner.addWidget(label(intro, "muted", wrap=True))
        sides = QHBoxLayout()
        sides.setSpacing(16)
        for title, box, strip in (
            ("A", self.on, self.on_pictures),
            ("B", self.off, self.off_pictures),
        ):
            side = self._side(title, box)
            side.addWidget(strip)
            side.addStretch(1)
            sides.addLayout(side, 1)
        inner.addLayout(sides)
        asked = QHBoxLayout()
        asked.setSpacing(8)
        for title, field in (("Threshold", self.threshold), ("May miss", self.missed)):
            asked.addWidget(label(title, "small"))
            asked.addWidget(field)
        asked.addWidget(self.classify)
        asked.addStretch(1)
        inner.addLayout(asked)
        start = QHBoxLayout()
        start.setSpacing(8)
        copy = copy_code_button(self._session, self._to_copy)
        for button in (self.find_button, copy, self.example, self.start):
            start.addWidget(button)
        start.addStretch(1)
        inner.addLayout(start)
        inner.addWidget(self.state)
        inner.addWidget(self.caution)
        heads = QHBoxLayout()
        heads.addWidget(self.found_heading)
        heads.addStretch(1)
        heads.addWidget(self.margin_heading)
        inner.addLayout(heads)
        inner.addWidget(self.links)
        further = QHBoxLayout()
        further.setSpacing(8)
        further.addWidget(self.show_all)
        further.addWidget(self.compare)
        further.addStretch(1)
        inner.addLayout(further)
        inner.addWidget(self.scores)
        inner.addWidget(self.weights_heading)
        inner.addWidget(self.weights)
        inner.addStretch()
        scroll = QScrollArea()
        scroll.setWidget(content)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 8, 8)
        column.addWidget(scroll)
        self.setMinimumWidth(400)

    def _side(self, title: str, box: TextBox) -> QVBoxLayout:
        column, row = QVBoxLayout(), QHBoxLayout()
        column.setSpacing(4)
        row.addWidget(label(title, "heading"))
        row.addStretch()
        load = push_button(
            "Load…",
            partial(self._on_load, box),
            flat=True,
            tip=f"Read the {title} texts from a file: one per line or paragraph, or .jsonl",
        )
        row.addWidget(load)
        column.addLayout(row)
        column.addWidget(box)
        return column

    # ------------------------------------------------------------------ asking
    def ask(self) -> None:
        """Find the features for the texts in the boxes."""
        if self._session.index is None:
            return
        if unread := problems_of(self):
            self.state.setText(unread[0])
            self.state.show()
            return
        self.latest.ask(self.config())

    def config(self) -> FindFeaturesConfig:
        """Return the question that the fields say."""
        return FindFeaturesConfig(
            project=self._session.project_path,
            index=self._session.index_name,
            on=split_texts(self.on.toPlainText()),
            off=split_texts(self.off.toPlainText()),
            on_pictures=self.on_pictures.files,
            off_pictures=self.off_pictures.files,
            threshold=self.threshold.value(),
            missed=self.missed.value(),
            count=_KEPT,
            classify=self.classify.isChecked(),
        )

    def _to_copy(self) -> FindFeaturesConfig | None:
        texts = self.on.toPlainText().strip() or self.on_pictures.files
        complete = self._session.index is not None and texts and not problems_of(self)
        return self.config() if complete else None

    def _on_load(self, box: QPlainTextEdit) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, "Texts, one per line or paragraph", "", "Text (*.txt *.jsonl);;All (*)"
        )
        if name:
            self.load(box, Path(name))

    def load(self, box: QPlainTextEdit, path: Path) -> None:
        """Read texts into a box; a file that is not text is said."""
        try:
            box.setPlainText(joined_texts(read_texts(path, self._session.noticeRaised.emit)))
        except UserError as error:
            self._session.show_error(error)

    def _forget(self, _index: object = None) -> None:
        self.latest.forget()
        self._result = None
        self._show()

    def _say_engine(self) -> None:
        """Offer to start the engine, without which no text can be read."""
        stopped = self._session.engine_stopped
        self.start.setVisible(stopped)
        self.find_button.setEnabled(not stopped and not self.latest.busy)
        strips = (self.on_pictures, self.off_pictures)
        typed = any(box.toPlainText().strip() for box in (self.on, self.off))
        empty = not typed and not any(strip.files for strip in strips)
        self.example.setVisible(empty and not stopped)
        self.find_button.setToolTip(
            "The model is needed to read the texts"
            if stopped
            else "Read both sets and list the features that tell them apart"
        )

    def _on_busy(self, busy: bool) -> None:
        self._say_engine()
        if busy:
            self.state.setText("Reading…")
            self.state.show()

    def _on_answered(self, result: FindFeaturesResult) -> None:
        self._result = result
        self._show()

    def _on_failed(self, error: ErrorInfo) -> None:
        self._result = None
        self._show()
        self.state.setText(" ".join(part for part in (error.what, error.next_step) if part))
        self.state.show()

    # ------------------------------------------------------------------ showing
    def _kept(self) -> dict[str, Any]:
        return {"result": msgspec.to_builtins(self._result)}

    def _kept_pictures(self) -> dict[str, Any]:
        return {"on": self.on_pictures.kept, "off": self.off_pictures.kept}

    def _give_pictures(self, kept: dict[str, Any]) -> None:
        self.on_pictures.set_files(kept["on"])
        self.off_pictures.set_files(kept["off"])

    def _give(self, kept: dict[str, Any]) -> None:
        self._result = msgspec.convert(kept["result"], FindFeaturesResult | None)
        self._show()

    def _show(self) -> None:
        result = self._result
        found = result.found if result is not None else []
        self.links.set_rows(
            [
                FeatureRow(
                    f.feature,
                    f"{f.margin:.2f}",
                    f.margin,
                    "on " + ", ".join(visible_token(t) if t else "nothing" for t in f.tokens[:12]),
                )
                for f in found[:_SHOWN]
            ]
        )
        self.show_all.setVisible(bool(found))
        self.compare.setVisible(len(found) > 1)
        self.state.setText("" if result is None else _state_text(result))
        self.state.setVisible(result is not None)
        self.caution.setText(_caution_text(found[0]) if found else "")
        self.caution.setVisible(bool(self.caution.text()))
        for heading in (self.found_heading, self.margin_heading):
            heading.setVisible(bool(found))
        scores = [] if result is None else result.classifiers
        lines = [score.sentence() for score in scores]
        if scores:
            lines.append("Guessing gives a balanced accuracy and an AUROC of 0.5.")
        if result is not None and result.warning:
            lines.append(result.warning)
        self.scores.setText("\n".join(lines))
        self.scores.setVisible(bool(lines))
        weights = [] if result is None else result.weights[:_SHOWN]
        most = max((abs(w.weight) for w in weights), default=1.0)
        self.weights.set_rows(
            [
                FeatureRow(
                    w.feature,
                    f"{w.weight:+.2f}".replace("-", "−"),
                    abs(w.weight) / most,
                    "points to A" if w.weight > 0 else "points to B",
                )
                for w in weights
            ]
        )
        self.weights_heading.setVisible(bool(weights))

    def _on_example(self) -> None:
        """Fill the boxes with the example and find what tells it apart."""
        self.on.setFocus()  # the button goes
        self.on.setPlainText("\n".join(_EXAMPLE_ON))
        self.off.setPlainText("\n".join(_EXAMPLE_OFF))
        self.ask()

    def _on_compare(self) -> None:
        if self._result is not None:
            Compared.of(self._session).show(f.feature for f in self._result.found[:MOST])

    def _on_show(self) -> None:
        if self._result is not None and self._result.found:
            features = np.array([f.feature for f in self._result.found], dtype=np.int64)
            self._session.featuresRequested.emit(FeatureSet("Tell A from B", features))


def _state_text(result: FindFeaturesResult) -> str:
    if not result.total:
        return (
            "No feature is active on all of A and on none of B. Lower the threshold, or allow "
            "it to miss some texts."
        )
    shown = min(result.total, _SHOWN)
    more = f", of which the best {shown} are shown" if result.total > shown else ""
    return f"{exact_count(result.total)} features tell A from B{more}, by margin."


def _caution_text(found: FoundFeature) -> str:
    """Return what too few texts prove; empty where there is more than one on each side."""
    alone = [side for side, texts in (("A", found.on), ("B", found.off)) if len(texts) == 1]
    if not alone:
        return ""
    sides = "on each side" if len(alone) == 2 else f"in {alone[0]}"
    return (
        f"One text {sides} proves little: whatever else is in it sets features off, too. Give four "
        "or more of each, one per line, to find candidates, and twenty or more to be sure."
    )


def _box(placeholder: str, name: str, pictures: PictureStrip) -> TextBox:
    box = TextBox(lambda path: joined_texts(read_texts(path)), pictures)
    box.setPlaceholderText(placeholder)
    box.setAccessibleName(name)
    box.setTabChangesFocus(True)
    box.setFixedHeight(box.fontMetrics().lineSpacing() * _LINES + 16)
    return box

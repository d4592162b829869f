"""Asks for a file and writes features to it: tables beside the window, the rest by the engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from sae_desktop.errors import UserError
from sae_desktop.exchange.config import ExportFeaturesConfig, FeaturesFormat
from sae_desktop.features.reading.export import export_features
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.save_file import ask_file
from sae_desktop.gui.state.session import Session
from sae_desktop.project_notes import Notes
from sae_desktop.words.amounts import exact_count

_CSV, _PARQUET = "Table (*.csv)", "Table (*.parquet)"
_WITH_NAMES = "Labels and automatic names (*.json)"
_EVERY_LABEL = "Every label of each feature, rejected ones too (*.json)"
_OTHERS: dict[str, FeaturesFormat] = {
    "HTML page (*.html)": "html",
    "Labels only (*.json)": "labels",
    _WITH_NAMES: "labels",
    _EVERY_LABEL: "labels",
    "Neuronpedia, a folder of batches (*)": "neuronpedia",
    "SAEDashboard, a folder of batches (*)": "saedashboard",
    "Delphi, a folder of latents (*)": "delphi",
}


class FeatureExport(QObject):
    """One export at a time; its end, or why there was none, is said as a toast."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.work = Background(self)
        self.work.answered.connect(self._on_written)
        self.work.refused.connect(self._on_refused)

    @classmethod
    def of(cls, session: Session) -> FeatureExport:
        """Return the session's one instance."""
        found = session.findChild(cls)
        return found if found is not None else cls(session)

    def ask(self, features: Sequence[int] | Any, window: QWidget) -> None:
        """Ask for a file or a folder, and in which form the features are written to it.

        One feature is offered as a page for people first, several as a table.
        """
        index = self._session.index
        if index is None:
            return
        one = len(features) == 1
        what = f"feature {features[0]}" if one else f"{exact_count(len(features))} features"
        named = f"{index.path.stem} {features[0]}" if one else f"{index.path.stem} features"
        tables = [_CSV, _PARQUET]
        kinds = ";;".join([*_OTHERS, *tables] if one else [*tables, *_OTHERS])
        chosen = ask_file(window, f"Export {what}", Path.home() / named, kinds)
        if chosen is not None:
            self.write_as(chosen.path, np.asarray(features, dtype=np.int64), chosen.kind)

    def write_as(self, path: Path, features: Any, kind: str) -> None:
        """Write the features in the form of one of the dialog's kinds."""
        form = _OTHERS.get(kind)
        if form is None:
            self.write(path, features)
            return
        self._session.run(
            ExportFeaturesConfig(
                project=self._session.project_path, index=self._session.index_name,
                path=str(path), format=form, features=features.tolist(),
                every_label=kind == _EVERY_LABEL, automatic_names=kind == _WITH_NAMES,
            )
        )  # fmt: skip

    def write(self, path: Path, features: Any) -> None:
        """Write a table of the features beside the window."""
        index, notes = self._session.index, self._session.notes
        if index is None:
            return
        notes_path = None if notes is None else notes.path

        def work() -> int:
            # A connection of its own: SQLite's belong to their thread.
            kept = Notes(notes_path) if notes_path is not None else None
            try:
                export_features(path, index, features, kept)
            finally:
                if kept is not None:
                    kept.close()
            return len(features)

        self.work.run(path, work)

    def _on_written(self, answer: tuple[Path, int]) -> None:
        path, count = answer
        what = "1 feature was" if count == 1 else f"{exact_count(count)} features were"
        self._session.notify(f"{what} written to “{path.name}”.")

    def _on_refused(self, answer: tuple[Path, UserError]) -> None:
        self._session.show_error(answer[1])

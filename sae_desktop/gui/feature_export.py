"""Asks for a file and writes features to it beside the window."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog, QWidget

from sae_desktop.errors import UserError
from sae_desktop.features.export import export_features
from sae_desktop.gui.background import Background
from sae_desktop.gui.number_text import count_text
from sae_desktop.gui.session import Session
from sae_desktop.project_notes import Notes


class FeatureExport(QObject):
    """One export at a time; its end, or why there was none, is said as a toast."""

    def __init__(self, session: Session, window: QWidget) -> None:
        super().__init__(window)
        self._session = session
        self._window = window
        self.work = Background(self)
        self.work.answered.connect(self._on_written)
        self.work.refused.connect(self._on_refused)

    def ask(self, features: Sequence[int] | Any) -> None:
        """Ask for a file and write the features to it."""
        index = self._session.index
        if index is None:
            return
        start = str(Path.home() / f"{index.path.stem} features.csv")
        name, kind = QFileDialog.getSaveFileName(
            self._window,
            f"Export {count_text(len(features))} features",
            start,
            "CSV (*.csv);;Parquet (*.parquet)",
        )
        if not name:
            return
        path = Path(name)
        if not path.suffix:
            path = path.with_suffix(".parquet" if "parquet" in kind else ".csv")
        self.write(path, np.asarray(features, dtype=np.int64))

    def write(self, path: Path, features: Any) -> None:
        """Write the features beside the window."""
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
        self._session.notify(f"{count_text(count)} features were written to “{path.name}”.")

    def _on_refused(self, answer: tuple[Path, UserError]) -> None:
        self._session.show_error(answer[1])

"""A calibration of alerts on screen: what is promised, and from which harmless runs."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from sae_desktop.errors import UserError
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.safety.changes.figures_table import FiguresTable, Head
from sae_desktop.gui.state.session import Session
from sae_desktop.safety.change.watch_file import read_calibration
from sae_desktop.words.change_words import measure_unit, measure_words, promise_sentence

_HEADS = (
    Head("Score", words=True),
    Head("Measured in", short=True),
    Head("Harmless runs reach", "The largest in a harmless run: the median over runs"),
    Head("Alert above", "That times the threshold"),
)


class CalibrationPage(QWidget):
    """The promise in a sentence, and each score's unit."""

    deleteAsked = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("safety.calibration_page")
        self._session = session
        self.title = ElidedLabel()
        self.title.setProperty("role", "title")
        self.sentence = label("", wrap=True, selectable=True)
        self.runs = label("", "small", wrap=True, selectable=True)
        self.table = FiguresTable("Scores and their units")
        delete = push_button("Delete…", self.deleteAsked.emit, icon="trash")
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(delete)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(self.sentence)
        column.addWidget(self.runs)
        column.addWidget(self.table, 1)
        self.setFocusProxy(self.table)

    def show_calibration(self, name: str) -> bool:
        """Show a calibration; tell whether it can be read. Its errors become toasts."""
        project = self._session.project
        if project is None:
            return False
        try:
            found = read_calibration(project.calibration_path(name))
        except UserError as error:
            self._session.show_error(error)
            return False
        self.title.setText(name)
        self.sentence.setText(
            f"{promise_sentence(found, 0)} An alert is raised where a score exceeds "
            f"{found.threshold:.2f} times what it usually reaches in a harmless run. The promise "
            f"holds for runs of up to {found.checkpoints} checkpoints."
        )
        self.runs.setText(
            f"What is usual comes from {', '.join(found.unit_runs)}; the threshold from "
            f"{', '.join(found.runs)}."
        )
        rows = [
            [
                measure_words(score)[:1].upper() + measure_words(score)[1:],
                measure_unit(score), f"{unit:#.3g}", f"{unit * found.threshold:#.3g}",
            ]
            for score, unit in found.units.items()
        ]  # fmt: skip
        self.table.show_rows(_HEADS, rows)
        return True

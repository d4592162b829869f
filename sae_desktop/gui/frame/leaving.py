"""What becomes of running jobs when the window is closed: asked, never decided silently."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from sae_desktop.client.job import Job
from sae_desktop.words.job_text import share_done


def leaving_text(jobs: list[Job]) -> str:
    """Return which jobs run, and how far they are."""
    named = []
    for job in jobs:
        share = share_done(job.progress)
        named.append(job.title + (f" ({share:.0%} done)" if share is not None else ""))
    are = "is still running" if len(jobs) == 1 else "are still running"
    return f"{', '.join(named)} {are}."


class LeavingDialog(QMessageBox):
    """Stay, keep the jobs running without the window, or stop them. Return and Esc stay."""

    def __init__(
        self,
        jobs: list[Job],
        parent: QWidget,
        *,
        keep: Callable[[], None] | None,
        stop: Callable[[], None],
    ) -> None:
        """Without `keep` the jobs cannot continue alone."""
        super().__init__(parent)
        self.setWindowTitle("Close the window")
        self.setIcon(QMessageBox.Icon.Question)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(leaving_text(jobs))
        going_on = (
            "Keep running: the work continues without a window. Reopen the project to see its "
            "progress or to stop it.\n\n"
        )
        self.setInformativeText(
            (going_on if keep else "")
            + "Stop and close: everything done so far is saved. The Project page then offers to "
            "resume a harvest or a training; start an index again to resume it."
        )
        self.stay = self.addButton("Stay", QMessageBox.ButtonRole.RejectRole)
        self.stop = self.addButton("Stop and close", QMessageBox.ButtonRole.DestructiveRole)
        self.stop.clicked.connect(lambda: stop())
        self.keep = None
        if keep is not None:
            self.keep = self.addButton("Keep running", QMessageBox.ButtonRole.AcceptRole)
            self.keep.clicked.connect(lambda: keep())
        self.setDefaultButton(self.stay)
        self.setEscapeButton(self.stay)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

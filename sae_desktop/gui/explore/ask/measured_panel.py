"""A panel that has concepts measured on drawings by a job, and shows the last result."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QFileDialog, QWidget

from sae_desktop.client.job import Job
from sae_desktop.engine.protocol import ErrorInfo, JobConfig
from sae_desktop.gui.parts.labels import push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.text_box import PathField
from sae_desktop.gui.state.session import Session


class MeasuredPanel(QWidget):
    """Runs one job at a time; a result of another index than the open one is not shown."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._job: Job | None = None
        self._result: Any = None
        self.drawings = PathField()
        self.drawings.setPlaceholderText("Shipped drawings, or a folder")
        self.drawings.setAccessibleName("Folder of drawings")
        self.drawings.setMinimumWidth(240)
        self.drawings.setToolTip(
            plain_tip(
                "For a model that reads pictures: files called by their code points (1f40e.png); "
                "without a folder, drawings by Google’s artists"
            )
        )
        self.folder = push_button("Choose…", self._on_folder, flat=True, tip="Choose the folder")
        session.client.stateChanged.connect(lambda _state: self._say())
        session.indexOpened.connect(self._forget)
        session.projectChanged.connect(self._forget)

    @property
    def _folders(self) -> tuple[str, ...]:
        """The folder of drawings, if there is one."""
        folder = self.drawings.text().strip()
        return (folder,) if folder else ()

    def _measure(self, config: JobConfig) -> None:
        job = self._session.run(config)
        if job is None:
            return
        self._job = job
        job.finished.connect(self._on_finished)
        job.failed.connect(self._on_failed)
        job.cancelled.connect(lambda *_: self._end(""))
        self._say()

    def _on_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Folder of drawings")
        if name:
            self.drawings.setText(name)

    def _on_finished(self, result: Any) -> None:
        if result.index == self._session.index_name:
            self._result = result
        self._end("")
        self._show()

    def _on_failed(self, error: ErrorInfo) -> None:
        self._end(" ".join(part for part in (error.what, error.next_step) if part))

    def _end(self, said: str) -> None:
        self._job = None
        self._say(said)

    def _forget(self, _index: object = None) -> None:
        self._result = None
        self._show()

    # ------------------------------------------------------------------ of each panel
    def _show(self) -> None:
        """Show the result, or that there is none."""
        raise NotImplementedError

    def _say(self, said: str = "") -> None:
        """Say what is going on, and allow what can be done."""
        raise NotImplementedError

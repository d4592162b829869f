"""The strip that says that an index's model is not on this machine, and brings it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal

from sae_desktop.demonstrations import demonstration_of
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.gui.parts.banner import Banner
from sae_desktop.gui.parts.labels import push_button
from sae_desktop.gui.state.session import Session
from sae_desktop.language_model.config import GetModelConfig
from sae_desktop.language_model.files.known import lacking_known
from sae_desktop.language_model.names import KNOWN
from sae_desktop.storage.network import network_off, way_online
from sae_desktop.words.lacking_text import getting_text, lacking_text, not_got_text, size_text

if TYPE_CHECKING:
    from sae_desktop.client.job import Job


class LackingModel(Banner):
    """Shown while the open index is of a known model that is not here.

    Whoever opens a demonstration of such a model has been told that it is fetched, and so it is;
    for any other project a button asks first.
    """

    came = Signal()
    """The model is here now."""

    def __init__(self, session: Session) -> None:
        self._get = push_button("", self.get, primary=True)
        super().__init__("download-simple", [self._get])
        self._session = session
        self.model = ""
        """The short name of the model that is lacking; empty: none is."""
        self._job: Job | None = None
        session.indexOpened.connect(self._on_index)
        session.projectChanged.connect(self._on_project)
        session.client.jobAdded.connect(self._on_job_added)

    def look(self) -> None:
        """Look again whether the open index's model is here."""
        index = self._session.index
        self.model = "" if index is None else lacking_known(index.info.model)
        self._show()

    def get(self) -> None:
        """Bring the model onto this machine."""
        self._session.run(GetModelConfig(name=self.model))

    def _on_project(self) -> None:
        self.model = ""
        self.hide()

    def _on_index(self, _index: object) -> None:
        self.look()
        shown = demonstration_of(self._session.project)
        asked = shown is not None and shown.model == self.model
        if self.model and asked and self._job is None and not network_off():
            self.get()

    def _show(self) -> None:
        if not self.model:
            self.hide()
            return
        self._get.setText(f"Get it ({size_text(self.model)})")
        self._get.setVisible(self._job is None and not network_off())
        title = KNOWN[self.model].title
        if self._job is not None:
            self.say(getting_text(title, self._job.progress))
        else:
            way = f"{way_online()}." if network_off() else ""
            self.say(f"{lacking_text(title)} {way}".strip())

    # ------------------------------------------------------------------ jobs
    def _on_job_added(self, job: Job) -> None:
        if not isinstance(job.config, GetModelConfig) or job.config.name not in KNOWN:
            return
        self._job = job
        job.progressed.connect(self._on_progressed)
        job.finished.connect(self._on_finished)
        job.failed.connect(self._on_failed)
        job.cancelled.connect(self._on_cancelled)
        self._show()

    def _on_progressed(self, _progress: object) -> None:
        self._show()

    def _on_finished(self, _result: object) -> None:
        lacked, self._job = self.model, None
        self.look()
        if lacked and not self.model:
            self.came.emit()

    def _on_failed(self, error: ErrorInfo) -> None:
        self._job = None
        self._show()
        if self.model:
            self._get.setText("Try again")
            self.say(not_got_text(KNOWN[self.model].title, error.what, error.next_step))

    def _on_cancelled(self, _message: object) -> None:
        self._job = None
        self._show()

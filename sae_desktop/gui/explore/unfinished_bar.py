"""The strip above an index that is not finished: what it lacks, and what brings it."""

from __future__ import annotations

from sae_desktop.client.job import Job
from sae_desktop.gui.parts.banner import Banner
from sae_desktop.gui.parts.labels import push_button
from sae_desktop.gui.state.finish_index import finish_index
from sae_desktop.gui.state.session import Session
from sae_desktop.words.unfinished_text import FINISH, unfinished_text


class UnfinishedBar(Banner):
    """Hidden while the open index is finished."""

    def __init__(self, session: Session) -> None:
        self.finish = push_button(FINISH, lambda: finish_index(session, session.index_name))
        super().__init__("info", [self.finish])
        self._session = session
        session.indexOpened.connect(self._refresh)
        session.projectChanged.connect(self._refresh)
        session.writableChanged.connect(self._refresh)
        session.client.jobAdded.connect(self._on_job_added)
        self._refresh()

    def _on_job_added(self, job: Job) -> None:
        if job.writes:
            job.stateChanged.connect(self._refresh)
            self._refresh()

    def _refresh(self, _what: object = None) -> None:
        index = self._session.index
        if index is None or not index.info.whole_rows:
            self.hide()
            return
        being_made = ("index", self._session.index_name) in self._session.written
        self.finish.setVisible(not being_made)
        self.finish.setEnabled(not self._session.read_only)
        info = index.info
        self.say(unfinished_text(info.rows, info.whole_rows, being_made=being_made))

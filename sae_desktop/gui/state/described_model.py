"""What the model of the open index is: the engine is asked, once a model, without loading it."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from sae_desktop.gui.state.session import Session
from sae_desktop.language_model.config import DescribeModelConfig, ModelDescription

BUILTIN = "builtin"
"""The model of text that ships: nothing need be asked, it has no chat template."""


class DescribedModel(QObject):
    """The description of the open index's model, and what follows of it for several panels."""

    changed = Signal()
    """The model is another one, or its description has come."""
    picturesRead = Signal(bool)
    """Whether it reads pictures, each time that may have changed."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.model = ""
        """Empty: no index is open, or its model is not known."""
        self.description: ModelDescription | None = None
        """None while it is not known, and of the built-in model."""
        session.indexOpened.connect(self._on_index_changed)
        session.projectChanged.connect(self._on_index_changed)
        self._on_index_changed()

    @classmethod
    def of(cls, session: Session) -> DescribedModel:
        """Return the session's one instance."""
        found = session.findChild(cls)
        return found if found is not None else cls(session)

    @property
    def reads_pictures(self) -> bool:
        """Whether it reads pictures: it has, in the index, or its configuration says so."""
        index, told = self._session.index, self.description
        if index is not None and index.pictures is not None:
            return True
        return told is not None and told.reads != "text"

    def _on_index_changed(self, _index: object = None) -> None:
        index = self._session.index
        model = "" if index is None else index.info.model
        if model != self.model:
            self.model, self.description = model, None
            self._ask()
        self._tell()

    def _ask(self) -> None:
        model = self.model
        if model in ("", BUILTIN):
            return
        job = self._session.run(DescribeModelConfig(model=model))
        if job is not None:
            job.finished.connect(lambda found: self._on_described(model, found))

    def _on_described(self, model: str, found: ModelDescription) -> None:
        if model == self.model:
            self.description = found
            self._tell()

    def _tell(self) -> None:
        self.changed.emit()
        self.picturesRead.emit(self.reads_pictures)

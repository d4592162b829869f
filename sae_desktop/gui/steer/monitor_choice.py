"""Which of the project's monitors read along; without any, the way to where they are made."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QSizePolicy, QWidget

from sae_desktop.errors import UserError
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.terms import explain
from sae_desktop.gui.state.session import Session
from sae_desktop.language_model.names import same_name
from sae_desktop.safety.monitors.file import read_monitor
from sae_desktop.words.amounts import elide_middle
from sae_desktop.words.monitor_text import promise_text

MOST = 3
"""Monitors at once: each has a strip under each text."""
_NAME = 24
_TIP = "Monitors whose scores are drawn under the prompt and the texts"


class MonitorChoice(QWidget):
    """A button with a menu of monitors to check, or a sentence and a button where there are none.

    It hides with its row where nothing can be watched.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._chosen: list[str] = []
        self.button = QPushButton()
        self.button.setMenu(QMenu(self.button))
        self.button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.button.menu().aboutToShow.connect(self._fill)
        self.none = label("No monitors yet.", "small")
        explain(self.none, "Monitor")
        self.make = push_button(
            "Make one", lambda: session.show_workspace("safety.monitors"), flat=True,
            tip="Go to the monitors in Safety",
        )  # fmt: skip
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.button, 1)
        row.addWidget(self.none)
        row.addWidget(self.make)
        row.addStretch()
        session.projectChanged.connect(self._on_project_changed)
        session.contentsChanged.connect(self.look)
        session.indexOpened.connect(lambda _index: self.look())
        self.look()

    @property
    def chosen(self) -> list[str]:
        """Those that read along, as long as they are there."""
        return list(self._chosen)

    def choose(self, names: Sequence[str]) -> None:
        """Let others read along; those that are not there, or of another model, are left out."""
        there = self._there()
        chosen = [name for name in names if name in there and self._fits(name)][:MOST]
        changed, self._chosen = chosen != self._chosen, chosen
        self._show()
        if changed:
            self.changed.emit()

    def promise(self, name: str) -> str:
        """Return what a monitor promises; nothing where its file cannot be read."""
        project = self._session.project
        if project is not None:
            with suppress(UserError):
                return promise_text(read_monitor(project, name).promise)
        return ""

    def look(self) -> None:
        """Find out which there are now."""
        self.choose(self._chosen)

    def _there(self) -> list[str]:
        project = self._session.project
        return [] if project is None else project.monitors()

    def _fits(self, name: str) -> bool:
        """Return whether a monitor is of the open index's model."""
        project, index = self._session.project, self._session.index
        if project is None or index is None:
            return project is not None
        with suppress(UserError):
            model = read_monitor(project, name).model
            return not model or same_name(model, index.info.model)
        return False

    def _show(self) -> None:
        some = bool(self._there())
        self.button.setVisible(some)
        self.none.setVisible(not some)
        self.make.setVisible(not some)
        names = self._chosen
        told = "no monitor" if not names else f"{len(names)} monitors"
        self.button.setText(elide_middle(names[0], _NAME) if len(names) == 1 else told)
        self.button.setAccessibleName(f"Watch with {', '.join(names) or told}")
        self.button.setToolTip(plain_tip("\n".join([_TIP, *names])))

    def _fill(self) -> None:
        menu = self.button.menu()
        menu.clear()
        for name in self._there():
            fits, shown = self._fits(name), name.replace("&", "&&")
            action = menu.addAction(shown if fits else f"{shown} (of another model)")
            action.setCheckable(True)
            action.setChecked(name in self._chosen)
            action.setEnabled(fits and (name in self._chosen or len(self._chosen) < MOST))
            action.triggered.connect(lambda on, name=name: self._switch(name, on))

    def _switch(self, name: str, on: bool) -> None:
        others = [other for other in self._chosen if other != name]
        self.choose([*others, name] if on else others)

    def _on_project_changed(self) -> None:
        self._chosen = []
        self.look()

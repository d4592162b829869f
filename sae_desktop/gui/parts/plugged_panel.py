"""Panels that plug-ins add: what they are given, and how one is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from sae_desktop.gui.state.session import Session

WORKSPACES = frozenset({"train", "explore", "steer", "circuits", "safety"})
"""Those that have docks."""


class PanelHost(QObject):
    """What a panel may know of the window, and ask of it. It stays as it is in an API version."""

    projectChanged = Signal()
    """Another project was opened, or none is."""
    indexChanged = Signal()
    """Another index was opened."""
    featureChanged = Signal(int)
    """Another feature is shown."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        session.projectChanged.connect(self.projectChanged)
        session.indexOpened.connect(self.indexChanged)
        session.featureSelected.connect(self.featureChanged)

    @property
    def project(self) -> Path | None:
        """The folder of the open project, for `sae_desktop.api.open_project`; None: none is."""
        project = self._session.project
        return None if project is None else project.path

    @property
    def index(self) -> str:
        """The name of the open index; empty: none is."""
        return self._session.index_name

    @property
    def feature(self) -> int | None:
        """The number of the feature that is shown; None: none is."""
        return self._session.feature

    def show_feature(self, number: int) -> None:
        """Show another feature of the open index, everywhere in the window."""
        self._session.select_feature(number)

    def notify(self, sentence: str) -> None:
        """Show a sentence in passing."""
        self._session.notify(sentence)


class Panel(Protocol):
    """What an entry point of `sae_desktop.panels` refers to: an object, or a class."""

    plugin_api: int
    """`sae_desktop.plugins.kinds.PLUGIN_API` as it was when the panel was written: 1."""
    title: str
    """What stands above the panel."""
    workspace: str
    """Where it is: train, explore, steer, circuits or safety."""

    def make(self, host: PanelHost) -> QWidget:
        """Return the panel; it is called once, when the window has been shown.

        An exception here, or later in what the widget does, is told as the plug-in's; a panel that
        keeps failing is closed. What takes long belongs in a thread: the window waits meanwhile.
        """


def builtin_names() -> frozenset[str]:
    """Return the names that no plug-in may have: none, since its dock’s begins with “plugin”."""
    return frozenset()


def problem_of(found: Any) -> str:
    """Return what is wrong with the object of an entry point; "": nothing."""
    if not callable(getattr(found, "make", None)):
        return "has no method “make”"
    if not isinstance(getattr(found, "title", None), str) or not found.title:
        return "has no “title”, a text"
    if getattr(found, "workspace", None) not in WORKSPACES:
        return f"has a “workspace” that is not one of {', '.join(sorted(WORKSPACES))}"
    return ""


def made_panel(found: Any, host: PanelHost) -> QWidget:
    """Return the widget of a panel. Raises whatever the plug-in raises, and TypeError for what is
    not a widget."""
    panel: Panel = found() if isinstance(found, type) else found
    widget = panel.make(host)
    if not isinstance(widget, QWidget):
        raise TypeError(f"it made a {type(widget).__name__} instead of a QWidget")
    return widget

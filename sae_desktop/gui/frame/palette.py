"""Puts the search over everything together: its field, what it finds, and where that leads."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtWidgets import QWidget

from sae_desktop.gui.frame.command_palette import CommandPalette
from sae_desktop.gui.frame.manual.made_pages import MadePages
from sae_desktop.gui.frame.palette_manual import manual_provider
from sae_desktop.gui.frame.palette_meanings import IndexMeanings
from sae_desktop.gui.frame.palette_sources import sources
from sae_desktop.gui.frame.palette_texts import IndexTexts
from sae_desktop.gui.parts.actions import ActionRegistry
from sae_desktop.gui.parts.workspace import Workspace
from sae_desktop.gui.state.session import Session


class Terms(Protocol):
    """The glossary."""

    def show_term(self, term: str) -> None: ...


class Help(Protocol):
    """The manual."""

    @property
    def pages(self) -> MadePages: ...

    def open(self, page: str = "", anchor: str = "") -> None: ...


class Frame(Protocol):
    """What the search asks of the window."""

    session: Session
    registry: ActionRegistry

    @property
    def glossary(self) -> Terms: ...
    @property
    def manual(self) -> Help: ...

    def workspace(self, name: str) -> Workspace: ...
    def open_settings(self, setting: str = "") -> None: ...


def make_palette(window: Frame) -> CommandPalette:
    """Return the search of a window."""
    session = window.session
    found = sources(session, window.registry, window.glossary.show_term, window.open_settings)
    found.append(manual_provider(window.manual.pages, window.manual.open))
    texts = IndexTexts(session, lambda: window.workspace("explore").main)
    meanings = IndexMeanings(session, texts)
    assert isinstance(window, QWidget)
    return CommandPalette(window, found, texts, meanings)

"""The actions of the window's frame."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from sae_desktop.gui.frame.menus import WORKSPACES
from sae_desktop.gui.parts.actions import ActionInfo
from sae_desktop.gui.parts.dialogs import FrameDialogs
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings


class Frame(Protocol):
    """What the window does at the word of its actions."""

    session: Session
    settings: Settings
    dialogs: FrameDialogs

    def show_workspace(self, name: str) -> None: ...
    def open_search(self) -> None: ...
    def toggle_jobs(self) -> None: ...
    def toggle_full_screen(self) -> None: ...
    def reset_layout(self) -> None: ...
    def choose_theme(self, mode: str) -> None: ...
    def choose_network(self, *, off: bool) -> None: ...
    def restart_engine(self) -> None: ...
    def close(self) -> bool: ...


def workspace_infos(window: Frame) -> list[ActionInfo]:
    """Return the actions that bring a workspace to the front."""
    return [
        ActionInfo(
            f"view.{name}",
            text,
            icon,
            f"Ctrl+{number}",
            partial(window.show_workspace, name),
        )
        for number, (name, text, icon) in enumerate(WORKSPACES, start=1)
    ]


def frame_infos(window: Frame) -> list[ActionInfo]:
    """Return the actions of the frame besides those of the workspaces."""
    session = window.session
    history, undo = (lambda: session.history), session.undo_stack
    return [
        ActionInfo(
            "project.new", "New project…", "folder-plus", "Ctrl+N", window.dialogs.new_project
        ),
        ActionInfo(
            "project.open", "Open project…", "folder-open", "Ctrl+O", window.dialogs.open_project
        ),
        ActionInfo(
            "project.open_demonstration",
            "Open the demonstration",
            "sparkle",
            "",
            window.dialogs.open_demonstration,
        ),
        ActionInfo(
            "project.reveal",
            "Show the project in the file manager",
            "folder",
            "",
            window.dialogs.reveal_project,
            lambda: session.project is not None,
        ),
        ActionInfo("app.quit", "Quit", "sign-out", "Ctrl+Q", window.close),
        ActionInfo(
            "edit.undo",
            "Undo",
            "arrow-counter-clockwise",
            "Ctrl+Z",
            undo.undo,
            undo.canUndo,
        ),
        ActionInfo("edit.redo", "Redo", "arrow-clockwise", "Ctrl+Shift+Z", undo.redo, undo.canRedo),
        ActionInfo(
            "view.search",
            "Search or run a command",
            "magnifying-glass",
            "Ctrl+K",
            window.open_search,
        ),
        ActionInfo("view.jobs", "Jobs", "list-dashes", "Ctrl+J", window.toggle_jobs),
        ActionInfo("view.reset_layout", "Reset layout", "layout", "", window.reset_layout),
        ActionInfo(
            "view.full_screen", "Full screen", "arrows-out", "F11", window.toggle_full_screen
        ),
        *(
            ActionInfo(f"theme.{mode}", text, icon, "", partial(window.choose_theme, mode))
            for mode, text, icon in (
                ("system", "Theme: same as the system", "monitor"),
                ("light", "Theme: light", "sun"),
                ("dark", "Theme: dark", "moon"),
            )
        ),
        ActionInfo(
            "go.back",
            "Back",
            "arrow-left",
            "Alt+Left",
            session.go_back,
            lambda: history().can_go_back,
        ),
        ActionInfo(
            "go.forward",
            "Forward",
            "arrow-right",
            "Alt+Right",
            session.go_forward,
            lambda: history().can_go_forward,
        ),
        ActionInfo(
            "engine.restart", "Restart the engine", "arrows-clockwise", "", window.restart_engine
        ),
        ActionInfo(
            "engine.log", "Show the engine’s log", "file-text", "", window.dialogs.reveal_log
        ),
        ActionInfo(
            "network.asked",
            "Network: only when I ask for something",
            "globe",
            "",
            partial(window.choose_network, off=False),
            lambda: window.settings.network_off,
        ),
        ActionInfo(
            "network.off",
            "Network: off",
            "wifi-slash",
            "",
            partial(window.choose_network, off=True),
            lambda: not window.settings.network_off,
        ),
        ActionInfo(
            "help.shortcuts", "Keyboard shortcuts", "keyboard", "F1", window.dialogs.show_shortcuts
        ),
        ActionInfo(
            "help.associate",
            "Open packages by double-clicking",
            "package",
            "",
            window.dialogs.associate_packages,
        ),
        ActionInfo("help.about", "About SAE Desktop", "info", "", window.dialogs.show_about),
    ]

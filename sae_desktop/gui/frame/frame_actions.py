"""The actions of the window's frame."""

from __future__ import annotations

from functools import partial
from typing import Protocol, cast

from PySide6.QtWidgets import QWidget

from sae_desktop.demonstrations import offered
from sae_desktop.gui.frame.menus import WORKSPACES
from sae_desktop.gui.frame.preferences import Preferences
from sae_desktop.gui.parts.actions import ActionInfo
from sae_desktop.gui.parts.dialogs import FrameDialogs
from sae_desktop.gui.state.session import Session


class Frame(Protocol):
    """What the window does at the word of its actions."""

    session: Session
    preferences: Preferences
    dialogs: FrameDialogs

    def show_workspace(self, name: str) -> None: ...
    def open_search(self) -> None: ...
    def toggle_jobs(self) -> None: ...
    def toggle_console(self) -> None: ...
    def toggle_full_screen(self) -> None: ...
    def reset_layout(self) -> None: ...
    def open_settings(self) -> None: ...
    def open_plugins(self) -> None: ...
    def restart_engine(self) -> None: ...
    def open_glossary(self) -> None: ...
    def open_manual(self, page: str = "") -> None: ...
    def open_help(self) -> None: ...
    def open_crash_reports(self) -> None: ...
    def open_log(self, source: str = "") -> None: ...
    def show_first_steps(self) -> None: ...
    def start_tour(self) -> None: ...
    def close(self) -> bool: ...


def _open_sizing(window: Frame) -> None:
    from sae_desktop.gui.forms.sizing_dialog import SizingDialog
    from sae_desktop.sizing.config import SizeConfig

    SizingDialog(window.session, SizeConfig(), cast(QWidget, window)).present()


def workspace_infos(window: Frame) -> list[ActionInfo]:
    """Return the actions that bring a workspace to the front."""
    return [
        ActionInfo(
            f"view.{name}",
            text,
            partial(window.show_workspace, name),
            icon=icon,
            shortcut=f"Ctrl+{number}",
        )
        for number, (name, text, icon) in enumerate(WORKSPACES, start=1)
    ]


def frame_infos(window: Frame) -> list[ActionInfo]:
    """Return the actions of the frame besides those of the workspaces."""
    session = window.session
    history, undo = (lambda: session.history), session.undo_stack
    choose = window.preferences.choose
    return [
        ActionInfo(
            "project.new",
            "New project…",
            window.dialogs.new_project,
            icon="folder-plus",
            shortcut="Ctrl+N",
        ),
        ActionInfo(
            "project.open",
            "Open project…",
            window.dialogs.open_project,
            icon="folder-open",
            shortcut="Ctrl+O",
        ),
        *(
            ActionInfo(
                f"project.open_{one.id}",
                f"Open {one.called}",
                partial(window.dialogs.open_demonstration, one),
                icon="sparkle",
                tip=one.told,
            )
            for one in offered()
        ),
        ActionInfo(
            "project.reveal",
            "Show the project in the file manager",
            window.dialogs.reveal_project,
            icon="folder",
            enabled_when=lambda: session.project is not None,
        ),
        ActionInfo("app.quit", "Quit", window.close, icon="sign-out", shortcut="Ctrl+Q"),
        ActionInfo(
            "edit.undo",
            "Undo",
            undo.undo,
            icon="arrow-counter-clockwise",
            shortcut="Ctrl+Z",
            enabled_when=undo.canUndo,
        ),
        ActionInfo(
            "edit.redo",
            "Redo",
            undo.redo,
            icon="arrow-clockwise",
            shortcut="Ctrl+Shift+Z",
            enabled_when=undo.canRedo,
        ),
        ActionInfo("edit.plugins", "Plug-ins…", window.open_plugins, icon="puzzle-piece"),
        ActionInfo(
            "edit.settings",
            "Settings…",
            window.open_settings,
            icon="gear",
            shortcut="Ctrl+,",
        ),
        ActionInfo(
            "view.search",
            "Search or run a command",
            window.open_search,
            icon="magnifying-glass",
            shortcut="Ctrl+K",
        ),
        ActionInfo("view.jobs", "Jobs", window.toggle_jobs, icon="list-dashes", shortcut="Ctrl+J"),
        ActionInfo(
            "view.console",
            "Console",
            window.toggle_console,
            icon="terminal-window",
            shortcut="Ctrl+Shift+J",
            tip="Python on the open project",
        ),
        ActionInfo("view.reset_layout", "Reset layout", window.reset_layout, icon="layout"),
        ActionInfo(
            "view.full_screen",
            "Full screen",
            window.toggle_full_screen,
            icon="arrows-out",
            shortcut="F11",
        ),
        *(
            ActionInfo(f"theme.{mode}", text, partial(choose, "theme", mode), icon=icon)
            for mode, text, icon in (
                ("system", "Theme: same as the system", "monitor"),
                ("light", "Theme: light", "sun"),
                ("dark", "Theme: dark", "moon"),
                ("contrast", "Theme: high contrast", "circle-half"),
            )
        ),
        ActionInfo(
            "go.back",
            "Back",
            session.go_back,
            icon="arrow-left",
            shortcut="Alt+Left",
            enabled_when=lambda: history().can_go_back,
        ),
        ActionInfo(
            "go.forward",
            "Forward",
            session.go_forward,
            icon="arrow-right",
            shortcut="Alt+Right",
            enabled_when=lambda: history().can_go_forward,
        ),
        ActionInfo(
            "engine.size",
            "What will it take?…",
            partial(_open_sizing, window),
            icon="gauge",
            tip="Memory, disk, time and cards of a harvest, a training and an index",
        ),
        ActionInfo(
            "engine.restart", "Restart the engine", window.restart_engine, icon="arrows-clockwise"
        ),
        ActionInfo(
            "engine.log",
            "Show the engine’s log",
            partial(window.open_log, "engine"),
            icon="file-text",
        ),
        ActionInfo(
            "network.asked",
            "Network: only when I ask for something",
            partial(choose, "network_off", False),
            icon="globe",
            enabled_when=lambda: window.preferences.value("network_off"),
        ),
        ActionInfo(
            "network.off",
            "Network: off",
            partial(choose, "network_off", True),
            icon="wifi-slash",
            enabled_when=lambda: not window.preferences.value("network_off"),
        ),
        ActionInfo(
            "help.manual",
            "Manual",
            partial(window.open_manual, ""),
            icon="book-bookmark",
            tip="Guides, how-tos, the science, every command and setting",
        ),
        ActionInfo(
            "help.here",
            "What is this?",
            window.open_help,
            icon="question",
            shortcut="F1",
            tip="What the term under the pointer or at the cursor means; without one, the "
            "manual’s page about what is in front",
        ),
        ActionInfo(
            "help.glossary",
            "Glossary",
            window.open_glossary,
            icon="book-open",
            tip="What the term under the pointer or at the cursor means, and all others",
        ),
        ActionInfo(
            "help.first_steps",
            "Show the first steps",
            window.show_first_steps,
            icon="graduation-cap",
            tip="Read a feature, try it and turn it up, on a demonstration",
        ),
        ActionInfo(
            "help.tour",
            "Tour",
            window.start_tour,
            icon="compass",
            tip="See where things are in the window, one after another",
        ),
        ActionInfo(
            "help.shortcuts",
            "Keyboard shortcuts",
            window.dialogs.show_shortcuts,
            icon="keyboard",
            shortcut="Ctrl+F1",
        ),
        ActionInfo(
            "help.crashes",
            "Crash reports…",
            window.open_crash_reports,
            icon="first-aid-kit",
            tip="What is known of each time the window or the engine failed",
        ),
        ActionInfo(
            "help.log",
            "Log…",
            partial(window.open_log, ""),
            icon="file-text",
            tip="What the window, the engine and commands have said",
        ),
        ActionInfo(
            "help.associate",
            "Open packages by double-clicking",
            window.dialogs.associate_packages,
            icon="package",
        ),
        ActionInfo(
            "help.changes",
            "What is new",
            partial(window.open_manual, "changes"),
            icon="sparkle",
            tip="What each version brought",
        ),
        ActionInfo(
            "help.licences",
            "Licences",
            partial(window.open_manual, "licences"),
            icon="scales",
            tip="Of the program, the packages it uses, and all that ships with it",
        ),
        ActionInfo("help.about", "About SAE Desktop", window.dialogs.show_about, icon="info"),
    ]

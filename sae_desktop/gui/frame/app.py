"""Starts the window: application, theme, engine, project, in the order a person feels."""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QApplication

from sae_desktop import __version__
from sae_desktop.client.engine_client import EngineClient
from sae_desktop.errors import UserError
from sae_desktop.exchange.recognise import require_kind, what_is
from sae_desktop.file_kinds import PROJECT_FILE
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.drop_guard import DropGuard
from sae_desktop.gui.parts.focus_keeper import FocusKeeper
from sae_desktop.gui.parts.wheel_guard import WheelGuard
from sae_desktop.gui.state import settings as settings_file
from sae_desktop.gui.state.error_hook import ErrorHook
from sae_desktop.gui.state.packages import open_package
from sae_desktop.gui.state.session import Session
from sae_desktop.reports.crash_reports import crash_folder
from sae_desktop.reports.fatal import FatalTrace
from sae_desktop.reports.logs import begin_window_log, end_log
from sae_desktop.storage.own_folders import places_folder

_LOG = logging.getLogger(__name__)
_LEAST_POINT_SIZE = 9.0
_SETTLED_MS = 3000
"""After a project was opened: what it holds has been drawn by then."""


class _WarmUp(QObject):
    """Imports what reading a project needs, in a thread: the window answers meanwhile."""

    done = Signal()

    def start(self) -> None:
        threading.Thread(target=self._import, name="warm-up", daemon=True).start()

    def _import(self) -> None:
        try:
            import sae_desktop.activations.store
            import sae_desktop.features.reading.reader
            import sae_desktop.training.run_log  # noqa: F401
        finally:  # what is missing is told by whoever needs it; the project opens none the less
            self.done.emit()


def make_application() -> QApplication:
    """Return the application, dressed with its style, font and icons."""
    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    application.setApplicationName("sae-desktop")
    application.setApplicationDisplayName("SAE Desktop")
    application.setDesktopFileName("sae-desktop")
    application.setStyle("Fusion")
    font = application.font()
    if font.pointSizeF() < _LEAST_POINT_SIZE:
        font.setPointSizeF(_LEAST_POINT_SIZE)
        application.setFont(font)
    if application.findChild(FocusKeeper) is None:
        FocusKeeper(application)
        DropGuard(application)
    return application


def run_app(project: Path | None) -> int:
    """Open the window and return the exit status.

    `project` is a folder to open or make, or a package, which gets a project beside it; without
    it the last one is opened.
    """
    application = make_application()
    log = begin_window_log()
    _LOG.info("SAE Desktop %s begins, process %d", __version__, os.getpid())
    path = settings_file.settings_path()
    settings = settings_file.load(path)
    theme.manager().apply(settings.theme)
    WheelGuard(application)
    client = EngineClient()
    session = Session(client, places_folder())
    # In front from the first moment: it is not built for a project that was left elsewhere.
    opening = Path(settings.last_project) if project is None else project
    settings.workspace = session.place.workspace_of(opening) or settings.workspace
    hook = ErrorHook()
    hook.raised.connect(session.show_error)
    hook.faulted.connect(session.take_crash)
    hook.install()
    fatal = FatalTrace(crash_folder())
    fatal.begin()
    window = MainWindow(session, settings, lambda changed: settings_file.save(changed, path))
    hook.pluginFailed.connect(window.plugin_panels.on_failed)
    window.show()
    warm_up = _WarmUp()

    def begin() -> None:
        client.start()
        warm_up.start()

    def open_first() -> None:
        _open_first(window, session, project)
        QTimer.singleShot(500, window, window.prepare)

    warm_up.done.connect(open_first)
    QTimer.singleShot(_SETTLED_MS, window, lambda: _tell_of_crashes(session, fatal))
    QTimer.singleShot(0, window, begin)
    try:
        return application.exec()
    finally:
        _say_opened(window)
        hook.remove()
        session.close_project()
        client.shutdown()
        fatal.end()
        _LOG.info("SAE Desktop ends, process %d", os.getpid())
        end_log(log)


def _open_first(window: MainWindow, session: Session, project: Path | None) -> None:
    if session.project is not None:  # a person was quicker
        return
    last = window.settings.last_project
    if project is not None:
        _open_given(session, project)
    elif last and window.settings.reopen and (Path(last) / PROJECT_FILE).is_file():
        _open_last(window, session, last)


def _open_given(session: Session, path: Path) -> None:
    """Open the project or package that the program was started with, or say what it is."""
    if what_is(path).kind == "package":
        open_package(session, path)
        return
    try:
        require_kind(path, "project")
    except UserError as error:
        session.show_error(error)
        return
    session.open_project(path, create=True)


def _open_last(window: MainWindow, session: Session, last: str) -> None:
    """Open the last project, unless the last start ended while it was being opened."""
    if window.settings.opening == last:
        _say_opened(window)
        session.notify(
            f"“{Path(last).name}” was not opened: the program ended while it was opening it. "
            "File › Open tries it again."
        )
        return
    window.settings.opening = last
    window.save_settings()
    session.open_project(Path(last))
    QTimer.singleShot(_SETTLED_MS, window, lambda: _say_opened(window))


def _tell_of_crashes(session: Session, fatal: FatalTrace) -> None:
    """Take what an earlier start wrote as it crashed, and say that it can be read."""
    left = list(fatal.left())
    for when, trace in left:
        session.crashes.add("The window crashed.", trace, when)
    if left:
        session.notify(
            "The program crashed when it was last used; your saved work is safe. Help › Crash "
            "reports has what is known of it."
        )


def _say_opened(window: MainWindow) -> None:
    if window.settings.opening:
        window.settings.opening = ""
        window.save_settings()

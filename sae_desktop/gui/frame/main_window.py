"""The one window: rail, breadcrumb, search, workspaces, status bar, toasts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QCloseEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QDockWidget,
    QHBoxLayout,
    QMainWindow,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.client.engine_exit import EngineExit
from sae_desktop.client.job import Job
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.errors import UserError
from sae_desktop.gui.frame.breadcrumb import Breadcrumb
from sae_desktop.gui.frame.first_steps import FirstSteps
from sae_desktop.gui.frame.first_steps_card import FirstStepsCard
from sae_desktop.gui.frame.frame_actions import frame_infos, workspace_infos
from sae_desktop.gui.frame.kept_geometry import TITLE_BAR, KeptGeometry
from sae_desktop.gui.frame.lacking_model import LackingModel
from sae_desktop.gui.frame.leaving import LeavingDialog
from sae_desktop.gui.frame.manual.manual import ManualOpener
from sae_desktop.gui.frame.menu_bar import Menus
from sae_desktop.gui.frame.menus import WORKSPACES
from sae_desktop.gui.frame.plugin_panels import PluginPanels
from sae_desktop.gui.frame.preferences import Preferences
from sae_desktop.gui.frame.rail import Rail
from sae_desktop.gui.frame.status_bar import StatusBar
from sae_desktop.gui.frame.tour import Tour
from sae_desktop.gui.frame.workspaces import PANELS
from sae_desktop.gui.parts.actions import ActionRegistry
from sae_desktop.gui.parts.banner import Banner
from sae_desktop.gui.parts.dialogs import FrameDialogs
from sae_desktop.gui.parts.glossary import Glossary
from sae_desktop.gui.parts.job_list import JobList
from sae_desktop.gui.parts.labels import push_button
from sae_desktop.gui.parts.tab_order import move_focus
from sae_desktop.gui.parts.terms import explain_all
from sae_desktop.gui.parts.toasts import ToastStack
from sae_desktop.gui.parts.workspace import Workspace
from sae_desktop.gui.state.next_steps import NextSteps
from sae_desktop.gui.state.notes_copies import put_back_and_open, told
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings
from sae_desktop.notes_copies import NotesCopy
from sae_desktop.project import Project
from sae_desktop.words.after_jobs import AfterJob
from sae_desktop.words.job_text import crash_text

if TYPE_CHECKING:
    from sae_desktop.gui.frame.command_palette import CommandPalette
    from sae_desktop.gui.frame.crash_reports import CrashReportsDialog
    from sae_desktop.gui.frame.log_dialog import LogDialog
    from sae_desktop.gui.frame.plugins_dialog import PluginsDialog
    from sae_desktop.gui.frame.settings_dialog import SettingsDialog

_TITLE = "SAE Desktop"


class MainWindow(QMainWindow):
    """Builds a workspace when it is first shown; `prepare` builds the others in idle moments."""

    def __init__(
        self, session: Session, settings: Settings, save: Callable[[Settings], None]
    ) -> None:
        super().__init__()
        self.session = session
        self.settings = settings
        self._save = save
        self._left = False
        self.setWindowTitle(_TITLE)
        self.setAnimated(False)  # as the docks of its workspaces
        room = self.screen().availableSize()
        self.setMinimumSize(min(1200, room.width()), min(600, room.height() - TITLE_BAR))
        self.preferences = Preferences(session, settings, save)
        self._console: QDockWidget | None = None
        self._settings_dialog: SettingsDialog | None = None
        self._crash_reports: CrashReportsDialog | None = None
        self._log_dialog: LogDialog | None = None
        self._plugins_dialog: PluginsDialog | None = None
        self.registry = ActionRegistry(self)
        self.dialogs = FrameDialogs(self, session, self.registry, self.preferences.projects_folder)
        self.glossary = Glossary(self)
        self.manual = ManualOpener(self)
        self.registry.add(workspace_infos(self), self)
        self.registry.add(frame_infos(self), self)
        self._workspaces: dict[str, Workspace] = {}
        self.menus = Menus(self, self.menuBar())
        self._build_frame()
        self._build_jobs()
        self.toasts = ToastStack(self)
        self.toasts.bottom_margin = 56
        self._search: CommandPalette | None = None
        self.first_steps = FirstSteps(
            session, self._steps_card, self.workspace, self.dialogs.new_project,
            lambda: bool(self.lacking_model.model),
        )  # fmt: skip
        self.lacking_model.came.connect(self.first_steps.model_came)
        self._steps_card.offer_tour(not settings.toured)
        self._steps_card.tourChosen.connect(self.start_tour)
        self.tour = Tour(self)
        self.tour.left.connect(self._on_toured)
        self._connect()
        self.plugin_panels = PluginPanels(self, self)
        self._geometry = KeptGeometry(self, settings)
        self._geometry.changed.connect(self.keep_state)
        self._jobs.hide()
        self.show_workspace(self._first_workspace())

    # ------------------------------------------------------------------ building
    def _build_frame(self) -> None:
        self.rail = Rail([self.registry.info(f"view.{name}") for name, _, _ in WORKSPACES])
        self._stack = QStackedWidget()
        restart = push_button("Restart the engine", self.restart_engine, primary=True)
        self._resume_button = push_button("", self.resume_jobs)
        close = push_button("Close", lambda: self._crash_banner.hide(), flat=True)
        self._crash_banner = Banner("warning", [close, self._resume_button, restart])
        again = push_button("Try again", self.session.take_lock)
        self._read_only_banner = Banner("lock", [again])
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._steps_card = FirstStepsCard()
        self.lacking_model = LackingModel(self.session)
        above = (
            self._top_bar(),
            self._crash_banner,
            self._read_only_banner,
            self.lacking_model,
            self._steps_card,
        )
        for widget in above:
            column.addWidget(widget)
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(self.rail)
        row.addWidget(self._stack, 1)
        column.addLayout(row, 1)
        self.setCentralWidget(page)
        self.status = StatusBar(self.session)
        self.setStatusBar(self.status)

    def _top_bar(self) -> QWidget:
        bar = QWidget()
        bar.setObjectName("topbar")
        bar.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        layout = QHBoxLayout(bar)
        layout.setContentsMargins(8, 4, 8, 4)
        layout.setSpacing(4)
        for action_id in ("go.back", "go.forward"):
            button = self.registry.button(action_id, with_text=False)
            button.setProperty("flat", "true")
            layout.addWidget(button)
        layout.addWidget(Breadcrumb(self.session, self.menus.file_menu), 1)
        search = self.search_button = push_button(
            "Search or run a command", self.open_search, icon="magnifying-glass", tip="Ctrl+K"
        )
        search.setText("Search or run a command    Ctrl+K")
        layout.addWidget(search)
        return bar

    def _build_jobs(self) -> None:
        self.job_list = JobList(self.session)
        self._jobs = QDockWidget("Jobs", self)
        self._jobs.setObjectName("frame.jobs")
        self._jobs.setWidget(self.job_list)
        self.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, self._jobs)
        self._jobs.hide()

    def _connect(self) -> None:
        session = self.session
        self.rail.chosen.connect(self.show_workspace)
        self.status.jobsClicked.connect(self.toggle_jobs)
        session.workspaceRequested.connect(self.show_workspace)
        session.errorRaised.connect(self._show_error)
        session.noticeRaised.connect(self.toasts.show_notice)
        session.notesDamaged.connect(self._offer_copy)
        steps = NextSteps.of(session)
        steps.offered.connect(self._offer_step)
        steps.taken.connect(self._do_step)
        session.projectChanged.connect(self._on_project_changed)
        session.writableChanged.connect(self._on_writable_changed)
        session.client.engineCrashed.connect(self._on_engine_crashed)
        session.client.stateChanged.connect(self._on_engine_state)
        session.client.detached.connect(self._on_detached)
        for signal in (
            session.contentsChanged,
            session.historyChanged,
            session.selectionChanged,
            session.indexOpened,
            session.featureSelected,
            session.writableChanged,
            session.undo_stack.indexChanged,
        ):
            signal.connect(self._refresh_actions)
        self.preferences.changed.connect(self._refresh_actions)
        self._refresh_actions()

    def _show_error(self, error: ErrorInfo) -> None:
        toast = self.toasts.show_error(error)
        if self.session.engine_stopped and not toast.offers_engine:
            toast.offer_engine(self.session.client)

    def _offer_step(self, step: AfterJob) -> None:
        self.toasts.show_offer(step.done, step.button, partial(self._do_step, step))

    def _do_step(self, step: AfterJob) -> None:
        from sae_desktop.gui.forms.steps import do_step  # the forms: not before the first show

        do_step(self.session, step.action, step.target, self)

    def _refresh_actions(self, _value: object = None) -> None:
        self.registry.refresh()

    # ------------------------------------------------------------------ workspaces
    def workspace(self, name: str) -> Workspace:
        """Return a workspace, built now if it was not shown yet.

        What follows a dot in the name, a place in its middle, changes nothing.
        """
        name = name.partition(".")[0]
        if name not in self._workspaces:
            workspace = PANELS[name](self.session, self.settings)
            self._workspaces[name] = workspace
            self._stack.addWidget(workspace)
            self.registry.add(workspace.action_infos(), workspace)
            explain_all(workspace)
            self.first_steps.watch(workspace)
            workspace.restore_layout(self.settings.workspace_states.get(name, ""))
            self.session.place.add(workspace, workspace.kept, workspace.give)
        return self._workspaces[name]

    def show_workspace(self, name: str) -> None:
        """Bring a workspace to the front, such as "explore", or a place of it: "explore.map"."""
        if name == "jobs":
            self._jobs.show()
            return
        if name.partition(".")[0] not in PANELS:  # kept by another version of the program
            return
        workspace = self.workspace(name)
        if self._stack.currentWidget() is not workspace:
            self._stack.setCurrentWidget(workspace)
            workspace.focus_first()
        self.rail.mark(workspace.id)
        self.session.enter_workspace(workspace.show_place(name.partition(".")[2]))

    def prepare(self) -> None:
        """Build one workspace that was not shown yet, and come back for the next.

        Once there are all, the panels of plug-ins come into them.
        """
        missing = [name for name, _, _ in WORKSPACES if name not in self._workspaces]
        if missing:
            self.workspace(missing[0])
            QTimer.singleShot(100, self, self.prepare)
        else:
            self.plugin_panels.add()

    def current(self) -> QWidget | None:
        """Return the workspace that is shown."""
        return self._stack.currentWidget()

    def _first_workspace(self) -> str:
        known = {name for name, _, _ in WORKSPACES}
        last = self.settings.workspace
        return last if last.partition(".")[0] in known else "project"

    # ------------------------------------------------------------------ actions
    @property
    def search(self) -> CommandPalette:
        """The search over everything, made when it is first asked for."""
        if self._search is None:
            from sae_desktop.gui.frame.palette import make_palette

            self._search = make_palette(self)
        return self._search

    def open_search(self) -> None:
        self.search.open()

    def open_glossary(self) -> None:
        self.glossary.open()

    def open_manual(self, page: str = "") -> None:
        self.manual.open(page)

    def open_help(self) -> None:
        """Tell what is under the pointer or at the cursor; else, of what is in front."""
        if not self.glossary.open_here():
            self.manual.open_about(self.session.workspace)

    def show_term(self, term: str) -> None:
        self.glossary.show_term(term)

    def show_first_steps(self) -> None:
        """Show the card of the first steps; the demonstration is opened where it is not."""
        if not self.first_steps.offered:
            self.dialogs.open_demonstration()
        if self.first_steps.offered:
            self.first_steps.start()

    def start_tour(self) -> None:
        """Show where things are, in the demonstration where no project is open."""
        if self.session.project is None:
            self.dialogs.open_demonstration()
        # Later: a menu that it was chosen from has given the keyboard back by then.
        QTimer.singleShot(0, self.tour, self.tour.start)

    def _on_toured(self) -> None:
        """Offer it no more: who wants it again finds it under Help."""
        self._steps_card.offer_tour(False)
        self.settings.toured = True
        self._save(self.settings)

    def toggle_jobs(self) -> None:
        self._jobs.setVisible(not self._jobs.isVisible())

    def toggle_console(self) -> None:
        """Show Python on the project, or hide it; it is made when it is first asked for."""
        if self._console is None:
            from sae_desktop.gui.frame.console_panel import ConsolePanel

            dock = self._console = QDockWidget("Console", self)
            dock.setObjectName("frame.console")
            dock.setAccessibleName("Console")
            dock.setWidget(ConsolePanel(self.session))
            self.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)
            dock.hide()
        self._console.setVisible(not self._console.isVisible())
        if self._console.isVisible():
            self._console.widget().setFocus()

    def toggle_full_screen(self) -> None:
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def reset_layout(self) -> None:
        """Put the docks of every workspace back."""
        for workspace in self._workspaces.values():
            workspace.reset_layout()
        self.settings.workspace_states = {}
        self._jobs.setFloating(False)
        self._jobs.hide()

    def open_settings(self, setting: str = "") -> None:
        """Open the settings, at one of them where it is named."""
        from sae_desktop.gui.frame.settings_dialog import SettingsDialog

        if self._settings_dialog is None:
            self._settings_dialog = SettingsDialog(self, self.session, self.preferences)
        self._settings_dialog.show_setting(setting)

    def open_log(self, source: str = "") -> None:
        """Show what was logged, of one source where it is named."""
        from sae_desktop.gui.frame.log_dialog import LogDialog

        if self._log_dialog is None:
            self._log_dialog = LogDialog(self)
        self._log_dialog.open_at_newest(source)

    def open_crash_reports(self) -> None:
        from sae_desktop.gui.frame.crash_reports import CrashReportsDialog

        if self._crash_reports is None:
            self._crash_reports = CrashReportsDialog(self, self.session, self.preferences)
        self._crash_reports.open_at_newest()

    def open_plugins(self) -> None:
        """Open the list of plug-ins."""
        from sae_desktop.gui.frame.plugins_dialog import PluginsDialog

        if self._plugins_dialog is None:
            self._plugins_dialog = PluginsDialog(self, self.session)
        self._plugins_dialog.present()

    def restart_engine(self) -> None:
        self._crash_banner.hide()
        self.session.client.restart()

    def resume_jobs(self) -> None:
        """Restart the engine, and start the jobs again that ended with it, as they were."""
        interrupted, self.session.client.interrupted = self.session.client.interrupted, []
        self.restart_engine()
        for job in interrupted:
            self.session.run(job.config)

    # ------------------------------------------------------------------ session and engine
    def _on_project_changed(self) -> None:
        project = self.session.project
        self.setWindowTitle(f"{project.title} – {_TITLE}" if project else _TITLE)
        self._read_only_banner.hide()
        if project is not None:
            self.settings.remember_project(str(project.path))
            self._save(self.settings)

    def _offer_copy(self, project: Project, copy: NotesCopy) -> None:
        self.toasts.show_offer(
            f"There is a copy of the notes of “{project.title}”: {told(copy)}.",
            "Put it back",
            partial(put_back_and_open, self.session, project, copy),
        )

    def _on_writable_changed(self) -> None:
        refusal = self.session.refusal
        if refusal is None:
            self._read_only_banner.hide()
        else:
            self._read_only_banner.say(
                f"{refusal.what} Here it can be read, probed and steered with, but not changed. "
                f"{refusal.next_step}"
            )

    def _on_engine_crashed(self, exit_: EngineExit) -> None:
        kept = [job.error.kept for job in self.session.client.jobs if job.error is not None]
        interrupted = self.session.client.interrupted
        resumes = all(job.again == "Resume" for job in interrupted)
        self._resume_button.setText(f"Restart and {'resume' if resumes else 'start again'}")
        self._resume_button.setVisible(bool(interrupted))
        self.session.crashes.add(exit_.reason, exit_.stderr_tail)
        self._crash_banner.say(crash_text(exit_, [text for text in kept if text]))

    def _on_engine_state(self, state: str) -> None:
        if state == "ready":
            self._crash_banner.hide()

    # ------------------------------------------------------------------ state
    def save_settings(self) -> None:
        """Save the settings as they are."""
        self._save(self.settings)

    def keep_state(self) -> None:
        """Put size, place, docks and workspace into the settings and save them."""
        settings = self.settings
        self._geometry.take()
        settings.workspace = self.session.workspace
        for name, workspace in self._workspaces.items():
            if workspace.docks():
                settings.workspace_states[name] = workspace.layout_state()
        self._save(settings)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.workspace(self.session.workspace).focus_first()

    def focusNextPrevChild(self, forward: bool) -> bool:
        return move_focus(self, forward=forward)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # Esc comes here where nothing else means anything by it.
        if event.key() != Qt.Key.Key_Escape or not (
            self.tour.leave() or self.toasts.dismiss_newest()
        ):
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        running = [] if self._left else self.session.running_jobs()
        if running:
            event.ignore()
            self._ask_about(running)
            return
        self.keep_state()
        self.session.place.save()
        self.manual.end()
        self.hide()  # the engine may take seconds to checkpoint; the window need not
        self.session.close_project()
        self.session.client.shutdown()
        event.accept()

    def leave(self) -> None:
        """Close without asking: jobs that run are stopped, what they did is saved."""
        self._left = True
        self.close()

    def _ask_about(self, jobs: list[Job]) -> None:
        if any(dialog.isVisible() for dialog in self.findChildren(LeavingDialog)):
            return
        # Without a project there is no place where the engine could be found again.
        keep = partial(self._keep_running, jobs) if self.session.project is not None else None
        LeavingDialog(jobs, self, keep=keep, stop=self.leave).open()

    def _keep_running(self, jobs: list[Job]) -> None:
        self.setEnabled(False)
        self.session.client.detach(jobs)

    def _on_detached(self, alone: bool) -> None:
        self.setEnabled(True)
        if alone:
            self.leave()
        else:
            self.session.show_error(
                UserError(
                    "The engine could not keep running without the window.",
                    kept="The window stays open and the jobs continue.",
                    next_step="Try again in a moment, or wait until they have finished.",
                )
            )

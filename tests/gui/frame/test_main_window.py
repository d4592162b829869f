"""The frame around the workspaces."""

from __future__ import annotations

import subprocess
import sys

import pytest
from frame_client import FakeClient
from frame_project import add_store
from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtGui import QGuiApplication, QKeySequence
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.demonstrations import DEMONSTRATIONS
from sae_desktop.engine.protocol import EngineStatus, ErrorInfo
from sae_desktop.gui.forms.exchange_forms import ImportDictionaryForm
from sae_desktop.gui.frame.command_palette import CommandPalette
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.frame.menus import MENUS, WORKSPACES
from sae_desktop.gui.frame.palette_rows import Provider
from sae_desktop.gui.parts import icons, theme
from sae_desktop.gui.parts.actions import ActionInfo, ActionRegistry
from sae_desktop.gui.parts.search import Entry
from sae_desktop.gui.parts.toasts import DetailsDialog
from sae_desktop.gui.state.error_hook import describe
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings
from sae_desktop.project import Project


@pytest.fixture
def full_window(window: MainWindow) -> MainWindow:
    """A window with every workspace built."""
    for name, _, _ in WORKSPACES:
        window.show_workspace(name)
    return window


# ---------------------------------------------------------------------- actions
def test_actions__have_unique_ids_and_shortcuts_and_can_be_called(full_window: MainWindow) -> None:
    infos = full_window.registry.infos()
    assert len({info.id for info in infos}) == len(infos)
    keys = [QKeySequence(info.shortcut).toString() for info in infos if info.shortcut]
    assert len(set(keys)) == len(keys)
    assert all(keys), "a shortcut is not understood"
    for info in infos:
        assert callable(info.callback)
        assert info.text
        if info.icon:
            assert not icons.icon(info.icon).isNull()


def test_actions__tell_their_keys_in_the_tooltip(full_window: MainWindow) -> None:
    for info in full_window.registry.infos():
        if info.shortcut:
            tip = full_window.registry.action(info.id).toolTip()
            native = QKeySequence(info.shortcut).toString(QKeySequence.SequenceFormat.NativeText)
            assert native in tip


def test_actions__of_the_menus_all_exist(full_window: MainWindow) -> None:
    ids = {info.id for info in full_window.registry.infos()}
    lacking = {f"project.open_{one.id}" for one in DEMONSTRATIONS if not one.ships}
    assert {name for names in MENUS.values() for name in names if name} - lacking <= ids


def test_actions__that_clash_are_refused(qapp: QApplication, qtbot: QtBot) -> None:
    owner = QWidget()
    qtbot.addWidget(owner)
    registry = ActionRegistry()
    first = ActionInfo("a.do", "Do", lambda: None, shortcut="Ctrl+D")
    registry.add([first], owner)
    with pytest.raises(ValueError, match="taken"):
        registry.add([first], owner)
    with pytest.raises(ValueError, match="belongs to"):
        registry.add([ActionInfo("a.other", "Other", lambda: None, shortcut="Ctrl+D")], owner)


def test_actions__do_nothing_while_their_condition_fails(qapp: QApplication, qtbot: QtBot) -> None:
    owner, done, allowed = QWidget(), [], [False]
    qtbot.addWidget(owner)
    registry = ActionRegistry()
    info = ActionInfo("a.do", "Do", lambda: done.append(1), enabled_when=lambda: allowed[0])
    registry.add([info], owner)
    registry.trigger("a.do")
    assert not done
    allowed[0] = True
    registry.refresh()
    assert registry.action("a.do").isEnabled()
    registry.trigger("a.do")
    assert done == [1]


# ---------------------------------------------------------------------- workspaces
def test_window__switches_workspaces_by_keyboard(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.keyClick(window, Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)
    assert window.session.workspace == "harvest"
    qtbot.keyClick(window, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    assert window.session.workspace in ("project", "harvest")


def test_window__every_control_has_a_name_for_those_who_cannot_see(full_window: MainWindow) -> None:
    nameless = []
    for name, _, _ in WORKSPACES:
        full_window.show_workspace(name)
        QApplication.processEvents()
        for widget in full_window.workspace(name).findChildren(QWidget):
            takes = widget.focusPolicy() & Qt.FocusPolicy.TabFocus
            text = getattr(widget, "text", None)
            named = widget.accessibleName() or (callable(text) and text())
            if takes and widget.isVisible() and not named:
                nameless.append(f"{name}: {type(widget).__name__} in {type(widget.parent())}")
    assert nameless == [], nameless


def test_window__saves_its_state_and_takes_it_back(
    full_window: MainWindow, saved: list[Settings], session: Session
) -> None:
    full_window.show_workspace("train")
    dock = full_window.workspace("train").docks()[0]
    dock.hide()
    full_window.keep_state()
    settings = saved[-1]
    assert settings.workspace == "train"
    other = full_window.workspace("train")
    other.reset_layout()
    assert not dock.isHidden()
    assert other.restore_layout(settings.workspace_states["train"])
    assert dock.isHidden()


def test_window__survives_a_broken_layout(full_window: MainWindow) -> None:
    assert not full_window.workspace("train").restore_layout("bm8gbGF5b3V0")
    assert any(not dock.isHidden() for dock in full_window.workspace("train").docks())


# ---------------------------------------------------------------------- toasts and banners
def test_toasts__say_what_was_kept_and_show_details(window: MainWindow, qtbot: QtBot) -> None:
    error = ErrorInfo(
        what="The disk is full.", kept="1,000 rows.", next_step="Free some.", details="Traceback…"
    )
    window.session.show_error(error)
    window.session.show_error(error)
    (toast,) = window.toasts.toasts()
    assert toast.accessibleName() == "The disk is full."
    toast.show_details()
    dialog = window.findChild(DetailsDialog)
    assert dialog is not None
    dialog.copy()
    assert "Traceback…" in QGuiApplication.clipboard().text()
    dialog.close()
    toast.dismiss()
    assert window.toasts.toasts() == []


def test_toast__that_offered_the_engine_and_is_gone_hears_no_more_of_it(
    window: MainWindow, client: FakeClient
) -> None:
    toast = window.toasts.show_error(ErrorInfo(what="It stopped."))
    toast.offer_engine(client)
    toast.dismiss()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    client.stateChanged.emit("crashed")  # an error in a slot fails the test


def test_toasts__lie_inside_the_window(window: MainWindow, qtbot: QtBot) -> None:
    for number in range(3):
        window.session.notify(f"Sentence {number}.")
    toasts = window.toasts.toasts()
    assert len(toasts) == 3
    boxes = [toast.geometry() for toast in toasts]
    assert all(window.rect().contains(box) for box in boxes)
    assert not boxes[0].intersects(boxes[1])


def test_exceptions__become_a_sentence_with_the_traceback_behind() -> None:
    try:
        raise KeyError("x")
    except KeyError as error:
        info = describe(error)
    assert "KeyError" in info.what
    assert "Traceback" in info.details


def test_crash__is_told_once_with_what_was_kept_and_a_way_on(
    window: MainWindow, client: FakeClient, project: Project, qtbot: QtBot
) -> None:
    window.session.open_project(project.path)
    window.session.run(HarvestConfig(project=str(project.path), name="acts"))
    client.crash("The engine was killed (SIGKILL).")
    banner = window._crash_banner
    assert banner.isVisible()
    assert "SIGKILL" in banner.text
    assert "Harvest “acts”" in banner.text
    assert "All rows saved so far are kept." in banner.text
    assert window.toasts.toasts() == []
    window.restart_engine()
    assert client.restarts == 1
    assert not banner.isVisible()


def test_read_only__is_said_quietly(
    window: MainWindow, client: FakeClient, project: Project
) -> None:
    window.session.open_project(project.path)
    client.refuse_project("The project is already open in another window.")
    assert window._read_only_banner.isVisible()
    assert "already open" in window._read_only_banner.text
    assert window.toasts.toasts() == []
    client.accept_project()
    assert not window._read_only_banner.isVisible()


# ---------------------------------------------------------------------- status and jobs
def test_status__names_device_memory_and_model(window: MainWindow, client: FakeClient) -> None:
    client.status = EngineStatus(
        device="cpu", memory_used=1_200_000_000, memory_total=16_000_000_000, model="builtin"
    )
    client.statusReceived.emit(client.status)
    assert window.status._engine.text() == "CPU · memory 1.2 GB of 16 GB · Built-in model"


def test_jobs__can_be_paused_resumed_and_cancelled_from_the_list(
    window: MainWindow, client: FakeClient, project: Project
) -> None:
    window.session.open_project(project.path)
    job = window.session.run(HarvestConfig(project=str(project.path), name="acts"))
    assert job is not None
    client.run(job)
    client.progress(job, 400, 1_000)
    window.toggle_jobs()
    (row,) = window.job_list.rows()
    row.refresh()
    assert "400 of 1k tokens" in row._state.text()
    assert "1k tokens per second" in row._state.text()
    row._pause.click()
    row._cancel.click()
    assert [type(command).__name__ for command in client.sent] == ["PauseJob", "CancelJob"]


# ---------------------------------------------------------------------- palette
def test_palette__finds_and_runs_an_action(window: MainWindow, qtbot: QtBot) -> None:
    window.open_search()
    assert window.search.isVisible()
    qtbot.keyClicks(window.search.field, "theme dark")
    assert window.search.model.entries[0][0].key == "theme.dark"
    qtbot.keyClick(window.search.field, Qt.Key.Key_Return)
    assert not window.search.isVisible()
    assert theme.manager().dark
    assert window.settings.theme == "dark"
    theme.manager().apply("light")


def test_palette__finds_a_store_and_trains_on_it(
    window: MainWindow, project: Project, qtbot: QtBot
) -> None:
    add_store(project, "acts", rows=20, wanted=20)
    window.session.open_project(project.path)
    window.open_search()
    qtbot.keyClicks(window.search.field, "train on acts")
    qtbot.keyClick(window.search.field, Qt.Key.Key_Return)
    assert window.session.workspace == "train"


def test_palette__shows_where_an_action_of_another_workspace_runs(
    full_window: MainWindow, project: Project, qtbot: QtBot
) -> None:
    full_window.session.open_project(project.path)
    full_window.show_workspace("project")
    full_window.open_search()
    qtbot.keyClicks(full_window.search.field, "start the harvest")
    assert full_window.search.model.entries[0][0].key == "harvest.start"
    full_window.show_workspace("project")
    full_window.search.open("copy the curves’ data")
    full_window.search.accept()
    assert full_window.session.workspace == "train"
    assert full_window.workspace("train").isVisible()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sweep", {"train.sweep", "steer.sweep"}),
        ("settings", {"theme.contrast", "theme.dark", "theme.light", "theme.system"}),
        ("help", {"help.shortcuts", "help.about", "help.associate"}),
    ],
)
def test_palette__finds_all_of_a_word(
    full_window: MainWindow, query: str, expected: set[str]
) -> None:
    full_window.search.open(query)
    found = {entry.key for entry, _ in full_window.search.model.entries}
    assert expected <= found
    if query != "help":
        assert any(entry.kind == "Panel" for entry, _ in full_window.search.model.entries)


def test_palette__brings_a_panel_forward(full_window: MainWindow) -> None:
    full_window.show_workspace("project")
    full_window.search.open("show sweep over strengths")
    entries = [entry for entry, _ in full_window.search.model.entries]
    place = [entry.kind for entry in entries].index("Panel")
    assert entries[place].key == "steer.sweep"
    full_window.search.list.setCurrentIndex(full_window.search.model.index(place))
    full_window.search.accept()
    assert full_window.session.workspace == "steer"
    docks = {dock.objectName(): dock for dock in full_window.workspace("steer").docks()}
    assert docks["steer.sweep"].isVisible()


def test_palette__says_how_many_more_there_are(window: MainWindow, qtbot: QtBot) -> None:
    many = [Entry("Action", f"Thing {n}", str(n)) for n in range(250)]
    palette = CommandPalette(window, [Provider(lambda _query: many, lambda _entry: None)])
    qtbot.addWidget(palette)
    palette.open("thing")
    assert len(palette.model.entries) == 201
    last = palette.model.entries[-1][0]
    assert (last.title, last.enabled) == ("50 more; keep typing", False)


def test_file_menu__imports(window: MainWindow, project: Project) -> None:
    file = next(a.menu() for a in window.menuBar().actions() if a.text() == "&File")
    imports = next(a.menu() for a in file.actions() if a.text() == "Import")
    imports.aboutToShow.emit()
    texts = [action.text() for action in imports.actions()]
    assert "Import a dictionary…" in texts
    assert "Merge another person’s notes…" in texts
    assert len(texts) == 5
    assert not any(action.isEnabled() for action in imports.actions())  # no project is open
    window.session.open_project(project.path)
    window.show_workspace("train")
    imports.aboutToShow.emit()
    next(a for a in imports.actions() if a.text() == "Import a dictionary…").trigger()
    assert window.session.workspace == "project"
    assert window.findChild(ImportDictionaryForm) is not None


def test_palette__escape_gives_the_focus_back(window: MainWindow, qtbot: QtBot) -> None:
    window.open_search()
    qtbot.keyClick(window.search.field, Qt.Key.Key_Escape)
    assert not window.search.isVisible()


# ---------------------------------------------------------------------- imports
def test_window__never_imports_torch() -> None:
    code = (
        "import sys, pkgutil, importlib, sae_desktop.gui, sae_desktop.client\n"
        "for package in (sae_desktop.gui, sae_desktop.client):\n"
        "    for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        importlib.import_module(module.name)\n"
        "found = {'torch', 'transformers', 'tokenizers'} & set(sys.modules)\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_window__is_shown_before_arrays_and_plots_are_imported() -> None:
    code = (
        "import sys\n"
        "import sae_desktop.gui.frame.app, sae_desktop.gui.project.project\n"
        "found = {'h5py', 'pyqtgraph', 'superqt'} & set(sys.modules)\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)

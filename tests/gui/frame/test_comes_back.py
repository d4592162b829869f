"""The window comes back as it was left: each item of the table, for each project."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from ended_session import end
from frame_client import FakeClient
from kept_items import ITEMS, LIST, read_all, set_all
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from sample_index import write_sample_index

from sae_desktop.features.reading.filter import FeatureFilter
from sae_desktop.gui.frame.app import make_application
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.parts import theme
from sae_desktop.gui.state.history import Place
from sae_desktop.gui.state.kept_place import Part, place_file, read_place
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings
from sae_desktop.project import Project

ITEMS_BY_NAME = {item.name: item for item in ITEMS}
Start = Callable[..., MainWindow]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample_index(tmp_path_factory.mktemp("index") / "main.h5")


@pytest.fixture
def projects(tmp_path: Path, sample: Path) -> tuple[Path, Path]:
    """Two projects, each with an index “main”."""
    paths = tmp_path / "one.saeproj", tmp_path / "two.saeproj"
    for path in paths:
        project = Project.open_or_create(path)
        project.index_path("main").parent.mkdir(parents=True)
        project.index_path("main").write_bytes(sample.read_bytes())
    return paths


@pytest.fixture
def start(qapp: QApplication, tmp_path: Path) -> Iterator[Start]:
    """Start the window on a project, with the state folder of this test."""
    make_application()
    theme.manager().apply("light")
    windows: list[MainWindow] = []

    def begin(project: Path, size: tuple[int, int] = (1600, 1000)) -> MainWindow:
        client = FakeClient()
        session = Session(client, tmp_path / "places")  # type: ignore[arg-type]
        window = MainWindow(session, Settings(), lambda _settings: None)
        windows.append(window)
        window.setMinimumSize(0, 0)
        window.resize(*size)
        window.show()
        assert session.open_project(project)
        return window

    yield begin
    for window in windows:
        window.leave()
        window.deleteLater()
        end(window.session)


def wanted(which: int) -> dict[str, object]:
    return {item.name: item.values[which] for item in ITEMS}


def test_window__comes_back_as_it_was_closed(start: Start, projects: tuple[Path, Path]) -> None:
    window = start(projects[0])
    set_all(window, 0)
    window.show_workspace("steer")
    window.close()
    window = start(projects[0])
    assert window.session.workspace == "steer"
    assert read_all(window) == wanted(0)


def test_window__comes_back_after_it_was_killed(
    start: Start, projects: tuple[Path, Path], tmp_path: Path, qtbot: QtBot
) -> None:
    window = start(projects[0])
    set_all(window, 1)
    window.show_workspace("steer")
    folder = tmp_path / "places"
    qtbot.waitUntil(lambda: read_place(folder, projects[0]).workspace == "steer", timeout=5_000)
    again = start(projects[0])  # the first was never closed
    assert again.session.workspace == "steer"
    assert read_all(again) == wanted(1)


def test_window__keeps_each_project_by_itself(start: Start, projects: tuple[Path, Path]) -> None:
    window = start(projects[0])
    set_all(window, 0)
    window.session.open_project(projects[1])
    set_all(window, 1)
    window.session.open_project(projects[0])
    assert read_all(window) == wanted(0)
    window.session.open_project(projects[1])
    assert read_all(window) == wanted(1)


def test_window__lists_again_what_was_picked_out(start: Start, projects: tuple[Path, Path]) -> None:
    window = start(projects[0])
    explore = window.workspace("explore").main
    LIST.set(explore, LIST.values[0])
    window.close()
    window = start(projects[0])
    assert LIST.get(window.workspace("explore").main) == LIST.values[0]


def test_window__remembers_the_way_back(start: Start, projects: tuple[Path, Path]) -> None:
    window = start(projects[0])
    window.show_workspace("explore")
    for feature in (1, 2, 3):
        window.session.select_feature(feature)
    window.session.go_back()
    window.close()
    session = start(projects[0]).session
    assert session.feature == 2
    session.go_forward()
    assert session.feature == 3
    session.go_back()
    session.go_back()
    assert session.history.current == Place("explore.feature", "main", 1)


def test_window__opens_the_newest_index_when_the_one_left_is_gone(
    start: Start, projects: tuple[Path, Path]
) -> None:
    window = start(projects[0])
    set_all(window, 0)
    window.close()
    (projects[0] / "features" / "main.h5").rename(projects[0] / "features" / "other.h5")
    window = start(projects[0])
    session, steer = window.session, window.workspace("steer").main
    assert session.index_name == "other"
    assert steer.rack.rack == ()
    assert steer.form.prompt.toPlainText() == "In the beginning"
    assert not session.history.can_go_back


def test_window__does_not_take_another_dictionarys_features_for_those_left(
    start: Start, projects: tuple[Path, Path], sample: Path
) -> None:
    window = start(projects[0])
    set_all(window, 0)
    window.close()
    write_sample_index(projects[0] / "features" / "main.h5", dictionary_hash="of another")
    window = start(projects[0])
    assert window.session.index_name == "main"
    assert window.workspace("steer").main.rack.rack == ()
    assert window.workspace("explore").main.list.conditions() == FeatureFilter()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b'{"version": 99}', b'{"version": 1, "parts": {"explore.list": 3}}'],
)
def test_window__opens_a_project_whose_place_is_damaged(
    start: Start, projects: tuple[Path, Path], tmp_path: Path, content: bytes
) -> None:
    file = place_file(tmp_path / "places", projects[0])
    file.parent.mkdir()
    file.write_bytes(content)
    window = start(projects[0])
    assert window.session.index_name == "main"
    assert window.toasts.toasts() == []


def test_window__takes_what_it_understands_of_a_place(
    start: Start, projects: tuple[Path, Path], tmp_path: Path
) -> None:
    window = start(projects[0])
    set_all(window, 0)
    window.close()
    place = read_place(tmp_path / "places", projects[0])
    broken = {name: Part({"nonsense": [1]}, part.about) for name, part in place.parts.items()}
    parts = {**broken, "steer.sliders": place.parts["steer.sliders"], "of.later": Part({})}
    odd = msgspec.structs.replace(place, parts=parts, workspace="of later", feature=10**9)
    place_file(tmp_path / "places", projects[0]).write_bytes(msgspec.json.encode(odd))
    window = start(projects[0])
    window.show_workspace("explore")
    assert window.toasts.toasts() == []
    assert window.workspace("steer").main.rack.rack == ITEMS_BY_NAME["sliders"].values[0]
    window.close()
    assert "of.later" in read_place(tmp_path / "places", projects[0]).parts


def test_window__comes_back_on_a_smaller_screen(
    start: Start, projects: tuple[Path, Path], qtbot: QtBot
) -> None:
    window = start(projects[0], (2560, 1440))
    set_all(window, 1)
    window.close()
    window = start(projects[0], (1280, 720))
    for name in ("explore", "steer"):
        window.show_workspace(name)
        qtbot.wait(50)
        space = window.workspace(name)
        shown = [dock for dock in space.docks() if not dock.visibleRegion().isEmpty()]
        assert shown
        for dock in shown:
            assert space.rect().contains(dock.geometry()), dock.objectName()
    assert window.size().width() == 1280
    assert read_all(window) == wanted(1)

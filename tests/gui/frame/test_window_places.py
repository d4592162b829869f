"""Places of a workspace are named with it: the window shows, remembers and restores them."""

from __future__ import annotations

import pytest
from sample_index import write_sample_index

from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.parts.feature_menu import open_feature
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings
from sae_desktop.project import Project


@pytest.fixture
def with_index(session: Session, project: Project) -> Session:
    (project.path / "features").mkdir(exist_ok=True)
    write_sample_index(project.path / "features" / "main.h5")
    session.open_project(project.path)
    return session


def test_place__is_shown_with_its_workspace_and_kept_without_its_name(window: MainWindow) -> None:
    window.show_workspace("explore.map")
    assert window.session.workspace == "explore.map"
    window.show_workspace("steer")
    assert window.session.workspace == "steer"
    window.show_workspace("explore")
    assert window.session.workspace == "explore.map"


def test_way_back__leads_from_a_feature_to_the_map_it_was_opened_on(
    window: MainWindow, with_index: Session
) -> None:
    window.show_workspace("explore.map")
    panel = window.workspace("explore").main
    open_feature(with_index, 7)
    assert (panel.places.place, with_index.feature) == ("feature", 7)
    with_index.go_back()
    with_index.go_back()
    assert panel.places.place == "map"
    with_index.go_forward()
    with_index.go_forward()
    assert (panel.places.place, with_index.feature) == ("feature", 7)


def test_tab__is_remembered_as_a_place(window: MainWindow, with_index: Session) -> None:
    window.show_workspace("explore")
    window.workspace("explore").main.places.bar.setCurrentIndex(1)
    assert with_index.workspace == "explore.text"
    window.show_workspace("project")
    with_index.go_back()
    assert window.workspace("explore").main.places.place == "text"


def test_window__starts_at_the_place_it_was_left_at(
    window: MainWindow, session: Session, saved: list[Settings]
) -> None:
    window.show_workspace("explore.sets")
    window.keep_state()
    again = MainWindow(session, saved[-1], saved.append)
    assert again.workspace("explore").main.places.place == "sets"
    again.leave()
    again.deleteLater()

"""The Gallery: what there is, found by words, imported with what its files may not say."""

from __future__ import annotations

import pytest
from frame_client import FakeClient
from frame_project import add_run
from PySide6.QtWidgets import QTreeWidgetItemIterator
from pytestqt.qtbot import QtBot

from sae_desktop.exchange.config import (
    DictionaryFound,
    FindDictionariesConfig,
    FindDictionariesResult,
)
from sae_desktop.exchange.gallery import Family, catalogue
from sae_desktop.gui.panels.exchange_forms import ImportDictionaryForm
from sae_desktop.gui.panels.gallery import GalleryPanel
from sae_desktop.gui.session import Session
from sae_desktop.project import Project


@pytest.fixture
def panel(qtbot: QtBot, session: Session, monkeypatch: pytest.MonkeyPatch) -> GalleryPanel:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    panel = GalleryPanel(session)
    qtbot.addWidget(panel)
    panel.resize(1200, 640)
    panel.show()
    return panel


def names(panel: GalleryPanel) -> list[str]:
    found, items = [], QTreeWidgetItemIterator(panel.list)
    while (item := items.value()) is not None:
        found.append(item.text(0))
        items += 1
    return found


def test_gallery__lists_the_project_and_the_public_ones(
    panel: GalleryPanel, session: Session, project: Project
) -> None:
    assert names(panel)[0] == "Public"
    assert not panel.import_button.isEnabled()
    assert "Open a project" in panel.state.text()
    add_run(project, "done")
    session.open_project(project.path)
    assert names(panel)[:2] == ["In this project", "done"]
    panel.filter.setText("llama scope mlp")
    assert names(panel) == ["Public", "Llama Scope, MLP output"]
    assert panel.import_button.isEnabled()
    panel.filter.setText("there is no such thing")
    assert names(panel) == []
    assert not panel.import_button.isEnabled()


def test_gallery__imports_the_chosen_layer_with_what_is_known_of_it(
    panel: GalleryPanel, session: Session, project: Project, client: FakeClient
) -> None:
    session.open_project(project.path)
    panel.filter.setText("gemma-2-2b transcoders")
    panel.layer.setCurrentIndex(panel.layer.findData(5))
    panel.import_chosen()
    form = panel.window().findChild(ImportDictionaryForm)
    assert form is not None
    family = next(f for f in catalogue() if f.name == "Gemma Scope, transcoders")
    asked = client.last(FindDictionariesConfig)
    assert asked.config == FindDictionariesConfig(source=family.source(5))
    found = DictionaryFound(
        path=".", format="Gemma Scope", architecture="jumprelu", width=2304, features=16384,
        model="", site="", site_out="", notes=[],
    )  # fmt: skip
    client.finish(asked, FindDictionariesResult(source=family.source(5), dictionaries=[found]))
    assert form.model.text() == "google/gemma-2-2b"
    assert form.site.text() == "blocks.5.mlp.hook_in"
    assert form.site_out.text() == "blocks.5.hook_mlp_out"
    assert form._start.isEnabled()


def test_gallery__says_when_nothing_can_be_downloaded(
    panel: GalleryPanel, session: Session, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.open_project(project.path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    panel.layer.setCurrentIndex(1)
    assert "HF_HUB_OFFLINE" in panel.state.text()
    assert not panel.import_button.isEnabled()
    monkeypatch.setattr(Family, "is_here", lambda self, layer: True)
    panel.layer.setCurrentIndex(2)
    assert "no network is needed" in panel.state.text()
    assert panel.import_button.isEnabled()

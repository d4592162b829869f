"""The Gallery: what there is, found by words, imported with what its files may not say."""

from __future__ import annotations

from pathlib import Path

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
from sae_desktop.gui.forms.exchange_forms import ImportDictionaryForm
from sae_desktop.gui.gallery.gallery import GalleryPanel
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings
from sae_desktop.project import Project


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """One that remembers another project, with a dictionary."""
    other = Project.open_or_create(tmp_path / "other.saeproj")
    add_run(other, "theirs")
    settings = Settings()
    settings.remember_project(str(tmp_path / "gone.saeproj"))
    settings.remember_project(str(other.path))
    return settings


@pytest.fixture
def panel(
    qtbot: QtBot,
    session: Session,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> GalleryPanel:
    from huggingface_hub import constants

    repository = tmp_path / "hub" / "models--someone--saes"
    (repository / "snapshots" / "1" / "layer_3").mkdir(parents=True)
    (repository / "snapshots" / "1" / "layer_3" / "params.npz").write_bytes(b"weights")
    (tmp_path / "hub" / "models--someone--model" / "snapshots" / "1").mkdir(parents=True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    panel = GalleryPanel(session, settings)
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
    known = ["In other projects", "theirs", "Downloaded", "someone/saes", "Public"]
    assert names(panel)[:5] == known
    assert not panel.import_button.isEnabled()
    assert "Open a project" in panel.state.text()
    add_run(project, "done")
    session.open_project(project.path)
    assert names(panel)[:7] == ["In this project", "done", *known]
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
    assert form.site.text() == "blocks.5.ln2.hook_normalized"
    assert form.site_out.text() == "blocks.5.hook_mlp_out"
    assert form._start.isEnabled()


def test_gallery__imports_from_other_projects_and_the_cache(
    panel: GalleryPanel, session: Session, project: Project, client: FakeClient, tmp_path: Path
) -> None:
    session.open_project(project.path)
    for words, source in (
        ("theirs", str(tmp_path / "other.saeproj" / "dictionaries" / "theirs")),
        ("someone", "someone/saes"),
    ):
        panel.filter.setText(words)
        panel.list.setCurrentItem(panel.list.topLevelItem(0).child(0))
        assert "no network is needed" in panel.state.text()
        assert not panel.layer.isVisible()
        panel.import_chosen()
        asked = client.last(FindDictionariesConfig).config
        assert asked == FindDictionariesConfig(source=source)
        known = panel.choice
        form = panel.window().findChildren(ImportDictionaryForm)[-1]
        assert (form.model.text(), form.site.text()) == (known.model, known.site)
    settled = panel.about.text()
    assert "hub’s cache" in settled


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

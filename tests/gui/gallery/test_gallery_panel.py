"""The Gallery: what there is, found by words, imported with what its files may not say."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from frame_client import FakeClient, Heard
from frame_project import add_run
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QTreeWidgetItemIterator
from pytestqt.qtbot import QtBot
from sample_index import write_sample_index
from set_project import add_set

from sae_desktop.exchange.config import (
    DictionaryFound,
    FindDictionariesConfig,
    FindDictionariesResult,
    ImportDictionaryConfig,
)
from sae_desktop.exchange.gallery import Family, catalogue
from sae_desktop.exchange.machine import Machine
from sae_desktop.exchange.set_config import ImportSetConfig, SetFound
from sae_desktop.gui.forms.exchange_forms import ImportDictionaryForm
from sae_desktop.gui.gallery import gallery
from sae_desktop.gui.gallery.gallery import GalleryPanel
from sae_desktop.gui.gallery.gallery_rows import HEADS
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings
from sae_desktop.project import Project

GB = 1_000_000_000
ROOMY = Machine(memory=64 * GB, disk=100 * GB)
THIS_MACHINE = HEADS.index("This machine")


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


def of(**gigabytes: int) -> Machine:
    """Return a machine that has other amounts of something."""
    return msgspec.structs.replace(ROOMY, **{name: n * GB for name, n in gigabytes.items()})


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
    assert "The model is not on this machine" in panel.state.text()
    assert "can be imported" in panel.state.text()
    assert panel.import_button.isEnabled()
    assert not panel.get_button.isEnabled()
    monkeypatch.setattr(gallery, "weights_here", lambda _name: True)
    panel.layer.setCurrentIndex(3)
    assert "no network is needed" in panel.state.text()
    assert panel.get_button.isEnabled()
    for button in (panel.features_button, panel.page_button, panel.side.model_page_button):
        assert not button.isEnabled()


def test_gallery__says_what_fits_and_lists_only_that_on_demand(
    panel: GalleryPanel, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: panel._machine is not None)
    panel.filter.setText("llama scope mlp")
    for machine, short, told in (
        (ROOMY, "fits", "Fits: 34.5 GB of 64 GB of memory."),
        (
            msgspec.structs.replace(ROOMY, memory=20 * GB),
            "in bfloat16",
            "Fits in bfloat16: 18.4 GB",
        ),
        (msgspec.structs.replace(ROOMY, gpu=24 * GB), "fits", "of the 24 GB of the GPU"),
        (msgspec.structs.replace(ROOMY, memory=8 * GB), "too large", "Too large: needs 18.4 GB"),
        (msgspec.structs.replace(ROOMY, disk=GB), "too large", "The disk is too full"),
    ):
        panel._on_machine(("machine", machine))
        assert panel.list.currentItem().text(THIS_MACHINE) == short
        assert told in panel.fit.text()
        assert panel.get_button.isEnabled() is False  # no project is open
    panel.fits_only.setChecked(True)
    assert names(panel) == []
    panel.filter.clear()
    assert "GPT-2 small" in names(panel)
    assert "Llama Scope" not in names(panel)


def test_gallery__gets_dictionary_and_model_by_one_button(
    panel: GalleryPanel, session: Session, project: Project, client: FakeClient, qtbot: QtBot
) -> None:
    session.open_project(project.path)
    qtbot.waitUntil(lambda: panel._machine is not None)
    panel._on_machine(("machine", ROOMY))
    panel.filter.setText("gemma-2-2b transcoders")
    panel.layer.setCurrentIndex(panel.layer.findData(5))
    assert "accept their terms" in panel.access.text()
    assert panel.get_button.text() == "Get dictionary and model"
    assert "10.8 GB in all" in panel.state.text()
    qtbot.mouseClick(panel.get_button, Qt.MouseButton.LeftButton)
    job = client.last(ImportDictionaryConfig)
    family = next(f for f in catalogue() if f.name == "Gemma Scope, transcoders")
    assert job.config == ImportDictionaryConfig(
        project=str(project.path), name="gemma-scope-2b-pt-transcoders-L5",
        source=family.source(5), model="google/gemma-2-2b", site="blocks.5.ln2.hook_normalized",
        site_out="blocks.5.hook_mlp_out", with_model=True,
    )  # fmt: skip
    card = panel.side.download
    assert (card.job, card.cancel.isVisible(), card.again.isVisible()) == (job, True, False)
    client.run(job)
    client.progress(job, 400, 1000)
    qtbot.waitUntil(lambda: card.bar.value() == 400)
    assert card.width() <= panel.side.viewport().width()
    client.fail(job, "The network is gone.")
    qtbot.waitUntil(lambda: card.again.isVisible())
    assert "The network is gone." in card.state.text()
    assert not card.cancel.isVisible()
    qtbot.mouseClick(card.again, Qt.MouseButton.LeftButton)
    assert card.job is client.last(ImportDictionaryConfig) is not job
    assert card.cancel.isVisible()
    session.contentsChanged.emit()  # as when the import has ended: the list is filled again
    assert panel.layer.currentData() == 5


def test_gallery__leads_to_features_before_a_download_where_they_are_shown(
    panel: GalleryPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(
        gallery.QDesktopServices, "openUrl", lambda url: opened.append(url.toString())
    )
    panel.filter.setText("gpt-2 small")
    panel.layer.setCurrentIndex(panel.layer.findData(8))
    panel.features_button.click()
    panel.side.model_page_button.click()
    assert opened == [
        "https://www.neuronpedia.org/gpt2-small/8-res-jb",
        "https://huggingface.co/openai-community/gpt2",
    ]
    panel.filter.setText("mistral")
    assert not panel.features_button.isVisible()


def choose_own(panel: GalleryPanel, session: Session, project: Project) -> None:
    session.open_project(project.path)
    panel.filter.setText("dict")
    panel.list.setCurrentItem(panel.list.topLevelItem(0).child(0))
    assert panel.title.text() == "dict"


def test_dictionary_of_the_project__is_opened_where_its_features_are(
    panel: GalleryPanel, session: Session, project: Project, qtbot: QtBot
) -> None:
    asked: list[str] = []
    session.workspaceRequested.connect(asked.append)
    add_run(project, "dict")
    path = project.index_path("main")
    path.parent.mkdir(exist_ok=True)
    write_sample_index(path)
    choose_own(panel, session, project)
    session.close_index()
    assert panel.side.open_button.isVisible()
    assert not panel.import_button.isVisible()
    panel.side.open_button.click()
    assert session.index_name == "main"
    assert asked == ["explore"]
    qtbot.keyClick(panel.list, Qt.Key.Key_Return)
    assert asked == ["explore", "explore"]
    panel.filter.setText("llama scope mlp")
    assert not panel.side.open_button.isVisible()
    assert panel.import_button.isVisible()


def test_dictionary_without_an_index__is_shown_among_the_projects(
    panel: GalleryPanel, session: Session, project: Project
) -> None:
    asked: list[str] = []
    session.workspaceRequested.connect(asked.append)
    add_run(project, "dict")
    choose_own(panel, session, project)
    panel.side.open_button.click()
    assert session.dictionary == "dict"
    assert asked == ["project"]


def test_heading_of_the_list__is_no_dictionary(
    panel: GalleryPanel, session: Session, project: Project
) -> None:
    add_run(project, "dict")
    session.open_project(project.path)
    panel.list.setCurrentItem(panel.list.topLevelItem(0))
    assert not panel.side.open_button.isVisible()
    assert panel.about.text() == ""


def test_gallery__gets_all_layers_as_one_set(
    panel: GalleryPanel, session: Session, project: Project, client: FakeClient
) -> None:
    session.open_project(project.path)
    panel.filter.setText("qwen3-0.6b transcoders")
    assert panel.layer.currentText() == "all, as one set"
    assert panel.get_button.text() == "Get set and model"
    panel.get_chosen()
    assert client.last(ImportSetConfig).config == ImportSetConfig(
        project=str(project.path), name="qwen3-0.6b-transcoders-lowl0",
        source="mwhanna/qwen3-0.6b-transcoders-lowl0", model="Qwen/Qwen3-0.6B", with_model=True,
    )  # fmt: skip
    panel.layer.setCurrentIndex(panel.layer.findData(3))
    assert panel.get_button.text() == "Get dictionary and model"
    panel.filter.setText("gemma-2-2b transcoders")
    assert panel.layer.findText("all, as one set") < 0  # its repository holds far more


def test_set_of_the_project__is_one_row_that_opens_its_first_layer(
    panel: GalleryPanel, session: Session, project: Project, heard: Heard
) -> None:
    add_set(project, "whole", layers=5, indexed=(2,))
    session.open_project(project.path)
    session.close_index()
    assert names(panel)[:2] == ["In this project", "whole"]
    row = panel.list.topLevelItem(0).child(0)
    assert row.text(HEADS.index("Layers")) == "0–4"
    panel.list.setCurrentItem(row)
    panel.side.act()
    assert (session.index_name, heard.workspaces[-1]) == ("whole.L02", "explore")


def test_import__offers_a_set_before_its_layers(
    session: Session, project: Project, client: FakeClient, qtbot: QtBot
) -> None:
    add_run(project, "tc")
    session.open_project(project.path)
    form = ImportDictionaryForm(session, "owner/tc")
    qtbot.addWidget(form)
    layers = [
        DictionaryFound(
            path=f"layer_{n}.safetensors", format="circuit-tracer", architecture="transcoder",
            width=8, features=16, model="", site=f"blocks.{n}.mlp.hook_in",
            site_out=f"blocks.{n}.hook_mlp_out", notes=[],
        )
        for n in range(3)
    ]  # fmt: skip
    whole = SetFound(
        path="layer_*.safetensors", format="circuit-tracer", kind="transcoders", layers=(0, 1, 2),
        features=48, width=8, model="", notes=[],
    )  # fmt: skip
    found = FindDictionariesResult(source="owner/tc", dictionaries=layers, sets=[whole])
    client.finish(client.last(FindDictionariesConfig), found)
    assert form.which.currentText() == "All 3 layers, as one set"
    assert not form.form.isRowVisible(form.site)
    assert not form._start.isEnabled()
    assert "name the model:" in form._problem.text()
    form.model.setText("builtin")
    assert form._start.isEnabled()
    assert form.config() == ImportSetConfig(
        project=str(project.path), name="tc", source="owner/tc", which="layer_*.safetensors",
        model="builtin",
    )  # fmt: skip
    form.which.setCurrentIndex(2)
    assert form.form.isRowVisible(form.site)
    config = form.config()
    assert isinstance(config, ImportDictionaryConfig)
    assert (config.which, config.site) == ("layer_1.safetensors", "blocks.1.mlp.hook_in")

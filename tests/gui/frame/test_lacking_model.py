"""The strip above the workspaces while the open index's model is not on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from frame_client import FakeClient
from pytestqt.qtbot import QtBot
from sample_index import write_sample_index

from sae_desktop.client.job import Job
from sae_desktop.demonstrations import SMOLLM2, START_LIST
from sae_desktop.gui.frame import lacking_model
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.language_model.config import GetModelConfig, GetModelResult
from sae_desktop.language_model.files import known
from sae_desktop.language_model.names import KNOWN, ORIGIN
from sae_desktop.project import Project
from sae_desktop.project_lists import FeatureList, FeatureLists, ListMember
from sae_desktop.project_notes import Notes
from sae_desktop.words.first_steps import CHATTING

NAME = "smollm2"
HUB = KNOWN[NAME].hub


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of models, and none in the hub's."""
    folder = tmp_path / "models"
    monkeypatch.setattr(known, "models_cache", lambda: folder)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return folder


def _bring(cache: Path) -> None:
    """Put what says that a model was fetched where it would be."""
    (cache / NAME).mkdir(parents=True)
    (cache / NAME / ORIGIN).touch()


def _project(folder: Path, *, title: str = "", model: str = NAME) -> Project:
    project = Project.open_or_create(folder, title=title)
    path = project.index_path(SMOLLM2.first_index)
    path.parent.mkdir()
    write_sample_index(path, model=model)
    notes = Notes(project.notes_path)
    members = [ListMember(feature=5)]
    FeatureLists(notes).write("dict", START_LIST, FeatureList(name=START_LIST, members=members))
    notes.close()
    return project


def _open(window: MainWindow, project: Project, qtbot: QtBot) -> None:
    window.session.open_project(project.path)
    qtbot.waitUntil(lambda: window.session.index is not None)


def _got(client: FakeClient, job: Job) -> None:
    client.finish(job, GetModelResult(name=NAME, path="", source="", bytes=1, sha256=""))


@pytest.mark.parametrize("model", [NAME, HUB])
def test_project_of_ones_own__is_asked_before_anything_is_fetched(
    model: str, window: MainWindow, tmp_path: Path, client: FakeClient, cache: Path, qtbot: QtBot
) -> None:
    _open(window, _project(tmp_path / "own.saeproj", model=model), qtbot)
    strip = window.lacking_model
    assert strip.isVisible()
    assert "SmolLM2, whose features these are, is not on this machine yet" in strip.text
    assert strip._get.text() == "Get it (up to 273 MB)"
    assert not client.started(GetModelConfig)
    strip._get.click()
    job = client.last(GetModelConfig)
    assert job.config.name == NAME
    client.run(job)
    client.progress(job, 20, 80)
    assert not strip._get.isVisible()
    assert "20 of 80 tokens" in strip.text
    _bring(cache)
    _got(client, job)
    assert not strip.isVisible()


def test_demonstration__fetches_it_and_then_has_it_read_the_first_text(
    window: MainWindow, tmp_path: Path, client: FakeClient, cache: Path, qtbot: QtBot
) -> None:
    _open(window, _project(tmp_path / "s.saeproj", title=SMOLLM2.title), qtbot)
    qtbot.waitUntil(lambda: window._steps_card.isVisible())
    probe = window.workspace("explore").main.probe
    assert [job.config.name for job in client.started(GetModelConfig)] == [NAME]
    assert "Meanwhile its features can be read" in window.lacking_model.text
    assert not probe.text.toPlainText()
    _bring(cache)
    _got(client, client.last(GetModelConfig))
    assert probe.text.toPlainText() == CHATTING.tried


def test_failure__says_why_and_can_be_tried_again(
    window: MainWindow, tmp_path: Path, client: FakeClient, qtbot: QtBot
) -> None:
    _open(window, _project(tmp_path / "own.saeproj"), qtbot)
    strip = window.lacking_model
    strip.get()
    client.fail(client.last(GetModelConfig), "The disk is full.")
    assert "could not be fetched. The disk is full." in strip.text
    assert strip._get.isVisible()
    assert strip._get.text() == "Try again"
    strip._get.click()
    assert len(client.started(GetModelConfig)) == 2


def test_network_that_is_off__is_not_used(
    window: MainWindow,
    tmp_path: Path,
    client: FakeClient,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> None:
    monkeypatch.setattr(lacking_model, "network_off", lambda: True)
    monkeypatch.setattr(lacking_model, "way_online", lambda: "Allow it under Engine › Network")
    _open(window, _project(tmp_path / "s.saeproj", title=SMOLLM2.title), qtbot)
    strip = window.lacking_model
    assert strip.isVisible()
    assert strip.text.endswith("Allow it under Engine › Network.")
    assert not strip._get.isVisible()
    assert not client.started(GetModelConfig)


def test_nothing_is_said__of_a_model_that_is_here_or_that_nobody_knows(
    window: MainWindow, tmp_path: Path, cache: Path, qtbot: QtBot
) -> None:
    _open(window, _project(tmp_path / "a.saeproj"), qtbot)
    assert window.lacking_model.isVisible()
    for name in ("builtin", "somebody/else"):
        _open(window, _project(tmp_path / f"{name[:3]}.saeproj", model=name), qtbot)
        qtbot.waitUntil(lambda: not window.lacking_model.isVisible())
    _bring(cache)
    _open(window, _project(tmp_path / "b.saeproj"), qtbot)
    assert not window.lacking_model.isVisible()


def test_model_in_the_hubs_cache__is_here(tmp_path: Path) -> None:
    assert known.lacking_known(NAME) == known.lacking_known(HUB) == NAME
    snapshot = tmp_path / "hub" / "models--HuggingFaceTB--SmolLM2-135M-Instruct" / "snapshots" / "1"
    snapshot.mkdir(parents=True)
    (snapshot / KNOWN[NAME].weights).touch()
    refs = tmp_path / "hub" / "models--HuggingFaceTB--SmolLM2-135M-Instruct" / "refs"
    refs.mkdir()
    (refs / "main").write_text("1")
    assert known.lacking_known(NAME) == known.lacking_known(HUB) == ""

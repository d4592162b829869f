"""Bringing in what others made, by drop and by dialog, and handing on a dictionary."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from frame_client import FakeClient, Heard
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot
from safetensors.numpy import save_file

from sae_desktop.exchange.config import (
    DictionaryFound,
    ExportDictionaryConfig,
    ExportPackageConfig,
    ExportResult,
    FindDictionariesConfig,
    FindDictionariesResult,
    ImportDictionaryConfig,
    ImportDictionaryResult,
    ImportFeaturesConfig,
    ImportLabelsConfig,
    ImportPackageConfig,
)
from sae_desktop.exchange.recognise import what_is
from sae_desktop.gui.forms.exchange_forms import (
    ExportDictionaryForm,
    ImportDictionaryForm,
    ImportFeaturesForm,
    ImportLabelsForm,
    safe_name,
)
from sae_desktop.gui.project.project import ProjectPanel
from sae_desktop.gui.state.packages import open_package
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project
from sae_desktop.words.after_jobs import after


def found(path: str, **settings: Any) -> DictionaryFound:
    given = {
        "format": "sparsify", "architecture": "topk", "width": 64, "features": 512,
        "model": "", "site": "blocks.3.hook_resid_post", "site_out": "", "notes": [],
    } | settings  # fmt: skip
    return DictionaryFound(path=path, **given)


@pytest.fixture
def panel(qtbot: QtBot, session: Session, project: Project) -> ProjectPanel:
    assert session.open_project(project.path)
    panel = ProjectPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    return panel


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "theirs" / "layers.3"
    folder.mkdir(parents=True)
    (folder / "cfg.json").write_text("{}")
    save_file({"encoder.weight": np.zeros((2, 2), np.float32)}, folder / "sae.safetensors")
    return folder.parent


def test_dropped_dictionary__is_looked_at_and_imported(
    panel: ProjectPanel, client: FakeClient, heard: Heard, weights: Path
) -> None:
    panel.intake.take(weights)
    form = panel.window().findChild(ImportDictionaryForm)
    assert form is not None
    asked = client.last(FindDictionariesConfig)
    assert asked.config == FindDictionariesConfig(source=str(weights))
    assert not form._start.isEnabled()
    both = [found("layers.3/sae.safetensors"), found("layers.4/sae.safetensors", features=99)]
    client.finish(asked, FindDictionariesResult(source=str(weights), dictionaries=both))
    assert form.which.count() == 2
    assert form.name.text() == "layers.3"
    assert form.site.text() == "blocks.3.hook_resid_post"
    assert "name the model" in form._problem.text()  # the files do not say it
    assert not form._start.isEnabled()
    form.which.setCurrentIndex(1)
    assert "99 features" in form.about.text()
    form.model.setText("builtin")
    assert form._start.isEnabled()
    form.accept()
    job = client.last(ImportDictionaryConfig)
    config = job.config
    assert isinstance(config, ImportDictionaryConfig)
    assert (config.which, config.model, config.name) == (
        "layers.4/sae.safetensors", "builtin", "layers.4",
    )  # fmt: skip
    result = ImportDictionaryResult(
        name="layers.4", format="sparsify", architecture="topk", features=99, width=64,
        model="builtin", site=config.site, site_out="", bytes=3, notes=[],
    )  # fmt: skip
    client.finish(job, result)
    assert after(config, result).done == "“layers.4” is in the project: 99 features."


def test_source_without_a_dictionary__is_said_in_the_form(
    panel: ProjectPanel, session: Session, client: FakeClient, heard: Heard
) -> None:
    form = ImportDictionaryForm(session)
    form.source.setText("/nowhere")
    form.look()
    client.fail(client.last(FindDictionariesConfig), "“/nowhere” is not there.")
    assert "is not there" in form.about.text()
    assert not form._start.isEnabled()
    assert heard.errors == []  # said in the form, not twice
    form.deleteLater()


def test_drops__tell_dictionaries_and_feature_data_from_models_and_matrices(
    tmp_path: Path, weights: Path
) -> None:
    def tensors(path: Path, *names: str) -> Path:
        header = json.dumps(
            {n: {"dtype": "F32", "shape": [], "data_offsets": [0, 0]} for n in names}
        )
        path.write_bytes(len(header).to_bytes(8, "little") + header.encode())
        return path

    batches = tmp_path / "np"
    (batches / "features").mkdir(parents=True)
    (batches / "features" / "batch-0.jsonl.gz").write_bytes(gzip.compress(b"{}"))
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    tensors(model / "model.safetensors", "lm_head.weight")
    set_of = tmp_path / "set"
    set_of.mkdir()
    tensors(set_of / "layer_0.safetensors", "W_enc", "W_dec")
    np.save(tmp_path / "m.npy", np.zeros((2, 2)))
    latents, explained = tmp_path / "latents", tmp_path / "explanations"
    for folder in (latents / "layers.3.mlp", explained):
        folder.mkdir(parents=True)
    tensors(latents / "layers.3.mlp" / "0_255.safetensors", "locations", "activations", "tokens")
    (explained / "layers.3.mlp_latent7.txt").write_text('"Cities"')
    kinds = {
        weights: "dictionary", weights / "layers.3": "dictionary", set_of: "dictionary",
        set_of / "layer_0.safetensors": "dictionary", batches: "features", model: "model",
        tensors(tmp_path / "acts.safetensors", "activations"): "activations",
        tmp_path / "m.npy": "activations", latents: "features", explained: "labels",
    }  # fmt: skip
    for path, kind in kinds.items():
        assert what_is(path).kind == kind, path
    (tmp_path / "params.npz").write_bytes(b"")
    assert what_is(tmp_path / "params.npz").kind == "dictionary"


def test_features_and_labels__ask_for_what_the_data_may_lack(
    panel: ProjectPanel, session: Session, client: FakeClient, tmp_path: Path
) -> None:
    form = ImportFeaturesForm(session, tmp_path / "my batches")
    form.model.setText("builtin")
    form.accept()
    config = client.last(ImportFeaturesConfig).config
    assert isinstance(config, ImportFeaturesConfig)
    assert (config.name, config.model, config.site) == ("my-batches", "builtin", "")
    labels = ImportLabelsForm(session, tmp_path / "labels.csv")
    assert not labels._start.isEnabled()  # there is no index yet
    assert client.started(ImportLabelsConfig) == []
    for made in (form, labels):
        made.deleteLater()


def test_export__is_offered_for_a_dictionary(
    panel: ProjectPanel, session: Session, client: FakeClient, heard: Heard, tmp_path: Path
) -> None:
    form = ExportDictionaryForm(session, "done")
    form.reader.setCurrentText("sparsify")
    form.target.setText(str(tmp_path / "out"))
    form.accept()
    job = client.last(ExportDictionaryConfig)
    config = job.config
    assert isinstance(config, ExportDictionaryConfig)
    assert (config.dictionary, config.format) == ("done", "sparsify")
    written = ExportResult(path="out", files=2, bytes=12_000)
    client.finish(job, written)
    assert after(config, written).done == "Saved to out (12 kB)."
    form.deleteLater()


def test_names__are_made_such_as_a_project_takes() -> None:
    assert safe_name("average l0/71") == "average-l0-71"
    assert safe_name("...") == "imported"


def test_package__is_one_of_the_ways_out_and_in(
    panel: ProjectPanel, session: Session, client: FakeClient, heard: Heard, tmp_path: Path
) -> None:
    form = ExportDictionaryForm(session, "done")
    assert not form.form.isRowVisible(form.licence)
    form.target.setText(str(tmp_path / "done"))
    form.reader.setCurrentIndex(form.reader.findData("package"))
    assert form.form.isRowVisible(form.licence)
    assert form.target.text() == str(tmp_path / "done.saepack")
    form.licence.setText("mit")
    form.accept()
    config = client.last(ExportPackageConfig).config
    assert isinstance(config, ExportPackageConfig)
    assert (config.dictionary, config.licence) == ("done", "mit")
    form.reader.setCurrentIndex(form.reader.findData("html"))
    assert form.target.text() == str(tmp_path / "done.html")
    form.deleteLater()
    file = tmp_path / "theirs.saepack"
    file.write_bytes(b"")
    panel.intake.take(file)
    taken = client.last(ImportPackageConfig).config
    assert isinstance(taken, ImportPackageConfig)
    assert taken.file == str(file)


def test_package__opened_alone_gets_a_project_beside_it(
    qtbot: QtBot, session: Session, client: FakeClient, tmp_path: Path
) -> None:
    file = tmp_path / "theirs.saepack"
    file.write_bytes(b"")
    open_package(session, file)
    assert session.project is not None
    assert session.project.path == tmp_path / "theirs.saeproj"
    assert len(client.started(ImportPackageConfig)) == 1
    open_package(session, file)  # the second time it is there
    assert len(client.started(ImportPackageConfig)) == 1


def test_long_message__makes_the_form_higher_and_squeezes_no_field(
    panel: ProjectPanel, client: FakeClient, weights: Path, qtbot: QtBot
) -> None:
    panel.intake.take(weights)
    form = panel.window().findChild(ImportDictionaryForm)
    assert form is not None
    notes = ["The weights were folded, and what follows is said of them at length. " * 6]
    asked = client.last(FindDictionariesConfig)
    one = found("layers.3/sae.safetensors", notes=notes)
    client.finish(asked, FindDictionariesResult(source=str(weights), dictionaries=[one]))
    qtbot.wait(50)
    assert form.about.height() >= form.about.heightForWidth(form.about.width())
    for button in form.findChildren(QPushButton):
        if button.isVisible():
            assert button.visibleRegion().boundingRect().height() >= button.sizeHint().height()

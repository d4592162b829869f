"""The Project and Harvest panels on a real project and an engine the test answers for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from frame_client import FakeClient, Heard
from frame_project import add_run, add_store
from PySide6.QtCore import QPointF, Qt
from pytestqt.qtbot import QtBot

from sae_desktop.activations.config import (
    CorpusDescription,
    CorpusPreview,
    DescribeCorpusConfig,
    EstimateHarvestConfig,
    HarvestConfig,
    HarvestEstimate,
    HarvestResult,
    ImportActivationsConfig,
)
from sae_desktop.features.config import IndexConfig
from sae_desktop.gui.panels.harvest import HarvestPanel
from sae_desktop.gui.panels.job_forms import EvaluateForm, ImportForm, IndexForm
from sae_desktop.gui.panels.project import ProjectPanel
from sae_desktop.gui.session import Session
from sae_desktop.gui.widgets.card_grid import CardWidget
from sae_desktop.language_model.config import (
    DescribeModelConfig,
    GetModelConfig,
    GetModelResult,
    ModelDescription,
)
from sae_desktop.project import Project
from sae_desktop.training.config import EvaluateConfig

SITES = [
    f"blocks.{layer}.hook_{hook}"
    for layer in range(4)
    for hook in ("resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post")
]


def model(*, cached: bool = True) -> ModelDescription:
    return ModelDescription(
        name="builtin",
        architecture="LlamaForCausalLM",
        layers=4,
        width=32,
        vocabulary=512,
        context_size=256,
        parameters=100_000,
        sites=SITES,
        default_site="blocks.2.hook_resid_post",
        cached=cached,
    )


# ---------------------------------------------------------------------- project
@pytest.fixture
def project_panel(session: Session, project: Project, qtbot: QtBot) -> ProjectPanel:
    add_store(project, "acts", rows=20, wanted=20)
    add_run(project, "done")
    session.open_project(project.path)
    panel = ProjectPanel(session)
    qtbot.addWidget(panel)
    panel.resize(1100, 700)
    panel.show()
    return panel


def card(panel: ProjectPanel, name: str) -> CardWidget:
    return next(w for w in panel.findChildren(CardWidget) if w.card.name == name)


def test_project_panel__welcomes_without_a_project(session: Session, qtbot: QtBot) -> None:
    panel = ProjectPanel(session)
    qtbot.addWidget(panel)
    assert panel.currentIndex() == 0


def test_project_panel__shows_cards_and_the_next_step(project_panel: ProjectPanel) -> None:
    names = {w.card.name for w in project_panel.findChildren(CardWidget)}
    assert names == {"builtin", "acts", "done"}
    assert project_panel.next_button.text() == "Build an index"


def test_project_panel__opens_the_form_of_the_next_step(
    project_panel: ProjectPanel, client: FakeClient
) -> None:
    project_panel.do_next_step()
    form = project_panel.window().findChild(IndexForm)
    assert form is not None
    form.accept()
    config = client.last(IndexConfig).config
    assert isinstance(config, IndexConfig)
    assert (config.dictionary, config.activations, config.rows) == ("done", "acts", 0)


def test_project_panel__enter_on_a_card_does_its_first_action(
    project_panel: ProjectPanel, heard: Heard, qtbot: QtBot
) -> None:
    qtbot.keyClick(card(project_panel, "acts"), Qt.Key.Key_Return)
    assert heard.workspaces == ["train"]


def test_project_panel__allows_no_writing_when_read_only(
    project_panel: ProjectPanel, client: FakeClient
) -> None:
    client.refuse_project("Open elsewhere.")
    assert not project_panel.next_button.isEnabled()
    menu = card(project_panel, "done").menu()
    enabled = {action.text(): action.isEnabled() for action in menu.actions() if action.text()}
    assert not enabled["Delete…"]
    assert enabled["Show its curves"]
    menu.close()


def test_project_panel__deletes_a_store(
    project_panel: ProjectPanel, session: Session, project: Project, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(session.contentsChanged):
        project_panel.delete("store", "acts")
    assert project.stores() == []


def test_project_panel__a_dropped_matrix_is_offered_for_import(
    project_panel: ProjectPanel, client: FakeClient, tmp_path: Path
) -> None:
    file = tmp_path / "my acts.npy"
    np.save(file, np.zeros((4, 8), dtype=np.float32))
    project_panel.take(file)
    form = project_panel.window().findChild(ImportForm)
    assert form is not None
    form.accept()
    config = client.last(ImportActivationsConfig).config
    assert isinstance(config, ImportActivationsConfig)
    assert (config.name, config.file) == ("my-acts", str(file))


def test_forms__refuse_a_name_that_is_taken(project_panel: ProjectPanel, session: Session) -> None:
    form = ImportForm(session, Path("acts.npy"))
    assert form.name.text() == "acts-2"
    form.name.setText("acts")
    assert not form._start.isEnabled()
    form.name.setText("../away")
    assert not form._start.isEnabled()
    form.deleteLater()


def test_evaluate_form__asks_for_the_store_it_was_trained_on(
    project_panel: ProjectPanel, session: Session, client: FakeClient
) -> None:
    form = EvaluateForm(session, "done")
    form.accept()
    config = client.last(EvaluateConfig).config
    assert isinstance(config, EvaluateConfig)
    assert config.activations == "acts"
    form.deleteLater()


# ---------------------------------------------------------------------- harvest
@pytest.fixture
def harvest(
    session: Session, client: FakeClient, project: Project, qtbot: QtBot
) -> Iterator[HarvestPanel]:
    session.open_project(project.path)
    panel = HarvestPanel(session)
    qtbot.addWidget(panel)
    panel.resize(1100, 700)
    panel.show()
    client.finish(client.last(DescribeModelConfig), model())
    yield panel
    panel.hide()


def test_harvest__makes_the_config_that_is_shown(harvest: HarvestPanel, project: Project) -> None:
    harvest.sites.pick("blocks.1.hook_mlp_out")
    harvest.amount.tokens.setValue(20_000)
    config = harvest.config()
    assert config == HarvestConfig(
        project=str(project.path),
        name="builtin-L1-mlp_out",
        site="blocks.1.hook_mlp_out",
        tokens=20_000,
    )
    assert harvest.site_box.currentText() == "blocks.1.hook_mlp_out"


def test_harvest__says_the_estimate_in_words(
    harvest: HarvestPanel, client: FakeClient, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: bool(client.started(EstimateHarvestConfig)), timeout=5_000)
    estimate = HarvestEstimate(
        bytes=256_000_000,
        free_bytes=12_000_000_000,
        seconds=180.0,
        tokens_per_second=2_800.0,
        memory_bytes=0,
    )
    client.finish(client.last(EstimateHarvestConfig), estimate)
    text = harvest._estimate.text()
    assert text == ("500,000 tokens: ≈ 256 MB on disk (12 GB free), about 3 min at 2.8k tokens/s.")


def test_harvest__does_not_start_without_room(
    harvest: HarvestPanel, client: FakeClient, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: bool(client.started(EstimateHarvestConfig)), timeout=5_000)
    estimate = HarvestEstimate(
        bytes=2_000_000, free_bytes=500_000, seconds=1, tokens_per_second=1.0, memory_bytes=0
    )
    client.finish(client.last(EstimateHarvestConfig), estimate)
    assert "1.5 MB" in harvest._estimate.text()
    assert not harvest.start_button.isEnabled()


def test_harvest__starts_and_offers_to_train_on_what_it_made(
    harvest: HarvestPanel, client: FakeClient, heard: Heard
) -> None:
    harvest.start()
    job = client.last(HarvestConfig)
    client.run(job)
    assert not harvest.start_button.isEnabled()
    result = HarvestResult(
        name="builtin-L2-resid_post",
        site="blocks.2.hook_resid_post",
        rows=500_000,
        width=32,
        windows=1,
        documents=1,
        bytes=1,
        seconds=1,
        tokens_per_second=1,
    )
    client.finish(job, result)
    assert "500,000 rows" in harvest._estimate.text()
    harvest.train_button.click()
    assert heard.workspaces == ["train"]


def test_harvest__asks_to_get_a_model_that_is_not_here(
    harvest: HarvestPanel, client: FakeClient
) -> None:
    harvest.model.choice.set_value("smollm2")
    client.finish(client.last(DescribeModelConfig), model(cached=False))
    assert harvest.model.get_button.isVisible()
    assert not harvest.start_button.isEnabled()
    harvest.model.get_button.click()
    got = GetModelResult(name="smollm2", path="/x", source="hub", bytes=1, sha256="0")
    client.finish(client.last(GetModelConfig), got)
    client.finish(client.last(DescribeModelConfig), model())
    assert not harvest.model.get_button.isVisible()
    assert harvest.start_button.isEnabled()


def test_harvest__says_what_is_wrong_with_a_model(
    harvest: HarvestPanel, client: FakeClient
) -> None:
    harvest.fill({"model": "/no/model/here"})
    client.fail(client.last(DescribeModelConfig), "The folder is no model.")
    assert harvest.model._message.text() == "The folder is no model."
    assert not harvest.start_button.isEnabled()


def test_harvest__shows_how_the_text_begins(harvest: HarvestPanel, client: FakeClient) -> None:
    description = CorpusDescription(
        name="builtin",
        documents=3,
        bytes=2_000,
        sources=["a"],
        languages=["en", "de"],
        preview=[CorpusPreview(title="T", source="a", language="en", tokens=["In", " the"])],
    )
    client.finish(client.last(DescribeCorpusConfig), description)
    assert harvest.corpus._message.text() == "3 documents, 2 kB: en, de."
    assert "In" in harvest.corpus._preview.toPlainText()


def test_harvest__checks_names_and_context_in_place(harvest: HarvestPanel) -> None:
    harvest.amount.name.setText("no/slash")
    harvest.amount.name.textEdited.emit("no/slash")
    assert not harvest.start_button.isEnabled()
    assert harvest.amount.name.property("invalid") == "true"
    harvest.amount.name.setText("fine")
    harvest.amount.name.textEdited.emit("fine")
    harvest.amount.context_size.setValue(1_024)
    assert "256 at most" in harvest.amount._problem.text()


def test_site_picker__walks_by_keyboard_and_mouse(harvest: HarvestPanel, qtbot: QtBot) -> None:
    picker = harvest.sites
    picker.pick("blocks.1.hook_resid_mid")
    qtbot.keyClick(picker, Qt.Key.Key_Up)
    assert picker.site == "blocks.2.hook_resid_mid"
    qtbot.keyClick(picker, Qt.Key.Key_Right)
    assert picker.site == "blocks.2.hook_mlp_out"
    qtbot.keyClick(picker, Qt.Key.Key_End)
    assert picker.site == "blocks.3.hook_resid_post"
    point = next(p for p in picker._points if p.site == "blocks.0.hook_attn_out")
    place: QPointF = picker.point_position(point)
    qtbot.mouseClick(picker, Qt.MouseButton.LeftButton, pos=place.toPoint())
    assert picker.site == "blocks.0.hook_attn_out"
    assert "attention" in picker.accessibleDescription()


def test_harvest__keeps_further_sites_in_the_same_pass(harvest: HarvestPanel) -> None:
    harvest.sites.pick("blocks.1.hook_resid_post")
    actions = {action.text(): action for action in harvest._further_menu.actions()}
    assert set(actions) == set(SITES)
    actions["blocks.1.hook_mlp_out"].setChecked(True)
    actions["blocks.2.hook_mlp_out"].setChecked(True)
    assert harvest.config().sites == ("blocks.1.hook_mlp_out", "blocks.2.hook_mlp_out")
    assert harvest.further_button.text() == "2 further sites"
    harvest.sites.pick("blocks.1.hook_mlp_out")  # a site is kept once
    assert harvest.config().sites == ("blocks.2.hook_mlp_out",)
    assert harvest._session.harvest_draft == harvest.config()

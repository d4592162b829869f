"""Setting up a harvest: model, sites, text, amount, estimate, start; the engine is the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from frame_client import FakeClient, Heard
from frame_harvest import estimate, harvest_result, model
from frame_project import add_store
from pytestqt.qtbot import QtBot

from sae_desktop.activations.config import (
    EstimateHarvestConfig,
    HarvestConfig,
    VerifyStoreConfig,
)
from sae_desktop.gui.harvest.harvest import SET_UP, STORE, HarvestPanel
from sae_desktop.gui.state.session import Session
from sae_desktop.language_model.config import (
    DescribeModelConfig,
)
from sae_desktop.project import Project

GB = 1_000_000_000
Wait = Callable[[type], Any]


# ---------------------------------------------------------------------- the config
def test_harvest__makes_the_config_that_is_shown(harvest: HarvestPanel, project: Project) -> None:
    harvest.sites.picker.pick("blocks.1.hook_mlp_out")
    harvest.sites.picker.toggle("blocks.2.mlp.hook_post")
    harvest.amount.tokens.setValue(20_000)
    harvest.amount.dtype.setCurrentIndex(harvest.amount.dtype.findData("int8"))
    harvest.model.precision.setCurrentIndex(harvest.model.precision.findData("bfloat16"))
    fields = harvest.corpus.fields
    fields.packing.setCurrentIndex(fields.packing.findData("packed"))
    fields.deduplicate.setChecked(False)
    assert harvest.config() == HarvestConfig(
        project=str(project.path),
        name="builtin-L1-mlp_out+1",
        site="blocks.1.hook_mlp_out",
        sites=("blocks.2.mlp.hook_post",),
        tokens=20_000,
        dtype="int8",
        model_dtype="bfloat16",
        packing="packed",
        deduplicate=False,
    )


def test_harvest__tells_a_training_what_it_would_stream(
    harvest: HarvestPanel, session: Session
) -> None:
    harvest.sites.picker.toggle("blocks.1.hook_mlp_out")
    assert session.harvest_draft == harvest.config()
    assert session.harvest_draft.sites == ("blocks.1.hook_mlp_out",)


def test_harvest__every_setting_survives_being_filled_in(
    harvest: HarvestPanel, client: FakeClient, session: Session, project: Project
) -> None:
    wanted = HarvestConfig(
        project=str(project.path),
        name="all-of-it",
        model="smollm2",
        model_dtype="float16",
        device="cpu",
        site="blocks.3.attn.hook_z",
        sites=("blocks.1.hook_mlp_out",),
        tokens=77_000,
        batch_tokens=2_048,
        keep_first=True,
        dtype="bfloat16",
        corpus="owner/data",
        subset="small",
        split="test",
        chat_column="messages",
        deduplicate=False,
        seed=5,
        context_size=64,
        packing="packed",
        bos="never",
        special_tokens="text",
    )
    session.harvestRequested.emit(msgspec.structs.asdict(wanted))
    client.finish(client.last(DescribeModelConfig), model(name="smollm2"))
    assert harvest.config() == wanted


# ---------------------------------------------------------------------- what is wrong
def test_harvest__says_at_the_field_what_is_wrong(harvest: HarvestPanel) -> None:
    harvest.amount.name.setText("no/slash")
    harvest.amount.name.textEdited.emit("no/slash")
    assert not harvest.start_button.isEnabled()
    assert harvest.amount.name.property("invalid") == "true"
    assert "is not a valid name" in harvest.amount._problem.text()
    harvest.amount.name.setText("fine")
    harvest.amount.name.textEdited.emit("fine")
    assert not harvest.amount._problem.isVisible()
    harvest.corpus.fields.context_size.setValue(1_024)
    field = harvest.corpus.fields._fields["context_size"]
    assert "256 at most" in field.problem.text()
    assert harvest.corpus.fields.context_size.property("invalid") == "true"
    harvest.corpus.fields.context_size.setValue(256)
    assert harvest.start_button.isEnabled()


def test_harvest__unfolds_what_is_wrong_among_the_rare_settings(
    harvest: HarvestPanel, client: FakeClient
) -> None:
    harvest.model.ask()
    client.finish(client.last(DescribeModelConfig), model(bos_token=""))
    fields = harvest.corpus.fields
    assert fields.more.isHidden()
    fields.bos.setCurrentIndex(fields.bos.findData("always"))
    assert fields.more.isVisible()
    assert "no BOS token" in fields._fields["bos"].problem.text()
    assert not harvest.start_button.isEnabled()


# ---------------------------------------------------------------------- the estimate
def test_harvest__says_the_estimate_in_words(
    harvest: HarvestPanel, client: FakeClient, asked: Wait
) -> None:
    client.finish(asked(EstimateHarvestConfig), estimate())
    assert harvest.estimate.text() == (
        "500,000 tokens: ≈ 256 MB on disk (12 GB free); about 3 min at 2.8k tokens per second."
    )


def test_harvest__does_not_start_without_room(
    harvest: HarvestPanel, client: FakeClient, asked: Wait
) -> None:
    client.finish(asked(EstimateHarvestConfig), estimate(bytes=2_000_000, free_bytes=500_000))
    assert "1.5 MB" in harvest.estimate.text()
    assert not harvest.start_button.isEnabled()


def test_harvest__warns_of_memory_but_lets_one_try(
    harvest: HarvestPanel, client: FakeClient, asked: Wait
) -> None:
    client.finish(asked(EstimateHarvestConfig), estimate(memory_bytes=3 * GB, free_memory_bytes=GB))
    assert "may not fit in memory" in harvest.estimate.text()
    assert harvest.estimate.role() == "warning"
    assert harvest.start_button.isEnabled()


def test_harvest__an_estimate_of_other_settings_is_dropped(
    harvest: HarvestPanel, client: FakeClient, asked: Wait
) -> None:
    job = asked(EstimateHarvestConfig)
    harvest.amount.tokens.setValue(20_000)
    client.finish(job, estimate())
    assert "500,000" not in harvest.estimate.text()


def test_harvest__what_was_estimated_stands_while_nothing_changes(
    harvest: HarvestPanel, client: FakeClient, session: Session, asked: Wait, qtbot: QtBot
) -> None:
    client.finish(asked(EstimateHarvestConfig), estimate(bytes=2_000_000, free_bytes=500_000))
    before = len(client.started(EstimateHarvestConfig))
    session.look_again()
    qtbot.wait(700)
    assert len(client.started(EstimateHarvestConfig)) == before
    assert not harvest.start_button.isEnabled()
    harvest.amount.tokens.setValue(1_000)
    assert harvest.start_button.isEnabled()


def test_harvest__asks_for_no_estimate_while_a_store_is_looked_at(
    harvest: HarvestPanel, client: FakeClient, asked: Wait, qtbot: QtBot
) -> None:
    client.finish(asked(EstimateHarvestConfig), estimate())
    harvest.tabs.setCurrentIndex(STORE)
    harvest.amount.tokens.setValue(1_000)
    qtbot.wait(700)
    assert client.last(EstimateHarvestConfig).ended
    harvest.tabs.setCurrentIndex(SET_UP)
    assert asked(EstimateHarvestConfig).config.harvest.tokens == 1_000


def test_harvest__a_store_with_the_same_settings_is_added_to(
    harvest: HarvestPanel, client: FakeClient, session: Session, project: Project, asked: Wait
) -> None:
    made = add_store(project, "acts", rows=4_000, wanted=4_000)
    session.look_again()
    harvest.fill(msgspec.structs.asdict(made) | {"tokens": 204_000})
    client.finish(client.last(DescribeModelConfig), model())
    assert harvest.start_button.isEnabled()
    assert harvest.start_button.text() == "Add to the store"
    client.finish(asked(EstimateHarvestConfig), estimate())
    assert harvest.estimate.text().startswith("Adds 200,000 tokens to “acts”. 204,000 tokens: ≈")
    harvest.sites.picker.pick("blocks.0.hook_mlp_out")
    assert not harvest.start_button.isEnabled()
    assert "a different harvest (site)" in harvest.amount._problem.text()


# ---------------------------------------------------------------------- running
def test_harvest__starts_shows_the_store_and_offers_to_train_on_it(
    harvest: HarvestPanel, client: FakeClient, heard: Heard
) -> None:
    assert harvest.pages.currentIndex() == SET_UP
    harvest.start()
    job = client.last(HarvestConfig)
    client.run(job)
    assert harvest.pages.currentIndex() == STORE
    assert harvest.tabs.currentIndex() == STORE
    assert not harvest.start_button.isEnabled()
    client.finish(job, harvest_result("builtin-L2-resid_post"))
    assert "500,000 rows" in harvest.estimate.text()
    harvest.train_button.click()
    assert heard.workspaces == ["train"]
    # Its row makes room for setting up the next.
    assert harvest.train_button.isVisible()
    harvest.tabs.setCurrentIndex(SET_UP)
    assert not harvest.train_button.isVisible()


def test_harvest__a_second_one_has_its_own_row_and_no_train_button_yet(
    harvest: HarvestPanel, client: FakeClient, session: Session
) -> None:
    for name in ("one", "two"):
        session.run(HarvestConfig(project=session.project_path, name=name))
        if name == "one":
            client.finish(client.last(HarvestConfig), harvest_result(name))
            assert harvest.train_button.isVisible()
    assert not harvest.train_button.isVisible()
    client.finish(client.last(HarvestConfig), harvest_result("two"))
    assert harvest.train_button.isVisible()


def test_harvest__begins_no_second_one_while_one_runs(
    harvest: HarvestPanel, client: FakeClient
) -> None:
    harvest.start()
    harvest.start()
    assert len(client.started(HarvestConfig)) == 1


def test_harvest__its_actions_do_what_the_buttons_do(
    harvest: HarvestPanel, session: Session, project: Project, client: FakeClient
) -> None:
    infos = {info.id: info for info in harvest.action_infos()}
    infos["harvest.show_store"].callback()
    assert harvest.pages.currentIndex() == STORE
    infos["harvest.set_up"].callback()
    assert harvest.pages.currentIndex() == SET_UP
    enabled = [infos[name].enabled_when for name in ("harvest.verify", "harvest.extend")]
    assert not any(can() for can in enabled if can)
    add_store(project, "acts", rows=400, wanted=400)
    session.look_again()
    harvest.store.show_store("acts")
    assert all(can() for can in enabled if can)
    infos["harvest.verify"].callback()
    assert client.last(VerifyStoreConfig).config.name == "acts"  # type: ignore[union-attr]
    infos["harvest.extend"].callback()
    assert harvest.config().name == "acts"


def test_harvest__brings_no_plots_before_they_are_looked_at(harvest: HarvestPanel) -> None:
    assert harvest._store is None
    harvest.tabs.setCurrentIndex(STORE)
    assert harvest.pages.currentWidget() is harvest._store


def test_harvest__another_project_begins_anew(
    harvest: HarvestPanel, client: FakeClient, session: Session, tmp_path: Path
) -> None:
    harvest.amount.name.setText("mine")
    harvest.amount.name.textEdited.emit("mine")
    harvest.start()
    client.finish(client.last(HarvestConfig), harvest_result("mine"))
    assert harvest._job_strip.isVisible()
    other = Project.open_or_create(tmp_path / "other.saeproj")
    session.open_project(other.path)
    assert not harvest._job_strip.isVisible()
    assert harvest.config().name == "builtin-L2-resid_post"
    assert harvest.config().project == str(other.path)

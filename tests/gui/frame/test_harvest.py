"""Setting up a harvest: model, sites, text, amount, estimate, start; the engine is the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from frame_client import FakeClient, Heard
from frame_harvest import corpus, estimate, harvest_result, model, preview
from frame_project import add_store
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from sae_desktop.activations.config import (
    EstimateHarvestConfig,
    HarvestConfig,
    VerifyStoreConfig,
)
from sae_desktop.corpus.config import ColumnDescription, DescribeCorpusConfig
from sae_desktop.gui import theme
from sae_desktop.gui.panels.harvest import SET_UP, STORE, HarvestPanel
from sae_desktop.gui.session import Session
from sae_desktop.language_model.config import (
    DescribeModelConfig,
    GetModelConfig,
    GetModelResult,
    TrustModelConfig,
    TrustModelResult,
)
from sae_desktop.project import Project

GB = 1_000_000_000
Wait = Callable[[type], Any]
COLUMNS = [
    ColumnDescription(name="prompt", kind="text", example="Hi"),
    ColumnDescription(name="messages", kind="chat", example="user: Hi"),
]


@pytest.fixture
def harvest(
    session: Session, client: FakeClient, project: Project, qtbot: QtBot
) -> Iterator[HarvestPanel]:
    session.open_project(project.path)
    panel = HarvestPanel(session)
    qtbot.addWidget(panel)
    panel.resize(1200, 660)
    panel.show()
    client.finish(client.last(DescribeModelConfig), model())
    yield panel
    panel.hide()


@pytest.fixture
def asked(client: FakeClient, qtbot: QtBot) -> Wait:
    """Waits until a question of a kind is open, and returns its job."""

    def wait(kind: type) -> Any:
        qtbot.waitUntil(lambda: any(not job.ended for job in client.started(kind)), timeout=5_000)
        return client.last(kind)

    return wait


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


# ---------------------------------------------------------------------- the model
def test_model__is_asked_anew_for_another_precision_or_device(
    harvest: HarvestPanel, client: FakeClient
) -> None:
    harvest.model.precision.setCurrentIndex(harvest.model.precision.findData("4bit"))
    harvest.model.device.setCurrentIndex(harvest.model.device.findData("cuda"))
    config = client.last(DescribeModelConfig).config
    assert isinstance(config, DescribeModelConfig)
    assert (config.dtype, config.device) == ("4bit", "cuda")
    # It is the same model: what is known of it stays until there is an answer.
    assert harvest.sites.site == "blocks.2.hook_resid_post"
    client.fail(client.last(DescribeModelConfig), "There is no library for 4 bits.")
    assert not harvest.start_button.isEnabled()
    harvest.model.precision.setCurrentIndex(0)
    client.finish(client.last(DescribeModelConfig), model())
    assert harvest.sites.site == "blocks.2.hook_resid_post"
    assert harvest.start_button.isEnabled()


def test_model__says_what_auto_came_to_only_where_auto_is_chosen(
    harvest: HarvestPanel, client: FakeClient
) -> None:
    precision = harvest.model.precision
    harvest.model.ask()
    client.finish(client.last(DescribeModelConfig), model(dtype="float32", device="cpu"))
    assert precision.currentText() == "Auto: float32"
    precision.setCurrentIndex(precision.findData("float16"))
    client.finish(client.last(DescribeModelConfig), model(dtype="float16", device="cpu"))
    assert precision.itemText(0) == "Auto"


def test_model__that_does_not_fit_is_said_in_red_words(
    harvest: HarvestPanel, client: FakeClient
) -> None:
    harvest.model.ask()
    client.finish(
        client.last(DescribeModelConfig), model(memory_bytes=9 * GB, free_memory_bytes=2 * GB)
    )
    assert harvest.model._memory.text().startswith("Does not fit: it takes 9 GB")
    assert harvest.model._memory.property("role") == "error"
    meter = harvest.model.meter
    colour = meter.grab().toImage().pixelColor(meter.width() - 8, meter.height() // 2)
    assert colour == theme.palette().error
    harvest.model.ask()
    client.finish(
        client.last(DescribeModelConfig), model(memory_bytes=GB, free_memory_bytes=2 * GB)
    )
    image = meter.grab().toImage()
    middle = meter.height() // 2
    assert image.pixelColor(meter.width() // 4, middle) == theme.palette().accent
    assert image.pixelColor(meter.width() * 3 // 4, middle) == theme.palette().hover


def test_model__that_is_not_here_is_got(harvest: HarvestPanel, client: FakeClient) -> None:
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


def test_model__that_cannot_be_read_says_why(harvest: HarvestPanel, client: FakeClient) -> None:
    harvest.fill({"model": "/no/model/here"})
    client.fail(client.last(DescribeModelConfig), "The folder is no model.")
    assert harvest.model._message.text() == "The folder is no model."
    assert not harvest.start_button.isEnabled()


def test_model__its_code_is_run_only_once_it_is_trusted(
    harvest: HarvestPanel, client: FakeClient, tmp_path: Path
) -> None:
    harvest.fill({"model": str(tmp_path)})
    strange = model(code_files=["modeling.py"], code_digest="abc")
    client.finish(client.last(DescribeModelConfig), strange)
    code = harvest.model.code
    assert code.isVisible()
    assert code.files_button.isVisible()
    assert "modeling.py" in code._text.text()
    assert not harvest.start_button.isEnabled()
    assert not client.started(TrustModelConfig)
    code.run_button.click()
    job = client.last(TrustModelConfig)
    assert job.config == TrustModelConfig(model=str(tmp_path), digest="abc")
    client.finish(job, TrustModelResult(model=str(tmp_path), code_files=["modeling.py"]))
    trusted = model(code_files=["modeling.py"], code_digest="abc", code_trusted=True)
    client.finish(client.last(DescribeModelConfig), trusted)
    assert not code.isVisible()
    assert harvest.start_button.isEnabled()


def test_model__refused_trust_is_said_and_can_be_tried_again(
    harvest: HarvestPanel, client: FakeClient, heard: Heard
) -> None:
    harvest.fill({"model": "owner/strange"})
    client.finish(client.last(DescribeModelConfig), model(code_files=["a.py"], code_digest="abc"))
    code = harvest.model.code
    assert not code.files_button.isVisible()
    code.run_button.click()
    client.fail(client.last(TrustModelConfig), "The code has changed.")
    assert harvest.model._message.text() == "The code has changed."
    assert code.run_button.isEnabled()
    assert not heard.errors


def test_model__an_encoder_is_said_to_be_one(harvest: HarvestPanel, client: FakeClient) -> None:
    assert not harvest.model._encoder.isVisible()
    harvest.model.ask()
    client.finish(client.last(DescribeModelConfig), model(causal=False))
    assert harvest.model._encoder.isVisible()


# ---------------------------------------------------------------------- the text
def test_text__is_shown_as_it_begins(
    harvest: HarvestPanel, client: FakeClient, asked: Wait
) -> None:
    client.finish(asked(DescribeCorpusConfig), corpus(notes=["2 files were left out."]))
    assert harvest.corpus._message.text() == "3 documents, 2 kB: en, de."
    assert harvest.corpus._notes.text() == "2 files were left out."
    assert "In·the" in harvest.corpus.preview.toPlainText().replace("\u200b", "")


def test_text__marks_special_tokens_not_by_colour_alone(
    harvest: HarvestPanel, client: FakeClient, asked: Wait
) -> None:
    window = preview(["<s>", "One", " two"], special=[True, False, False])
    client.finish(asked(DescribeCorpusConfig), corpus(preview=[window]))
    html = harvest.corpus.preview.toHtml().replace("\u2060", "")
    marked = [part for part in html.split("<span") if "&lt;s&gt;" in part]
    plain = [part for part in html.split("<span") if ">One<" in part]
    assert "italic" in marked[0]
    assert "underline" in marked[0]
    assert "italic" not in plain[0]


def test_text__is_copied_as_it_is_read(
    harvest: HarvestPanel, client: FakeClient, asked: Wait
) -> None:
    window = preview(["<|end|>", "One", "two"], special=[True, False, False])
    client.finish(asked(DescribeCorpusConfig), corpus(preview=[window]))
    view = harvest.corpus.preview
    view.selectAll()
    assert view.createMimeDataFromSelection().text().splitlines()[1] == "<|end|>Onetwo"


def test_text__labels_who_speaks(harvest: HarvestPanel, client: FakeClient, asked: Wait) -> None:
    window = preview(["Hi", "Hello"], roles=["user", "assistant"])
    client.finish(asked(DescribeCorpusConfig), corpus(preview=[window]))
    lines = harvest.corpus.preview.toPlainText().replace("\u200b", "").splitlines()
    assert [line.split() for line in lines[1:]] == [["user", "Hi"], ["assistant", "Hello"]]


def test_text__columns_are_chosen_where_there_are_any(
    harvest: HarvestPanel, client: FakeClient, asked: Wait, tmp_path: Path
) -> None:
    fields = harvest.corpus.fields
    client.finish(asked(DescribeCorpusConfig), corpus())
    assert not fields.column.isVisible()
    harvest.corpus.choice.set_value(str(tmp_path / "a.parquet"))
    table = corpus(columns=COLUMNS, column="prompt", format="Parquet")
    client.finish(asked(DescribeCorpusConfig), table)
    assert fields.column.isVisible()
    fields.column.setCurrentIndex(2)
    assert harvest.config().chat_column == "messages"
    assert harvest.config().text_column == ""
    config = asked(DescribeCorpusConfig).config
    assert config.chat_column == "messages"
    # What was chosen of one table is not asked of the next.
    harvest.corpus.choice.set_value(str(tmp_path / "b.parquet"))
    assert harvest.config().chat_column == ""


def test_text__a_dataset_on_the_hub_has_subset_and_split(harvest: HarvestPanel) -> None:
    fields = harvest.corpus.fields
    assert not fields.subset.isVisible()
    fields.subset.setText("small")
    assert harvest.config().subset == ""
    harvest.corpus.choice.set_value("owner/data")
    assert fields.subset.isVisible()
    fields.split.setText("test")
    assert (harvest.config().subset, harvest.config().split) == ("small", "test")


def test_text__that_cannot_be_read_says_why(
    harvest: HarvestPanel, client: FakeClient, asked: Wait
) -> None:
    harvest.corpus.choice.set_value("/no/text/here.txt")
    client.fail(asked(DescribeCorpusConfig), "There is no such file.")
    assert harvest.corpus._message.text() == "There is no such file."
    assert harvest.corpus._message.property("role") == "error"
    assert harvest.corpus.preview.toPlainText() == ""


def test_text__is_asked_once_for_many_changes(
    harvest: HarvestPanel, client: FakeClient, asked: Wait
) -> None:
    client.finish(asked(DescribeCorpusConfig), corpus())
    before = len(client.started(DescribeCorpusConfig))
    for size in (32, 64, 96):
        harvest.corpus.fields.context_size.setValue(size)
    assert asked(DescribeCorpusConfig).config.context_size == 96
    assert len(client.started(DescribeCorpusConfig)) == before + 1


# ---------------------------------------------------------------------- what is wrong
def test_harvest__says_at_the_field_what_is_wrong(harvest: HarvestPanel) -> None:
    harvest.amount.name.setText("no/slash")
    harvest.amount.name.textEdited.emit("no/slash")
    assert not harvest.start_button.isEnabled()
    assert harvest.amount.name.property("invalid") == "true"
    assert "cannot be a name" in harvest.amount._problem.text()
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
        "500,000 tokens: ≈ 256 MB on disk (12 GB free); about 3 min at 2.8k tokens/s."
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
    session._on_settled()
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
    session._on_settled()
    harvest.fill(msgspec.structs.asdict(made) | {"tokens": 204_000})
    client.finish(client.last(DescribeModelConfig), model())
    assert harvest.start_button.isEnabled()
    assert harvest.start_button.text() == "Add to the store"
    client.finish(asked(EstimateHarvestConfig), estimate())
    assert harvest.estimate.text().startswith("Adds 200,000 tokens to “acts”. 204,000 tokens: ≈")
    harvest.sites.picker.pick("blocks.0.hook_mlp_out")
    assert not harvest.start_button.isEnabled()
    assert "another harvest (site)" in harvest.amount._problem.text()


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
    session._on_settled()
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


# ---------------------------------------------------------------------- drops
def drop(panel: HarvestPanel, *paths: Path) -> None:
    """Drop files on the panel as a file manager does."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    copy = Qt.DropAction.CopyAction
    enter = QDragEnterEvent(QPointF(40, 40).toPoint(), copy, mime, left, none)
    panel.dragEnterEvent(enter)
    assert enter.isAccepted()
    panel.dropEvent(QDropEvent(QPointF(40, 40), copy, mime, left, none))


def test_drop__a_model_folder_and_a_text_fill_their_columns(
    harvest: HarvestPanel, tmp_path: Path
) -> None:
    folder, text = tmp_path / "model", tmp_path / "a.jsonl"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    text.write_text("{}")
    drop(harvest, folder)
    drop(harvest, text)
    assert harvest.model.model == str(folder)
    assert harvest.corpus.corpus == str(text)
    assert harvest.corpus.choice.option.text == "A file"


def test_drop__of_what_is_no_corpus_is_refused_in_words(
    harvest: HarvestPanel, heard: Heard, tmp_path: Path
) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_text(name)
    drop(harvest, tmp_path / "a.txt", tmp_path / "b.txt")
    assert "1 other file" in heard.errors[0].what
    assert harvest.corpus.corpus == "builtin"


def test_drop__no_field_takes_a_file_as_its_text(harvest: HarvestPanel) -> None:
    fields = harvest.findChildren(QLineEdit)
    assert fields
    assert not any(field.acceptDrops() for field in fields)


def test_drop__has_a_frame_while_it_hangs_over_the_panel(harvest: HarvestPanel) -> None:
    before = harvest.grab().toImage().pixelColor(600, 5)
    harvest._hover(True)
    assert harvest.grab().toImage().pixelColor(600, 4) == theme.palette().focus
    harvest._hover(False)
    assert harvest.grab().toImage().pixelColor(600, 5) == before

"""Where a harvest reads from: the model’s card, the text and its preview, dropped files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from frame_client import FakeClient, Heard
from frame_harvest import corpus, model, preview
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QLineEdit

from sae_desktop.corpus.config import ColumnDescription, DescribeCorpusConfig
from sae_desktop.gui.harvest.harvest import HarvestPanel
from sae_desktop.gui.harvest.harvest_draft import problems
from sae_desktop.gui.parts import theme
from sae_desktop.language_model.config import (
    DescribeModelConfig,
    GetModelConfig,
    GetModelResult,
    TrustModelConfig,
    TrustModelResult,
)

GB = 1_000_000_000
Wait = Callable[[type], Any]
COLUMNS = [
    ColumnDescription(name="prompt", kind="text", example="Hi"),
    ColumnDescription(name="messages", kind="chat", example="user: Hi"),
]


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
    client.fail(client.last(DescribeModelConfig), "The folder is not a model.")
    assert harvest.model._message.text() == "The folder is not a model."
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
    assert not harvest.model._reading.isVisible()
    harvest.model.ask()
    client.finish(client.last(DescribeModelConfig), model(causal=False))
    assert harvest.model._reading.text().startswith("An encoder: it reads a text as a whole")


def test_model__of_pictures_alone_is_described_and_not_harvested(
    harvest: HarvestPanel, client: FakeClient
) -> None:
    harvest.model.ask()
    told = model(causal=False, reads="pictures", picture_note="It becomes 17 tokens.")
    client.finish(client.last(DescribeModelConfig), told)

    assert harvest.model._reading.text().startswith("An encoder of pictures")
    assert harvest.model._reading.text().endswith("It becomes 17 tokens.")
    assert problems(harvest.config(), told, [])["model"] == (
        "The model reads pictures alone: choose pictures instead of a text."
    )
    of_pictures = msgspec.structs.replace(harvest.config(), pictures="/drawings")
    assert "model" not in problems(of_pictures, told, [])
    assert "reads no pictures" in problems(of_pictures, model(), [])["model"]


# ---------------------------------------------------------------------- the text
def test_text__is_shown_as_it_begins(
    harvest: HarvestPanel, client: FakeClient, asked: Wait
) -> None:
    client.finish(asked(DescribeCorpusConfig), corpus(notes=["2 files were left out."]))
    assert harvest.corpus._message.text() == "3 documents, 2 kB: English, German."
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
    assert harvest.corpus.source == str(text)
    assert harvest.corpus.choice.option.text == "A file"


def test_drop__of_what_is_no_corpus_is_refused_in_words(
    harvest: HarvestPanel, heard: Heard, tmp_path: Path
) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_text(name)
    drop(harvest, tmp_path / "a.txt", tmp_path / "b.txt")
    assert "1 other file" in heard.errors[0].what
    assert harvest.corpus.source == "builtin"


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

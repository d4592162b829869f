"""Pictures in the Harvest panel: the preview with its patches, what is harvested, drops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from frame_client import FakeClient
from frame_harvest import model
from PIL import Image
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from sae_desktop.gui.harvest.corpus_column import PICTURE_FOLDER, PICTURE_HUB
from sae_desktop.gui.harvest.harvest import HarvestPanel
from sae_desktop.language_model.config import DescribeModelConfig
from sae_desktop.language_model.picture_config import (
    PicturePreview,
    PicturesDescription,
    PreviewPicturesConfig,
    RefusedPicture,
)
from sae_desktop.pictures.places import PictureLayout, Tile
from sae_desktop.pictures.thumbnails import thumbnail

Wait = Callable[[type], Any]


def _preview(name: str, side: int, layout: PictureLayout | None) -> PicturePreview:
    small = thumbnail(Image.new("RGB", (side, side), (200, 40, 40)))
    return PicturePreview(
        name=name, text="a red square", format="PNG", width=side, height=side, digest="0" * 64,
        notes=[], thumbnail=small, layout=layout,
    )  # fmt: skip


def _drawings(*previews: PicturePreview) -> PicturesDescription:
    return PicturesDescription(
        name="/drawings", documents=2, pictures=2, complete=True, previews=list(previews),
        refused=[RefusedPicture("cut.png", "it is cut short")], refusals=1,
    )  # fmt: skip


def _point_at(widget: QWidget, place: QPointF) -> None:
    none, still = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    moved = QMouseEvent(QEvent.Type.MouseMove, place, place, none, none, still)
    QApplication.sendEvent(widget, moved)


def test_pictures_of_the_hub__are_asked_for_only_when_the_person_says_so(
    harvest: HarvestPanel, client: FakeClient, asked: Wait
) -> None:
    harvest.model.ask()
    client.finish(client.last(DescribeModelConfig), model(reads="both", context_size=512))
    column = harvest.corpus
    harvest.fill({"pictures": "owner/photos"})
    assert column.choice.option is PICTURE_HUB
    assert column.values()["pictures"] == "owner/photos"
    assert "only when you request it" in column._message.text()
    assert not [j for j in client.jobs if isinstance(j.config, PreviewPicturesConfig)]
    column.fields.fill({"split": "test"})
    column.look_up()
    config = asked(PreviewPicturesConfig).config
    assert (config.pictures, config.split) == ("owner/photos", "test")


def test_pictures__are_previewed_with_their_patches_and_harvested(
    harvest: HarvestPanel, client: FakeClient, asked: Wait, qtbot: QtBot, tmp_path: Path
) -> None:
    told = model(reads="both", context_size=512)
    harvest.model.ask()
    client.finish(client.last(DescribeModelConfig), told)
    harvest.fill({"pictures": str(tmp_path)})
    job = asked(PreviewPicturesConfig)
    assert (job.config.pictures, job.config.model) == (str(tmp_path), "builtin")
    layout = PictureLayout(96, 96, [Tile(4, 4, 0.0, 0.0, 24.0, 24.0)])
    client.finish(job, _drawings(_preview("a.png", 96, layout), _preview("b.png", 80, None)))

    column = harvest.corpus
    shown = column.pictures_preview
    assert column._message.text() == "2 pictures found; 1 cannot be read."
    assert column._refused.text() == "“cut.png”: it is cut short"
    assert shown.strip.count() == 2
    assert shown._about.text() == "a.png: 96 × 96 pixels, 16 image tokens."
    assert shown._words.text() == "With it: “a red square”"
    shown.grid.resize(200, 200)
    patch = shown.grid._drawing.token_rect(6)
    _point_at(shown.grid, patch.center())
    assert shown.grid.token == 6
    assert shown._place.text() == "Patch row 2, column 3."
    _point_at(shown.grid, QPointF(1, 1))
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Down):
        qtbot.keyClick(shown.grid, key)
    assert shown._place.text() == "Patch row 2, column 2."
    shown.strip.setCurrentRow(1)
    assert shown._about.text() == "b.png: 80 × 80 pixels."

    column.picture_fields.tokens.setValue(9)
    column.picture_fields.keep.setChecked(True)
    config = harvest.config()
    assert (config.pictures, config.corpus) == (str(tmp_path), "builtin")
    assert (config.picture_tokens, config.keep_pictures, config.context_size) == (9, True, 512)
    assert column.fields._fields["packing"].isHidden()
    column.choice.set_value("builtin")
    assert harvest.config().pictures == ""
    assert harvest.config().context_size == 128


def test_window__fits_the_model_that_is_known_after_the_pictures(
    harvest: HarvestPanel, client: FakeClient, tmp_path: Path
) -> None:
    harvest.fill({"pictures": str(tmp_path)})
    assert harvest.config().context_size == 256
    harvest.model.ask()
    client.finish(client.last(DescribeModelConfig), model(reads="both", context_size=512))
    assert harvest.config().context_size == 512


def test_pictures__none_chosen_yet_starts_no_harvest_of_texts(
    harvest: HarvestPanel, client: FakeClient
) -> None:
    harvest.corpus.choice.set_option(PICTURE_FOLDER, "")
    assert not harvest.start_button.isEnabled()
    assert harvest.start_button.toolTip() == "Choose pictures."
    harvest.corpus.choice.set_option(PICTURE_HUB, "")
    assert harvest.start_button.toolTip() == "Name a dataset on the hub, such as owner/dataset."


def test_drop__of_pictures_and_their_words_is_their_folder(
    harvest: HarvestPanel, tmp_path: Path
) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"\x89PNG")
    (tmp_path / "a.txt").write_text("a drawing")
    harvest.take([tmp_path / "a.png", tmp_path / "b.png", tmp_path / "a.txt"])
    assert harvest.config().pictures == str(tmp_path)
    harvest.take([tmp_path / "a.png"])
    assert harvest.config().pictures == str(tmp_path / "a.png")

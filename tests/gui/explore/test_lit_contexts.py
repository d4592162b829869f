"""Contexts that are pictures: lit as planted, read by pointer and keys, enlarged and saved."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import msgspec
import numpy as np
import pytest
from index_session import FakeClient
from lit_index import CAT, DOG, lit_project
from PIL import Image
from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QTableWidget, QTableWidgetItem
from pytestqt.qtbot import QtBot
from shown_panel import shown

from sae_desktop.activations.original_config import OriginalPicture, OriginalPictureConfig
from sae_desktop.activations.original_picture import original_picture
from sae_desktop.errors import UserError
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.gui.explore.context_blocks import shown_picture
from sae_desktop.gui.explore.context_delegate import CONTEXT_ROLE, ContextDelegate, held_context
from sae_desktop.gui.explore.explore import ExplorePanel
from sae_desktop.gui.explore.picture_dialog import PictureDialog
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.colour_scale import ColourScale
from sae_desktop.gui.parts.lit_drawing import LitDrawing, LitPicture, decoded_thumbnail, lit_image
from sae_desktop.gui.parts.picture_output import copy_picture, save_picture
from sae_desktop.gui.parts.theme import rgb
from sae_desktop.gui.state.session import Session
from sae_desktop.jobs import SilentContext
from sae_desktop.pictures.places import PictureLayout, Tile
from sae_desktop.pictures.thumbnails import thumbnail
from sae_desktop.project import Project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return lit_project(tmp_path_factory.mktemp("lit") / "p")


@pytest.fixture
def lit(qtbot: QtBot, empty_session: Session, project: Project) -> ExplorePanel:
    assert empty_session.open_project(project.path)
    panel = ExplorePanel(empty_session)
    shown(qtbot, "explore", panel)
    empty_session.select_feature(0)
    return panel


def _made(picture: Image.Image, layout: PictureLayout, values: list[float]) -> LitPicture:
    found = decoded_thumbnail(thumbnail(picture))
    return LitPicture(found, layout, np.array(values, np.float32))


def _redness(image: QImage, x: int, y: int) -> int:
    colour = image.pixelColor(x, y)
    return colour.red() - colour.blue()


# ---------------------------------------------------------------------- the light
def test_light__colours_the_patch_that_fires_and_greys_the_rest(qtbot: QtBot) -> None:
    layout = PictureLayout(40, 20, [Tile(1, 2, 0.0, 0.0, 20.0, 20.0)])
    picture = _made(Image.new("RGB", (40, 20), (200, 40, 40)), layout, [4.0, 0.0])
    drawn = lit_image(picture, ColourScale(4.0), QSize(80, 40))
    accent = rgb(theme.palette().accent)
    strongest = drawn.pixelColor(10, 20)
    assert np.abs(np.subtract(strongest.getRgb()[:3], accent)).max() < 45
    assert _redness(drawn, 75, 20) < 60 < _redness(drawn, 10, 20)
    plain = lit_image(picture, ColourScale(4.0), QSize(80, 40), lit=False)
    assert _redness(plain, 75, 20) > 130  # the picture as it is


@pytest.mark.parametrize(
    ("width", "height", "drawn"),
    [(4000, 3000, 4 / 3), (1, 1, 1.0), (2400, 60, 132 / 6), (60, 2400, 6 / 115)],
)
def test_drawing__keeps_proportions_and_strips_are_six_pixels_at_least(
    qtbot: QtBot, width: int, height: int, drawn: float
) -> None:
    layout = PictureLayout(width, height, [Tile(2, 2, 0.0, 0.0, width / 2, height / 2)], loose=1)
    picture = _made(Image.new("RGB", (width, height), (10, 90, 10)), layout, [1, 0, 0, 0, 3])
    drawing, room = LitDrawing(picture), QRectF(0, 0, 132, 130)
    drawing.lay_out(room)
    assert room.contains(drawing.box)
    assert drawing.box.width() / drawing.box.height() == pytest.approx(drawn, rel=0.02)
    assert drawing.tokens_under(drawing.box.bottomRight() - QPointF(1, 1)) == [4]
    chip = drawing.token_rect(0)
    assert chip is not None
    assert drawing.tokens_under(chip.center()) == [0]
    assert not chip.intersects(drawing.box)


def test_thumbnail__that_is_larger_than_any_of_ours_is_not_decoded(qtbot: QtBot) -> None:
    out = io.BytesIO()
    Image.new("RGB", (400, 20)).save(out, "WEBP")
    assert decoded_thumbnail(out.getvalue()).isNull()
    assert decoded_thumbnail(b"RIFF no picture").isNull()


# ---------------------------------------------------------------------- the page
def test_page__shows_the_planted_pictures_and_says_what_it_fires_on(lit: ExplorePanel) -> None:
    view = lit.page.contexts
    first = view.pictures[0]
    assert [first.name, view.pictures[1].name] == [CAT.name, DOG.name]
    assert first.picture.region == [7, 8, 12]
    figures = lit.page.figures.text().replace("\u00a0", " ")
    assert "Fires mostly on pictures" in figures
    assert "6 of 40 image tokens" in figures
    assert "0 of 19 tokens of text" in figures


def test_page__lists_pictures_alone_or_texts_alone(lit: ExplorePanel) -> None:
    lit.page._session.select_feature(2)
    page = lit.page
    assert page.contexts.pictures
    assert "⟨8⟩" in page.contexts.plain_text()
    page.pictures.kinds.setCurrentIndex(1)
    assert "⟨8⟩" not in page.contexts.plain_text()
    page.pictures.kinds.setCurrentIndex(2)
    assert page.contexts.pictures == []
    page.pictures.kinds.setCurrentIndex(0)


def test_page__pointer_reads_a_patch_and_keys_go_from_picture_to_picture(
    lit: ExplorePanel,
) -> None:
    view = lit.page.contexts
    heard: list[object] = []
    view.tokenHovered.connect(heard.append)
    cell = view.picture_rect(0)
    block = view._blocks[1]
    assert block.gallery is not None
    peak = block.gallery.drawings[0].token_rect(7)
    assert peak is not None
    QTest.mouseMove(view, (peak.center() + QPointF(0, block.top)).toPoint())
    assert heard[-1].text == "patch row 2, column 3"  # type: ignore[attr-defined]
    assert heard[-1].activation == 8.0  # type: ignore[attr-defined]
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_Right)
    QTest.keyClick(view, Qt.Key.Key_Right)
    assert "Picture 2 of" in view.accessibleDescription()
    assert "strongest activation 6.000, patch row 1, column 1" in view.accessibleDescription()
    chosen: list[int] = []
    view.pictureChosen.disconnect()
    view.pictureChosen.connect(chosen.append)
    QTest.keyClick(view, Qt.Key.Key_Return)
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=cell.center())
    assert chosen == [1, 0]


# ---------------------------------------------------------------------- enlarged
def test_enlarged__reads_patches_by_arrow_keys_and_goes_on_to_the_next(
    qtbot: QtBot, lit: ExplorePanel
) -> None:
    dialog = PictureDialog(lit.page._session, lit.page.contexts.pictures, 0, ColourScale(8.0))
    qtbot.addWidget(dialog)
    dialog.show()
    assert dialog.reading.text() == "patch row 2, column 3: activation 8.000"
    QTest.keyClick(dialog.view, Qt.Key.Key_Right)
    assert dialog.reading.text() == "patch row 2, column 4: activation 5.000"
    assert dialog.view.accessibleDescription() == dialog.reading.text()
    QTest.keyClick(dialog.view, Qt.Key.Key_Home)
    assert "column 3" in dialog.reading.text()
    assert "Fires on 5 of 20 image tokens" in dialog.facts.text()
    dialog.next.click()
    assert dialog.entry.name == DOG.name
    assert not dialog.tiles.isVisible()


def test_enlarged__shows_the_picture_itself_or_says_why_not(
    qtbot: QtBot, lit: ExplorePanel, client: FakeClient
) -> None:
    large = LitPicture(QImage(), PictureLayout(500, 400, [Tile(1, 1, 0, 0, 500, 400)]), _ones(1))
    entry = lit.page.contexts.pictures[0].with_picture(large)
    dialog = PictureDialog(lit.page._session, [entry], 0, ColourScale(8.0))
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.original.show_it.click()
    qtbot.waitUntil(lambda: bool(client.jobs))
    job = client.jobs[-1]
    assert isinstance(job.config, OriginalPictureConfig)
    assert (job.config.name, job.config.digest) == (CAT.name, entry.digest)
    client.fail(job, "It is gone.")
    assert "It is gone." in dialog.original.said.text()
    dialog.original.show_it.click()
    qtbot.waitUntil(lambda: len(client.jobs) == 2)
    picture = thumbnail(Image.new("RGB", (160, 128), (0, 0, 255)))
    found = OriginalPicture(name="cat", width=500, height=400, picture=picture)
    client.answer(client.jobs[-1], found)
    assert not dialog.original.show_it.isVisible()
    assert dialog._shown().picture.image.width() == 160


def _ones(count: int) -> np.ndarray:
    return np.ones(count, np.float32)


def test_original__is_that_of_the_digest_and_lies_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "animals").mkdir()
    (tmp_path / CAT.name).write_bytes(CAT.file)
    digest = hashlib.sha256(CAT.file).hexdigest()
    asked = OriginalPictureConfig(name=CAT.name, digest=digest, place=str(tmp_path))
    found = original_picture(asked, SilentContext())
    assert (found.width, found.height) == (100, 80)
    (tmp_path / CAT.name).write_bytes(DOG.file)
    with pytest.raises(UserError, match="has changed"):
        original_picture(asked, SilentContext())
    (tmp_path / CAT.name).unlink()
    with pytest.raises(UserError, match="no longer in"):
        original_picture(asked, SilentContext())
    streamed = msgspec.structs.replace(asked, place="owner/photos")
    with pytest.raises(UserError, match="was streamed from “owner/photos”"):
        original_picture(streamed, SilentContext())


# ---------------------------------------------------------------------- taken elsewhere
def test_picture__is_copied_and_saved_as_it_is_shown(lit: ExplorePanel, tmp_path: Path) -> None:
    entry = lit.page.contexts.pictures[0]
    save_picture(entry, ColourScale(8.0), tmp_path / "a.png", lit=True)
    saved = QImage(str(tmp_path / "a.png"))
    at = QPoint(round(saved.width() * 0.5), round(saved.height() * 0.375))  # patch (1, 2)
    accent = QColor(*rgb(theme.palette().accent))
    assert abs(saved.pixelColor(at).red() - accent.red()) < 45
    copy_picture(entry, ColourScale(8.0), lit=False)
    assert _redness(QGuiApplication.clipboard().image(), at.x(), at.y()) < 0  # a blue cat


# ---------------------------------------------------------------------- the list
def test_list__is_filtered_by_what_features_fire_on(lit: ExplorePanel) -> None:
    bar = lit.list.bar
    bar._fill_menu()
    kinds = next(a.menu() for a in bar.more.menu().actions() if a.text() == "Pictures or text")
    told = [action.text() for action in kinds.actions() if not action.isSeparator()]
    assert told[:3] == ["Mostly on pictures", "Mostly on text", "On pictures and text"]
    assert "a tenth" in told[3]
    kinds.actions()[2].trigger()
    assert bar.conditions().modalities == ("both",)
    assert lit.list.count.text().startswith("2 of 8")


# ---------------------------------------------------------------------- where there is little room
def test_bar_above_the_contexts__is_one_line_in_a_small_window(lit: ExplorePanel) -> None:
    page = lit.page
    room = page.contexts.width()
    parts = (page.legend, page.window_size, page.pictures, page.more)
    assert [not part.isHidden() for part in parts] == [True] * 4
    # Beside the list, in a window of 1,280 pixels, there are 768 of them.
    page.setFixedWidth(page.width() + 768 - room)
    page.more.setText("All 120 contexts")
    QTest.qWait(0)
    assert page.contexts.width() <= 768
    places = [part.geometry() for part in parts]
    assert max(one.top() for one in places) < min(one.bottom() for one in places), "in one line"


def test_context_in_one_line__shows_its_picture_lit(qtbot: QtBot, project: Project) -> None:
    index = FeatureIndex(project.index_path("i"))
    context = next(c for c in index.contexts(0) if c.picture is not None)
    words = index.contexts(1)[0]
    table = QTableWidget(2, 1)
    qtbot.addWidget(table)
    delegate = ContextDelegate(table)
    table.setItemDelegate(delegate)
    for row, one in enumerate((context, words)):
        item = QTableWidgetItem()
        item.setData(CONTEXT_ROLE, held_context(one, 8.0))
        table.setItem(row, 0, item)
    table.setColumnWidth(0, 300)
    table.resize(340, 100)
    table.show()
    seen = table.viewport().grab().toImage()
    cell = table.visualItemRect(table.item(0, 0))
    side = cell.height() - 2
    picture = context.picture
    assert picture is not None
    expected = lit_image(
        shown_picture(context, 1, None).picture, ColourScale(8.0),
        QSize(side, round(side * picture.layout.height / picture.layout.width)),
    )  # fmt: skip
    left, top = cell.left() + 6, cell.top() + (cell.height() - expected.height()) // 2
    apart = [
        np.subtract(seen.pixelColor(left + x, top + y).getRgb(), expected.pixelColor(x, y).getRgb())
        for x in range(2, expected.width() - 2)
        for y in range(2, expected.height() - 2)
    ]
    assert np.abs(apart).mean() < 12
    # A text begins where it always did.
    assert delegate._pictures.keys() == {id(context)}
    delegate.forget()
    assert not delegate._pictures

"""The drawing of a model's layers: picking by mouse and keyboard, and what is painted."""

from __future__ import annotations

import pytest
from frame_harvest import HOOKS, PARALLEL, model, sites
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sae_desktop.gui.frame.app import make_application
from sae_desktop.gui.harvest.site_column import SiteColumn
from sae_desktop.gui.harvest.site_drawing import ROW, STREAM_X, Drawing
from sae_desktop.gui.harvest.site_picker import SitePicker
from sae_desktop.gui.parts import theme
from sae_desktop.words.site_words import site_points

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
ENCODER = ("hook_resid_pre", "hook_attn_out", "mlp.hook_post", "hook_resid_post")


@pytest.fixture
def picker(qapp: QApplication, qtbot: QtBot) -> SitePicker:
    make_application()
    theme.manager().apply("light")
    picker = SitePicker()
    qtbot.addWidget(picker)
    picker.show_sites(sites(6), ["blocks.1.hook_resid_post"], {"blocks.1.attn.hook_z": "4 heads"})
    picker.resize(320, picker.sizeHint().height())
    picker.show()
    return picker


@pytest.fixture
def column(qapp: QApplication, qtbot: QtBot) -> SiteColumn:
    make_application()
    theme.manager().apply("light")
    column = SiteColumn()
    qtbot.addWidget(column)
    column.resize(320, 480)
    column.show()
    column.show_model(model(6))
    return column


def place(picker: SitePicker, site: str) -> QPoint:
    position: QPointF | None = picker.position_of(site)
    assert position is not None
    return position.toPoint()


def grabbed(picker: SitePicker) -> QImage:
    return picker.grab().toImage()


def colour_at(picker: SitePicker, site: str) -> QColor:
    return grabbed(picker).pixelColor(place(picker, site))


def near(picker: SitePicker, site: str, colour: QColor) -> bool:
    """Whether a colour, softened edges aside, is painted around a site."""
    image, centre = grabbed(picker), place(picker, site)
    around = (
        image.pixelColor(centre + QPoint(dx, dy)) for dx in range(-14, 15) for dy in range(-14, 15)
    )
    return any(
        abs(found.red() - colour.red()) < 24
        and abs(found.green() - colour.green()) < 24
        and abs(found.blue() - colour.blue()) < 24
        for found in around
    )


# ---------------------------------------------------------------------- mouse
def test_picker__a_click_picks_one_site_alone(picker: SitePicker, qtbot: QtBot) -> None:
    for site in ("blocks.0.hook_attn_out", "blocks.2.mlp.hook_post"):
        qtbot.mouseClick(picker, Qt.MouseButton.LeftButton, pos=place(picker, site))
        assert picker.picked == [site]


@pytest.mark.parametrize("modifier", [CTRL, SHIFT])
def test_picker__with_ctrl_or_shift_a_click_adds_and_removes(
    picker: SitePicker, qtbot: QtBot, modifier: Qt.KeyboardModifier
) -> None:
    where = place(picker, "blocks.3.attn.hook_z")
    qtbot.mouseClick(picker, Qt.MouseButton.LeftButton, modifier, where)
    assert picker.picked == ["blocks.1.hook_resid_post", "blocks.3.attn.hook_z"]
    qtbot.mouseClick(picker, Qt.MouseButton.LeftButton, modifier, where)
    assert picker.picked == ["blocks.1.hook_resid_post"]


def test_picker__the_only_site_cannot_be_removed(picker: SitePicker, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(picker.pickedChanged):
        where = place(picker, "blocks.1.hook_resid_post")
        qtbot.mouseClick(picker, Qt.MouseButton.LeftButton, CTRL, where)
    assert picker.picked == ["blocks.1.hook_resid_post"]


def test_picker__when_the_first_is_removed_the_next_takes_its_place(picker: SitePicker) -> None:
    picker.toggle("blocks.2.hook_mlp_out")
    picker.toggle("blocks.1.hook_resid_post")
    assert picker.site == "blocks.2.hook_mlp_out"


def test_picker__a_click_beside_every_site_changes_nothing(
    picker: SitePicker, qtbot: QtBot
) -> None:
    nowhere = QPoint(8, place(picker, "blocks.3.hook_resid_mid").y())
    qtbot.mouseClick(picker, Qt.MouseButton.LeftButton, pos=nowhere)
    assert picker.picked == ["blocks.1.hook_resid_post"]


@pytest.mark.parametrize("layers", [1, 6, 30, 80])
@pytest.mark.parametrize("hooks", [HOOKS, PARALLEL, ENCODER, ("hook_resid_pre", "hook_resid_post")])
def test_picker__every_site_of_every_model_can_be_clicked(
    qtbot: QtBot, qapp: QApplication, layers: int, hooks: tuple[str, ...]
) -> None:
    picker = SitePicker()
    qtbot.addWidget(picker)
    names = sites(layers, hooks)
    picker.show_sites(names, names[:1])
    picker.resize(240, picker.sizeHint().height())
    for layer in {0, layers // 2, layers - 1}:
        for hook in hooks:
            site = f"blocks.{layer}.{hook}"
            qtbot.mouseClick(picker, Qt.MouseButton.LeftButton, pos=place(picker, site))
            assert picker.picked == [site]
    assert not grabbed(picker).isNull()


# ---------------------------------------------------------------------- keyboard
def test_picker__arrows_pick_while_one_site_is_picked(picker: SitePicker, qtbot: QtBot) -> None:
    picker.pick("blocks.1.hook_resid_mid")
    qtbot.keyClick(picker, Qt.Key.Key_Up)
    assert picker.picked == ["blocks.2.hook_resid_mid"]
    qtbot.keyClick(picker, Qt.Key.Key_Right)
    assert picker.picked == ["blocks.2.mlp.hook_in"]
    qtbot.keyClick(picker, Qt.Key.Key_Left)
    qtbot.keyClick(picker, Qt.Key.Key_Down)
    assert picker.picked == ["blocks.1.hook_resid_mid"]
    qtbot.keyClick(picker, Qt.Key.Key_End)
    assert picker.picked == ["blocks.5.hook_resid_post"]
    qtbot.keyClick(picker, Qt.Key.Key_PageDown)
    assert picker.picked == ["blocks.0.hook_resid_post"]
    qtbot.keyClick(picker, Qt.Key.Key_Home)
    assert picker.picked == ["blocks.0.hook_resid_pre"]


def test_picker__space_adds_where_ctrl_and_arrows_walked(picker: SitePicker, qtbot: QtBot) -> None:
    qtbot.keyClick(picker, Qt.Key.Key_Up, CTRL)
    assert picker.picked == ["blocks.1.hook_resid_post"]
    assert "not picked" in picker.accessibleDescription()
    qtbot.keyClick(picker, Qt.Key.Key_Space)
    assert picker.picked == ["blocks.1.hook_resid_post", "blocks.2.hook_resid_post"]
    # With several picked the arrows alone only walk.
    qtbot.keyClick(picker, Qt.Key.Key_Up)
    assert len(picker.picked) == 2
    qtbot.keyClick(picker, Qt.Key.Key_Return)
    assert picker.picked == ["blocks.3.hook_resid_post"]


def test_picker__shift_and_arrows_add_as_they_go(picker: SitePicker, qtbot: QtBot) -> None:
    for _ in range(3):
        qtbot.keyClick(picker, Qt.Key.Key_Up, SHIFT)
    assert picker.picked == [f"blocks.{layer}.hook_resid_post" for layer in (1, 2, 3, 4)]


def test_picker__says_what_it_is_at(picker: SitePicker) -> None:
    picker.pick("blocks.1.attn.hook_z")
    assert picker.accessibleDescription().startswith("Layer 1: head outputs, 4 heads (picked).")


# ---------------------------------------------------------------------- painting
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_picker__picked_sites_are_filled_with_the_accent(picker: SitePicker, mode: str) -> None:
    theme.manager().apply(mode)
    picker.toggle("blocks.3.mlp.hook_post")
    accent = theme.palette().accent
    assert colour_at(picker, "blocks.1.hook_resid_post") == accent
    assert colour_at(picker, "blocks.3.mlp.hook_post") == accent
    assert colour_at(picker, "blocks.3.attn.hook_z") == theme.palette().surface
    theme.manager().apply("light")


def test_picker__the_keyboards_site_has_a_ring_while_it_has_the_focus(
    picker: SitePicker, qtbot: QtBot
) -> None:
    picker.activateWindow()
    picker.setFocus()
    qtbot.waitUntil(picker.hasFocus)
    qtbot.keyClick(picker, Qt.Key.Key_Up, CTRL)
    assert near(picker, "blocks.2.hook_resid_post", theme.palette().focus)
    picker.clearFocus()
    assert not near(picker, "blocks.2.hook_resid_post", theme.palette().focus)


def test_picker__layers_after_the_last_site_are_dimmed(picker: SitePicker) -> None:
    def stream(layer: int) -> QColor:
        """The stream's colour a quarter up a layer's band, left of its middle."""
        pre = place(picker, f"blocks.{layer}.hook_resid_pre")
        return grabbed(picker).pixelColor(STREAM_X - 2, pre.y() - ROW // 4)

    border = theme.palette().border
    assert stream(0) == border
    assert stream(1) == border
    assert stream(2) != border
    assert stream(5) != border
    picker.toggle("blocks.4.hook_resid_post")
    assert stream(4) == border
    assert stream(5) != border


def test_drawing__knows_what_is_computed_within_a_layer() -> None:
    points = site_points(sites(3))
    drawing = Drawing(points, 3, {"blocks.1.mlp.hook_in"}, "", 300)
    reached = {point.site for point in points if drawing.computed(*point.place)}
    assert "blocks.1.hook_attn_out" in reached
    assert "blocks.1.mlp.hook_in" in reached
    assert "blocks.1.mlp.hook_post" not in reached
    assert "blocks.2.hook_resid_pre" not in reached
    assert Drawing(points, 3, set(), "", 300).computed(2, 7)


# ---------------------------------------------------------------------- the column
def words(column: SiteColumn) -> list[str]:
    return [column.list.item(row).text() for row in range(column.list.count())]


def test_column__says_what_is_picked(column: SiteColumn) -> None:
    column.picker.pick("blocks.1.mlp.hook_post")
    column.picker.toggle("blocks.2.attn.hook_z")
    assert words(column) == [
        "Layer 1: MLP neurons, 128 wide",
        "Layer 2: head outputs, 4 heads × 8",
    ]
    assert column.site == "blocks.1.mlp.hook_post"
    assert column.further == ("blocks.2.attn.hook_z",)


def test_column__removes_sites_by_key_and_button(column: SiteColumn, qtbot: QtBot) -> None:
    for site in ("blocks.1.hook_mlp_out", "blocks.3.hook_mlp_out"):
        column.picker.toggle(site)
    column.list.setCurrentRow(0)
    qtbot.keyClick(column.list, Qt.Key.Key_Delete)
    assert column.picker.picked == ["blocks.1.hook_mlp_out", "blocks.3.hook_mlp_out"]
    assert not column.remove_button.isEnabled()
    column.list.setCurrentRow(1)
    column.remove_button.click()
    assert column.picker.picked == ["blocks.1.hook_mlp_out"]
    # The last one stays.
    column.list.setCurrentRow(0)
    assert not column.remove_button.isEnabled()
    qtbot.keyClick(column.list, Qt.Key.Key_Delete)
    assert column.picker.picked == ["blocks.1.hook_mlp_out"]


def test_column__goes_to_the_site_that_is_selected_in_the_list(column: SiteColumn) -> None:
    column.picker.set_picked(["blocks.0.hook_mlp_out", "blocks.5.hook_mlp_out"])
    column.list.setCurrentRow(1)
    assert column.picker.current == "blocks.5.hook_mlp_out"
    column.list.setCurrentRow(0)
    assert column.picker.current == "blocks.0.hook_mlp_out"
    assert len(column.picker.picked) == 2


def test_column__adds_a_hook_of_every_layer_and_a_transcoders_two(column: SiteColumn) -> None:
    column.picker.pick("blocks.2.hook_mlp_out")
    column.menu.aboutToShow.emit()
    actions = {action.text(): action for action in column.menu.actions()}
    actions["Every layer’s MLP output"].trigger()
    assert sorted(column.picker.picked) == [f"blocks.{n}.hook_mlp_out" for n in range(6)]
    column.menu.aboutToShow.emit()
    actions = {action.text(): action for action in column.menu.actions()}
    assert not actions["Every layer’s MLP output"].isEnabled()
    actions["Only this one"].trigger()
    assert column.picker.picked == ["blocks.2.hook_mlp_out"]
    column.menu.aboutToShow.emit()
    actions = {action.text(): action for action in column.menu.actions()}
    actions["This layer’s MLP input and output, for a transcoder"].trigger()
    assert set(column.picker.picked) == {"blocks.2.hook_mlp_out", "blocks.2.mlp.hook_in"}


def test_column__sites_without_a_place_are_added_by_name(column: SiteColumn) -> None:
    described = model(2, HOOKS)
    column.show_model(model(2, sites=[*described.sites, "embed"], site_widths=[], site_shapes=[]))
    column.menu.aboutToShow.emit()
    submenu = column.menu.actions()[-1].menu()
    assert submenu is not None
    submenu.actions()[0].trigger()
    assert "embed" in column.picker.picked
    assert words(column)[-1] == "embed, 32 wide"


def test_column__variants_of_a_layers_sites_are_in_a_menu_and_ringed(column: SiteColumn) -> None:
    variants = {
        "blocks.1.hook_resid_pre.centred": "residual stream before, minus its mean",
        "blocks.1.ln2.hook_normalized": "MLP input before the norm’s gain",
    }
    column.show_model(model(3, sites=[*sites(3), *variants, "blocks.2.ln2.hook_normalized"]))
    column.picker.pick("blocks.1.hook_resid_post")
    column._fill_menu()
    (further,) = [a.menu() for a in column.menu.actions() if a.text().startswith("More sites")]
    assert [a.toolTip() for a in further.actions()] == list(variants)
    further.actions()[1].trigger()
    assert column.further == ("blocks.1.ln2.hook_normalized",)
    assert words(column)[1].startswith("Layer 1: MLP input before the norm’s gain")
    assert near(column.picker, "blocks.1.mlp.hook_in", QColor(theme.palette().accent))
    assert not near(column.picker, "blocks.2.mlp.hook_in", QColor(theme.palette().accent))
    column._fill_menu()
    every = next(a for a in column.menu.actions() if "before the norm’s gain" in a.text())
    every.trigger()
    assert column.further[1:] == ("blocks.2.ln2.hook_normalized",)


def test_column__keeps_what_was_picked_where_the_next_model_has_it(column: SiteColumn) -> None:
    column.picker.pick("blocks.1.hook_mlp_out")
    column.show_model(None)
    column.show_model(model(3))
    assert column.picker.picked == ["blocks.1.hook_mlp_out"]
    column.show_model(model(1, default_site="blocks.0.hook_resid_post"))
    assert column.picker.picked == ["blocks.0.hook_resid_post"]


def test_column__picks_the_middle_of_every_model_where_nobody_has_chosen(
    column: SiteColumn,
) -> None:
    for layers in (2, 6, 30):
        middle = f"blocks.{layers // 2}.hook_resid_post"
        column.show_model(None)
        column.show_model(model(layers, default_site=middle))
        assert column.picker.picked == [middle]
    column.picker.pick("blocks.3.hook_resid_post")  # now somebody has
    column.show_model(model(6, default_site="blocks.1.hook_resid_post"))
    assert column.picker.picked == ["blocks.3.hook_resid_post"]


def test_column__picks_wanted_sites_once_a_model_has_them(column: SiteColumn) -> None:
    column.show_model(None)
    column.want(["blocks.2.hook_mlp_out", "blocks.2.mlp.hook_in"])
    column.show_model(model(6))
    assert column.picker.picked == ["blocks.2.hook_mlp_out", "blocks.2.mlp.hook_in"]


def test_column__without_a_model_is_one_sentence(column: SiteColumn) -> None:
    assert not column._unknown.isVisible()
    column.show_model(None)
    assert column._unknown.isVisible()
    assert not column.list.isVisible()
    assert not column.add_button.isVisible()
    column.show_model(model())
    assert not column._unknown.isVisible()
    assert column.list.isVisible()


def test_column__scrolls_to_what_is_picked(column: SiteColumn, qtbot: QtBot) -> None:
    column.show_model(model(80))
    column.picker.pick("blocks.0.hook_resid_pre")
    area = column._area
    qtbot.waitUntil(lambda: area.verticalScrollBar().value() > 80 * ROW // 2)
    column.picker.pick("blocks.79.hook_resid_post")
    assert area.verticalScrollBar().value() < ROW

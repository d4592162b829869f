"""Bars, meters, lists and previews that the panels share."""

from __future__ import annotations

from pathlib import Path

import pytest
from frame_harvest import NORM_EDGES, preview, site_figures
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QImage, QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from sae_desktop.errors import UserError
from sae_desktop.gui.explore.signed_bars import SignedBars
from sae_desktop.gui.forms.source_choice import SourceChoice, SourceOption
from sae_desktop.gui.frame.app import make_application
from sae_desktop.gui.harvest.labelled_field import LabelledField
from sae_desktop.gui.harvest.meter import Meter
from sae_desktop.gui.harvest.norm_histogram import NormHistogram
from sae_desktop.gui.harvest.throughput_plot import ThroughputPlot
from sae_desktop.gui.harvest.window_preview import WindowPreviews
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.labelled_bars import Bar, LabelledBars
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.number_fields import CountField
from sae_desktop.gui.parts.plot_image import PRINT_WIDTH, image_button, save_image
from sae_desktop.gui.train.density_plot import DensityPlot

LONG = "a-very-long-name-of-a-store-that-does-not-fit"


@pytest.fixture(autouse=True)
def _light(qapp: QApplication) -> None:
    make_application()
    theme.manager().apply("light")


# ---------------------------------------------------------------------- bars
def test_bars__are_as_long_as_their_share(qtbot: QtBot) -> None:
    bars = LabelledBars("Shares")
    qtbot.addWidget(bars)
    bars.resize(300, 100)
    bars.set_bars([Bar("all", 1.0, "100%"), Bar("half", 0.5, "50%"), Bar("none", 0.0, "0%")])
    whole, half, none = (bars.bar_rect(n).width() for n in range(3))
    assert half == pytest.approx(whole / 2)
    assert 0 < none < half
    image = bars.grab().toImage()
    colours = theme.palette()
    middle = bars.bar_rect(1).center().toPoint().y()
    ground = theme.blend(colours.surface, colours.positive, 0.22)
    assert image.pixelColor(int(half) - 3, middle).name() == ground.name()
    assert image.pixelColor(int(half) + 6, middle).name() == colours.window.name()
    assert image.pixelColor(1, middle) == colours.positive


def test_bars__say_what_they_show_and_what_is_missing(qtbot: QtBot) -> None:
    bars = LabelledBars("Shares")
    qtbot.addWidget(bars)
    bars.resize(300, 40)
    blank = bars.grab().toImage()
    bars.set_bars([], "Not known.")
    assert bars.grab().toImage() != blank
    bars.set_bars([Bar("en", 1.0, "3 · 100%")], "Not known.")
    assert bars.accessibleDescription() == "en\t3 · 100%"


def test_bars__grow_with_their_rows(qtbot: QtBot) -> None:
    bars = LabelledBars("Shares")
    qtbot.addWidget(bars)
    bars.set_bars([Bar("a", 1.0, "1")])
    one = bars.sizeHint().height()
    bars.set_bars([Bar("a", 1.0, "1")] * 3)
    assert bars.sizeHint().height() == 3 * one


def test_signed_bars__differ_by_sign_in_colour_and_figure(qtbot: QtBot) -> None:
    bars = SignedBars("Logits")
    qtbot.addWidget(bars)
    bars.resize(240, 60)
    bars.set_rows([(" up", 2.0), ("down", -1.0)], 2.0)
    assert bars.text() == "·up\t+2.00\ndown\t−1.00"
    assert bars.bar_rect(0).width() == pytest.approx(2 * bars.bar_rect(1).width())
    image, colours = bars.grab().toImage(), theme.palette()
    edges = [image.pixelColor(1, bars.bar_rect(n).center().toPoint().y()) for n in range(2)]
    assert edges == [colours.positive, colours.negative]


# ---------------------------------------------------------------------- meters and fields
def test_meter__is_full_and_red_when_more_is_needed_than_there_is(qtbot: QtBot) -> None:
    meter = Meter("Memory")
    qtbot.addWidget(meter)
    meter.resize(200, 8)
    meter.set_amounts(3, 2)
    assert not meter.fits
    assert meter.grab().toImage().pixelColor(190, 4) == theme.palette().error
    meter.set_amounts(1, 4)
    assert meter.fits
    assert meter.accessibleDescription() == "25%"
    image = meter.grab().toImage()
    assert image.pixelColor(40, 4) == theme.palette().accent
    assert image.pixelColor(60, 4) == theme.palette().hover


def test_combo__elides_a_long_entry_and_tells_it_in_the_tooltip(qtbot: QtBot) -> None:
    box = ElidedComboBox()
    qtbot.addWidget(box)
    box.addItems(["short", LONG])
    box.setToolTip("Which store")
    box.resize(140, 30)
    box.grab()
    assert box.toolTip() == "Which store"
    box.setCurrentIndex(1)
    box.grab()
    assert box.toolTip() == f"{LONG}\nWhich store"
    box.resize(600, 30)
    box.grab()
    assert box.toolTip() == "Which store"


def test_combo__may_be_narrower_than_its_entries(qtbot: QtBot) -> None:
    box = ElidedComboBox()
    qtbot.addWidget(box)
    box.addItem(LONG)
    assert box.minimumWidth() < 100
    assert box.sizeHint().width() < box.fontMetrics().horizontalAdvance(LONG)


def wheel(widget: QWidget) -> bool:
    """Turn the wheel over a widget; return whether it took it."""
    point, delta = QPointF(10, 10), QPoint(0, -120)
    none, phase = Qt.MouseButton.NoButton, Qt.ScrollPhase.NoScrollPhase
    keys = Qt.KeyboardModifier.NoModifier
    event = QWheelEvent(point, point, QPoint(), delta, none, keys, phase, False)
    QApplication.sendEvent(widget, event)
    return event.isAccepted()


def test_fields__leave_the_wheel_to_what_scrolls_unless_they_have_the_focus(qtbot: QtBot) -> None:
    box, count = ElidedComboBox(), CountField(10, 1)
    for widget in (box, count):
        qtbot.addWidget(widget)
        widget.show()
        qtbot.waitExposed(widget)
    box.addItems(["a", "b"])
    for widget in (box, count):
        widget.clearFocus()
        assert not wheel(widget)
    assert (box.currentIndex(), count.value()) == (0, 10)
    for widget in (box, count):
        widget.activateWindow()
        widget.setFocus()
        qtbot.waitUntil(widget.hasFocus)
        wheel(widget)
    assert (box.currentIndex(), count.value()) == (1, 9)
    box.hide()
    count.hide()


def test_field__says_beneath_what_is_wrong(qtbot: QtBot) -> None:
    field = LabelledField("Tokens", CountField(10), "How many")
    qtbot.addWidget(field)
    field.show()
    assert field.field.accessibleName() == "Tokens"
    assert not field.problem.isVisible()
    field.show_problem("Too many.")
    assert field.problem.isVisible()
    assert field.field.property("invalid") == "true"
    assert field.field.accessibleDescription() == "Too many."
    field.show_problem("")
    assert not field.problem.isVisible()
    assert field.field.accessibleDescription() == "How many"
    field.hide()


@pytest.mark.parametrize(
    ("value", "option"),
    [
        ("builtin", "Ships"),
        ("/models/a.gguf", "File"),
        ("relative/a.gguf", "File"),
        ("/models/folder", "Folder"),
        ("~/folder", "Folder"),
        ("C:\\folder", "Folder"),
        ("owner/name", "Hub"),
    ],
)
def test_choice__puts_a_value_where_it_belongs(qtbot: QtBot, value: str, option: str) -> None:
    choice = SourceChoice(
        "Model",
        [
            SourceOption("Ships", "builtin"),
            SourceOption("Folder", browse="folder"),
            SourceOption("File", browse="model"),
            SourceOption("Hub"),
        ],
    )
    qtbot.addWidget(choice)
    choice.set_value(value)
    assert choice.option.text == option
    assert choice.value == value


def test_choice__tells_of_what_was_typed_once_typing_stops(qtbot: QtBot) -> None:
    choice = SourceChoice("Model", [SourceOption("Ships", "builtin"), SourceOption("Hub")])
    qtbot.addWidget(choice)
    choice.show()
    choice.kind.setCurrentIndex(1)
    told: list[str] = []
    choice.changed.connect(told.append)
    field = choice._fields[1]
    assert field.isVisible()
    qtbot.keyClicks(field, "owner/name")
    assert told == []
    qtbot.waitUntil(lambda: told == ["owner/name"], timeout=3_000)
    choice.hide()


# ---------------------------------------------------------------------- plots
def test_norms__the_massive_rows_have_bars_of_their_own(qtbot: QtBot) -> None:
    plot = NormHistogram()
    qtbot.addWidget(plot)
    plot.resize(320, 240)
    plot.show_site(site_figures("s"))
    assert plot.massive_bars() == 1
    assert plot._line.isVisible()
    low, high = plot.plot.viewRange()[0]
    assert low < 1.0 < 2.3 < high
    lines = plot.data_text().splitlines()
    assert lines[0] == "from\tto\trows"
    assert len(lines) == len(NORM_EDGES)
    plot.show_site(None)
    assert plot.massive_bars() == 0
    assert not plot._line.isVisible()
    assert plot.text.text() == ""


def test_norms__room_is_left_for_the_line_where_no_row_is_massive(qtbot: QtBot) -> None:
    plot = NormHistogram()
    qtbot.addWidget(plot)
    plot.show_site(site_figures("s", norm_counts=[0, 10, 900, 90, 0, 0, 0, 0], massive_rows=0))
    assert plot.plot.viewRange()[0][1] > 2.3
    assert plot.massive_bars() == 0


def test_throughput__tells_the_point_under_the_pointer(qtbot: QtBot) -> None:
    plot = ThroughputPlot()
    qtbot.addWidget(plot)
    plot.begin("acts", 1_000)
    plot.take_points(
        [100, 200, 300],
        [
            {"tokens_per_second": 50.0, "waited_share": 0.5},
            {"tokens_per_second": 80.0},
            {"tokens_per_second": 90.0, "waited_share": 0.1},
        ],
    )
    assert plot.curve.readout.text() == "90 · waited 10%"
    plot._on_hovered(120.0)
    assert plot.curve.readout.text() == "50 · waited 50%"
    plot._on_hovered(None)
    assert plot.curve.readout.text() == "90 · waited 10%"
    assert plot.curve.plot.viewRange()[0][1] >= 1_000
    plot.begin("more", 500)
    assert plot.points == 0
    assert plot.curve.readout.text() == ""


# ---------------------------------------------------------------------- previews
def test_preview__scrolls_a_long_window(qtbot: QtBot) -> None:
    view = WindowPreviews()
    qtbot.addWidget(view)
    view.resize(240, 120)
    view.show()
    view.show_windows([preview([" word"] * 600)])
    assert view.verticalScrollBar().maximum() > 0
    assert view.horizontalScrollBar().maximum() == 0
    view.hide()


def test_preview__neighbouring_tokens_have_different_grounds(qtbot: QtBot) -> None:
    view = WindowPreviews()
    qtbot.addWidget(view)
    view.show_windows([preview(["One", "Two", "Three"])])
    document = view.document()
    grounds = []
    for word in ("One", "Two", "Three"):
        cursor = document.find(word)
        grounds.append(cursor.charFormat().background().color())
    assert grounds[0] != grounds[1]
    assert grounds[0] == grounds[2]


def test_preview__copes_with_flags_and_roles_that_do_not_match(qtbot: QtBot) -> None:
    view = WindowPreviews()
    qtbot.addWidget(view)
    view.show_windows([preview(["a", "b"], special=[True], roles=["user"])])
    assert "ab" in view.toPlainText().replace("\u200b", "")


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_plot__is_saved_at_print_size(qtbot: QtBot, tmp_path: Path, suffix: str) -> None:
    plot = DensityPlot()
    qtbot.addWidget(plot)
    plot.resize(400, 260)
    plot.show()
    path = tmp_path / f"plot{suffix}"
    save_image(plot.view, path)
    if suffix == ".png":
        assert QImage(str(path)).width() >= PRINT_WIDTH
    else:
        text = path.read_text(encoding="utf-8")
        assert "<svg" in text
        assert text.count("<path") + text.count("<polyline") + text.count("<text") > 5
    with pytest.raises(UserError, match=r"\.png or \.svg"):
        save_image(plot.view, tmp_path / "plot.gif")


def test_image_button__offers_both_ways(qtbot: QtBot) -> None:
    plot = DensityPlot()
    qtbot.addWidget(plot)
    button = image_button(plot.view, "densities")
    qtbot.addWidget(button)
    assert [a.text() for a in button.menu().actions()] == ["Copy as image", "Save as PNG or SVG…"]
    button.menu().actions()[0].trigger()
    assert not QGuiApplication.clipboard().pixmap().isNull()


def test_wrapped_label__is_not_made_wider_than_a_window_by_a_word_without_end(qtbot: QtBot) -> None:
    wide = label(f"“{'a' * 5_000}” is not a number.", wrap=True)
    path = label(f"“/home/{'a' * 50}” is not here.", wrap=True)
    for one in (wide, path):
        qtbot.addWidget(one)
    assert wide.minimumSizeHint().width() <= 80 * wide.fontMetrics().averageCharWidth()
    assert path.minimumSizeHint().width() >= path.fontMetrics().horizontalAdvance("a" * 50)

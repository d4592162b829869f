"""Colours that can be read, and one style sheet."""

from __future__ import annotations

import re

import pytest
from PySide6.QtGui import QColor, QFont
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from sae_desktop.gui.parts import icons, theme
from sae_desktop.gui.parts.colour_scale import contrast, readable_on

LEAST_CONTRAST = 4.5
OF_LINES = 3.0
"""Of a control's outline and of the ring of focus (WCAG 2.2, 1.4.11)."""
OF_HIGH_CONTRAST = 7.0
"""Of text where contrast is asked for (WCAG 2.2, 1.4.6)."""
PALETTES = {"light": theme.LIGHT, "dark": theme.DARK, "contrast": theme.HIGH_CONTRAST}
every_palette = pytest.mark.parametrize("colours", PALETTES.values(), ids=PALETTES)


@every_palette
@pytest.mark.parametrize(("text", "ground"), theme.TEXT_PAIRS)
def test_theme__text_can_be_read_on_every_ground(
    colours: theme.Palette, text: str, ground: str
) -> None:
    assert (
        contrast(theme.rgb(getattr(colours, text)), theme.rgb(getattr(colours, ground)))
        >= LEAST_CONTRAST
    )


@every_palette
@pytest.mark.parametrize(("line", "ground"), theme.OUTLINE_PAIRS)
def test_theme__a_control_and_the_focus_are_seen_on_every_ground(
    colours: theme.Palette, line: str, ground: str
) -> None:
    pair = theme.rgb(getattr(colours, line)), theme.rgb(getattr(colours, ground))
    assert contrast(*pair) >= OF_LINES


@pytest.mark.parametrize(("text", "ground"), theme.TEXT_PAIRS)
def test_theme__high_contrast_is_what_the_standard_calls_enhanced(text: str, ground: str) -> None:
    colours = theme.HIGH_CONTRAST
    pair = theme.rgb(getattr(colours, text)), theme.rgb(getattr(colours, ground))
    assert contrast(*pair) >= OF_HIGH_CONTRAST


def _most_contrast_on_edge(widget: QWidget, ground: QColor) -> float:
    """Return how far the outline stands out, in the middle of the left edge as it is painted."""
    image = widget.grab().toImage()
    middle = image.height() // 2
    edge = [image.pixelColor(column, middle) for column in range(2)]
    return max(contrast(theme.rgb(colour), theme.rgb(ground)) for colour in edge)


@pytest.mark.parametrize("mode", PALETTES)
@pytest.mark.parametrize("kind", [QPushButton, QLineEdit, QComboBox, QToolButton, QSpinBox])
def test_theme__painted_controls_have_an_outline_that_is_seen(
    qtbot: QtBot, kind: type[QWidget], mode: str
) -> None:
    theme.manager().apply(mode)
    widget = kind()
    qtbot.addWidget(widget)
    widget.resize(120, 32)
    assert _most_contrast_on_edge(widget, PALETTES[mode].window) >= OF_LINES
    theme.manager().apply("light")


def test_theme__high_contrast_is_drawn_light_on_dark(qapp: QApplication) -> None:
    theme.manager().apply("contrast")
    assert theme.palette() is theme.HIGH_CONTRAST
    assert theme.manager().dark
    assert theme.run_colours() is theme.RUN_COLOURS_DARK
    theme.manager().apply("light")


def test_theme__contrast_is_that_of_the_standard() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21.0)
    assert contrast((0x77, 0x77, 0x77), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75, 1.0])
@every_palette
def test_theme__readable_text_is_found_for_every_shade_of_a_highlight(
    colours: theme.Palette, share: float
) -> None:
    ground = theme.rgb(theme.blend(colours.surface, colours.accent, share))
    assert contrast(readable_on(ground, theme.rgb(colours.text)), ground) >= LEAST_CONTRAST


def test_theme__the_style_sheet_has_at_most_three_sizes_and_no_open_names(
    qapp: QApplication,
) -> None:
    font = QFont()
    font.setPointSizeF(10.0)
    sheet = theme.style_sheet(theme.DARK, font)
    assert "${" not in sheet
    assert len(set(re.findall(r"font-size: ([^;]+);", sheet))) <= 3


def test_theme__icons_follow_the_theme(qapp: QApplication) -> None:
    theme.manager().apply("light")
    button = QPushButton()
    icons.set_icon(button, "star")
    before = button.icon().pixmap(16, 16).toImage()
    theme.manager().apply("dark")
    assert theme.palette() is theme.DARK
    assert button.icon().pixmap(16, 16).toImage() != before
    theme.manager().apply("light")


def test_theme__an_unknown_mode_is_the_systems(qapp: QApplication) -> None:
    theme.manager().apply("sepia")
    assert theme.manager().mode == "system"
    theme.manager().apply("light")

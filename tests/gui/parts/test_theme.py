"""Colours that can be read, and one style sheet."""

from __future__ import annotations

import re

import pytest
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QApplication, QPushButton

from sae_desktop.gui.parts import icons, theme
from sae_desktop.gui.parts.colour_scale import contrast, readable_on

LEAST_CONTRAST = 4.5


@pytest.mark.parametrize("colours", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), theme.TEXT_PAIRS)
def test_theme__text_can_be_read_on_every_ground(
    colours: theme.Palette, text: str, ground: str
) -> None:
    assert (
        contrast(theme.rgb(getattr(colours, text)), theme.rgb(getattr(colours, ground)))
        >= LEAST_CONTRAST
    )


def test_theme__contrast_is_that_of_the_standard() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21.0)
    assert contrast((0x77, 0x77, 0x77), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("colours", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
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

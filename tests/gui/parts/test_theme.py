"""Colours that can be read, and one style sheet."""

from __future__ import annotations

import re

import pytest
from PySide6.QtGui import QColor, QFont
from PySide6.QtWidgets import QApplication, QPushButton

from sae_desktop.gui.parts import icons, theme

LEAST_CONTRAST = 4.5


@pytest.mark.parametrize("colours", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), theme.TEXT_PAIRS)
def test_theme__text_can_be_read_on_every_ground(
    colours: theme.Palette, text: str, ground: str
) -> None:
    assert theme.contrast(getattr(colours, text), getattr(colours, ground)) >= LEAST_CONTRAST


def test_theme__contrast_is_that_of_the_standard() -> None:
    assert theme.contrast(QColor("black"), QColor("white")) == pytest.approx(21.0)
    assert theme.contrast(QColor("#777777"), QColor("white")) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("colours", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_theme__readable_text_is_found_for_every_shade_of_a_highlight(
    colours: theme.Palette, share: float
) -> None:
    ground = theme.blend(colours.surface, colours.accent, share)
    assert theme.contrast(theme.readable_on(ground), ground) >= LEAST_CONTRAST


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

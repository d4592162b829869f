"""Highlighted running text, checked on its pixels."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from index_session import _light_theme  # noqa: F401
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.activation_legend import ActivationLegend
from sae_desktop.gui.parts.colour_scale import ColourScale, contrast, readable_on
from sae_desktop.gui.parts.passages import Heading, HoveredToken, Passage
from sae_desktop.gui.parts.theme import rgb
from sae_desktop.gui.parts.token_text import TokenTextView

TOKENS = ["In", " the", " beginning", " God", " created", " the", " heaven"]
ACTS = [0.0, 0.0, 0.4, 10.0, 0.0, 0.0, 0.0]


def _view(qtbot: QtBot, *items: Heading | Passage, width: int = 600) -> TokenTextView:
    view = TokenTextView()
    qtbot.addWidget(view)
    view.resize(width, 40)
    view.set_scale(ColourScale(10.0))
    view.set_blocks(items or [Passage(TOKENS, ACTS)])
    view.show()
    qtbot.waitExposed(view)
    return view


def _image(view: TokenTextView) -> QImage:
    # On the surface, as in the panels: the view itself paints no ground.
    image = QImage(view.size(), QImage.Format.Format_RGB32)
    image.fill(theme.palette().surface)
    view.render(image, QPoint(), renderFlags=QWidget.RenderFlag.DrawChildren)
    return image


def _ground(view: TokenTextView, block: int, piece: int) -> QColor:
    """Return the colour under a piece's box, near its upper edge where no glyph reaches."""
    rect = view.piece_rects(block, piece)[0]
    return QColor(_image(view).pixel(int(rect.center().x()), int(rect.top()) + 2))


def _is_near(colour: QColor, wanted: QColor, within: int = 3) -> bool:
    pairs = zip(rgb(colour), rgb(wanted), strict=True)
    return all(abs(a - b) <= within for a, b in pairs)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_background__is_the_accent_at_the_maximum_and_the_surface_at_nothing(
    qtbot: QtBot, mode: str
) -> None:
    theme.manager().apply(mode)
    view = _view(qtbot)
    assert _is_near(_ground(view, 0, 3), theme.palette().accent)
    assert _is_near(_ground(view, 0, 1), theme.palette().surface)
    weak = _ground(view, 0, 2)
    assert not _is_near(weak, theme.palette().surface)
    assert not _is_near(weak, theme.palette().accent)


@pytest.mark.parametrize("colours", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_text__keeps_its_contrast_on_every_highlight(colours: theme.Palette) -> None:
    scale = ColourScale(1.0)
    for activation in np.linspace(0.0, 1.0, 500) ** 4:
        ground = scale.background(float(activation), rgb(colours.surface), rgb(colours.accent))
        assert contrast(readable_on(ground, rgb(colours.text)), ground) >= 4.5


def test_text__on_the_accent_is_dark_in_the_dark_theme(qtbot: QtBot) -> None:
    theme.manager().apply("dark")
    view = _view(qtbot, Passage(["MMMM"], [10.0], peak=None))
    rect = view.piece_rects(0, 0)[0].toRect()
    image = _image(view)
    seen = [
        QColor(image.pixel(x, y)).lightness()
        for x in range(rect.left() + 3, rect.right() - 3)
        for y in range(rect.top() + 3, rect.bottom() - 5)
    ]
    assert min(seen) < 60
    assert max(seen) <= theme.palette().accent.lightness() + 4


def test_peak__is_underlined(qtbot: QtBot) -> None:
    view = _view(qtbot, Passage(["a", " b", " c"], [0.0, 0.0, 0.0], peak=1))
    image = _image(view)
    for piece, lined in ((0, False), (1, True), (2, False)):
        rect = view.piece_rects(0, piece)[0]
        pixel = QColor(image.pixel(int(rect.center().x()), int(rect.bottom()) - 2))
        assert _is_near(pixel, theme.palette().text, 60) is lined


def test_boxes__of_neighbours_leave_no_gap(qtbot: QtBot) -> None:
    view = _view(qtbot)
    rects = [view.piece_rects(0, piece)[0] for piece in range(len(TOKENS))]
    for left, right in pairwise(rects):
        assert left.right() == pytest.approx(right.left(), abs=0.1)


def test_linear_scale__paints_weak_activations_weaker(qtbot: QtBot) -> None:
    view = _view(qtbot)
    logarithmic = _ground(view, 0, 2)
    view.set_scale(ColourScale(10.0, logarithmic=False))
    surface = theme.palette().surface
    assert _ground(view, 0, 2).blue() > logarithmic.blue()
    assert _ground(view, 0, 2).blue() < surface.blue()


def test_text__wraps_and_grows_taller_when_narrow(qtbot: QtBot) -> None:
    passage = Passage(TOKENS * 6, ACTS * 6)
    wide, narrow = _view(qtbot, passage), _view(qtbot, passage, width=160)
    assert narrow.height() > 2 * wide.height()
    for piece in range(len(TOKENS) * 6):
        assert all(r.right() <= 160.5 for r in narrow.piece_rects(0, piece))


def test_wrapped_token__has_no_box_for_the_space_it_leaves_behind(qtbot: QtBot) -> None:
    view = _view(qtbot, Passage(["mmmmmm"] + [" mmmmmm"] * 5, np.ones(6)), width=130)
    for piece in range(6):
        assert len(view.piece_rects(0, piece)) == 1


def test_selection__is_copied_as_plain_text(qtbot: QtBot) -> None:
    tokens = ["def", " f", "(", ")", ":", "\n", "    ", "pass"]
    view = _view(qtbot, Heading("Top 20"), Passage(tokens, np.zeros(8)), Passage(["x"], [1.0]))
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "def f():\n    pass\nx"


def test_selection__follows_the_pointer(qtbot: QtBot) -> None:
    view = _view(qtbot)
    start = view.piece_rects(0, 3)[0]
    end = view.piece_rects(0, 4)[0]
    middle = int(start.center().y())
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(int(start.left()) + 1, middle))
    view.mouseMoveEvent(_moved(QPointF(end.right(), middle)))
    assert view.selected_text() == " God created"
    pixel = QColor(_image(view).pixel(int(end.left()) + 3, int(end.top()) + 2))
    assert _is_near(pixel, theme.palette().selection)


def test_marked_token__keeps_the_colour_of_its_activation(qtbot: QtBot) -> None:
    view = _view(qtbot)
    rect = view.piece_rects(0, 3)[0]
    at = int(rect.left()) + 5, int(rect.top()) + 4
    before = QColor(_image(view).pixel(*at))
    view.mark_token(3)
    after = _image(view)
    assert QColor(after.pixel(*at)) == before
    edge = QColor(after.pixel(int(rect.left()) + 1, int(rect.center().y())))
    assert _is_near(edge, theme.palette().focus)
    assert view.selected_text() == ""
    view.mark_token(None)
    assert QColor(_image(view).pixel(int(rect.left()) + 1, int(rect.center().y()))) != edge


def _moved(point: QPointF) -> QMouseEvent:
    left = Qt.MouseButton.LeftButton
    return QMouseEvent(
        QEvent.Type.MouseMove, point, point, left, left, Qt.KeyboardModifier.NoModifier
    )


def test_hover__says_token_and_activation_and_ends_outside(qtbot: QtBot) -> None:
    view = _view(qtbot)
    heard: list[HoveredToken | None] = []
    view.tokenHovered.connect(heard.append)
    point = view.piece_rects(0, 3)[0].center()
    view.mouseMoveEvent(_moved(point))
    assert heard == [HoveredToken("·God", 10.0)]
    view.leaveEvent(QEvent(QEvent.Type.Leave))
    assert heard[-1] is None


@pytest.mark.parametrize(
    "tokens",
    [
        ["يولد", " جميع", " الناس", " أح", "رارا", " متساوين", " في", " الكرامة"],
        ["כל", " בני", " האדם", " abc", " נולדו", " 12", " בני"],
        ["人", "人", "生", "而", "自由", "，", "在", "尊严", "和", "权利"],
        ["a\u0301", "😀", "\u202e", "\x00", "⟨0xE2⟩", "ก็"],
    ],
    ids=["arabic", "hebrew", "chinese", "odd"],
)
@pytest.mark.parametrize("width", [600, 90])
def test_other_scripts__have_a_box_for_every_token_inside_the_view(
    qtbot: QtBot, tokens: list[str], width: int
) -> None:
    acts = np.linspace(1.0, 10.0, len(tokens))
    view = _view(qtbot, Passage(tokens, acts), width=width)
    view.grab()
    for piece in range(len(tokens)):
        for rect in view.piece_rects(0, piece):
            assert 0 <= rect.left() <= rect.right() <= width + 1
            assert rect.bottom() <= view.height()
    boxed = [piece for piece in range(len(tokens)) if view.piece_rects(0, piece)]
    assert len(boxed) >= len(tokens) - 1  # a control may have no width of its own


def test_arabic__runs_from_right_to_left(qtbot: QtBot) -> None:
    view = _view(qtbot, Passage(["يولد", " جميع", " الناس"], [1.0, 2.0, 3.0]))
    lefts = [view.piece_rects(0, piece)[0].left() for piece in range(3)]
    assert lefts == sorted(lefts, reverse=True)


def test_empty_view__is_no_trouble(qtbot: QtBot) -> None:
    view = _view(qtbot, Passage([], []), Passage([""], [1.0]))
    view.grab()
    view.select_all()
    assert view.selected_text() == ""
    view.set_blocks([])
    view.grab()
    view.copy()


def test_legend__switches_the_scale(qtbot: QtBot) -> None:
    legend = ActivationLegend()
    qtbot.addWidget(legend)
    legend.set_maximum(4.0)
    assert legend.scale() == ColourScale(4.0)
    with qtbot.waitSignal(legend.scaleChanged) as heard:
        legend.switch.click()
    assert heard.args == [False]
    assert legend.scale() == ColourScale(4.0, logarithmic=False)
    legend.set_marker(2.0)
    legend.grab()

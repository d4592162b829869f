"""The map of features."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from sae_desktop.gui.explore.map import feature_map_view
from sae_desktop.gui.explore.map.feature_map import FeatureMapPanel
from sae_desktop.gui.explore.map.map_places import (
    MapPlaces,
    View,
    category_image,
    density_image,
    mean_image,
)
from sae_desktop.gui.parts import theme
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> FeatureMapPanel:
    panel = FeatureMapPanel(session)
    qtbot.addWidget(panel)
    panel.resize(420, 560)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


# ---------------------------------------------------------------- without Qt
def test_places__leave_out_what_has_none() -> None:
    places = MapPlaces(np.array([0.0, np.nan, 2.0]), np.array([1.0, 5.0, 3.0]))
    assert places.features.tolist() == [0, 2]
    assert places.place_of(1) is None
    assert places.place_of(2) == (2.0, 3.0)
    assert places.nearest(1.9, 2.0) == 2
    assert MapPlaces(np.empty(0), np.empty(0)).nearest(0, 0) is None


def test_cells__are_those_of_a_histogram() -> None:
    rng = np.random.default_rng(0)
    places = MapPlaces(rng.normal(size=500), rng.normal(size=500))
    inside, cells = places.cells(View(-1.0, -1.0, 2.0, 2.0), 8, 4)
    counts, _, _ = np.histogram2d(places.y, places.x, (4, 8), ((-1, 1), (-1, 1)))
    image = np.bincount(cells, minlength=32).reshape(4, 8)
    np.testing.assert_array_equal(image, counts)
    np.testing.assert_allclose(
        density_image(cells, 8, 4), np.log1p(counts) / np.log1p(counts).max(), rtol=1e-6
    )
    sums, _, _ = np.histogram2d(places.y, places.x, (4, 8), ((-1, 1), (-1, 1)), weights=places.x)
    with np.errstate(invalid="ignore"):
        expected = sums / counts
    np.testing.assert_allclose(mean_image(cells, places.x[inside], 8, 4), expected, atol=1e-5)
    empty = category_image(cells, np.zeros(len(inside)), 8, 4) == -2
    np.testing.assert_array_equal(empty, counts == 0)


def test_lasso__takes_what_lies_within_its_outline() -> None:
    x, y = np.meshgrid(np.arange(10.0), np.arange(10.0))
    places = MapPlaces(x.ravel(), y.ravel())
    triangle = np.array([[-0.5, -0.5], [5.5, -0.5], [-0.5, 5.5]])
    found = places.inside(triangle)
    assert found.tolist() == [10 * j + i for j in range(6) for i in range(6) if i + j < 5]
    assert places.inside(triangle[:2]).tolist() == []


def test_zoom__keeps_the_point_under_the_pointer() -> None:
    view = View(0.0, 0.0, 4.0, 2.0).zoomed(0.5, 1.0, 1.0)
    assert view == View(0.5, 0.5, 2.0, 1.0)
    assert view.moved(0.5, 0.0).left == 1.5


# ---------------------------------------------------------------- the panel
def _pixel(panel: FeatureMapPanel, feature: int) -> QPoint:
    place = panel.map.places.place_of(feature)
    assert place is not None
    return panel.map._point(*place).toPoint()


def test_click__opens_the_feature_and_marks_it(panel: FeatureMapPanel, session: Session) -> None:
    map_ = panel.map
    feature = map_.places.nearest(0.0, 0.0)
    assert feature is not None
    map_.fly_to(*map_.places.place_of(feature))  # type: ignore[misc]
    QTest.mouseClick(map_, Qt.MouseButton.LeftButton, pos=_pixel(panel, feature))
    assert session.feature == feature
    assert map_.selected == feature
    picture = map_.grab().toImage()
    at = _pixel(panel, feature)
    ring = picture.pixelColor(at.x() + 7, at.y())
    assert ring != theme.palette().surface


def test_lasso__lists_its_features(qtbot: QtBot, panel: FeatureMapPanel, session: Session) -> None:
    heard = []
    session.featuresRequested.connect(heard.append)
    map_ = panel.map
    map_._outline = [QPointF(0, 0), QPointF(map_.width(), 0),
                     QPointF(map_.width(), map_.height()), QPointF(0, map_.height())]  # fmt: skip
    map_._pressed = QPointF(0, 0)
    QTest.mouseRelease(map_, Qt.MouseButton.LeftButton, pos=QPoint(3, 3))
    assert len(heard) == 1
    assert 0 < len(heard[0].features) <= 64
    assert heard[0].title == "Lasso on the map"


def test_selection_elsewhere__is_flown_to(panel: FeatureMapPanel, session: Session) -> None:
    map_ = panel.map
    map_.set_view(View(1000.0, 1000.0, 1.0, 1.0))
    session.select_feature(7)
    assert map_.rect().contains(_pixel(panel, 7)) or map_._flight.state().value


def test_search__flies_to_a_number_and_a_label(panel: FeatureMapPanel, session: Session) -> None:
    FeatureNotes.of(session).set_label(9, "Golden Gate")
    for text, feature in (("#12", 12), ("golden", 9)):
        panel.search.setText(text)
        QTest.keyClick(panel.search, Qt.Key.Key_Return)
        assert session.feature == feature
    panel.search.setText("nothing of the kind")
    QTest.keyClick(panel.search, Qt.Key.Key_Return)
    assert "No feature" in panel.read_out.text()


def test_keys__move_zoom_and_come_back(panel: FeatureMapPanel) -> None:
    map_ = panel.map
    map_.show_whole()
    whole = map_.view
    QTest.keyClick(map_, Qt.Key.Key_Plus)
    assert map_.view.width == pytest.approx(0.8 * whole.width)
    QTest.keyClick(map_, Qt.Key.Key_Right)
    assert map_.view.left > whole.left
    QTest.keyClick(map_, Qt.Key.Key_0)
    assert map_.view.as_tuple() == pytest.approx(whole.as_tuple())


def test_every_colouring__draws_points_and_image(
    panel: FeatureMapPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for most in (3000, 1):  # points, then the image
        monkeypatch.setattr(feature_map_view, "MOST_POINTS", most)
        for number in range(panel.colour.count()):
            panel.colour.setCurrentIndex(number)
            panel.map.redraw()
            picture = panel.map.grab().toImage()
            colours = {
                picture.pixelColor(x, y).name()
                for x in range(0, picture.width(), 3)
                for y in range(0, picture.height(), 3)
            }
            assert len(colours) > 1, panel.colour.currentText()


def test_image__of_very_many_moves_along_and_is_drawn_anew_when_it_rests(
    qtbot: QtBot, panel: FeatureMapPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_map_view, "MOST_POINTS", 1)
    monkeypatch.setattr(feature_map_view, "_AT_ONCE", 1)
    map_ = panel.map
    map_.redraw()
    before = map_._drawn_view
    moved = before.moved(0.1, 0.0)
    map_.set_view(moved)
    assert map_._drawn_view == before
    assert map_.grab().toImage() != QImage()
    qtbot.waitUntil(lambda: map_._drawn_view == moved, timeout=2000)


def test_index_without_a_map__says_so(panel: FeatureMapPanel, session: Session) -> None:
    assert session.index is not None
    del session.index.columns["map_x"]
    session.indexOpened.emit(session.index)
    assert "no map" in panel.empty.text()
    assert panel.empty.isVisible()

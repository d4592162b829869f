"""The map of features."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from sae_desktop.features.reading.clusters import Region, Regions, SharedFact
from sae_desktop.gui.explore.map import feature_map, map_canvas
from sae_desktop.gui.explore.map.feature_map import FeatureMapPanel
from sae_desktop.gui.explore.map.map_names import MapName
from sae_desktop.gui.explore.map.map_places import (
    MapPlaces,
    View,
    category_image,
    density_image,
    mean_image,
)
from sae_desktop.gui.parts import motion, theme
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


def test_click__opens_the_feature_and_marks_it(
    panel: FeatureMapPanel, session: Session, heard
) -> None:
    map_ = panel.map
    feature = map_.places.nearest(0.0, 0.0)
    assert feature is not None
    map_.fly_to(*map_.places.place_of(feature))  # type: ignore[misc]
    QTest.mouseClick(map_, Qt.MouseButton.LeftButton, pos=_pixel(panel, feature))
    assert (session.feature, heard.workspaces) == (feature, ["explore.feature"])
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


def test_selection_elsewhere__is_there_at_once_with_motion_reduced(
    qtbot: QtBot, panel: FeatureMapPanel
) -> None:
    map_, place = panel.map, panel.map.places.place_of(7)
    assert place is not None
    panel.activateWindow()
    qtbot.waitUntil(panel.isActiveWindow)
    away = View(1000.0, 1000.0, 1.0, 1.0)
    map_.set_view(away)
    map_.fly_to(*place)
    assert map_.view == away  # from where it sets out
    motion.apply(True)
    try:
        map_.set_view(away)
        map_.fly_to(*place)
        assert map_.rect().contains(_pixel(panel, 7))
    finally:
        motion.apply(False)


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
    left = map_.view.left
    QTest.keyClick(map_, Qt.Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
    assert map_.view.left > left
    QTest.keyClick(map_, Qt.Key.Key_0)
    assert map_.view.as_tuple() == pytest.approx(whole.as_tuple())


def test_every_colouring__draws_points_and_image(
    panel: FeatureMapPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for most in (3000, 1):  # points, then the image
        monkeypatch.setattr(map_canvas, "MOST_POINTS", most)
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
    monkeypatch.setattr(map_canvas, "MOST_POINTS", 1)
    monkeypatch.setattr(map_canvas, "_AT_ONCE", 1)
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


def test_whole_map__fits_whatever_size_it_gets(qtbot: QtBot, panel: FeatureMapPanel) -> None:
    map_ = panel.map
    map_.show_whole()
    for width, height in ((900, 300), (420, 560)):
        panel.resize(width, height)
        qtbot.waitUntil(lambda width=width: abs(map_.width() - width) < 60, timeout=5000)
        assert map_.view == map_.places.whole(map_.width() / map_.height())
    map_.set_view(map_.view.zoomed(0.5, 0.0, 0.0))
    zoomed = map_.view
    panel.resize(900, 300)
    qtbot.waitUntil(lambda: map_.width() > 800, timeout=5000)
    assert map_.view.left + map_.view.width / 2 == pytest.approx(zoomed.left + zoomed.width / 2)


# ---------------------------------------------------------------- by keyboard
def test_beside__is_the_nearest_on_that_side() -> None:
    x, y = np.meshgrid(np.arange(4.0), np.arange(4.0))
    places = MapPlaces(x.ravel(), y.ravel())
    assert [places.beside(5, *way) for way in ((1, 0), (-1, 0), (0, 1), (0, -1))] == [6, 4, 9, 1]
    assert places.beside(7, -1, 0) == 6
    assert places.beside(3, 1, 0) is None
    assert places.beside(99, 1, 0) is None


def test_arrows__walk_from_feature_to_feature_and_return_opens(
    panel: FeatureMapPanel, session: Session, heard
) -> None:
    map_ = panel.map
    session.select_feature(7)
    map_.setFocus()
    before = map_.places.place_of(7)
    key = next(
        key
        for key, way in ((Qt.Key.Key_Right, (1, 0)), (Qt.Key.Key_Left, (-1, 0)))
        if map_.places.beside(7, *way) is not None
    )
    QTest.keyClick(map_, key)
    pointed = map_.pointed
    assert pointed not in (None, 7)
    assert before is not None
    assert (map_.places.place_of(pointed)[0] > before[0]) == (key == Qt.Key.Key_Right)
    assert panel.read_out.text().startswith(f"#{pointed} ")
    assert session.feature == 7  # only looked at
    QTest.keyClick(map_, Qt.Key.Key_Return)
    assert (session.feature, heard.workspaces) == (pointed, ["explore.feature"])


def test_arrow__that_leaves_the_view_takes_it_along(panel: FeatureMapPanel) -> None:
    map_ = panel.map
    feature = map_.places.nearest(0.0, 0.0)
    assert feature is not None
    x, y = map_.places.place_of(feature)
    map_.set_view(View(x - 0.01, y - 0.01, 0.02, 0.02))
    map_.point_at(feature)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Left):
        QTest.keyClick(map_, key)
        assert map_.pointed is not None
        at = map_._point(*map_.places.place_of(map_.pointed)).toPoint()
        assert map_.rect().contains(at) or map_._flight.state().value


# ---------------------------------------------------------------- names
def region(number: int, x: float, y: float, value: str) -> Region:
    return Region(number, 9, x, y, (SharedFact("tokens", value, 8, 0.9, 0.1, 4.0),))


def test_names__do_not_cover_one_another_and_areas_come_first(panel: FeatureMapPanel) -> None:
    map_ = panel.map
    map_.show_whole()
    whole = map_.view
    x, y = whole.left + whole.width / 2, whole.top + whole.height / 2
    area, cluster = region(0, x, y, "an area"), region(1, x, y, "a cluster")
    far = region(2, x, y + whole.height / 3, "another")
    map_.region_names = [
        MapName("an area", x, y, area, wide=True),
        MapName("a cluster", x, y, cluster),
        MapName("another", far.x, far.y, far),
    ]
    placed = map_._place_names().placed
    assert [p.name.text for p in placed if p.name.region] == ["an area", "another"]
    for number, one in enumerate(placed):
        assert not any(one.box.intersects(other.box) for other in placed[number + 1 :])
        assert one.name.region is None or QRectF(map_.rect()).contains(one.box)
    map_.set_view(whole.zoomed(0.3, x, y))
    near = [p.name.text for p in map_._place_names().placed if p.name.region]
    assert near == ["a cluster"]


def test_name__lists_its_features_and_tells_what_they_share(
    qtbot: QtBot, panel: FeatureMapPanel, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, told, map_ = session.index, [], panel.map
    assert index is not None
    number = int(np.bincount(index.columns["cluster"][index.columns["cluster"] >= 0]).argmax())
    members = np.flatnonzero(index.columns["cluster"] == number)
    qtbot.waitUntil(lambda: panel.regions.cluster(number) is not None, timeout=20_000)
    found = panel.regions.cluster(number)
    named = Region(number, found.features, found.x, found.y, region(0, 0, 0, "numbers").facts)
    panel.regions._found = Regions((named,))
    panel.regions.changed.emit()
    assert [name.text for name in map_.region_names] == ["numbers"]
    monkeypatch.setattr(feature_map, "show_tip", lambda at, text, widget: told.append(text))
    map_.show_whole()
    map_.grab()
    (one,) = [p for p in map_._placed.placed if p.name.region]
    QTest.mouseMove(map_, one.box.center().toPoint())
    map_._hover(one.box.center())
    monkeypatch.setattr(map_, "told_place", lambda: QPoint(5, 5))
    panel._told = ()
    map_._hover(one.box.center())
    assert told[-1].splitlines()[0] == "“numbers”"
    assert "elsewhere 10%" in told[-1]
    heard = []
    session.featuresRequested.connect(heard.append)
    QTest.mouseClick(map_, Qt.MouseButton.LeftButton, pos=one.box.center().toPoint())
    qtbot.waitUntil(lambda: bool(heard), timeout=20_000)
    assert heard[0].title == "“numbers” on the map"
    assert heard[0].features.tolist() == members.tolist()


def test_hover__tells_the_words_of_a_feature_with_its_context(
    panel: FeatureMapPanel, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    monkeypatch.setattr(feature_map, "show_tip", lambda at, text, widget: told.append(text))
    map_ = panel.map
    map_._hover(map_._point(*map_.places.place_of(0)))  # type: ignore[misc]
    feature = map_.pointed
    assert feature is not None
    assert told[-1].startswith(f"#{feature}\nNo label yet.\nStrongest in “")
    assert panel.read_out.text().startswith(f"#{feature} ")
    FeatureNotes.of(session).set_label(feature, "the divine")
    map_.point_at(None)
    map_.point_at(feature)
    first, context = told[-1].splitlines()[:2]
    assert first == f"#{feature} the divine"
    assert "[" in context


def test_colours__begin_with_cluster_and_language(panel: FeatureMapPanel) -> None:
    assert [panel.colour.itemText(n) for n in range(5)] == [
        "Cluster", "Language", "Source", "Labelled", "Number of features",
    ]  # fmt: skip
    assert "grey features are in none" in panel.legend.text()
    panel.colour.setCurrentIndex(1)
    assert "●" in panel.legend.text()

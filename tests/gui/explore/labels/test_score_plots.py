"""The plots of scores show what the files beside the index hold, and lead to the features."""

from __future__ import annotations

import numpy as np
import pytest
from index_session import FakeClient
from made_scores import INTERVALS, made_score, write_made_scores
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sae_desktop.features.config import NameFeaturesConfig
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.features.reading.judged_file import write_judged
from sae_desktop.features.reading.judgement import Judge, JudgedLabel, Judgement, Part
from sae_desktop.features.reading.names_file import spans
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.reading.scores_file import ScoresInfo, write_scores
from sae_desktop.gui.explore.labels.feature_scatter import FeatureScatter, middle_line
from sae_desktop.gui.explore.labels.labels_panel import OVERVIEW, SCORES, LabelsPanel
from sae_desktop.gui.explore.labels.line_names import spread
from sae_desktop.gui.explore.labels.overview import SCORE
from sae_desktop.gui.explore.labels.score_data import (
    LABELS,
    NAMES,
    Points,
    mean_band,
    read_source,
    sources,
)
from sae_desktop.gui.state.session import Session
from sae_desktop.labels.scoring.config import ScoreLabelsConfig


@pytest.fixture
def scored(session: Session) -> Session:
    """The session's index, whose labels have scores too."""
    write_made_scores(session.index.path)
    session.open_index("main")
    return session


@pytest.fixture
def plots(qtbot: QtBot, scored: Session, labels: LabelsPanel) -> LabelsPanel:
    labels.show_place(SCORES)
    qtbot.waitUntil(lambda: labels.scores.by_density._points is not None, timeout=5000)
    return labels


def test_sources__are_those_whose_files_are_there(session: Session) -> None:
    assert [one.id for one in sources(session.index)] == [NAMES]
    write_made_scores(session.index.path)
    session.open_index("main")
    assert [one.id for one in sources(session.index)] == [LABELS, NAMES]


def test_labels__have_points_rivals_intervals_and_sensitivity(scored: Session) -> None:
    data = read_source(scored.index, LABELS)
    alive = np.flatnonzero(np.array(scored.index.columns["density"]) > 0)
    assert np.array_equal(data.by_density.features, alive)
    assert np.allclose(data.by_density.y, 0.5 + (alive % 4) / 8)
    assert [level.name for level in data.levels] == ["shuffled labels"]
    assert [curve.name for curve in data.curves] == [
        "labels",
        "top token alone",
        "shuffled labels",
    ]
    assert np.allclose(data.curves[1].value, 0.625)
    assert data.intervals[0] == "0–20%"
    assert data.sensitivity is not None
    assert data.sensitivity_others == pytest.approx(0.125)


def test_labels_of_people__are_a_level_beside_others(session: Session) -> None:
    """What people reach on the same texts is what other labels are held against."""
    info = read_info(session.index.path)
    own = ScoresInfo(
        dictionary_hash=info.dictionary_hash,
        spans=spans(info),
        rows=info.rows,
        features=info.features,
        intervals=INTERVALS,
        scheme="linear",
    )
    scores = [
        made_score(f, "a", 0.875 if f % 2 else 0.625, method="" if f % 2 else "statistics")
        for f in range(20)
    ]
    write_scores(session.index.path, own, scores)
    session.open_index("main")
    levels = {level.name: level.value for level in read_source(session.index, LABELS).levels}
    assert levels == {"labels by people (10)": 0.875, "automatic names (10)": 0.625}


def test_judged_labels__have_points_curves_and_baselines(session: Session) -> None:
    write_made_judgements(session.index)
    assert sources(session.index)[0].id == "judged:detection"
    data = read_source(session.index, "judged:detection")
    assert data.chance == 0.0
    assert np.allclose(data.by_density.y, 0.5)  # balanced accuracy 0.75, chance-corrected
    assert {level.name: round(level.value, 3) for level in data.levels} == {"shuffled labels": 0.0}
    assert data.intervals == ("0–50%", "50–100%")
    assert [curve.name for curve in data.curves] == ["labels"]
    assert np.allclose(data.curves[0].value, [0.625, 0.875])


def write_made_judgements(index: FeatureIndex) -> None:
    """Write a judge’s scores of features 1, 2 and 3, and of shuffled labels."""
    alive = [int(f) for f in np.flatnonzero(np.array(index.columns["density"]) > 0)[:3]]
    parts = tuple(
        Part(interval=n, value=value, low=value - 0.125, high=value + 0.125, items=8)
        for n, value in ((1, 0.625), (2, 0.875))
    )

    def judged(feature: int, of: str, value: float, parts: tuple[Part, ...]) -> JudgedLabel:
        judgement = Judgement(
            value=value, low=value, high=value, chance=0.5, asked=8, answered=8,
            as_wrong=value, as_right=value, parts=parts,
        )  # fmt: skip
        return JudgedLabel(
            feature=feature, label="a", method="model", scorer="detection", of=of,
            judge=Judge(model="m"), judgement=judgement,
        )  # fmt: skip

    made = [judged(f, "label", 0.75, parts) for f in alive]
    made += [judged(f, "shuffled", 0.5, ()) for f in alive]
    write_judged(index.path, index.info.dictionary_hash, index.features, made)


def test_names__have_their_own_rivals(session: Session) -> None:
    data = read_source(session.index, NAMES)
    assert {level.name for level in data.levels} == {"shuffled names", "top token alone"}
    assert data.curves == ()


def test_band__of_few_and_of_many_values_agree() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0.7, 0.1, 5_000)
    many, few = mean_band(values), mean_band(values[:4_000])
    assert many[1] < many[0] < many[2]
    assert many[2] - many[1] == pytest.approx(few[2] - few[1], rel=0.25)
    assert np.isnan(mean_band(np.array([np.nan]))[0])


def scene_place(scatter: FeatureScatter, place: int) -> QPointF:
    x, y = scatter._places
    return scatter.plot.vb.mapViewToScene(QPointF(float(x[place]), float(y[place])))


def test_point__tells_its_feature_and_a_click_opens_it(
    qtbot: QtBot, plots: LabelsPanel, session: Session
) -> None:
    scatter = plots.scores.by_density
    qtbot.wait(20)
    place = scene_place(scatter, 5)
    feature = int(scatter._points.features[scatter.feature_at(place)])
    scatter.view.scene().sigMouseMoved.emit(place)
    assert f"#{feature}" in scatter.frame.readout.text()
    assert "95% interval" in scatter.frame.readout.text()
    with qtbot.waitSignal(session.workspaceRequested) as asked:
        at: QPoint = scatter.view.mapFromScene(place)
        QTest.mouseClick(scatter.view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert asked.args == ["explore.feature"]
    assert session.feature == feature


def test_wheel_over_a_plot__is_left_to_the_page_and_changes_no_plot(
    qtbot: QtBot, plots: LabelsPanel
) -> None:
    scores = plots.scores
    qtbot.wait(20)
    for view in (scores.by_density.view, scores.by_interval.view, plots.overview.histogram.view):
        shown = view.getPlotItem().vb.viewRange()
        middle = QPointF(view.viewport().rect().center())
        turn = QWheelEvent(
            middle,
            QPointF(view.viewport().mapToGlobal(middle.toPoint())),
            QPoint(),
            QPoint(0, -120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(view.viewport(), turn)
        assert view.getPlotItem().vb.viewRange() == shown
        assert not turn.isAccepted()  # the page gets it


def test_line__is_read_out_under_the_pointer(qtbot: QtBot, plots: LabelsPanel) -> None:
    scatter = plots.scores.by_density
    qtbot.wait(20)
    level = next(one for one in scatter._levels if one.name == "shuffled labels")
    (left, right), _ = scatter.plot.vb.viewRange()
    free = next(
        place
        for place in np.linspace(left, right, 50)[1:-1]
        if scatter.feature_at(scatter.plot.vb.mapViewToScene(QPointF(place, level.value))) is None
    )
    scatter.view.scene().sigMouseMoved.emit(
        scatter.plot.vb.mapViewToScene(QPointF(free, level.value))
    )
    assert scatter.frame.readout.text() == "shuffled labels: mean 0.50, 95% interval 0.38 to 0.62"
    assert scatter.view.toolTip() == ""  # nothing stands over the points


def test_names_of_lines__lie_apart_as_near_to_their_lines_as_may_be() -> None:
    assert spread([0.2, 0.5, 0.8], 0.1, 0.0, 1.0) == pytest.approx([0.2, 0.5, 0.8])
    close = spread([0.5, 0.5, 0.5], 0.1, 0.0, 1.0)
    assert close == pytest.approx([0.4, 0.5, 0.6])
    assert spread([0.0, 0.01], 0.1, 0.0, 1.0)[0] == 0.0
    assert spread([0.99, 1.0], 0.1, 0.0, 1.0)[-1] == pytest.approx(1.0)
    assert spread([], 0.1, 0.0, 1.0) == []


def test_data__is_copied_with_its_rivals(plots: LabelsPanel) -> None:
    plots.scores.by_density.frame.copy_data()
    text = QGuiApplication.clipboard().text()
    assert text.startswith("feature\tDensity\tDetection AUROC\tlow\thigh\n")
    assert "shuffled labels\t\t0.5\t0.375\t0.625" in text
    plots.scores.by_interval.frame.copy_data()
    assert "top token alone\t0–20%\t0.625" in QGuiApplication.clipboard().text()


def test_interval__is_read_out_with_its_bands(plots: LabelsPanel) -> None:
    told = plots.scores.by_interval.said_at(0)
    assert told.startswith("0–20%: labels 0.69 (")
    assert "top token alone 0.62" in told


def test_other_source__is_shown_when_chosen(qtbot: QtBot, plots: LabelsPanel) -> None:
    plots.scores.source.setCurrentIndex(plots.scores.source.findData(NAMES))
    qtbot.waitUntil(lambda: not plots.scores.by_interval.isVisible(), timeout=5000)
    assert not plots.scores.sensitivity.isVisible()


def test_very_many_features__are_drawn_as_an_image(qtbot: QtBot) -> None:
    scatter = FeatureScatter("Many", "Density", str, logarithmic=True)
    qtbot.addWidget(scatter)
    scatter.resize(600, 300)
    scatter.show()
    rng = np.random.default_rng(0)
    n = 30_000
    y = rng.uniform(0.4, 1.0, n)
    scatter.show_points(
        Points(np.arange(n), 10 ** rng.uniform(-5, -1, n), y, y - 0.1, y + 0.1), (), "Score"
    )
    assert scatter._image.isVisible()
    assert not scatter._spots.isVisible()
    qtbot.wait(20)
    assert scatter.feature_at(scene_place(scatter, 7)) is not None


def test_middle_line__follows_the_points_and_needs_enough_of_them() -> None:
    x = np.linspace(0, 1, 300)
    at, middle = middle_line(x, x * 2)
    assert np.allclose(middle, at * 2, atol=0.02)
    assert len(middle_line(x[:20], x[:20])[0]) == 0


def test_without_scores__one_can_name_the_features_which_gives_them_some(
    labels: LabelsPanel, session: Session, client: FakeClient
) -> None:
    session.index.path.with_suffix(".names").unlink()
    session.open_index("main")
    labels.show_place(SCORES)
    assert labels.scores.empty.isVisible()
    QTest.mouseClick(labels.scores.empty.button, Qt.MouseButton.LeftButton)
    assert isinstance(client.jobs[-1].config, NameFeaturesConfig)
    assert labels.places.place == OVERVIEW
    client.end_cancelled(client.jobs[-1])


def test_labels_without_scores__can_be_scored(
    qtbot: QtBot, labels: LabelsPanel, client: FakeClient
) -> None:
    labels.show_place(SCORES)
    assert labels.scores.score.isVisible()
    QTest.mouseClick(labels.scores.score, Qt.MouseButton.LeftButton)
    assert isinstance(client.jobs[-1].config, ScoreLabelsConfig)
    assert client.jobs[-1].config.index == "main"
    way = labels.overview.ways.ways[SCORE]
    labels.show_place(OVERVIEW)
    qtbot.waitUntil(lambda: "Under way" in way.said.text(), timeout=5000)
    assert not way.button.isVisible()
    client.end_cancelled(client.jobs[-1])
    assert way.button.isVisible()

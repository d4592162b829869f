"""Where nodes and curves of a graph stand, and what a view of them shows."""

from __future__ import annotations

import numpy as np
import pytest
from made_graphs import made_graph

from sae_desktop.circuits.reading.curves import LEVELS, make_curves, strongest
from sae_desktop.circuits.reading.graph_file import ERROR, LOGIT
from sae_desktop.circuits.reading.labels import place_labels
from sae_desktop.circuits.reading.placing import Box, Placing, place
from sae_desktop.gui.circuits.canvas.camera import Camera, fitting

BOX = Box(100.0, 20.0, 50.0, 180.0)


def _placed(
    *, features: int = 300, positions: int = 12, aspect: float = 1.6, keep_errors: bool = True
) -> tuple:
    graph = made_graph(features=features, positions=positions, layers=5)
    shown = (graph.kind != ERROR) | keep_errors
    shown[::7] = False
    placing = place(
        np.asarray(graph.layer), np.asarray(graph.position), np.asarray(graph.influence), shown,
        tokens=positions, layers=5, box=BOX, aspect=aspect,
    )  # fmt: skip
    return graph, shown, placing


@pytest.mark.parametrize("aspect", [0.5, 1.6, 4.0])
def test_nodes__stand_in_their_cells_and_never_on_one_another(aspect: float) -> None:
    graph, shown, placing = _placed(aspect=aspect)
    nodes = np.flatnonzero(shown)
    assert np.isnan(placing.x[~shown]).all()
    for node in nodes:
        at = int(graph.position[node])
        first = 0 if graph.kind[node] == LOGIT else at  # next tokens spread to the left
        assert placing.columns[first] < placing.x[node] < placing.columns[at + 1]
        row = 5 - int(graph.layer[node])
        assert placing.rows[row] < placing.y[node] < placing.rows[row + 1]
    away_x = np.abs(placing.x[nodes, None] - placing.x[None, nodes])
    away_y = np.abs(placing.y[nodes, None] - placing.y[None, nodes])
    apart = (away_x >= BOX.width) | (away_y >= BOX.height)
    same_token = np.isclose(away_x, 0) & np.isclose(away_y, 0)
    assert (apart | same_token).all()
    assert same_token.sum() == len(nodes)


def test_drawing__has_about_the_shape_of_its_view() -> None:
    for aspect in (1.2, 2.0):
        _, _, placing = _placed(aspect=aspect)
        assert placing.width / placing.height == pytest.approx(aspect, rel=0.35)


def test_most_influential_node__stands_first_in_its_cell() -> None:
    graph, shown, placing = _placed(features=400, positions=3)
    cell = np.flatnonzero(shown & (graph.layer == 2) & (graph.position == 1))
    assert len(cell) > 3
    top = cell[np.argmax(graph.influence[cell])]
    assert placing.x[top] == placing.x[cell].min()
    first = cell[placing.x[cell] == placing.x[top]]
    assert placing.y[top] == placing.y[first].min()


def test_camera__keeps_the_place_it_zooms_at_and_never_loses_the_drawing() -> None:
    camera = Camera(10.0, 20.0, 0.5)
    zoomed = camera.zoomed(3.0, 120.0, 40.0)
    assert zoomed.to_drawing(120.0, 40.0) == pytest.approx(camera.to_drawing(120.0, 40.0))
    lost = Camera(1e6, -1e6, 1.0).held((800.0, 600.0), (400.0, 300.0))
    left, top = lost.to_view(0.0, 0.0)
    assert -800 < left < 400
    assert -600 < top < 300
    whole = fitting((800.0, 600.0), (400.0, 600.0))
    assert whole.zoom == pytest.approx(0.5)
    assert whole.to_view(400.0, 300.0) == pytest.approx((200.0, 300.0))


def test_curves__lead_from_the_top_of_a_source_to_the_foot_of_its_target() -> None:
    x, y = np.array([0.0, 200.0, np.nan]), np.array([300.0, 100.0, 0.0])
    placing = Placing(x, y, np.array([0.0, 400.0]), np.array([0.0, 400.0]), BOX, np.full(3, 100.0))
    sources, targets = np.array([0, 1]), np.array([1, 2])
    weights, importance = np.array([-1.0, 2.0]), np.array([1.0, 5.0])
    curves = make_curves(placing, sources, targets, weights, np.array([0, 1]), importance)
    assert curves.edge.tolist() == [0]  # the other one ends at a node that is not shown
    assert curves.points[0, 0].tolist() == [0.0, 290.0]
    assert curves.points[0, 3].tolist() == [200.0, 110.0]
    assert not curves.positive[0]
    # It leaves straight up: a view beside its beginning has nothing of it, one at its end has.
    assert np.flatnonzero(curves.within(150, 100, 220, 130).any(axis=1)).tolist() == [0]
    assert not curves.within(-50, 100, -10, 120).any()
    assert not curves.within(120, 240, 200, 290).any()
    assert curves.within(-5, 100, 205, 290).all()
    pieces = curves.pieces[0]
    assert (pieces[1:, 0] == pieces[:-1, 3]).all()
    middle = (curves.points[0] * np.array([1, 3, 3, 1])[:, None]).sum(axis=0) / 8
    assert pieces[4, 0] == pytest.approx(middle)


def test_strongest_edges__are_drawn_last_and_the_faint_are_left_out() -> None:
    importance = np.array([0.1, 9.0, 4.0, 0.2, 7.0])
    shown = np.array([True, True, True, True, False])
    assert sorted(strongest(importance, shown, 2).tolist()) == [1, 2]
    placing = Placing(
        np.zeros(2),
        np.array([100.0, 0.0]),
        np.array([0.0, 1.0]),
        np.array([0.0, 1.0]),
        BOX,
        np.full(2, 100.0),
    )
    ends = np.zeros(5, np.int64)
    curves = make_curves(placing, ends, ends + 1, importance, np.arange(5), importance)
    assert curves.edge.tolist() == [0, 3, 2, 4, 1]
    assert curves.level.max() == LEVELS - 1


def test_next_tokens__have_room_for_their_names_the_likeliest_at_the_last_token() -> None:
    graph = made_graph(features=60, positions=8, layers=4, logits=10)
    weight = np.where(graph.kind == LOGIT, graph.probability, graph.influence)
    placing = place(
        np.asarray(graph.layer), np.asarray(graph.position), weight, np.ones(graph.nodes, bool),
        tokens=8, layers=4, box=BOX,
    )  # fmt: skip
    logits = np.flatnonzero(graph.kind == LOGIT)
    likeliest = logits[np.argmax(graph.probability[logits])]
    assert placing.x[likeliest] == placing.x[logits].max() > placing.columns[6]
    for row in np.unique(placing.y[logits]):
        middles = np.sort(placing.x[logits[placing.y[logits] == row]])
        assert (np.diff(middles) > BOX.logit).all()


def test_names__cover_neither_one_another_nor_other_nodes() -> None:
    graph, shown, placing = _placed(features=60, keep_errors=False)
    zoom, height, right = 0.4, 12.0, placing.width * 0.4
    half = np.array([BOX.width / 2, BOX.height / 2])
    middles = np.stack([placing.x, placing.y], axis=1)
    boxes = np.concatenate([middles - half, middles + half], axis=1) * zoom
    nodes = [int(node) for node in np.argsort(-graph.influence) if shown[node]]
    labels = place_labels(boxes, nodes, [60.0] * len(nodes), height, (0.0, right), most=40)
    assert 5 < len(labels) <= 40

    def touch(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
        return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]

    places = [(one.left, one.top, one.left + one.width, one.top + one.height) for one in labels]
    for number, (one, place_) in enumerate(zip(labels, places, strict=True)):
        assert place_[0] >= 0
        assert place_[2] <= right
        assert not any(touch(place_, other) for other in places[:number])
        others = [tuple(boxes[node]) for node in nodes if node != one.node]
        assert not any(touch(place_, other) for other in others)
        away = max(boxes[one.node][0] - place_[2], place_[0] - boxes[one.node][2])
        assert away <= 3.001  # it stands at its own box

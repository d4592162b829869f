"""What of the window comes back with a project: how each is set, and how it is read again.

Every item has two values, so that two projects can be left differently.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtWidgets import QApplication, QSplitter

from sae_desktop.features.reading.filter import FeatureFilter, Range
from sae_desktop.gui.explore.map.map_places import View
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.state.compared import Compared
from sae_desktop.gui.state.feature_set import FeatureSet
from sae_desktop.gui.steer.rack import RackEntry


@dataclass(frozen=True)
class Item:
    """One thing that is kept."""

    name: str
    workspace: str
    values: tuple[Any, Any]
    set: Callable[[Any, Any], object]
    """(panel, value): as a person's hand leaves it."""
    get: Callable[[Any], Any]
    """(panel) → the value."""


def _field(name: str, workspace: str, values: tuple[Any, Any], find: Callable[[Any], Any]) -> Item:
    """Return an item for a field, whatever its kind."""

    def put(panel: Any, value: Any) -> None:
        field = find(panel)
        if hasattr(field, "findData"):
            field.setCurrentIndex(field.findData(value))
        elif hasattr(field, "isCheckable") and field.isCheckable():
            field.setChecked(value)
        elif hasattr(field, "setPlainText"):
            field.setPlainText(value)
        elif hasattr(field, "setText"):
            field.setText(value)
        else:
            field.setValue(value)

    def get(panel: Any) -> Any:
        field = find(panel)
        if hasattr(field, "findData"):
            return field.currentData()
        if hasattr(field, "isCheckable") and field.isCheckable():
            return field.isChecked()
        if hasattr(field, "toPlainText"):
            return field.toPlainText()
        return field.text() if hasattr(field, "setText") else field.value()

    return Item(name, workspace, values, put, get)


def _sort(panel: Any, value: tuple[int, bool]) -> None:
    order = Qt.SortOrder.DescendingOrder if value[1] else Qt.SortOrder.AscendingOrder
    panel.list.table.sortByColumn(value[0], order)


def _select_rows(panel: Any, features: list[int]) -> None:
    flags = QItemSelectionModel.SelectionFlag
    for feature in features:
        index = panel.list.model.index(panel.list.model.row_of(feature), 1)
        panel.list.table.selectionModel().select(index, flags.Select | flags.Rows)


def _type(panel: Any, value: tuple[str, str]) -> None:
    panel.list.bar.choose_scope(value[0])
    panel.list.search.setText(value[1])


def _filter(panel: Any) -> FeatureFilter:
    return msgspec.convert(panel.list.bar.kept()["conditions"], FeatureFilter)


def _rack(*entries: tuple[int, float, bool]) -> tuple[RackEntry, ...]:
    return tuple(RackEntry(feature=f, strength=s, on=on) for f, s, on in entries)


def _hide_dock(panel: Any, hidden: list[str]) -> None:
    for dock in _space(panel).docks():
        dock.setVisible(dock.objectName() not in hidden)


def _space(panel: Any) -> Any:
    return panel.parentWidget()


def _hidden(panel: Any) -> list[str]:
    return [dock.objectName() for dock in _space(panel).docks() if dock.isHidden()]


def _raise(panel: Any, name: str) -> None:
    next(dock for dock in _space(panel).docks() if dock.objectName() == name).raise_()


def _in_front(panel: Any) -> str:
    space = _space(panel)
    space.window().show_workspace(space.id)
    QApplication.processEvents()
    seen = {d.objectName() for d in space.docks() if not d.visibleRegion().isEmpty()}
    return "".join(seen & {"explore.lists", "explore.features"})


def _sides(panel: Any) -> QSplitter:
    found = panel.form.parentWidget()
    assert isinstance(found, QSplitter)
    return found


def _split(panel: Any, value: str) -> None:
    wide, narrow = (700, 300) if value == "wide prompt" else (300, 700)
    _sides(panel).setSizes([wide, narrow])


def _view(panel: Any) -> tuple[float, float]:
    view = panel.map._return or panel.map.map.view
    return round(view.left + view.width / 2, 2), round(view.top + view.height / 2, 2)


BESIDE = ["explore.completeness", "explore.languages", "explore.splitting"]

ITEMS = (
    Item(
        "feature", "explore", (2, 3), lambda p, v: p._session.select_feature(v),
        lambda p: p._session.feature,
    ),
    Item(
        "filter", "explore",
        (FeatureFilter(alive_only=True, ranges=(Range("density", 0.0, 0.9),)),
         FeatureFilter(languages=("en", "zh", "python"))),
        lambda p, v: p.list.set_conditions(v), lambda p: _filter(p),
    ),
    Item(
        "search, and what it searches", "explore", (("token", "Lord"), ("text", "2")), _type,
        lambda p: (p.list.bar._scope, p.list.search.text()),
    ),
    Item(
        "sort", "explore", ((3, True), (1, True)), _sort,
        lambda p: (p.list.model.sort_column, p.list.model.sort_falling),
    ),
    Item(
        "columns", "explore",
        (["feature", "label", "language"], ["starred", "feature", "density", "label"]),
        lambda p, v: p.list.table.show_columns(v), lambda p: p.list.table.shown_columns(),
    ),
    _field("column of the histogram", "explore", ("max_activation", "density"),
           lambda p: p.list.range.column),
    _field("text around a token", "explore", (5, 16), lambda p: p.page.window_size),
    _field("all contexts", "explore", (True, False), lambda p: p.page.more),
    _field("colour scale", "explore", (False, True), lambda p: p.page.legend.switch),
    _field("logits centred", "explore", (True, False), lambda p: p.page.centred),
    _field("own text", "explore", ("And the Lord said", "def read(self):"),
           lambda p: p.probe.text),
    _field("ranking of own text", "explore", ("share", "activation"),
           lambda p: p.probe.settings.ranking),
    _field("density of own text", "explore", (3.0, 7.5), lambda p: p.probe.settings.density),
    _field("texts A", "explore", ("one\ntwo", "three"), lambda p: p.text_sets.on),
    _field("texts B", "explore", ("four", "five\nsix"), lambda p: p.text_sets.off),
    _field("threshold of text sets", "explore", (0.25, 0.4), lambda p: p.text_sets.threshold),
    _field("misses of text sets", "explore", (1, 2), lambda p: p.text_sets.missed),
    Item(
        "compared features", "explore", (([2, 3], [2]), ([7, 9, 12], [])),
        lambda p, v: Compared.of(p._session).give({"features": v[0], "pinned": v[1]}),
        lambda p: tuple(Compared.of(p._session).kept().values()),
    ),
    _field("map colour", "explore", ("max_activation", "language"), lambda p: p.map.colour),
    Item(
        "map zoom", "explore", ((0.1, 0.2), (-0.3, 0.1)),
        lambda p, v: p.map.map.set_view(View(v[0] - 0.1, v[1] - 0.1, 0.2, 0.2)), _view,
    ),
    Item("panels shown", "explore", (BESIDE, ["explore.splitting"]), _hide_dock,
         lambda p: sorted(_hidden(p))),
    Item("panel in front", "explore", ("explore.lists", "explore.features"), _raise, _in_front),
    Item("place in the middle", "explore", ("map", "text"), lambda p, v: p.places.show_place(v),
         lambda p: p.places.place),
    _field("prompt", "steer", ("In the beginning", "Everyone has"), lambda p: p.form.prompt),
    _field("length", "steer", (33, 44), lambda p: p.form.tokens),
    _field("temperature", "steer", (0.7, 1.1), lambda p: p.form.temperature),
    _field("top-k", "steer", (40, 50), lambda p: p.form.top_k),
    _field("top-p", "steer", (0.9, 0.8), lambda p: p.form.top_p),
    _field("seed", "steer", (7, 8), lambda p: p.form.seed),
    _field("random direction", "steer", (True, False), lambda p: p.form.random),
    _field("prompt that asks for it", "steer", ("Write of the Lord", ""), lambda p: p.form.asking),
    _field("mode", "steer", ("add", "multiply"), lambda p: p.rack.form.mode),
    _field("where", "steer", ("prompt", "output"), lambda p: p.rack.form.where),
    Item(
        "sliders", "steer", (_rack((2, 1.5, True), (0, -0.5, False)), _rack((3, 2.0, True))),
        lambda p, v: p.rack.set_rack(v), lambda p: p.rack.rack,
    ),
    Item("splitter", "steer", ("wide prompt", "narrow prompt"), _split,
         lambda p: "wide prompt" if _sides(p).sizes()[0] > _sides(p).sizes()[1]
         else "narrow prompt"),
    _field("factors of the sweep over strengths", "steer", ("0, 1, 2", "0, 4"),
           lambda p: p.sweep.strengths),
    _field("tokens to watch", "steer", (" the, a", " of"), lambda p: p.sweep.watch),
    _field("least cosine of splitting", "explore", (0.3, 0.6), lambda p: p.splitting.least),
    _field("control of completeness", "explore", (False, True), lambda p: p.completeness.control),
    _field("features of a training", "train", (512, 4096), lambda p: p.form.fields["features"]),
    _field("tokens of a training", "train", (70_000, 90_000), lambda p: p.form.fields["tokens"]),
    _field("axis of a sweep over settings", "train", ("512..4096", "128, 256"),
           lambda p: p.sweep.fields["features"]),
    Item("curves or their fits", "train", (1, 2), lambda p, v: p.tabs.setCurrentIndex(v),
         lambda p: p.tabs.currentIndex()),
    Item("length of a harvest", "harvest", (123_000, 456_000),
         lambda p, v: p.fill({"tokens": v}), lambda p: p.config().tokens),
    Item("window of a harvest", "harvest", (64, 96),
         lambda p, v: p.fill({"context_size": v}), lambda p: p.config().context_size),
    Item("sweep shown", "steer", (["steer.rack"], ["steer.sweep"]), _hide_dock, _hidden),
)  # fmt: skip
LIST = Item(
    "features picked out", "explore", ([4, 2, 0], [1, 3]),
    lambda p, v: p.list.show_only(FeatureSet("Lasso on the map", np.array(v))),
    lambda p: p.list.bar.only.features.tolist(),
)  # fmt: skip


def set_all(window: MainWindow, which: int) -> None:
    """Leave every item at one of its two values."""
    for item in ITEMS:
        window.show_workspace(item.workspace)
        item.set(window.workspace(item.workspace).main, item.values[which])


def read_all(window: MainWindow) -> dict[str, Any]:
    """Return what every item is at."""
    return {item.name: item.get(window.workspace(item.workspace).main) for item in ITEMS}

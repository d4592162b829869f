"""The places that share the middle of Explore, as data."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from sae_desktop.gui.parts.places import PlaceInfo


def place_infos(
    page: QWidget,
    probe: QWidget,
    text_sets: QWidget,
    feature_map: QWidget,
    compare: QWidget,
    labels: QWidget,
) -> list[PlaceInfo]:
    """Return the places in their order, with what stands in each."""
    return [
        PlaceInfo(
            "feature",
            "Feature",
            "article",
            page,
            "What the selected feature fires on and what it does",
            "Ctrl+Shift+F",
        ),
        PlaceInfo(
            "text",
            "Your text",
            "text-aa",
            probe,
            "Which features fire on a text that you type, paste or drop",
            "Ctrl+T",
        ),
        PlaceInfo(
            "sets",
            "Text sets",
            "arrows-left-right",
            text_sets,
            "Features that fire on one set of texts and not on another",
        ),
        PlaceInfo(
            "map",
            "Map",
            "map-trifold",
            feature_map,
            "All features by how alike their directions are",
            "Ctrl+M",
        ),
        PlaceInfo(
            "compare",
            "Compare",
            "columns",
            compare,
            "Two to four features side by side, and what tells them apart",
            "Ctrl+Shift+M",
        ),
        PlaceInfo(
            "labels",
            "Labels",
            "tag",
            labels,
            "Who named the features, how far to believe the names, and reading one by one",
        ),
    ]

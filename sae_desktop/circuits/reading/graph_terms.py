"""What graphs are said with, free of HDF5: the window starts before that is there."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

SetKind = Literal["transcoders", "cross_layer"]
TargetKind = Literal["likely", "tokens", "difference"]

NODE_THRESHOLD, EDGE_THRESHOLD = 0.8, 0.98
"""Of the influence of nodes and of edges, as in Ameisen et al. and circuit-tracer."""
VIEW_ENDING = ".view.json"


def view_path(graph: Path) -> Path:
    """Return where what a person did to a graph's file lies."""
    return graph.with_name(graph.stem + VIEW_ENDING)

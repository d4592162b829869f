"""The histograms over a run's features that change while it runs. Free of Qt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.training.run_log import COSINE_EDGES, DENSITY_EDGES, NORM_EDGES, RunCurves
from sae_desktop.words.amounts import exact_count

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class HistogramInfo:
    """One histogram: (snapshots, bins) of a run over fixed edges."""

    id: str
    title: str
    axis: str
    edges: Array
    counts: Callable[[RunCurves], Array]
    first_bin: str
    """What the features of the first bin are called, where that says something."""
    least_range: tuple[float, float]
    """The x axis spans at least this."""


HISTOGRAMS = (
    HistogramInfo(
        "density",
        "How often features fire",
        "log₁₀ of the share of rows",
        DENSITY_EDGES,
        lambda run: np.asarray(run.density_counts),
        "silent",
        (-4.0, 0.0),
    ),
    HistogramInfo(
        "norm",
        "Decoder norms",
        "log₁₀ of the decoder norm as trained",
        NORM_EDGES,
        lambda run: np.asarray(run.norm_counts),
        "",
        (-1.5, 0.5),
    ),
    HistogramInfo(
        "cosine",
        "Cosine to the nearest other",
        "cosine between decoder directions",
        COSINE_EDGES,
        lambda run: np.asarray(run.cosine_counts),
        "",
        (0.0, 1.0),
    ),
)


def available(run: RunCurves | None) -> list[HistogramInfo]:
    """Return the histograms that were measured in a run; without one, all."""
    if run is None:
        return list(HISTOGRAMS)
    return [info for info in HISTOGRAMS if info.counts(run).sum() > 0]


def x_range(info: HistogramInfo, counts: Array) -> tuple[float, float]:
    """Return what the x axis spans: the bins in use, and at least the usual range."""
    used = np.flatnonzero(counts)
    low, high = info.least_range
    if not len(used):
        return low, high
    first, last = float(info.edges[used[0]]), float(info.edges[used[-1] + 1])
    margin = float(info.edges[1] - info.edges[0]) * 2
    return min(first - margin, low), max(last + (margin if last > high else 0.0), high)


def sentence(info: HistogramInfo, step: int, counts: Array) -> str:
    """Return what a snapshot shows: "Step 5, 16 features, 4 silent."."""
    total, first = int(counts.sum()), int(counts[0])
    text = f"Step {exact_count(step)}, {exact_count(total)} features"
    return text + (f", {exact_count(first)} {info.first_bin}." if info.first_bin and first else ".")


def histogram_table(info: HistogramInfo, counts: Array) -> str:
    """Return a snapshot as tab-separated text with a heading."""
    bins = zip(info.edges[:-1], info.edges[1:], counts, strict=True)
    lines = [f"{low:.4f}\t{high:.4f}\t{int(count)}" for low, high, count in bins]
    return "\n".join([f"{info.id}_from\t{info.id}_to\tfeatures", *lines]) + "\n"

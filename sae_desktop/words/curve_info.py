"""Which curves a run has, over what they can be drawn, and how each is drawn. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from sae_desktop.words.glossary import hover

XAxis = Literal["rows", "step", "seconds", "compute"]
X_AXES: tuple[XAxis, ...] = get_args(XAxis)
X_TITLES: dict[XAxis, str] = {
    "rows": "rows consumed",
    "step": "steps",
    "seconds": "seconds of training",
    "compute": "features × steps",
}
X_UNITS: dict[XAxis, str] = {
    "rows": "rows",
    "step": "steps",
    "seconds": "s",
    "compute": "feature-steps",
}


@dataclass(frozen=True)
class CurveInfo:
    """How a column is drawn."""

    column: str
    title: str
    unit: str
    logarithmic: bool
    """Whether its axis can be logarithmic: it is positive and spans decades."""
    least_span: float = 0.0
    """A linear axis that begins at 0 spans at least this; 0: the axis follows the values."""

    @property
    def explanation(self) -> str:
        """What the glossary says of it."""
        return hover(self.title)


CURVES = (
    CurveInfo("loss", "Loss", "", True),
    CurveInfo("reconstruction", "Reconstruction", "", True),
    CurveInfo("sparsity", "Sparsity term", "", True),
    CurveInfo("auxiliary", "Auxiliary term", "", True),
    CurveInfo("fvu", "FVU", "", True),
    CurveInfo("explained_variance", "Explained variance", "share", False),
    CurveInfo("l0", "L0", "features per row", True),
    CurveInfo("cosine", "Cosine", "", False),
    CurveInfo("shrinkage", "Shrinkage", "share", False),
    CurveInfo("dead_fraction", "Dead", "share of features", False, 0.05),
    CurveInfo("dense_fraction", "Dense", "share of features", False, 0.05),
    CurveInfo("loss_recovered", "Loss recovered", "share", False),
    CurveInfo("loss_recovered_mean", "Loss recovered (mean)", "share", False),
    CurveInfo("kl", "KL", "nats per token", True),
    CurveInfo("gradient_norm", "Gradient norm", "", True),
    CurveInfo("rows_per_second", "Throughput", "rows per second", False, 10.0),
    CurveInfo("waited_share", "Waited", "share of time", False, 0.05),
    CurveInfo("learning_rate", "Learning rate", "", True),
    CurveInfo("sparsity_coefficient", "λ", "", True),
)
CURVE_OF = {info.column: info for info in CURVES}
MOST_SMOOTHING = 0.99
DEFAULT_CURVES = ("loss", "fvu", "l0", "dead_fraction", "loss_recovered", "rows_per_second")


@dataclass(frozen=True)
class CurveView:
    """What a person has set of the curves."""

    shown: tuple[str, ...] = DEFAULT_CURVES
    """Columns, in the order they are drawn."""
    log_axes: frozenset[str] = field(default_factory=lambda: frozenset({"loss", "fvu"}))
    axis: XAxis = "rows"
    smoothing: float = 0.0
    """Weight of the past, 0 ≤ weight < 1."""


def curve_view(shown: list[str], log_axes: list[str], axis: str, smoothing: float) -> CurveView:
    """Return a view of what was remembered; whatever is unknown by now gets its default."""
    chosen = tuple(info.column for info in CURVES if info.column in shown)
    return CurveView(
        shown=chosen or DEFAULT_CURVES,
        log_axes=frozenset(log_axes) & frozenset(CURVE_OF),
        axis=next((known for known in X_AXES if known == axis), "rows"),
        smoothing=min(max(smoothing, 0.0), MOST_SMOOTHING),
    )

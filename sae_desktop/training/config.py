"""What a training run is asked to do, and what it answers. Free of torch."""

from __future__ import annotations

from typing import Literal

import msgspec

Architecture = Literal["standard", "batchtopk"]


class TrainConfig(msgspec.Struct, frozen=True, kw_only=True, tag="train"):
    """Train a dictionary on a store of activations.

    A run of that name with the same settings is resumed from its last checkpoint.
    """

    project: str
    name: str
    activations: str
    architecture: Architecture = "batchtopk"
    features: int = 2048
    k: int = 32
    """BatchTopK: active features per row, on average over the batch."""
    l1: float = 5.0
    """Standard: the coefficient λ of the decoder-norm-weighted L1, under E‖x‖² = D."""
    tokens: int = 2_000_000
    """Rows consumed, passes over the store included."""
    batch: int = 2048
    lr: float = 0.0
    """Learning rate; 0 chooses the architecture's default for this size."""
    seed: int = 0
    dead_window: int = 10_000_000
    """Rows a feature must stay silent to count as dead; at most a tenth of `tokens` is used."""
    exclude_massive: bool = True
    """Leave out rows of more than ten times the median norm."""
    checkpoint_seconds: float = 120.0
    metric_rows: int = 8192
    """Rows kept from training on which FVU and L0 of the curves are measured."""
    device: str = "auto"


class TrainResult(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    architecture: str
    features: int
    steps: int
    rows: int
    loss: float
    l0: float
    fvu: float
    dead_fraction: float
    dead_window: int
    seconds: float
    rows_per_second: float
    stopped_early: bool


class EvaluateConfig(msgspec.Struct, frozen=True, kw_only=True, tag="evaluate"):
    """Measure a dictionary on rows of a store, and on the model with the output spliced in."""

    project: str
    dictionary: str
    activations: str = ""
    """The store to measure on; empty: the one it was trained on."""
    rows: int = 65_536
    """Rows at most on which the fit is measured, held out from training where there are such."""
    dead_rows: int = 1_000_000
    """Rows at most over which dead features are counted."""
    loss_windows: int = 64
    """Windows of text over which the loss recovered is measured."""
    control: bool = True
    """Also measure a random-direction dictionary of the same size and L0."""
    seed: int = 0
    device: str = "auto"


class DictionaryFigures(msgspec.Struct, frozen=True, kw_only=True):
    l0: float
    fvu: float
    explained_variance: float
    cosine: float
    loss_recovered: float | None
    loss_clean: float | None = None
    loss_spliced: float | None = None
    loss_zero: float | None = None
    loss_mean: float | None = None


class EvaluateResult(msgspec.Struct, frozen=True, kw_only=True):
    l0: float
    fvu: float
    explained_variance: float
    cosine: float
    dead_fraction: float
    dead_window: int
    """Rows over which a feature that never fired counts as dead."""
    loss_recovered: float | None
    """Null without a model (imported activations)."""
    loss_clean: float | None
    loss_spliced: float | None
    loss_zero: float | None
    loss_mean: float | None
    rows: int
    excluded_rows: int
    """Rows of more than ten times the median norm, left out of the figures."""
    control: DictionaryFigures | None

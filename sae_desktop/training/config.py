"""What a training run is asked to do, and what it answers. Free of torch."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.limits import (
    AtLeast0,
    Count,
    CountOrNone,
    Positive,
    Seed,
    Share,
    ShareBelow1,
    Unused,
)

Target = Literal["input", "transcoder", "skip_transcoder", "crosscoder", "cross_layer_transcoder"]
Precision = Literal["auto", "float32", "bfloat16"]


class TrainConfig(msgspec.Struct, frozen=True, kw_only=True, tag="train"):
    """Train a dictionary on a store of activations, or while harvesting.

    A run of that name with the same settings is resumed from its last checkpoint.
    """

    project: str
    name: str
    activations: str = ""
    """The store to learn from; empty with `stream`."""
    stream: Annotated[HarvestConfig | None, Unused(frozenset({"tokens"}))] = None
    """Train on what this harvest gives, and write no store."""
    target: Target = "input"
    """What is reconstructed: the input itself, another site, or several at once."""
    sites: tuple[str, ...] = ()
    """The sites read; none named: the store's first."""
    output_sites: tuple[str, ...] = ()
    """The sites a transcoder writes."""
    other_activations: str = ""
    """A second store of the same tokens, row by row: a crosscoder of two models."""
    architecture: str = "matryoshka"
    features: Count = 2048
    k: Count = 32
    """Active features per row; of BatchTopK and Matryoshka on average over the batch.

    Where λ is led by L0 (JumpReLU, if no λ is chosen): the L0 it comes down to.
    """
    sparsity: AtLeast0 | None = None
    """λ, the weight of the sparsity loss under E‖x‖² = D; null: the architecture's default."""
    tokens: Count = 2_000_000
    """Rows consumed, passes over the store included."""
    batch: Count = 2048
    lr: AtLeast0 = 0.0
    """Learning rate; 0 chooses the architecture's default for this size."""
    lr_warm_up: Share = 0.0
    """Share of the run over which the rate rises from 0."""
    lr_decay: Share = 0.2
    """Last share of the run, over which the rate falls to 0."""
    sparsity_warm_up: Share | None = None
    """Share of the run over which λ rises from 0; null: the architecture's default."""
    gradient_clip: AtLeast0 = 1.0
    """Largest norm of the gradient; 0: not clipped."""
    init: Literal["auto", "random", "data"] = "auto"
    """Directions at the start: random, or rows of the data; auto: as `chosen_init` says."""
    centre: Literal["auto", "always", "never"] = "auto"
    """Whether the mean is taken off the rows; auto: where it is large beside their spread."""
    aux_weight: AtLeast0 = 1 / 32
    """α of AuxK, the loss from which dead features learn; 0: none."""
    threshold_decay: ShareBelow1 = 0.999
    """Of the running mean that becomes the threshold of inference (BatchTopK, Matryoshka)."""
    resample: bool = False
    """Reinitialise dead features from badly reconstructed rows."""
    seed: Seed = 0
    dead_window: Count = 10_000_000
    """Rows a feature must stay silent to count as dead; at most a tenth of `tokens` is used."""
    exclude_massive: bool = True
    """Leave out rows of more than ten times the median norm."""
    checkpoint_seconds: Positive = 120.0
    keep_checkpoints: Count = 3
    metric_rows: Count = 8192
    """Rows kept from training on which FVU and L0 of the curves are measured."""
    measure_loss: bool = True
    """Measure the loss recovered while it trains, in at most a tenth of the time."""
    precision: Precision = "auto"
    """Of what enters the dense products; auto: bfloat16 where the processor has it."""
    device: str = "auto"


class DescribeArchitecturesConfig(
    msgspec.Struct, frozen=True, kw_only=True, tag="describe_architectures"
):
    """List the architectures there are."""


class ArchitectureInfo(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    """As `TrainConfig.architecture` has it."""
    title: str
    summary: str
    settings: list[str]
    """Fields of TrainConfig that matter to it and not to every other."""
    default_sparsity: float
    sparsity_warm_up: float
    aims_at_k: bool = False
    """Whether λ, where none is chosen, presses only until k features are active."""


class ArchitecturesDescription(msgspec.Struct, frozen=True, kw_only=True):
    architectures: list[ArchitectureInfo]
    """The one offered first comes first."""


class RunChange(msgspec.Struct, frozen=True, kw_only=True):
    """Settings changed by a person during a run; None where left as it was."""

    step: int
    """The first step taken with the new value."""
    rows: int
    lr: float | None = None
    sparsity: float | None = None


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
    waited_share: float = 0.0
    """Of the time of the steps: what they waited for their batches."""
    changes: tuple[RunChange, ...] = ()


class EvaluateConfig(msgspec.Struct, frozen=True, kw_only=True, tag="evaluate"):
    """Measure a dictionary on rows of a store, and on the model with the output spliced in."""

    project: str
    dictionary: str
    activations: str = ""
    """The store to measure on; empty: the one it was trained on."""
    rows: Count = 65_536
    """Rows at most on which the fit is measured, held out from training where there are such."""
    dead_rows: Count = 1_000_000
    """Rows at most over which dead features are counted."""
    loss_windows: CountOrNone = 64
    """Windows of text over which the loss recovered is measured."""
    control: bool = True
    """Also measure random-direction dictionaries of the same size and L0."""
    control_seeds: Count = 3
    """How many of them: their mean and spread are given."""
    seed: Seed = 0
    """Of the first control; the others' follow it."""
    device: str = "auto"


class DictionaryFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured of any dictionary; null is not measured.

    Losses are cross-entropies in nats a token, KL divergences those of the next token's
    distribution from the model's own. Null without a model (imported activations).
    """

    l0: float
    fvu: float
    explained_variance: float
    cosine: float
    shrinkage: float | None = None
    """What is written as a share of the best length in its direction; below 1: too short."""
    feature_gain: float | None = None
    """Factor that would make a feature's activation best, median; above 1: too small."""
    dead_fraction: float | None = None
    dead_window: int = 0
    """Rows over which a feature that never fired counts as dead."""
    dense_fraction: float | None = None
    dense_share: float = 0.1
    """A feature that fires on more than this share of rows is dense."""
    nearest_cosine: float | None = None
    """Of a feature's direction to that of its nearest other feature, median."""
    loss_recovered: float | None = None
    """(zero − spliced) / (zero − clean): counted from zero ablation."""
    loss_recovered_mean: float | None = None
    """(mean − spliced) / (mean − clean): counted from mean ablation."""
    loss_clean: float | None = None
    loss_spliced: float | None = None
    loss_zero: float | None = None
    loss_mean: float | None = None
    kl: float | None = None
    kl_zero: float | None = None
    kl_mean: float | None = None
    part_fvu: list[float] = []
    """FVU of each part, where the output has several."""
    density_counts: list[float] = []
    """Features by log10 density, over run_log.DENSITY_EDGES."""
    cosine_counts: list[float] = []
    """Features by cosine to the nearest other one, over run_log.COSINE_EDGES."""


class EvaluateResult(DictionaryFigures, frozen=True, kw_only=True):
    dead_fraction: float
    rows: int
    excluded_rows: int
    """Rows of more than ten times the median norm, left out of the figures."""
    norm_counts: list[int] = []
    """Features by log10 of the decoder's norm as trained, over run_log.NORM_EDGES."""
    control: DictionaryFigures | None
    """Mean over the random-direction dictionaries."""
    control_spread: DictionaryFigures | None = None
    """Their standard deviations; null for fewer than two."""
    control_seeds: int = 1

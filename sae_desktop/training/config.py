"""What a training run is asked to do, and what it answers. Free of torch."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.described import said
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
from sae_desktop.training.started import StartedFrom

RowsOf = Literal["both", "text", "pictures"]
Target = Literal["input", "transcoder", "skip_transcoder", "crosscoder", "cross_layer_transcoder"]
Precision = Literal["auto", "float32", "bfloat16"]

USUAL_EXPANSION = 8
"""Features for each number of a row."""

DATA, DICTIONARY = "Data", "Dictionary"
OPTIMISER, SPARSITY, START = "Optimiser", "Sparsity and dead features", "Data and start"
KEEPING = "Figures and checkpoints"
"""Headings of the settings of a training, in their order."""


class TrainConfig(msgspec.Struct, frozen=True, kw_only=True, tag="train"):
    """Train a dictionary on a store of activations, or while harvesting.

    A run of that name with the same settings is resumed from its last checkpoint.
    """

    project: str
    name: Annotated[str, said("Name", "The dictionary’s name in the project.", DICTIONARY)]
    activations: Annotated[
        str, said("Activations", "The store to learn from; none when streaming.", DATA)
    ] = ""
    stream: Annotated[HarvestConfig | None, Unused(frozenset({"tokens"}))] = None
    """Train on what this harvest gives, and write no store."""
    target: Annotated[
        Target, said("Target", "What is reconstructed: the input, or another site.", DATA)
    ] = "input"
    sites: Annotated[
        tuple[str, ...],
        said("Sites", "The sites read; if none is named, the store’s first.", DATA),
    ] = ()
    output_sites: Annotated[
        tuple[str, ...],
        said("Output sites", "The sites that a transcoder learns to predict.", DATA),
    ] = ()
    other_activations: Annotated[
        tuple[str, ...],
        said(
            "Other models’ stores",
            "The same tokens through other models, row by row, for a crosscoder of two or more "
            "models; if none, it reads several layers of one model.",
            DATA,
        ),
    ] = ()
    architecture: Annotated[
        str, said("Architecture", "How the active features are chosen.", DICTIONARY)
    ] = "matryoshka"
    features: Annotated[
        Count,
        said(
            "Features",
            f"How many directions to learn; {USUAL_EXPANSION} × the width is usual.",
            DICTIONARY,
        ),
    ] = 2048
    k: Annotated[
        Count,
        said(
            "k",
            "Features active at a time that you want (L0): exactly with TopK, on average with "
            "BatchTopK and Matryoshka, and with the others on average at the end, unless you "
            "choose λ.",
            DICTIONARY,
        ),
    ] = 32
    sparsity: Annotated[
        AtLeast0 | None,
        said(
            "λ",
            "Weight of the sparsity loss, for rows scaled to E‖x‖² = width; larger means fewer "
            "active features. If not given, it is led until k are active.",
            DICTIONARY,
        ),
    ] = None
    start_from: Annotated[
        str,
        said(
            "Start from",
            "A dictionary of the project to train further: its directions, biases and thresholds "
            "are where the run begins. None: random directions.",
            DICTIONARY,
        ),
    ] = ""
    tokens: Annotated[
        Count,
        said("Rows", "Rows consumed in all, counting repeated passes over the store.", DICTIONARY),
    ] = 2_000_000
    batch: Annotated[Count, said("Batch", "Rows per step.", OPTIMISER)] = 2048
    lr: Annotated[
        AtLeast0,
        said(
            "Learning rate",
            "0 chooses one that suits the architecture and size, and a lower one for a run that "
            "starts from a dictionary. Of 1,024 BatchTopK features 4 died at 0.006, 110 at 0.012.",
            OPTIMISER,
        ),
    ] = 0.0
    lr_warm_up: Annotated[
        Share,
        said(
            "Warm-up",
            "Share of the run over which the learning rate rises; 0: not at all, or over the "
            "first 5% of a run that starts from a dictionary.",
            OPTIMISER,
        ),
    ] = 0.0
    lr_decay: Annotated[
        Share,
        said("Decay", "Last share of the run, over which the learning rate falls to 0.", OPTIMISER),
    ] = 0.2
    gradient_clip: Annotated[
        AtLeast0,
        said("Gradient clip", "Largest gradient norm allowed; 0: no limit.", OPTIMISER),
    ] = 1.0
    precision: Annotated[
        Precision,
        said(
            "Precision",
            "Precision of the matrix products; weights and sums stay float32. Automatic uses "
            "bfloat16 where the processor has it.",
            OPTIMISER,
        ),
    ] = "auto"
    sparsity_warm_up: Annotated[
        Share | None,
        said(
            "λ warm-up",
            "Share of the run over which a λ that you chose rises from 0. If not given, the "
            "architecture’s default.",
            SPARSITY,
        ),
    ] = None
    k_start: Annotated[
        CountOrNone,
        said(
            "k at the start",
            "A larger k to begin with, which falls evenly to k over the first 80% of the run; "
            "0: what is usual for the architecture. From 2.4 × k, BatchTopK found more of the "
            "features of a known world (F1 .69 instead of .54) and lost hardly any feature, but "
            "left 0.5 to 4% more of a small model’s variance unexplained, most in short runs.",
            SPARSITY,
        ),
    ] = 0
    lista_step: Annotated[
        Share,
        said(
            "LISTA step",
            "Reads each row twice: this share of what the first reading leaves over is added to "
            "what the second one reads. 0.3 is usual, 0 reads once. Features come closer to the "
            "true ones, for about half as much time again; other libraries cannot open such a "
            "dictionary (BatchTopK, Matryoshka; not for transcoders and crosscoders).",
            SPARSITY,
        ),
    ] = 0.0
    leave_one_out: Annotated[
        AtLeast0,
        said(
            "Leave one out",
            "In the finished dictionary a feature stays active only if it adds to all the others "
            "more than this share of its threshold. 0.8 drops a tenth of the active features at "
            "nearly the same error, 0 none. Other libraries cannot open such "
            "a dictionary (JumpReLU, Gated, BatchTopK, Matryoshka; not for transcoders and "
            "crosscoders).",
            SPARSITY,
        ),
    ] = 0.0
    aux_weight: Annotated[
        AtLeast0,
        said(
            "AuxK weight",
            "Weight α of the loss that dead features learn from; 0 turns it off.",
            SPARSITY,
        ),
    ] = 1 / 32
    threshold_decay: Annotated[
        ShareBelow1,
        said(
            "Threshold memory",
            "Memory of the running mean that becomes the threshold at inference (BatchTopK, "
            "Matryoshka).",
            SPARSITY,
        ),
    ] = 0.999
    resample: Annotated[
        bool,
        said(
            "Resample dead features",
            "Reinitialise dead features from badly reconstructed rows.",
            SPARSITY,
        ),
    ] = False
    dead_window: Annotated[
        Count,
        said(
            "Dead after",
            "Rows of silence until a feature counts as dead; at most a tenth of the run.",
            SPARSITY,
        ),
    ] = 10_000_000
    init: Annotated[
        Literal["auto", "random", "data"],
        said(
            "First directions",
            "Random, or rows of the data, which Automatic takes for a transcoder. Of what a "
            "dictionary of one site leaves unexplained in a small model, rows took 1 to 2%, but in "
            "a made world more of its features died.",
            START,
        ),
    ] = "auto"
    centre: Annotated[
        Literal["auto", "always", "never"],
        said(
            "Subtract the mean",
            "Automatic subtracts it when it is large compared with the spread of the rows.",
            START,
        ),
    ] = "auto"
    exclude_massive: Annotated[
        bool,
        said("Leave out massive rows", "Rows whose norm is above 10 × the median.", START),
    ] = True
    rows_of: Annotated[
        RowsOf, said("Rows of", "Of a store with pictures: texts, pictures, or both.", START)
    ] = "both"
    seed: Annotated[Seed, said("Seed", "Seed of the weights and of the order of rows.", START)] = 0
    metric_rows: Annotated[
        Count,
        said("Held-out rows", "Rows kept out of training, to measure FVU and L0 on.", KEEPING),
    ] = 8192
    measure_loss: Annotated[
        bool,
        said(
            "Measure the loss recovered",
            "During training, in at most a tenth of the time.",
            KEEPING,
        ),
    ] = True
    checkpoint_seconds: Annotated[
        Positive,
        said(
            "Checkpoint every",
            "In seconds; checkpoints are also written at each pause and at the end.",
            KEEPING,
        ),
    ] = 120.0
    keep_checkpoints: Annotated[
        Count, said("Checkpoints kept", "How many of the latest checkpoints to keep.", KEEPING)
    ] = 3
    device: Annotated[str, said("Device", "auto, cpu, cuda, cuda:1 or mps.", KEEPING)] = "auto"


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
    started_from: StartedFrom | None = None
    """The dictionary it started from, with its figures before and after; null: none."""


class EvaluateConfig(msgspec.Struct, frozen=True, kw_only=True, tag="evaluate"):
    """Measure a dictionary on rows of a store, and on the model with the output spliced in."""

    project: str
    dictionary: str
    activations: str = ""
    """The store to measure on; empty: the one it was trained on."""
    other_activations: Annotated[
        tuple[str, ...],
        said(
            "Other models’ stores",
            "The same tokens through the other models that a crosscoder of several reads; if "
            "none, those it was trained on.",
        ),
    ] = ()
    rows: Annotated[
        Count,
        said("Rows", "The most rows to measure the fit on, held out from training if any are."),
    ] = 65_536
    dead_rows: Annotated[
        Count, said("Rows for dead features", "The most rows in which to look for firings.")
    ] = 1_000_000
    loss_windows: Annotated[
        CountOrNone, said("Windows of text", "To measure the loss recovered on; 0: none.")
    ] = 64
    control: Annotated[
        bool,
        said(
            "Also measure random directions",
            "Dictionaries of the same size and L0 show what any dictionary would score.",
        ),
    ] = True
    control_seeds: Annotated[
        Count, said("Random dictionaries", "How many, for their mean and spread.")
    ] = 3
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

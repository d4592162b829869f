"""How long harvest, training and index take on a machine of given rates: arithmetic, no torch.

T rows of a batch, I and O widths of input and output, F features, P weights, k features active on
a row, R rows of the index, V tokens of the vocabulary, N neurons. What is counted are products at
the machine's rate for them, bytes at that of its memory, and what one processor does entry by
entry at its rate of sorting. The numbers below are properties of this program, not of a machine;
`tests/benchmarks/sizing.py` holds them to measured jobs.
"""

from __future__ import annotations

from dataclasses import dataclass

from sae_desktop.sizing.config import Rates
from sae_desktop.training.planning.needs import Load

_FLOAT, _LOW = 4, 2
_WEIGHT_PASSES = 14
"""Of every weight in a step: Adam reads four and writes three; gradient, its norm and the unit
decoder the rest."""
_PAIR_VECTORS = 4
"""Rows of weights that a kept pair reads or adds to: it is written, and has three gradients."""
_PAIR_PASSES = 2
_ROW_PASSES = 6
"""Of a batch's rows: read, made float32, normalised, mixed."""
_SELECT_PASSES = 3
"""Of pre-activations: to be written, and compared twice."""
_ERROR_PASSES = 4


def harvest_seconds_per_token(
    layers: int, layer_parameters: float, stream: int, context: int, rates: Rates, *, low: bool
) -> float:
    """Return the seconds of the forward pass for a token, up to the last layer that is read.

    Two operations for each weight; attention's two products, of which a causal model needs half;
    and what is not a product, as measured for each layer and number of the stream.
    """
    operations = 2 * layer_parameters + 2 * layers * context * stream
    return operations / (rates.low if low else rates.float32) + layers * stream * rates.stream


def step_operations(load: Load) -> float:
    """Return the operations of a step's dense products.

    Where k features are kept that is the encoder's alone; else also those of the decoder and of
    the gradients of both.
    """
    one = 2.0 * load.batch * load.features
    if load.low_share == 0.5:
        return one * load.width
    return one * (2 * load.width + 3 * load.out_width)


def step_bytes(load: Load) -> float:
    """Return the bytes that a step reads and writes in memory."""
    T, element = load.batch, _LOW if load.low_precision else _FLOAT
    pairs = load.pairs_per_row * T
    vectors = (_PAIR_VECTORS - 1) * load.out_width + load.width
    return (
        _WEIGHT_PASSES * _FLOAT * load.weights
        + _PAIR_PASSES * _FLOAT * pairs * vectors
        + _SELECT_PASSES * element * T * load.features
        + _ROW_PASSES * _FLOAT * T * (load.width + load.out_width)
        + _ERROR_PASSES * _FLOAT * load.groups * T * load.out_width
    )


def step_seconds(load: Load, rates: Rates) -> float:
    """Return the seconds of a training step, as `Rates.step` corrects them."""
    low = load.low_precision and load.low_share > 0
    products = step_operations(load) / (rates.low if low else rates.float32)
    return rates.step * (products + step_bytes(load) / rates.bandwidth)


@dataclass(frozen=True)
class Figures:
    """How often and on what a run measures itself."""

    fits: int
    rows: int
    """Held-out rows of a fit."""
    snapshots: int
    cosine_operations: float
    """Of the nearest cosines of a snapshot."""


def figure_seconds(load: Load, figures: Figures, rates: Rates) -> float:
    """Return the seconds in which a run measures itself, the loss recovered aside."""
    fit = 2.0 * figures.rows * load.features * (load.width + load.out_width)
    operations = figures.fits * fit + figures.snapshots * figures.cosine_operations
    return operations / rates.float32


@dataclass(frozen=True)
class IndexWork:
    """What an index is made of."""

    rows: int
    features: int
    width: int
    k: float
    vocabulary: int
    """0: without a model there are no logits."""
    neurons: int
    neuron_rows: int
    forward: float
    """Seconds of the model for a token."""
    exact_features: int
    """Beyond which a processor finds neighbours by descent."""


_PER_FIRING = 12.0
"""Entries of the work on a firing: written, sorted by feature, counted, named."""
_PER_PAIR = 0.2
"""For each two features that are active on one row."""
_PER_CELL = 0.02
"""For each row and feature that are compared with a threshold."""
_PER_FEATURE = 20_000.0
"""For each feature's place on the map and its name."""
_PER_COSINE = 0.1
_PER_DESCENT = 40_000.0
_PER_LOGIT = 0.25
_PER_NEURON = 0.8
"""For each feature and neuron that are compared,"""
_PER_NEURON_FIRING = 0.003
"""and for each neuron and firing on the rows where they are."""
_NEURON_READING = 1.4
"""Of a harvest’s forward pass: windows are read one by one."""
_START_ENTRIES = 4e7
"""Libraries that are loaded and compiled for the map and for the loops."""
_COSINE_PASSES = 3


def index_parts(work: IndexWork, rates: Rates) -> dict[str, float]:
    """Return the seconds of an index by what is done."""
    R, F, D, N = work.rows, work.features, work.width, work.neurons
    firings, accelerated = R * work.k, rates.device != "cpu"
    entry = 1 / rates.entries
    parts = {
        "start": _START_ENTRIES * entry,
        "encoding": 2.0 * R * F * D / rates.float32 + _PER_CELL * R * F * entry,
        "counting": _PER_FIRING * firings * entry,
        "co-activation": _PER_PAIR * R * work.k**2 / 2 * entry,
        "names and map": _PER_FEATURE * F * entry,
        "logits": 2.0 * F * D * work.vocabulary / rates.float32
        + _PER_LOGIT * F * work.vocabulary * entry,
    }
    if accelerated:
        cells = _COSINE_PASSES * _FLOAT * F * F / rates.bandwidth
        parts["neighbours"] = 2.0 * F * F * D / rates.float32 + cells
    elif work.exact_features >= F:
        parts["neighbours"] = 2.0 * F * F * D / rates.float32 + _PER_COSINE * F * F * entry
    else:
        parts["neighbours"] = _PER_DESCENT * F * entry
    rows = min(work.neuron_rows, R)
    if N and rows:
        compared = _PER_NEURON * F * N + _PER_NEURON_FIRING * rows * work.k * N
        parts["neurons"] = _NEURON_READING * rows * work.forward + compared * entry
    return parts

"""How much memory and disk a training takes: arithmetic, free of torch.

P is the number of weights, F features, I and O widths of input and output, T rows of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from sae_desktop.storage.faults import format_bytes
from sae_desktop.storage.memory import limit_text
from sae_desktop.training.planning.preflight_config import Need, Resource, Room
from sae_desktop.training.run_log import COLUMNS, DENSITY_EDGES, SAMPLE_BYTES

_FLOAT = 4
_LOW = 2
"""Bytes of a bfloat16."""
_PAIR_BYTES = 64
"""A kept pair of row and feature on its way through a step: indices, orders, values."""
_BATCHES_AHEAD = 4
_ERRORS_AT_ONCE = 4
_FIGURE_ACTIVATIONS = 2**25
"""Activations that the figures hold at once (`training.metrics`)."""
_FIGURE_COPIES = 4
_COSINES, _COSINE_COPIES = 2**24, 1
"""Of pairs of features (`training.geometry`)."""
_SAMPLE_ROWS, _SAMPLE_COPIES = 16_384, 3
"""Rows that the initialisation looks at (`training.run_setup`)."""
PROGRAM_BYTES = 120_000_000
"""What libraries take beyond their loading: code first used in training, threads, caches."""
MOST_FEATURES = 2**26
"""Beyond this nobody is told that it fits."""
_SMALL_FILES = 1_000_000


@dataclass(frozen=True)
class Load:
    """What decides how much a training takes."""

    weights_fixed: float
    weights_per_feature: float
    """P = weights_fixed + weights_per_feature · F, of this very architecture."""
    features: int
    width: int
    out_width: int
    reconstructs_input: bool
    batch: int
    pairs_per_row: float
    """Features active on a row, as far as that is known beforehand."""
    groups: int
    """Reconstructions of a batch that are alive at once: a Matryoshka's nested ones."""
    low_precision: bool
    low_share: float
    """Of P: weights that are copied for dense products of low precision."""
    step_bytes: Callable[[int, int, int], float]
    """As `Architecture.step_bytes`."""
    metric_rows: int
    keep_checkpoints: int
    points: int
    snapshots: int
    layers: int = 1
    """Of which the features are a multiple (cross-layer transcoder)."""
    pool_bytes: int = 0
    """Of rows read ahead from a store that exceeds memory."""
    members: int = 1
    """Dictionaries of this size that learn in turn from rows side by side: a set's."""
    model_bytes: int = 0
    """Of a model that is still to be loaded."""

    @property
    def weights(self) -> float:
        """P."""
        return self.weights_fixed + self.weights_per_feature * self.features

    @property
    def row_bytes(self) -> float:
        """A normalised row, with what is to be reconstructed where that is another."""
        return _FLOAT * (self.width + (0 if self.reconstructs_input else self.out_width))


@dataclass(frozen=True)
class Free:
    """Bytes there are."""

    memory: int
    disk: int
    gpu: int | None = None
    """Null where the training is in ordinary memory."""


def state_needs(load: Load) -> list[Need]:
    """Return what a run keeps from step to step where it is trained."""
    P = load.weights
    needs = [
        ("weights", P * _FLOAT),
        ("Adam’s moments", 2 * P * _FLOAT),
        ("low-precision copies", load.low_share * P * _LOW if load.low_precision else 0.0),
    ]
    return _rounded((what, load.members * count) for what, count in needs)


def working_needs(load: Load) -> list[Need]:
    """Return what comes and goes where the training is; runs take their steps in turn.

    A step's gradients are gone before figures are made.
    """
    P, T, F = load.weights, load.batch, load.features
    element = _LOW if load.low_precision else _FLOAT
    # Their memory is kept from step to step.
    activations = load.step_bytes(F, T, element)
    gradients = P * _FLOAT
    passing = _PAIR_BYTES * load.pairs_per_row * T
    passing += _ERRORS_AT_ONCE * load.groups * T * load.out_width * _FLOAT
    shown = min(_FIGURE_ACTIVATIONS, load.metric_rows * F) * _FLOAT * _FIGURE_COPIES
    cosines = min(_COSINES, F * F) * _FLOAT * _COSINE_COPIES
    figures = P * _FLOAT + max(shown, cosines)  # P: the folded dictionary
    step = gradients + passing
    # Before the first step there are neither moments nor activations yet.
    sample = _SAMPLE_COPIES * _SAMPLE_ROWS * load.row_bytes - 2 * P * _FLOAT - activations
    needs = [
        ("activations of a step", activations),
        ("gradients", gradients),
        ("errors and pairs of a step", passing),
        ("batches ahead", _BATCHES_AHEAD * T * load.row_bytes * load.members),
        ("figures, on top of a step", max(0.0, figures - step)),
        ("start-up, on top of that", max(0.0, sample - max(figures, step))),
    ]
    return _rounded(needs)


def host_needs(load: Load, *, on_gpu: bool) -> list[Need]:
    """Return what the program takes in ordinary memory beside the training itself."""
    needs = [
        ("rows for the figures", load.metric_rows * load.row_bytes * load.members),
        ("pool of rows", load.pool_bytes),
        ("model", load.model_bytes),
        ("program", PROGRAM_BYTES),
    ]
    if on_gpu:
        # A checkpoint is brought over whole before it is written.
        needs += [
            ("a checkpoint being written", 3 * load.weights * _FLOAT),
            ("batches ahead", _BATCHES_AHEAD * load.batch * load.row_bytes * load.members),
        ]
    return _rounded(needs)


def disk_needs(load: Load) -> list[Need]:
    """Return what a run writes; one checkpoint more than is kept is there while it is written."""
    P, F = load.weights, load.features
    state = 3 * P * _FLOAT + 2 * 8 * F
    histograms = 3 * 4 * (len(DENSITY_EDGES) - 1)
    log = load.points * len(COLUMNS) * 8 + load.snapshots * (histograms + SAMPLE_BYTES)
    needs = [
        ("checkpoints", (load.keep_checkpoints + 1) * state),
        ("dictionary", dictionary_bytes(load)),
        ("run log", log + _SMALL_FILES),
    ]
    return _rounded((what, load.members * count) for what, count in needs)


def dictionary_bytes(load: Load) -> float:
    """Return what one finished dictionary takes on disk."""
    return load.weights * _FLOAT + 2 * load.features * _FLOAT


def _rounded(needs: Iterable[tuple[str, float]]) -> list[Need]:
    return [Need(what=what, bytes=round(count)) for what, count in needs if count]


def total(needs: Iterable[Need]) -> int:
    return sum(need.bytes for need in needs)


def rooms(load: Load, free: Free) -> list[Room]:
    """Return what a run needs of each place, and what is free there."""
    here = state_needs(load) + working_needs(load)
    disk = _room("disk", disk_needs(load), free.disk)
    if free.gpu is None:
        memory = here + host_needs(load, on_gpu=False)
        return [_room("memory", memory, free.memory), disk]
    host = host_needs(load, on_gpu=True)
    return [_room("GPU memory", here, free.gpu), _room("memory", host, free.memory), disk]


def _room(place: Resource, needs: list[Need], free: int) -> Room:
    return Room(place=place, needed_bytes=total(needs), free_bytes=free, needs=needs)


def fits(load: Load, free: Free) -> bool:
    return all(room.fits for room in rooms(load, free))


def how_many_fit(loads: Sequence[Load], free: Free) -> int:
    """Return how many runs, from the first on, fit into memory side by side; at least one.

    They share batches, figures and checkpoints in turn, and each keeps a state of its own.
    """
    state = working = host = 0
    for count, load in enumerate(loads):
        state += total(state_needs(load))
        working = max(working, total(working_needs(load)))
        host = max(host, total(host_needs(load, on_gpu=free.gpu is not None)))
        here = state + working
        if free.gpu is None:
            enough = here + host <= free.memory
        else:
            enough = here <= free.gpu and host <= free.memory
        if not enough:
            return max(1, count)
    return len(loads)


def largest_features(load: Load, free: Free) -> int:
    """Return the largest number of features that fits with everything else as it is; 0: none."""

    def enough(units: int) -> bool:
        return fits(replace(load, features=max(1, units * load.layers)), free)

    return _largest(enough, MOST_FEATURES // load.layers) * load.layers


def problem(found: Iterable[Room]) -> str:
    """Return what is needed and what there is, of the places where it does not suffice."""
    short = [room for room in found if not room.fits]
    said = " ".join(
        f"The training needs {format_bytes(room.needed_bytes)} of {room.place}, but "
        f"{format_bytes(room.free_bytes)} are free ({_greatest(room)})."
        for room in short
    )
    return said + (limit_text() if any(room.place == "memory" for room in short) else "")


def _greatest(room: Room) -> str:
    first = sorted(room.needs, key=lambda need: -need.bytes)[:3]
    return ", ".join(f"{need.what} {format_bytes(need.bytes)}" for need in first)


def would_fit(load: Load, free: Free) -> list[str]:
    """Return changes of one setting each that make the run fit."""

    def most(field: str, name: str) -> list[str]:
        def enough(value: int) -> bool:
            return fits(replace(load, **{field: value}), free)  # type: ignore[arg-type]

        value = _largest(enough, getattr(load, field) - 1)
        return [name.format(f"{value:,}")] if value else []

    features = largest_features(load, free)
    ways = [f"{features:,} features"] if features else []
    ways += most("batch", "a batch of {}")
    ways += most("metric_rows", "{} metric rows")
    ways += most("keep_checkpoints", "{} checkpoints kept")
    if fits(replace(load, low_precision=not load.low_precision), free):
        ways.append(f"the precision {'float32' if load.low_precision else 'bfloat16'}")
    return ways


def _largest(enough: Callable[[int], bool], most: int) -> int:
    """Return the largest number up to `most` that is enough, where smaller ones are too."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if enough(middle):
            low = middle
        else:
            high = middle - 1
    return low

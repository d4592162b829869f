"""What the training of a set is asked to do, and what it answers. Free of torch."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sae_desktop.described import said
from sae_desktop.dictionary.set_info import SetKind
from sae_desktop.training.config import DATA, DICTIONARY, TrainConfig
from sae_desktop.training.planning.preflight_config import PreflightResult

SET_TRAIN = "train.json"
"""In a set's folder: what it is, or was, trained with; there from the start of the training."""
SET_RESULT = "result.json"


class TrainSetConfig(msgspec.Struct, frozen=True, kw_only=True, tag="train_set"):
    """Train a transcoder for each layer of a model, or one of all layers, in one pass.

    A set of that name with the same settings is resumed from its last checkpoints.
    """

    project: str
    name: Annotated[str, said("Name", "The set’s name in the project.", DICTIONARY)]
    train: TrainConfig
    """What each member is trained with, from a store or a stream. Its `project`, `name`, `target`,
    sites, and the sites of its stream are not used: they follow from the set. `features` are
    those of one layer."""
    kind: Annotated[
        SetKind,
        said(
            "Kind",
            "A transcoder for each layer, or one cross-layer transcoder, whose features write to "
            "all later layers.",
            DICTIONARY,
        ),
    ] = "transcoders"
    skip: Annotated[
        bool,
        said(
            "Skip connection",
            "Also learn a linear map from what each MLP reads to what it writes; the features "
            "then stand for what is not linear. A cross-layer transcoder has none.",
            DICTIONARY,
        ),
    ] = True
    layers: Annotated[
        tuple[int, ...],
        said("Layers", "Of the model, counted from 0; none: all of them.", DATA),
    ] = ()


class SetLayerFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How one layer of a set came out; of a cross-layer transcoder that layer's output."""

    layer: int
    fvu: float
    l0: float
    dead_fraction: float


class TrainSetResult(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    kind: SetKind
    layers: tuple[int, ...]
    features: int
    """Of all layers together."""
    rows: int
    figures: tuple[SetLayerFigures, ...]
    """By layer."""
    loss_recovered: float | None = None
    """With all MLPs replaced at once; null where it was not measured."""
    kl: float | None = None
    """Of the next token’s distribution then, from the model’s own."""
    seconds: float
    rows_per_second: float
    stopped_early: bool
    bytes: int
    """Of its weights on disk."""


class EstimateSetConfig(msgspec.Struct, frozen=True, kw_only=True, tag="estimate_set"):
    """Tell what the training of a set takes: memory, disk and, from a few steps, time."""

    train: TrainSetConfig
    measure: bool = True
    """Load the model and take some steps; without, memory and disk alone are told, at once."""


class SetEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """What the training of a set takes."""

    needs: PreflightResult
    """Of all members together; `would_fit` and `largest_features` are per layer."""
    layers: tuple[int, ...]
    features: int
    """Of all layers together."""
    set_bytes: int
    """What the finished set takes on disk."""

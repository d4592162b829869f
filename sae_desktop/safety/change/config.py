"""Configs and results of comparing checkpoints and of watching a folder of them. Free of torch."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

from sae_desktop.described import said
from sae_desktop.file_kinds import takes
from sae_desktop.limits import (
    AtLeast0,
    ContextSize,
    Count,
    CountOrNone,
    Positive,
    Seed,
    ShareWithin,
)

_Config = TypeVar("_Config", bound=msgspec.Struct)
_TEXTS, _READ, _CROSS, _WATCH = "Texts", "What is compared", "Crosscoder", "Watch"


class CompareCheckpointsConfig(
    msgspec.Struct, frozen=True, kw_only=True, tag="compare_checkpoints"
):
    """Put the same texts through several checkpoints of one model and say what changed."""

    project: str
    name: str
    """Of the comparison: changes/<name>.h5."""
    checkpoints: tuple[str, ...]
    """Models, the first of which the others are compared with; in the order of training."""
    site: Annotated[
        str,
        said(
            "Site",
            "Where activations are read; empty: that of the dictionary, or the stream after the "
            "middle layer.",
            _READ,
        ),
    ] = ""
    dictionary: Annotated[
        str,
        said("Dictionary", "Of the first model; its features are followed. Empty: none.", _READ),
    ] = ""
    corpus: Annotated[
        str,
        said("Text", "Text that is read; empty: the built-in text.", _TEXTS),
        takes("corpus"),
    ] = ""
    texts: Annotated[Count, said("Texts", "Texts read, each of another document.", _TEXTS)] = 128
    context_size: Annotated[ContextSize, said("Tokens per text", "Tokens of each.", _TEXTS)] = 64
    traits: Annotated[
        tuple[str, ...],
        said("Traits", "Concept sets whose directions are followed over checkpoints.", _READ),
    ] = ()
    prompts: Annotated[
        tuple[str, ...],
        said(
            "Prompts",
            "What each checkpoint writes after them stands side by side; none: the beginnings of a "
            "few texts.",
            _READ,
        ),
    ] = ()
    crosscoder_features: Annotated[
        CountOrNone,
        said(
            "Crosscoder features",
            "Features of a crosscoder trained over all checkpoints; 0: none is trained.",
            _CROSS,
        ),
    ] = 0
    crosscoder_steps: Annotated[Count, said("Steps", "Steps of its training.", _CROSS)] = 1500
    crosscoder_sparsity: Annotated[
        AtLeast0, said("Sparsity", "λ of its training: larger means fewer active features.", _CROSS)
    ] = 2.0
    crosscoder_seeds: Annotated[
        Count,
        said("Seeds", "Crosscoders trained; a feature is stable if every one has it.", _CROSS),
    ] = 2
    steer: Annotated[
        AtLeast0,
        said(
            "Steering strength",
            "In typical norms: the difference of the first tokens is added to the last checkpoint "
            "at this strength, and what it writes is kept; 0: it is not steered.",
            _READ,
        ),
    ] = 0.5
    device: str = "auto"
    seed: Seed = 0


class CheckpointFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of one checkpoint."""

    name: str
    """As it was named."""
    title: str
    """The last part of it."""
    identity: str
    loss: float
    """Nats per token on the texts."""
    kl: float
    """From the checkpoint before: mean over tokens of the KL of its predictions, in nats."""
    difference: float
    """Length of the mean difference from the first checkpoint at the first tokens, in shares of
    the typical norm there."""
    difference_p: float
    """How likely it is by chance: of differences with random signs, the share as long."""
    difference_agreement: float
    """Cosine of the differences of two halves of the texts."""
    fvu: float | None = None
    """Of the dictionary."""
    random_fvu: float | None = None
    """Of random directions with its L0."""
    spliced_loss: float | None = None
    """With the dictionary's reconstruction at the site."""
    changed_features: int = 0
    """Features whose mean activation differs from the first checkpoint's, corrected for all."""
    changed_random: int = 0
    """The same of as many random directions."""
    scores: dict[str, float] = {}
    """Sizes of change since the checkpoint before, by which a watcher alerts."""


class CompareCheckpointsResult(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    site: str
    checkpoints: list[CheckpointFigures]
    kinds: dict[str, int] = {}
    """Features of the crosscoder by kind."""
    warnings: list[str] = []
    seconds: float = 0.0


class WatchConfig(msgspec.Struct, frozen=True, kw_only=True, tag="watch_checkpoints"):
    """Compare every new checkpoint in a folder with the one before, and raise alerts."""

    project: str
    name: str
    """Of the watch: changes/<name>.watch.json."""
    folder: str
    base: Annotated[
        str,
        said("Base", "Model that training started from; empty: the first checkpoint.", _WATCH),
    ] = ""
    calibration: Annotated[
        str,
        said(
            "Calibration",
            "Calibration of the project that says when to raise an alert; empty: scores are kept, "
            "and no alert is raised.",
            _WATCH,
        ),
    ] = ""
    site: str = ""
    dictionary: str = ""
    corpus: Annotated[str, takes("corpus")] = ""
    texts: Count = 128
    context_size: ContextSize = 64
    traits: tuple[str, ...] = ()
    monitors: Annotated[
        tuple[str, ...],
        said(
            "Monitors",
            "Monitors of the project that are tried on each checkpoint, on the same texts.",
            _WATCH,
        ),
    ] = ()
    expected: Annotated[
        CountOrNone,
        said(
            "Checkpoints expected",
            "End after this many checkpoints; 0: do not end by count.",
            _WATCH,
        ),
    ] = 0
    idle: Annotated[
        AtLeast0,
        said(
            "Minutes to wait",
            "End after this many minutes without a new checkpoint; 0: do not end by time.",
            _WATCH,
        ),
    ] = 0.0
    every: Annotated[
        Positive,
        said(
            "Seconds between looks",
            "How often the folder is looked at. A checkpoint whose files did not change from one "
            "look to the next is complete.",
            _WATCH,
        ),
    ] = 10.0
    stop_at_alert: Annotated[
        bool, said("End at an alert", "End as soon as an alert is raised.", _WATCH)
    ] = False
    device: str = "auto"
    seed: Seed = 0


class ReadAs(msgspec.Struct, frozen=True, kw_only=True):
    """What the scores of a watch depend on: a threshold holds for these settings alone."""

    site: str = ""
    dictionary: str = ""
    corpus: str = ""
    texts: int = 128
    context_size: int = 64
    traits: tuple[str, ...] = ()
    seed: int = 0
    monitors: tuple[str, ...] = ()


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """What a watcher has to say of a checkpoint."""

    checkpoint: str
    since: str
    """The checkpoint before it: what happened lies between the two."""
    measure: str
    """The score that stands out most."""
    ratio: float
    """That score in units of harmless runs."""
    threshold: float
    p: float
    """The share of harmless runs that come as far, this one counted."""
    promised: float


class MonitorOnCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What a monitor makes of a checkpoint, on the texts of the watch."""

    monitor: str
    units: str
    """What fires: tokens, messages or conversations, in the singular."""
    rate: float
    """Mean over texts of the share of their units that fire."""
    rate_interval: tuple[float, float]
    """Of 95%, over texts, by bootstrap."""
    rate_before: float
    """On the model that the monitor was made with."""
    promised: float
    moved: float
    """Change of its scores since the checkpoint before, in standard deviations over texts."""
    drift_p: float | None
    """Of its scores beside those on its own model, corrected for all monitors."""
    drifted: bool


class WatchedCheckpoint(msgspec.Struct, frozen=True, kw_only=True, tag="watched_checkpoint"):
    name: str
    scores: dict[str, float]
    alert: Alert | None = None
    monitors: list[MonitorOnCheckpoint] = []


class WatchResult(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    watched: list[WatchedCheckpoint]
    alerts: list[Alert]
    waiting: list[str] = []
    """Checkpoints that were not complete when the watch ended."""
    skipped: dict[str, str] = {}
    """Checkpoints that could not be read, and why."""
    promised_up_to: int = 0
    """Checkpoints of a run up to which the promised rate holds; 0: nothing is promised."""


class CalibrateWatchConfig(msgspec.Struct, frozen=True, kw_only=True, tag="calibrate_watch"):
    """Set the threshold of alerts from watches of harmless runs."""

    project: str
    name: str
    """Of the calibration: changes/<name>.calibration.json."""
    watches: tuple[str, ...]
    """Watches of harmless runs in the project."""
    rate: Annotated[
        ShareWithin,
        said(
            "Promised rate",
            "The largest share of harmless runs of this kind in which an alert is raised.",
            "Calibration",
        ),
    ] = 0.1


class CalibrateWatchResult(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    rate: float
    runs: int
    """From which the threshold comes."""
    unit_runs: int
    """From which the unit of each score comes."""
    threshold: float
    units: dict[str, float]
    checkpoints: int
    """Of the shortest run: the promise holds up to so many."""


def config_of(text: str, kind: type[_Config]) -> _Config | None:
    """Return a config that was kept as JSON; None where this release cannot read it."""
    try:
        return msgspec.json.decode(text or "null", type=kind)
    except (ValueError, RecursionError):
        return None

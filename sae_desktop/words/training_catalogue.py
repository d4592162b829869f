"""The settings of a training: what each means, and to which choices it applies. Free of Qt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sae_desktop.training.config import ArchitectureInfo, Target, TrainConfig
from sae_desktop.training.rows.targets import CROSS_LAYER_ARCHITECTURE
from sae_desktop.training.usual import USUAL_EXPANSION

STREAM = "\0stream"
"""The choice of no store: rows come from a harvest that runs beside the training."""

TARGETS: tuple[tuple[Target, str, str], ...] = (
    ("input", "The input itself", "A sparse autoencoder: it reconstructs what it reads."),
    (
        "transcoder",
        "Transcoder",
        "Reads one site and writes another: one step of the model, expressed in features.",
    ),
    (
        "skip_transcoder",
        "Skip transcoder",
        "A transcoder with an affine path alongside the features, for the linear part.",
    ),
    ("crosscoder", "Crosscoder", "One set of features for several layers, or for two models."),
    (
        "cross_layer_transcoder",
        "Cross-layer transcoder",
        "Reads each layer’s mlp.hook_in; writes hook_mlp_out of that layer and all later ones.",
    ),
)
_TRANSCODERS: tuple[Target, ...] = ("transcoder", "skip_transcoder")


@dataclass(frozen=True)
class SettingInfo:
    """One setting: its name and a line of explanation."""

    field: str
    text: str
    explanation: str
    group: str = ""
    """Heading it is folded away under; empty: always in sight."""

    @property
    def rare(self) -> bool:
        return bool(self.group)


_OPTIMISER, _SPARSITY, _DATA = "Optimiser", "Sparsity and dead features", "Data and start"
_KEEPING = "Figures and checkpoints"

SETTINGS = (
    SettingInfo("activations", "Activations", "The store to learn from."),
    SettingInfo("target", "Target", "What is reconstructed."),
    SettingInfo("site", "Site", "Where in the model the rows were taken."),
    SettingInfo("output_site", "Writes", "The site it learns to predict."),
    SettingInfo("sites", "Sites", "Read and written, all with the same features."),
    SettingInfo(
        "other_activations",
        "Second store",
        "The same tokens through another model, row by row; none: layers of one model.",
    ),
    SettingInfo("architecture", "Architecture", "How active features are chosen."),
    SettingInfo(
        "features",
        "Features",
        f"How many directions to learn: {USUAL_EXPANSION} × the width is usual.",
    ),
    SettingInfo("k", "k", "How many features are active on each row."),
    SettingInfo("sparsity", "λ", "Weight of the sparsity loss; larger means fewer active."),
    SettingInfo("tokens", "Rows", "Rows consumed in all, counting repeated passes over the store."),
    SettingInfo("name", "Name", "The dictionary’s name in the project."),
    SettingInfo("batch", "Batch", "Rows per step.", _OPTIMISER),
    SettingInfo("lr", "Learning rate", "The default suits the architecture and size.", _OPTIMISER),
    SettingInfo(
        "lr_warm_up", "Warm-up", "Share of the run over which the learning rate rises.", _OPTIMISER
    ),
    SettingInfo(
        "lr_decay",
        "Decay",
        "Last share of the run, over which the learning rate falls to 0.",
        _OPTIMISER,
    ),
    SettingInfo(
        "gradient_clip",
        "Gradient clip",
        "Largest gradient norm allowed; 0 means no limit.",
        _OPTIMISER,
    ),
    SettingInfo(
        "precision",
        "Precision",
        "Precision of the matrix products; weights and sums stay float32.",
        _OPTIMISER,
    ),
    SettingInfo("sparsity_warm_up", "λ warm-up", "Share of the run over which λ rises.", _SPARSITY),
    SettingInfo(
        "aux_weight",
        "AuxK weight",
        "Weight of the loss that dead features learn from; 0 turns it off.",
        _SPARSITY,
    ),
    SettingInfo(
        "threshold_decay",
        "Threshold memory",
        "Memory of the running mean that becomes the threshold.",
        _SPARSITY,
    ),
    SettingInfo(
        "resample",
        "Resample dead features",
        "Reinitialise dead features from badly reconstructed rows.",
        _SPARSITY,
    ),
    SettingInfo(
        "dead_window",
        "Dead after",
        "Rows of silence until a feature counts as dead; at most a tenth of the run.",
        _SPARSITY,
    ),
    SettingInfo(
        "init",
        "Start from",
        "Initial directions: random, or rows of the data. Automatic takes rows for a transcoder.",
        _DATA,
    ),
    SettingInfo(
        "centre",
        "Subtract the mean",
        "Auto subtracts it when it is large compared with the spread.",
        _DATA,
    ),
    SettingInfo(
        "exclude_massive",
        "Leave out massive rows",
        "Rows whose norm is above 10 × the median.",
        _DATA,
    ),
    SettingInfo("seed", "Seed", "Seed of the weights and of the row order.", _DATA),
    SettingInfo(
        "metric_rows",
        "Held-out rows",
        "Rows kept out of training, to measure FVU and L0 on.",
        _KEEPING,
    ),
    SettingInfo(
        "measure_loss",
        "Measure the loss recovered",
        "During training, in at most a tenth of the time.",
        _KEEPING,
    ),
    SettingInfo(
        "checkpoint_seconds",
        "Checkpoint every",
        "In seconds; checkpoints are also written at each pause and at the end.",
        _KEEPING,
    ),
    SettingInfo(
        "keep_checkpoints", "Checkpoints kept", "How many of the latest to keep.", _KEEPING
    ),
)
SETTING_OF = {info.field: info for info in SETTINGS}
_FOLLOWS = {"sparsity_warm_up": "sparsity"}
"""Settings that matter wherever another does."""


def known_architectures(infos: Sequence[ArchitectureInfo]) -> list[ArchitectureInfo]:
    """Return the architectures there are; before the engine has told, the default alone."""
    if infos:
        return list(infos)
    name = TrainConfig(project="", name="").architecture
    return [
        ArchitectureInfo(
            name=name,
            title=name.capitalize(),
            summary="",
            settings=["k"],
            default_sparsity=0.0,
            sparsity_warm_up=0.0,
        )
    ]


def matters(
    field: str,
    architecture: ArchitectureInfo,
    every: Iterable[ArchitectureInfo],
    target: Target,
    sites: int,
    stores: int,
) -> bool:
    """Return whether a setting says anything with an architecture and a target.

    `sites`: how many the chosen store has; `stores`: how many there are.
    """
    if field == "site":
        return target in _TRANSCODERS or (target == "input" and sites > 1)
    if field == "output_site":
        return target in _TRANSCODERS
    if field == "sites":
        return target == "crosscoder" and sites > 1
    if field in ("init", "resample") and target == "cross_layer_transcoder":
        return False
    if field == "other_activations":
        return target == "crosscoder" and stores > 1
    specific = {name for info in every for name in info.settings}
    asked = _FOLLOWS.get(field, field)
    return asked not in specific or asked in architecture.settings


def explanation(field: str, architecture: ArchitectureInfo, target: Target) -> str:
    """Return a setting's line, which of some tells of what is chosen."""
    if field == "architecture" and architecture.summary:
        return architecture.summary
    if field == "target":
        return next(text for value, _, text in TARGETS if value == target)
    if field == "site" and target != "input":
        return "The site it reads."
    if field == "k" and architecture.aims_at_k:
        return "Features active per row at the end, unless you choose λ yourself."
    if field == "sparsity" and architecture.aims_at_k:
        return "Weight of the sparsity loss; by default it rises until k features are active."
    return SETTING_OF[field].explanation


def architectures_for(target: Target, infos: Sequence[ArchitectureInfo]) -> list[ArchitectureInfo]:
    """Return the architectures a target can be trained as."""
    if target != "cross_layer_transcoder":
        return list(infos)
    return [info for info in infos if info.name == CROSS_LAYER_ARCHITECTURE] or list(infos)


def chosen_sites(
    target: Target,
    available: Sequence[str],
    *,
    site: str,
    output_site: str,
    sites: Sequence[str],
    two_models: bool,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return (`sites`, `output_sites`) of a TrainConfig from what the fields hold.

    `available`: sites of the store, or those that two stores share. None is named where the
    training takes the right ones by itself.
    """
    if target == "input":
        return ((site,) if site and len(available) > 1 else ()), ()
    if target in _TRANSCODERS:
        return (site,) if site else (), (output_site,) if output_site else ()
    if target == "crosscoder" and not (two_models and len(available) < 2):
        return tuple(name for name in available if name in sites), ()
    return (), ()

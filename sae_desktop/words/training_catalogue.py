"""The settings of a training: what each means, and to which choices it applies. Free of Qt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sae_desktop.described import settings
from sae_desktop.training.architecture_info import ArchitectureInfo
from sae_desktop.training.config import (
    DATA,
    DICTIONARY,
    Target,
    TrainConfig,
)
from sae_desktop.training.rows.targets import CROSS_LAYER_ARCHITECTURE
from sae_desktop.words.architecture_titles import architecture_title

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
    ("crosscoder", "Crosscoder", "One set of features for several layers, or for several models."),
    (
        "cross_layer_transcoder",
        "Cross-layer transcoder",
        "Reads each layer’s mlp.hook_in; writes hook_mlp_out of that layer and all later ones.",
    ),
)
_TRANSCODERS: tuple[Target, ...] = ("transcoder", "skip_transcoder")


class SettingInfo(NamedTuple):
    """One setting as a form shows it."""

    field: str
    text: str
    explanation: str
    group: str
    """The heading it stands under."""

    @property
    def rare(self) -> bool:
        """Whether it is folded away."""
        return self.group not in _IN_SIGHT


_IN_SIGHT = (DATA, DICTIONARY)
_OF_THE_FORM = (
    # A form has one field for the site that is read and one for the site that is written.
    SettingInfo("site", "Site", "Where in the model the rows were taken.", DATA),
    SettingInfo("output_site", "Output site", "The site it learns to predict.", DATA),
)
_ORDER = (
    "activations", "target", "site", "output_site", "sites", "other_activations", "start_from",
    "architecture", "features", "k", "sparsity", "tokens", "name",
)  # fmt: skip
_ELSEWHERE = ("output_sites", "device")
"""Not on the form: written with `output_site`, and chosen for the whole engine."""


def _settings() -> tuple[SettingInfo, ...]:
    said = {
        one.field: SettingInfo(one.field, one.title, one.description, one.group)
        for one in settings(TrainConfig).values()
        if one.field not in _ELSEWHERE
    } | {info.field: info for info in _OF_THE_FORM}
    return tuple(said[field] for field in dict.fromkeys((*_ORDER, *said)))


SETTINGS = _settings()
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
            title=architecture_title(name),
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


def matters_to_start(target: Target) -> bool:
    """Return whether a run of a target can start from a dictionary."""
    return target == "input" or target in _TRANSCODERS


def explanation(field: str, architecture: ArchitectureInfo, target: Target) -> str:
    """Return a setting's line, which of some tells of what is chosen."""
    if field == "architecture" and architecture.summary:
        return architecture.summary
    if field == "target":
        return next(text for value, _, text in TARGETS if value == target)
    if field == "site" and target != "input":
        return "The site it reads."
    if field == "k" and architecture.aims_at_k:
        return "Features active at a time that you want (L0), unless you choose λ yourself."
    if field == "sparsity" and architecture.aims_at_k:
        return "Weight of the sparsity loss; by default it is led until k features are active."
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
    several_models: bool,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return (`sites`, `output_sites`) of a TrainConfig from what the fields hold.

    `available`: sites of the store, or those that several stores share. None is named where the
    training takes the right ones by itself.
    """
    if target == "input":
        return ((site,) if site and len(available) > 1 else ()), ()
    if target in _TRANSCODERS:
        return (site,) if site else (), (output_site,) if output_site else ()
    if target == "crosscoder" and not (several_models and len(available) < 2):
        return tuple(name for name in available if name in sites), ()
    return (), ()

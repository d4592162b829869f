"""What the Training panel's settings mean, and when they cannot be trained with. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.gui.amounts import bytes_text, count_text, exact_count
from sae_desktop.gui.inventory import DictionaryItem, StoreItem
from sae_desktop.project import checked_name
from sae_desktop.training.config import TrainConfig

_FLOAT_BYTES = 4
_COPIES = 4
"""Weights, gradients and the two moments of Adam."""


@dataclass(frozen=True)
class SettingInfo:
    """One setting: its name, a line of explanation, and where it applies."""

    field: str
    text: str
    explanation: str
    architecture: str = ""
    """Empty: applies to all."""
    rare: bool = False


SETTINGS = (
    SettingInfo("activations", "Activations", "The store whose rows it learns from."),
    SettingInfo("name", "Name", "How the dictionary is called in the project."),
    SettingInfo(
        "architecture",
        "Architecture",
        "BatchTopK keeps a set number of features; standard pays for each with an L1.",
    ),
    SettingInfo("features", "Features", "How many directions it learns: 8 × the width is usual."),
    SettingInfo("k", "k", "Features active on a row, on average over a batch.", "batchtopk"),
    SettingInfo("sparsity", "λ", "Weight of sparsity; larger means fewer active.", "standard"),
    SettingInfo("tokens", "Rows", "Consumed in all, passes over the store included."),
    SettingInfo("batch", "Batch", "Rows in one step.", rare=True),
    SettingInfo("lr", "Learning rate", "0 takes the default for this size.", rare=True),
    SettingInfo("seed", "Seed", "Of the weights and of the order of rows.", rare=True),
    SettingInfo(
        "dead_window",
        "Dead after",
        "Silent rows until a feature is dead; at most a tenth of the run.",
        rare=True,
    ),
    SettingInfo(
        "exclude_massive", "Leave out massive rows", "Those above 10 × the median norm.", rare=True
    ),
)


def shown(info: SettingInfo, architecture: str) -> bool:
    """Return whether a setting applies to an architecture."""
    if info.field == "k":
        return architecture != "standard"
    return info.architecture in ("", architecture)


def default_name(architecture: str, features: int, taken: list[str]) -> str:
    """Return a name that is free, such as "batchtopk-2048"."""
    name = f"{architecture}-{features}"
    numbers = (f"{name}-{n}" for n in range(2, len(taken) + 3))
    return name if name not in taken else next(n for n in numbers if n not in taken)


def problems(
    config: TrainConfig, stores: list[StoreItem], dictionaries: list[DictionaryItem]
) -> dict[str, str]:
    """Return field → why the training cannot start; empty when it can."""
    found: dict[str, str] = {}
    store = next((item for item in stores if item.name == config.activations), None)
    if store is None:
        found["activations"] = "Choose a store, or harvest one first."
    elif store.rows < config.batch:
        found["batch"] = f"The store holds {exact_count(store.rows)} rows: less than one batch."
    try:
        checked_name(config.name)
    except UserError as error:
        found["name"] = str(error)
    same = next((item for item in dictionaries if item.name == config.name), None)
    if same is not None and not resumes(config, same):
        found["name"] = f"“{config.name}” is there already. Choose another name."
    if config.architecture == "batchtopk" and config.k > config.features:
        found["k"] = "k cannot exceed the number of features."
    if config.tokens < config.batch:
        found["tokens"] = "Less than one batch."
    return found


def resumes(config: TrainConfig, item: DictionaryItem) -> bool:
    """Return whether training with `config` would take up an unfinished run."""
    if item.complete or item.train is None:
        return False
    made = msgspec.structs.replace(item.train, project=config.project, device=config.device)
    return made == config


def summary(config: TrainConfig, store: StoreItem | None) -> str:
    """Return what the settings amount to, in a sentence."""
    steps = config.tokens // max(config.batch, 1)
    text = f"{count_text(steps)} steps"
    if store is None or not store.rows:
        return text + "."
    passes = config.tokens / store.rows
    weights = 2 * config.features * store.width * _FLOAT_BYTES
    return (
        f"{text}, {passes:.1f} passes over “{store.name}”; {bytes_text(weights)} of weights, "
        f"≈ {bytes_text(weights * _COPIES)} of memory."
    )

"""When a training cannot start with the settings of the panel, and what they amount to.

Free of Qt.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

import msgspec

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.layout import StoreInfo
from sae_desktop.errors import UserError
from sae_desktop.project import checked_name
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.rows.targets import resolve_target
from sae_desktop.training.set_config import TrainSetConfig
from sae_desktop.training.settings_check import setting_problems
from sae_desktop.training.start_from import start_problems, width_problem
from sae_desktop.training.usual import passes_text, usual_features, usual_tokens
from sae_desktop.words.amounts import exact_count, short_count
from sae_desktop.words.inventory import DictionaryItem, StoreItem


def default_name(
    config: TrainConfig, taken: list[str], dictionaries: Collection[DictionaryItem] = ()
) -> str:
    """Return a name that is free, such as "batchtopk-2048" or "transcoder-2048".

    Where a training of these settings was interrupted, it is that one's: it continues.
    """
    for item in dictionaries:
        if resumes(msgspec.structs.replace(config, name=item.name), item):
            return item.name
    if config.start_from:
        return free_name(f"{config.start_from.replace('.', '-')}-further", taken)
    kind = config.architecture if config.target == "input" else config.target
    return free_name(f"{kind}-{config.features}", taken)


def free_name(name: str, taken: list[str]) -> str:
    """Return a name, with the first free number behind it where it is taken."""
    numbers = (f"{name}-{n}" for n in range(2, len(taken) + 3))
    return name if name not in taken else next(n for n in numbers if n not in taken)


Settings = TypeVar("Settings", bound=TrainConfig | TrainSetConfig)


def copied(config: Settings, project: str, taken: list[str]) -> Settings:
    """Return the settings of a run or set for a new one, under a name that is free."""
    return msgspec.structs.replace(config, project=project, name=free_name(config.name, taken))


def problems(
    config: TrainConfig,
    stores: list[StoreItem],
    dictionaries: list[DictionaryItem],
    used: Collection[str],
) -> dict[str, str]:
    """Return field → why the training cannot start; empty when it can.

    `used`: fields that only some architectures use, among them the one chosen.
    """
    found = setting_problems(config, used)
    store = next((item for item in stores if item.name == config.activations), None)
    if config.stream is not None:
        if not config.stream.model or not config.stream.site:
            found["activations"] = "Choose model, site and text in Harvest first."
    elif store is None:
        found["activations"] = "Choose a store, harvest one first, or train while harvesting."
    elif store.rows < config.batch:
        found["batch"] = f"The store holds {exact_count(store.rows)} rows, fewer than one batch."
    try:
        checked_name(config.name)
    except UserError as error:
        found["name"] = str(error)
    same = next((item for item in dictionaries if item.name == config.name), None)
    if same is not None and not resumes(config, same):
        found["name"] = f"“{config.name}” already exists. Choose another name."
    if "activations" not in found:
        found |= _target_problem(config, store, stores)
    return found | _start_problem(config, store, dictionaries)


def _start_problem(
    config: TrainConfig, store: StoreItem | None, dictionaries: list[DictionaryItem]
) -> dict[str, str]:
    """Return why the run cannot start from the dictionary that was chosen for it."""
    item = next((item for item in dictionaries if item.name == config.start_from), None)
    if item is None or item.summary is None:
        return {}
    found = start_problems(config, item.summary)
    if found or store is None or config.target not in ("input", "transcoder", "skip_transcoder"):
        return found
    widths = dict(zip(store.sites, store.widths, strict=True))
    first = widths.get(config.sites[0] if config.sites else "", store.width)
    last = widths.get(config.output_sites[0] if config.output_sites else "", first)
    problem = width_problem(item.summary, first, last)
    return {"start_from": f"{problem} Choose another site or dictionary."} if problem else {}


def _target_problem(
    config: TrainConfig, store: StoreItem | None, stores: list[StoreItem]
) -> dict[str, str]:
    """Return what is wrong with target and sites, as the training itself would say it."""
    others = [item for name in config.other_activations for item in stores if item.name == name]
    if config.stream is not None:
        source = _stream_info(config.stream)
    elif store is not None:
        source = _info(store)
    else:
        return {}
    try:
        resolve_target(config, source, [_info(other) for other in others])
    except UserError as error:
        return {"target": str(error)}
    return {}


def _info(store: StoreItem) -> StoreInfo:
    return StoreInfo(
        model=store.model, corpus=store.corpus, sites=list(store.sites), widths=list(store.widths)
    )


def _stream_info(stream: HarvestConfig) -> StoreInfo:
    """Return what the stream will hold; its widths are not known before the model is."""
    sites = [stream.site, *stream.sites]
    return StoreInfo(model=stream.model, corpus=stream.corpus, sites=sites, widths=[1] * len(sites))


def resumes(config: TrainConfig, item: DictionaryItem) -> bool:
    """Return whether training with `config` would take up an unfinished run."""
    if item.complete or item.train is None:
        return False
    made = msgspec.structs.replace(item.train, project=config.project, device=config.device)
    return made == config


def summary(config: TrainConfig, store: StoreItem | None) -> str:
    """Return what the settings amount to, in a sentence."""
    steps = config.tokens // max(config.batch, 1)
    text = f"{short_count(steps)} steps"
    if config.stream is not None:
        return f"{text} on rows harvested along the way; no store is saved."
    if store is None or not store.rows:
        return text + "."
    return f"{text}, {passes_text(config.tokens, store.rows)} over “{store.name}”."


def usual_values(store: StoreItem, site: str, batch: int) -> dict[str, int]:
    """Return how many rows and features suit a store, by field."""
    widths = dict(zip(store.sites, store.widths, strict=True))
    return {
        "tokens": usual_tokens(store.rows, batch),
        "features": usual_features(widths.get(site, store.width)),
    }


def stream_text(stream: HarvestConfig, *, sites: bool = True) -> str:
    """Return what a stream reads, in a line; `sites`: those of Harvest are read, too."""
    corpus = stream.corpus.rstrip("/").rsplit("/", 1)[-1]
    model = stream.model.rstrip("/").rsplit("/", 1)[-1]
    read = f"{', '.join((stream.site, *stream.sites))} · " if sites else ""
    return f"{model} · {read}text “{corpus}” (set in Harvest)"

"""What a project holds, read for its cards. Free of Qt."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

from sae_desktop.activations.config import HarvestConfig, made_harvest
from sae_desktop.corpus.config import decode_made
from sae_desktop.errors import UserError
from sae_desktop.project import Project, checked_name
from sae_desktop.storage.faults import folder_bytes
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.run_folder import DictionarySummary, read_summary
from sae_desktop.training.sweeps.sweep_config import SweepRecord, read_sweep

# Readers of HDF5 are imported where they are used: the window is shown before h5py is there.


@dataclass(frozen=True)
class StoreItem:
    name: str
    rows: int
    rows_wanted: int
    """Rows the harvest was asked for; equal to `rows` once it is complete."""
    width: int
    model: str
    site: str
    corpus: str
    bytes: int
    modified: datetime.datetime
    harvest: HarvestConfig | None
    """What made it, to resume it; none for imported activations."""
    sites: tuple[str, ...] = ()
    """All of them; `site` is the first."""
    widths: tuple[int, ...] = ()
    model_origin: str = ""

    @property
    def complete(self) -> bool:
        return self.rows >= self.rows_wanted


@dataclass(frozen=True)
class DictionaryItem:
    name: str
    summary: DictionarySummary | None
    """None for a run that has not saved weights yet."""
    train: TrainConfig | None
    rows: int
    """Rows its run has consumed."""
    bytes: int
    modified: datetime.datetime
    indexes: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return self.summary is not None and (
            self.summary.result is not None or self.summary.train is None
        )


@dataclass(frozen=True)
class IndexItem:
    name: str
    dictionary: str
    dictionary_hash: str
    """Of the weights it was made from; empty where the index does not say."""
    model: str
    features: int
    rows: int
    bytes: int
    modified: datetime.datetime


@dataclass(frozen=True)
class ModelItem:
    name: str
    width: int
    stores: tuple[str, ...]
    origin: str = ""
    """In words, where its weights come from and what they went through."""


@dataclass(frozen=True)
class BrokenItem:
    """Something that is there and cannot be read."""

    kind: str
    name: str
    path: Path
    error: str
    next_step: str


@dataclass(frozen=True)
class Inventory:
    models: list[ModelItem] = field(default_factory=list)
    stores: list[StoreItem] = field(default_factory=list)
    dictionaries: list[DictionaryItem] = field(default_factory=list)
    indexes: list[IndexItem] = field(default_factory=list)
    sweeps: list[SweepRecord] = field(default_factory=list)
    broken: list[BrokenItem] = field(default_factory=list)


Item = TypeVar("Item", StoreItem, DictionaryItem, IndexItem, SweepRecord)
Dated = StoreItem | DictionaryItem | IndexItem


_WAY_OUT = "If it is not being written right now, restore it from a copy or move it elsewhere."


def newest(items: Sequence[Dated]) -> str:
    """Return the name of what changed last; nothing of nothing."""
    return max(items, key=lambda item: item.modified).name if items else ""


def kept_or_newest(name: str, items: Sequence[Dated]) -> str:
    """Return the name that was kept where there still is such a thing, else that of the newest."""
    return name if any(item.name == name for item in items) else newest(items)


def take_inventory(project: Project) -> Inventory:
    """Read what the project holds. What cannot be read is listed as broken, never raised."""
    broken: list[BrokenItem] = []

    def read(
        kind: str, names: list[str], path: Callable[[str], Path], one: Callable[[Path], Item]
    ) -> list[Item]:
        items = []
        for name in filter(_can_be_named, names):
            try:
                items.append(_remembered(path(name), one))
            except UserError as error:
                broken.append(BrokenItem(kind, name, path(name), error.what, error.next_step))
            except Exception as error:  # whatever one thing is, the others are shown
                what = f"It cannot be read: {error or type(error).__name__}."
                broken.append(BrokenItem(kind, name, path(name), what, _WAY_OUT))
        return items

    stores = read("store", project.stores(), project.store_path, _store)
    names = sorted({*project.dictionaries(), *project.runs()})
    dictionaries = read("dictionary", names, project.dictionary_path, _dictionary)
    indexes = read("index", project.indexes(), project.index_path, _index)
    sweeps = read("sweep", project.sweeps(), project.sweep_path, read_sweep)
    dictionaries = [
        _with_indexes(item, tuple(i.name for i in indexes if i.dictionary == item.name))
        for item in dictionaries
    ]
    return Inventory(_models(stores, dictionaries), stores, dictionaries, indexes, sweeps, broken)


def _can_be_named(name: str) -> bool:
    """Tell whether a folder bears a name the program would give; others are none of its own."""
    try:
        checked_name(name)
    except UserError:
        return False
    return True


_memory: dict[Path, tuple[tuple[int, int], object]] = {}
"""Path → (files, newest change in ns) and what was read then: most things do not change."""


def _remembered(path: Path, one: Callable[[Path], Item]) -> Item:
    files = list(path.iterdir()) if path.is_dir() else [path]
    stamp = (len(files), max((file.stat().st_mtime_ns for file in files), default=0))
    known = _memory.get(path)
    if known is not None and known[0] == stamp:
        return cast(Item, known[1])
    item = one(path)
    _memory[path] = (stamp, item)
    return item


def _store(folder: Path) -> StoreItem:
    from sae_desktop.activations.store import ActivationStore

    store = ActivationStore.open(folder)
    harvest = _harvest_config(store.last_info.config)
    return StoreItem(
        name=folder.name,
        rows=store.rows,
        rows_wanted=store.rows_wanted,
        width=store.width(),
        model=store.info.model,
        model_origin=store.info.model_origin,
        site=store.site,
        corpus=store.info.corpus,
        bytes=store.size_bytes,
        modified=_modified(folder / "000.h5"),
        harvest=harvest,
        sites=tuple(store.info.sites),
        widths=tuple(store.info.widths),
    )


def _harvest_config(text: str) -> HarvestConfig | None:
    try:
        return made_harvest(text)
    except (ValueError, RecursionError):
        return None


def _dictionary(folder: Path) -> DictionaryItem:
    from sae_desktop.training.run_log import read_progress

    log = folder / "run.h5"
    rows, config = 0, ""
    if log.is_file():
        rows, config = read_progress(log)
    summary = read_summary(folder) if (folder / "cfg.json").is_file() else None
    train = summary.train if summary else _train_config(config)
    return DictionaryItem(
        name=folder.name,
        summary=summary,
        train=train,
        rows=rows,
        bytes=folder_bytes(folder),
        modified=_modified(folder / "cfg.json" if summary else log),
    )


def _train_config(text: str) -> TrainConfig | None:
    try:
        return decode_made(text, TrainConfig)
    except (ValueError, RecursionError):
        return None


def _with_indexes(item: DictionaryItem, indexes: tuple[str, ...]) -> DictionaryItem:
    return DictionaryItem(
        item.name, item.summary, item.train, item.rows, item.bytes, item.modified, indexes
    )


def _index(path: Path) -> IndexItem:
    from sae_desktop.deletion import index_bytes
    from sae_desktop.features.reading.index_file import read_info

    info = read_info(path)
    return IndexItem(
        name=path.stem,
        dictionary=info.dictionary,
        dictionary_hash=info.dictionary_hash,
        model=info.model,
        features=info.features,
        rows=info.rows,
        bytes=index_bytes(path),
        modified=_modified(path),
    )


def _models(stores: list[StoreItem], dictionaries: list[DictionaryItem]) -> list[ModelItem]:
    widths: dict[str, int] = {}
    origins: dict[str, str] = {}
    for item in dictionaries:
        if item.summary is not None and item.summary.model:
            widths[item.summary.model] = item.summary.width
            origins[item.summary.model] = item.summary.model_origin
    for store in stores:
        if store.model:
            widths[store.model] = store.width
            origins[store.model] = store.model_origin or origins.get(store.model, "")
    return [
        ModelItem(
            name, width, tuple(s.name for s in stores if s.model == name), origins.get(name, "")
        )
        for name, width in sorted(widths.items())
    ]


def _modified(path: Path) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(path.stat().st_mtime)

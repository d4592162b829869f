"""What a project holds, read for its cards. Free of Qt."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from sae_desktop.activations.config import HarvestConfig, made_harvest
from sae_desktop.benchmark.items import BenchmarkItem, benchmark_items
from sae_desktop.circuits.reading.lens_file import LensItem, lens_items
from sae_desktop.corpus.config import decode_made
from sae_desktop.dictionary.set_info import SET_FILE, SetInfo, read_set_info
from sae_desktop.errors import UserError
from sae_desktop.features.stages import StageTime
from sae_desktop.project import Project, checked_name
from sae_desktop.safety.change.change_items import ChangeItem, change_items
from sae_desktop.safety.listed_sets import ListedSet, own_listed_sets
from sae_desktop.safety.scan.items import ScanItem, scan_items
from sae_desktop.storage.faults import folder_bytes
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.run_folder import DictionarySummary, read_summary
from sae_desktop.training.set_config import (
    SET_RESULT,
    SET_TRAIN,
    TrainSetConfig,
    TrainSetResult,
)
from sae_desktop.training.sweeps.sweep_config import SweepRecord, read_sweep
from sae_desktop.words.model_items import ModelItem as ModelItem
from sae_desktop.words.model_items import models_of

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
    pictures: int = 0
    """Pictures among its documents."""

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
class SetItem:
    """A dictionary for each layer of a model, or one of all of them."""

    name: str
    info: SetInfo | None
    """None while it has not been trained to its end."""
    members: tuple[DictionaryItem, ...]
    """From the first layer on; each is called as everywhere, such as “set.L03”."""
    bytes: int
    modified: datetime.datetime
    train: TrainSetConfig | None = None
    """What it is, or was, trained with; None for one from elsewhere."""
    result: TrainSetResult | None = None
    problem: str = ""
    """What is wrong with a member that cannot be read; empty: nothing."""

    @property
    def complete(self) -> bool:
        return self.info is not None

    @property
    def rows(self) -> int:
        """Rows its training has consumed."""
        return max((member.rows for member in self.members), default=0)

    @property
    def indexed(self) -> tuple[DictionaryItem, ...]:
        """The members that have an index, from the first layer on."""
        return tuple(member for member in self.members if member.indexes)


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
    stages: tuple[StageTime, ...] = ()
    """What took how long when it was made; of an earlier version's not known."""
    whole_rows: int = 0
    """Of how many it is to be, where it is not finished."""


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
    sets: list[SetItem] = field(default_factory=list)
    lenses: list[LensItem] = field(default_factory=list)
    scans: list[ScanItem] = field(default_factory=list)
    concept_sets: list[ListedSet] = field(default_factory=list)
    """The project’s own."""
    changes: list[ChangeItem] = field(default_factory=list)
    benchmarks: list[BenchmarkItem] = field(default_factory=list)

    @property
    def all_dictionaries(self) -> list[DictionaryItem]:
        """The dictionaries, and after them the members of the sets."""
        return [*self.dictionaries, *(member for one in self.sets for member in one.members)]

    def dictionary(self, name: str) -> DictionaryItem | None:
        """Return the dictionary or the member of a set that is called so."""
        return next((item for item in self.all_dictionaries if item.name == name), None)

    def set_named(self, name: str) -> SetItem | None:
        return next((item for item in self.sets if item.name == name), None)

    def set_of(self, dictionary: str) -> SetItem | None:
        """Return the set that a dictionary is a member of."""
        if any(item.name == dictionary for item in self.dictionaries):
            return None
        return next(
            (one for one in self.sets if any(m.name == dictionary for m in one.members)), None
        )

    @property
    def own_indexes(self) -> list[IndexItem]:
        """The indexes that are not of a set's members."""
        members = {member.name for one in self.sets for member in one.members}
        members -= {item.name for item in self.dictionaries}
        return [item for item in self.indexes if item.dictionary not in members]


Item = TypeVar("Item", StoreItem, DictionaryItem, IndexItem, SweepRecord)
Record = TypeVar("Record", bound=msgspec.Struct)
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
    dictionaries = [_with_indexes(item, indexes) for item in dictionaries]
    sets = [one for one in _sets(project, indexes, broken) if one.members]
    trained = [*dictionaries, *(member for one in sets for member in one.members)]
    models = models_of(stores, [item.summary for item in trained])
    return Inventory(
        models, stores, dictionaries, indexes, sweeps, broken, sets, lens_items(project),
        scan_items(project), own_listed_sets(project), change_items(project),
        benchmark_items(project),
    )  # fmt: skip


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
        pictures=len(store.pictures),
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


def _with_indexes(item: DictionaryItem, indexes: Sequence[IndexItem]) -> DictionaryItem:
    return replace(item, indexes=tuple(i.name for i in indexes if i.dictionary == item.name))


def _sets(
    project: Project, indexes: Sequence[IndexItem], broken: list[BrokenItem]
) -> Iterator[SetItem]:
    """Yield the sets, those in training too; what is `broken` altogether is put there."""
    for name in filter(_can_be_named, sorted({*project.sets(), *project.set_runs()})):
        folder = project.set_path(name)
        try:
            info = read_set_info(folder) if (folder / SET_FILE).is_file() else None
            members, problem = _members(name, folder, info)
            yield SetItem(
                name=name,
                info=info,
                members=tuple(_with_indexes(member, indexes) for member in members),
                bytes=folder_bytes(folder),
                modified=_modified(folder / SET_FILE if info is not None else folder),
                train=_decoded(folder / SET_TRAIN, TrainSetConfig),
                result=_decoded(folder / SET_RESULT, TrainSetResult),
                problem=problem,
            )
        except UserError as error:
            broken.append(BrokenItem("set", name, folder, error.what, error.next_step))
        except Exception as error:
            what = f"It cannot be read: {error or type(error).__name__}."
            broken.append(BrokenItem("set", name, folder, what, _WAY_OUT))


def _decoded(path: Path, kind: type[Record]) -> Record | None:
    try:
        return decode_made(path.read_bytes(), kind)
    except (OSError, ValueError, RecursionError):
        return None


def _members(name: str, folder: Path, info: SetInfo | None) -> tuple[list[DictionaryItem], str]:
    """Return the members that can be read, and what is wrong with the first that cannot."""
    made = sorted({path.parent.name for path in folder.glob("[!.]*/run.h5")})
    inside = made if info is None else list(info.folders)
    members, problem = [], ""
    for member in inside:
        try:
            found = _remembered(folder / member, _dictionary)
            members.append(replace(found, name=f"{name}.{member}"))
        except FileNotFoundError:
            problem = problem or f"“{member}” is missing."
        except Exception as error:
            said = error.what if isinstance(error, UserError) else f"{error}."
            problem = problem or f"“{member}” cannot be read: {said}"
    return members, problem and f"{problem} Restore the set from a copy, or make it again."


def _index(path: Path) -> IndexItem:
    from sae_desktop.deletion import index_bytes
    from sae_desktop.features.reading.index_file import read_info, read_stages

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
        stages=read_stages(path),
        whole_rows=info.whole_rows,
    )


def _modified(path: Path) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(path.stat().st_mtime)

"""The job `index_set`: an index of every member of a set, over one pass of the model.

What all members read is harvested once, into a store that is removed in the end, and each member
is indexed and named on it as any dictionary is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

import msgspec

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.store import ActivationStore
from sae_desktop.corpus.config import decode_made
from sae_desktop.dictionary.set_info import SetInfo, read_set_info
from sae_desktop.errors import UserError
from sae_desktop.features.building.index import build_index
from sae_desktop.features.config import IndexConfig
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.set_index_config import IndexSetConfig, IndexSetResult, MemberIndexed
from sae_desktop.jobs import JobContext
from sae_desktop.project import Project, config_record, existing
from sae_desktop.storage.moves import remove
from sae_desktop.training.set_config import SET_TRAIN, TrainSetConfig

LEAN: dict[str, Any] = {
    "keep_firings": False, "coactivation": False, "neuron_rows": 0, "map": False,
    "top_contexts": 10, "buckets": 3, "bucket_contexts": 2, "context_reach": 24,
}  # fmt: skip
"""Settings of an index that is small and soon made: one of many."""
_STORE = ".rows"
"""Ends the name of the store that is made for the job."""


def index_set(config: IndexSetConfig, context: JobContext) -> IndexSetResult:
    """Index and name every member that has no such index yet.

    Raises UserError for a set or layer that is not there, for a store that lacks what a member
    reads, and where the text or the model is not known.
    """
    began = time.perf_counter()
    project = Project.open(config.project)
    name = existing("set", config.set, project.sets())
    info = read_set_info(project.set_path(name))
    wanted = _wanted(config, info)
    there = {member: _kept(project, config, member) for member in wanted}
    missing = [member for member in wanted if there[member] is None]
    made: dict[str, MemberIndexed] = {}
    if missing:
        store = config.activations or f"{name}{_STORE}"
        if not config.activations:
            reading = cast(JobContext, _Phase(context, "Reading the text"))
            harvest(_harvest(config, project, info, store), reading)
        else:
            existing("activation store", store, project.stores())
        _require_sites(project, store, info, missing)
        for number, member in enumerate(missing):
            context.check_cancelled()
            context.log(f"Indexing “{member}” ({number + 1} of {len(missing)})")
            told = cast(JobContext, _Member(context, number, len(missing), member))
            result = build_index(_index_config(config, member, store), told)
            context.progress(number + 1, len(missing), "layers", member)
            made[member] = MemberIndexed(
                name=member, features=result.features, alive=result.alive, bytes=result.bytes,
                made=True,
            )  # fmt: skip
        if not config.activations:
            remove(project.path, project.store_path(store))
    else:
        context.progress(1, 1, "layers", "All of them are indexed already")
    indexes = tuple(made.get(member) or _known(there[member]) for member in wanted)
    return IndexSetResult(
        set=name, rows=config.rows, indexes=indexes, bytes=sum(one.bytes for one in indexes),
        seconds=time.perf_counter() - began,
    )  # fmt: skip


def _wanted(config: IndexSetConfig, info: SetInfo) -> list[str]:
    """Return the names of the members asked for."""
    members = [info.member(layer) for layer in config.layers] or list(info.members)
    return list(dict.fromkeys(f"{info.name}.{member.name}" for member in members))


def _index_config(config: IndexSetConfig, member: str, store: str) -> IndexConfig:
    settings = LEAN if config.lean else {}
    return IndexConfig(
        project=config.project, dictionary=member, name=member, activations=store,
        rows=config.rows, first_rows=0, seed=config.seed, device=config.device, **settings,
    )  # fmt: skip


def _kept(project: Project, config: IndexSetConfig, member: str) -> MemberIndexed | None:
    """Return the index of a member where it is there, of the same weights and settings.

    Raises UserError where another index has its name.
    """
    path = project.index_path(member)
    if not path.is_file():
        return None
    info = read_info(path)
    if info.dictionary != member:
        raise UserError(
            f"There is already an index “{member}”, of the dictionary “{info.dictionary}”.",
            kept="Nothing was changed.",
            next_step="Delete that index first.",
        )
    whole, folder = project.set_path(config.set), member.rpartition(".")[2]
    digest = {one.name: one.digest for one in read_set_info(whole).members}[folder]
    store = config.activations or f"{whole.name}{_STORE}"
    asked = msgspec.structs.replace(_index_config(config, member, store), device="auto")
    with suppress(ValueError, RecursionError):
        known = msgspec.structs.replace(
            decode_made(info.config, IndexConfig), device="auto", first_rows=0
        )
        if info.whole_rows:
            return None
        if info.dictionary_hash == digest and config_record(known) == config_record(asked):
            alive = int((FeatureIndex(path).columns["density"] > 0).sum())
            return MemberIndexed(
                name=member, features=info.features, alive=alive, bytes=path.stat().st_size,
                made=False,
            )  # fmt: skip
    return None


def _known(there: MemberIndexed | None) -> MemberIndexed:
    assert there is not None
    return there


def _harvest(config: IndexSetConfig, project: Project, info: SetInfo, store: str) -> HarvestConfig:
    """Return the harvest of all that the members read."""
    base = config.harvest or _trained_on(project, info)
    if not info.model:
        raise UserError(
            f"The set “{info.name}” does not say which model it is of.",
            next_step="Import it again, naming the model.",
        )
    sites = [info.member(layer).reads for layer in config.layers or info.layers]
    return msgspec.structs.replace(
        base, project=config.project, name=store, model=info.model, site=sites[0],
        sites=tuple(sites[1:]), tokens=config.rows, device=config.device,
    )  # fmt: skip


def _trained_on(project: Project, info: SetInfo) -> HarvestConfig:
    """Return how the text was read on which a set was trained; the usual way where unknown."""
    path = project.set_path(info.name) / SET_TRAIN
    with suppress(OSError, ValueError, RecursionError):
        stream = decode_made(path.read_bytes(), TrainSetConfig).train.stream
        if stream is not None:
            return stream
    return HarvestConfig(project="", name="")


def _require_sites(project: Project, store: str, info: SetInfo, members: list[str]) -> None:
    """Raise UserError for a store that lacks what a member reads."""
    held = set(ActivationStore.open(project.store_path(store)).info.sites)
    names = {member.rpartition(".")[2] for member in members}
    lacking = [m.reads for m in info.members if m.name in names and m.reads not in held]
    if lacking:
        raise UserError(
            f"The store “{store}” lacks {len(lacking)} of the sites that the set reads, such as "
            f"“{lacking[0]}”.",
            kept="Nothing was changed.",
            next_step="Choose a store with all of them, or none: the text is then harvested.",
        )


class _Phase:
    """A job’s context for a part of it, whose words say what is being done."""

    def __init__(self, context: JobContext, doing: str) -> None:
        self._context, self._doing = context, doing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        self._context.progress(done, total, unit, message or self._doing)

    def metric(self, step: int, values: Mapping[str, float]) -> None:
        """The curves of parts are not the job's."""


class _Member(_Phase):
    """Lets an index count as one of several: the whole never goes back."""

    def __init__(self, context: JobContext, number: int, members: int, name: str) -> None:
        super().__init__(context, f"Indexing “{name}”")
        self._number, self._members, self._furthest = number, members, 0.0

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        # An index has two parts: rows are read, then features are worked out.
        share = min(done / total, 1.0) / 2 if total else 0.0
        share += 0.5 * (unit != "rows")
        self._furthest = max(self._furthest, min(share, 0.99))
        doing = f"{self._doing}: {done:,.0f} of {total:,.0f} {unit}"
        self._context.progress(self._number + self._furthest, self._members, "layers", doing)

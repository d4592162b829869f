"""What the Training panel asks for: one dictionary or a set, and what is to be said of either."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from PySide6.QtCore import QSignalBlocker

from sae_desktop.corpus.config import brought_up
from sae_desktop.dictionary.set_info import SetKind
from sae_desktop.gui.train.set_draft import (
    resumes_set,
    set_name,
    set_problems,
    set_summary,
    set_target,
)
from sae_desktop.gui.train.site_offers import choose
from sae_desktop.gui.train.training_draft import (
    default_name,
    free_name,
    problems,
    resumes,
    summary,
)
from sae_desktop.gui.train.training_settings import TrainingSettings
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.planning.preflight_config import PreflightConfig, PreflightResult
from sae_desktop.training.set_config import EstimateSetConfig, SetEstimate, TrainSetConfig
from sae_desktop.words.inventory import Inventory
from sae_desktop.words.running_jobs import Written

Request = TrainConfig | TrainSetConfig


def request_of(form: TrainingSettings, project: str) -> Request:
    """Return what is to be trained."""
    train, kind = form.config(project), form.set_kind
    if kind is None:
        return train
    return TrainSetConfig(
        project=project,
        name=train.name,
        train=msgspec.structs.replace(train, name=""),
        kind=kind,
        skip=kind == "transcoders" and form.set_fields.skip.isChecked(),
        layers=form.set_fields.chosen(),
    )


def show_request(form: TrainingSettings, request: Request) -> None:
    """Show the settings of a training."""
    if isinstance(request, TrainConfig):
        form.fill(request)
        return
    with QSignalBlocker(form.set_fields):
        form.set_fields.fill(request)
    _fill(form, msgspec.structs.replace(request.train, name=request.name), request.kind)


def _fill(form: TrainingSettings, train: TrainConfig, kind: SetKind | None) -> None:
    """Show the settings of a training, of a set where it is of a kind."""
    form.fill(train)
    if kind is not None:
        choose(form.fields["target"], set_target(kind))
        form.architectures.wanted = train.architecture  # whatever is usual for a set
        choose(form.fields["architecture"], train.architecture)


def question(request: Request, *, measure: bool) -> PreflightConfig | EstimateSetConfig:
    """Return what the engine is asked of a training; `measure`: whether it takes steps for it."""
    if isinstance(request, TrainSetConfig):
        return EstimateSetConfig(train=request, measure=measure)
    return PreflightConfig(train=request, measure=measure)


def needs_of(found: PreflightResult | SetEstimate) -> PreflightResult:
    """Return what a training needs, of the answer to that question."""
    return found.needs if isinstance(found, SetEstimate) else found


def asked_at_once(request: Request) -> bool:
    """Whether the engine answers without reading activations first, so that it is asked always."""
    return isinstance(request, TrainSetConfig) or request.stream is None


def unnamed(request: Request) -> Request:
    """Return a training without its name, which needs nothing."""
    return msgspec.structs.replace(request, name="")


def streams(request: Request) -> bool:
    """Whether its rows are harvested along the way."""
    train = request.train if isinstance(request, TrainSetConfig) else request
    return train.stream is not None


class Draft:
    """A training as it is set, beside what the project holds."""

    def __init__(self, request: Request, inventory: Inventory, written: Written) -> None:
        """`written`: what jobs are writing now, which is not resumed."""
        self.request, self._inventory = request, inventory
        self._runs = [i for i in inventory.dictionaries if ("dictionary", i.name) not in written]
        self._sets = [i for i in inventory.sets if ("set", i.name) not in written]

    def name(self) -> str:
        """Return what it is called where nobody names it: as the unfinished one it continues."""
        request = self.request
        if isinstance(request, TrainConfig):
            taken = [item.name for item in self._inventory.dictionaries]
            return default_name(request, taken, self._runs)
        for item in self._sets:
            if resumes_set(msgspec.structs.replace(request, name=item.name), item):
                return item.name
        return free_name(set_name(request), [item.name for item in self._inventory.sets])

    def resumes(self) -> bool:
        """Return whether it continues an unfinished training."""
        request = self.request
        if isinstance(request, TrainConfig):
            return any(i.name == request.name and resumes(request, i) for i in self._runs)
        return any(i.name == request.name and resumes_set(request, i) for i in self._sets)

    def problems(self, form: TrainingSettings) -> dict[str, str]:
        """Return field → why it cannot start; empty when it can."""
        used: Collection[str] = form.architecture.settings
        inventory, request = self._inventory, self.request
        if isinstance(request, TrainConfig):
            members = [member for one in inventory.sets for member in one.members]
            there = [*inventory.dictionaries, *members]
            found = problems(request, inventory.stores, there, used)
        else:
            layers = form.set_fields.layers.text()
            found = set_problems(request, layers, inventory.stores, inventory.sets, used)
        return {**form.unreadable(), **found}

    def summary(self, found: PreflightResult | SetEstimate | None) -> str:
        """Return what it amounts to; `found`: what the engine says of these very settings."""
        request = self.request
        train = request.train if isinstance(request, TrainSetConfig) else request
        stores = self._inventory.stores
        store = next((s for s in stores if s.name == train.activations), None)
        if isinstance(request, TrainConfig):
            return summary(request, store)
        return set_summary(request, store, found if isinstance(found, SetEstimate) else None)


def kept_request(request: Request, form: TrainingSettings) -> dict[str, Any]:
    """Return what is set as plain data."""
    train = request.train if isinstance(request, TrainSetConfig) else request
    train = msgspec.structs.replace(train, name=request.name)
    return {
        "config": msgspec.to_builtins(train),
        "named": form.is_named,
        "set": form.set_kind,
        **form.set_fields.kept(),
    }


def give_request(form: TrainingSettings, kept: dict[str, Any]) -> None:
    """Show what was kept, unless that is what is shown."""
    config = msgspec.convert(brought_up(kept["config"]), TrainConfig)
    form.set_fields.give(kept.get("layers", ""), skip=kept.get("skip", True))
    if kept.get("set") or kept["named"] or unnamed(config) != unnamed(form.config(config.project)):
        _fill(form, config, kept.get("set"))
    if not kept["named"]:
        form.forget_name()

"""The job `estimate_set`: what the training of a set takes of memory, disk and time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import msgspec

from sae_desktop.activations.layout import StoreInfo
from sae_desktop.activations.store import ActivationStore
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.device import resolve_device
from sae_desktop.language_model.files.find import find_model
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.network import empty_model, load_config
from sae_desktop.language_model.sites.resolve import list_sites, parse_site, site_width
from sae_desktop.project import Project, existing
from sae_desktop.training.planning import needs
from sae_desktop.training.planning.preflight import measure_steps, told
from sae_desktop.training.rows.layer_view import LayerView
from sae_desktop.training.rows.source import Source, StoreSource
from sae_desktop.training.rows.streaming import RowBudget, StreamSource
from sae_desktop.training.rows.targets import Part, TargetPlan
from sae_desktop.training.run_setup import check_config
from sae_desktop.training.set_config import EstimateSetConfig, SetEstimate, TrainSetConfig
from sae_desktop.training.sets.set_plan import SetPlan, plan_set
from sae_desktop.training.sets.set_room import set_free, set_load

_LOOKED_AT = RowBudget(measured=1, held_out=1)
"""As few rows as a stream can be measured by."""
_FLOAT = 4
_BATCHES = 16
"""As many as steps are measured, and more."""


@dataclass(frozen=True)
class _There:
    """What is known without weights of the model, or of the store."""

    widths: dict[str, int]
    """Of each site."""
    model_bytes: int = 0


def estimate_set(config: EstimateSetConfig, context: JobContext) -> SetEstimate:
    """Tell what a set takes and what there is, and from a few steps how long it takes.

    Raises UserError for settings that a training would refuse for other reasons, and for a model
    that is not on this machine.
    """
    there = _there(config.train)
    plan = plan_set(config.train, list(there.widths))
    check_config(plan.members[0])
    device = resolve_device(plan.rows.device)
    load = set_load(plan, _parts(plan, there), device, model_bytes=there.model_bytes)
    free = set_free(plan, device)
    step, steps = None, 0
    if config.measure and all(room.fits for room in needs.rooms(load, free)):
        step, steps = _measured(plan, context)
    members = len(plan.members)
    return SetEstimate(
        needs=told(plan.rows, load, free, device, step, steps),
        layers=plan.layers,
        features=plan.features,
        set_bytes=round(needs.dictionary_bytes(load) * members),
    )


def _there(config: TrainSetConfig) -> _There:
    stream = config.train.stream
    if stream is None:
        project = Project.open(config.project)
        name = existing("activation store", config.train.activations, project.stores())
        info: StoreInfo = ActivationStore.open(project.store_path(name)).info
        return _There(dict(zip(info.sites, info.widths, strict=True)))
    files = find_model(stream.model)
    network: Any = empty_model(files, load_config(files))
    widths = {site: site_width(network, parse_site(site)) for site in list_sites(network)}
    return _There(widths, _FLOAT * sum(weight.numel() for weight in network.parameters()))


def _parts(plan: SetPlan, there: _There) -> TargetPlan:
    parts = [Part(0, site, there.widths[site]) for site in plan.sites]
    count = len(plan.layers)
    return TargetPlan(plan.members[0].target, tuple(parts[:count]), tuple(parts[count:]))


def _measured(plan: SetPlan, context: JobContext) -> tuple[float | None, int]:
    """Return the seconds of a step of all members, its rows' harvest included, and how many steps
    of one member were taken.
    """
    source, row_seconds = _opened(plan, context)
    view = None if plan.across else LayerView(source, 0)
    device = resolve_device(plan.rows.device)
    seconds = measure_steps(plan.members[0], source, device, context, view)
    if not seconds:
        return None, 0
    each = sorted(seconds)[len(seconds) // 2]
    return each * len(plan.members) + plan.rows.batch * row_seconds, len(seconds)


def _opened(plan: SetPlan, context: JobContext) -> tuple[Source, float]:
    """Return the rows, and the seconds that the harvest of one takes."""
    rows = plan.rows
    if rows.stream is None:
        return StoreSource(rows, None, plan.resolve), 0.0
    load_model(rows.stream.model, rows.device, rows.stream.model_dtype)
    # A short run has short pools, and that is all that is needed here.
    short = msgspec.structs.replace(rows, tokens=_BATCHES * rows.batch)
    began = time.perf_counter()
    source = StreamSource(short, None, context, budget=_LOOKED_AT, resolve=plan.resolve)
    context.progress(short.tokens, short.tokens, "rows", "Measuring the first rows")
    looked_at = sum(_LOOKED_AT.rows(2**62))
    return source, (time.perf_counter() - began) / looked_at

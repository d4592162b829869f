"""Turns a gate that is asked for into one that reads: a monitor's file, a feature, a direction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.features.asking.places import Places
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.names import ModelMark
from sae_desktop.language_model.same_model import difference
from sae_desktop.language_model.sites.resolve import Site
from sae_desktop.language_model.sites.site_names import HOOKS
from sae_desktop.project import Project, existing
from sae_desktop.steering.gate_config import Gate, GateSource, Readout
from sae_desktop.steering.readers import (
    Reader,
    ReadyGate,
    direction_reader,
    feature_reader,
    place_of,
    random_direction,
)

DIRECTION = "direction"
"""What a monitor's file of tensors calls its direction."""
OpenedOf = Callable[[str, str], OpenedIndex]
"""Takes the name of an index and the hash of its dictionary, each empty where it is any."""


def ready_gate(
    project: str, lm: LanguageModel, opened_of: OpenedOf, asked: Gate, before: Sequence[Site]
) -> ReadyGate:
    """Return what a gate reads and when it fires.

    `before`: the sites that are changed. Raises UserError for a gate of nothing, a monitor of
    another model or dictionary, and one that reads what the model computes later.
    """
    if asked.monitor:
        source, reader = monitor_reader(project, asked.monitor, lm, opened_of)
        usual = source.threshold
    elif asked.feature is not None:
        readout = Readout(features=[asked.feature])
        reader, usual = feature_reader(readout, opened_of(asked.index, asked.index_hash)), 0.0
    elif asked.seed is not None:
        places = opened_of(asked.index, asked.index_hash).reads
        width = sum(place.width for place in places)
        reader = direction_reader(Readout(), random_direction(width, asked.seed), places)
        usual = 0.0
    else:
        raise UserError(
            "A condition names neither a monitor nor a feature.",
            next_step="Name one, such as feature 12.",
        )
    require_live(reader.places, lm)
    _require_before(reader, before)
    above = usual if asked.above is None else asked.above
    return ReadyGate(reader, above, asked.since, asked.where)


def monitor_reader(
    project: str, name: str, lm: LanguageModel, opened_of: OpenedOf
) -> tuple[GateSource, Reader]:
    """Return a monitor of a project made ready for a model.

    Raises UserError where it is missing or damaged, or was made with another model or dictionary.
    """
    place = Project.open(project)
    path = place.monitor_path(existing("monitor", name, place.monitors()))
    source = read_source(path)
    mark = ModelMark(source.model, source.revision, source.tokenizer)
    how = difference(mark, lm.mark, place.path)
    if how:
        raise UserError(
            f"The monitor “{name}” was calibrated on the model “{source.model}”, not on "
            f"“{lm.name}”: {how}.",
            kept="Nothing was run.",
            next_step="Use the model it was made with, or calibrate it on this one with “--like "
            f"{name}”.",
        )
    readout = source.readout
    opened = opened_of(readout.index, source.dictionary_hash) if readout.index else None
    if readout.features:
        assert opened is not None
        return source, feature_reader(readout, opened)
    places = place_of(lm, readout.site) if readout.site or opened is None else opened.reads
    return source, direction_reader(readout, read_direction(path, source), places)


def read_source(path: Path) -> GateSource:
    """Return what a monitor's file says. Raises UserError for one that is damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=GateSource)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"The monitor “{path.stem}” cannot be read: {error}.",
            kept="It was left unchanged.",
            next_step="Calibrate it again, or choose another monitor.",
        ) from error


def read_direction(path: Path, source: GateSource) -> Tensor:
    """Return the direction (I,) beside a monitor's file. Raises UserError where there is none."""
    try:
        return load_file(path.with_name(source.tensors))[DIRECTION]
    except (OSError, KeyError, SafetensorError) as error:
        raise UserError(
            f"The direction of the monitor “{path.stem}” cannot be read: {error}.",
            next_step="Calibrate the monitor again.",
        ) from error


def require_live(places: Places, lm: LanguageModel) -> None:
    """Raise UserError for what is read in other models, too, which one pass does not run."""
    if any(place.lm is not lm for place in places):
        raise UserError(
            "Its features read several models, and only one of them writes the text.",
            next_step="Use a monitor of a direction, or of a dictionary of one model.",
        )


def _require_before(reader: Reader, before: Sequence[Site]) -> None:
    def order(site: Site) -> tuple[int, int]:
        return site.layer, HOOKS.index(site.hook)

    last = max(reader.sites, key=order)
    first = min(before, key=order, default=last)
    if order(last) > order(first):
        raise UserError(
            f"The condition reads “{last}”, which the model computes after “{first}”, where the "
            "change is made.",
            next_step="Choose a condition that reads the same site or an earlier one.",
        )

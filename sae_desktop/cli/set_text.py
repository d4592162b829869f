"""What the commands on sets print."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sae_desktop.cli import render
from sae_desktop.features.set_index_config import IndexSetResult
from sae_desktop.storage.faults import format_bytes
from sae_desktop.training.set_config import SetEstimate, TrainSetResult
from sae_desktop.words.amounts import elapsed_text

_FIGURES = ("FVU", "L0")
"""Explained below the table they stand in."""
KINDS = {"transcoders": "transcoders", "cross_layer": "cross-layer transcoder"}


def layers_text(layers: Iterable[int]) -> str:
    """Return layers as “0–5” where none is missing, else as “0, 2, 4”."""
    found = list(layers)
    whole = found == list(range(found[0], found[-1] + 1)) if found else False
    if whole and len(found) > 2:
        return f"{found[0]}–{found[-1]}"
    return ", ".join(map(str, found))


def trained_text(result: TrainSetResult, project: Path) -> str:
    """Return how the layers came out, and all of them together, and what is next."""
    lines = [
        _layers_table(vars_of(one) for one in result.figures),
        *map(render.meaning, _FIGURES),
        "",
    ]
    if result.loss_recovered is not None and result.kl is not None:
        lines.append(_together(result.loss_recovered, result.kl))
    early = " It was stopped early." if result.stopped_early else ""
    lines.append(
        f"{result.features:,} features in {len(result.layers)} layers after {result.rows:,} rows, "
        f"{elapsed_text(result.seconds)}, {result.rows_per_second:,.0f} rows per second; "
        f"{format_bytes(result.bytes)} on disk.{early}"
    )
    named = shlex.join([str(project), result.name])
    lines.append(f"To name its features: sae-desktop sets index {named}")
    return "\n".join(lines)


def vars_of(figures: Any) -> dict[str, Any]:
    return {name: getattr(figures, name) for name in figures.__struct_fields__}


def _layers_table(figures: Iterable[Mapping[str, Any]]) -> str:
    rows = [
        (str(one["layer"]), f"{one['fvu']:.3f}", f"{one['l0']:.1f}", f"{one['dead_fraction']:.1%}")
        for one in figures
    ]
    return render.table(("layer", "FVU", "L0", "dead"), rows, left=set())


def _together(recovered: float, kl: float) -> str:
    return (
        f"With all MLPs replaced at once, {recovered:.1%} of the loss is recovered; "
        f"KL {kl:.3f} nats per token."
    )


def estimate_text(result: SetEstimate) -> str:
    """Return what a set needs of memory, disk and time."""
    found = result.needs
    lines = []
    for room in found.rooms:
        needed, free = (format_bytes(count) for count in (room.needed_bytes, room.free_bytes))
        lines.append(f"{room.place}: {needed} of {free} free")
    if found.seconds is not None and found.step_seconds is not None:
        lines.append(
            f"time: {elapsed_text(found.seconds)}, {found.step_seconds:.3g} s per step of all "
            f"layers ({found.device}, {found.precision})"
        )
    lines.append(
        f"The set has {result.features:,} features in layers {layers_text(result.layers)} and "
        f"takes {format_bytes(result.set_bytes)} on disk."
    )
    if not found.fits:
        ways = "; or ".join([*found.would_fit, "fewer layers"])
        lines.append(f"{found.problem} This would fit, per layer: {ways}.")
    return "\n".join(lines)


def sets_text(result: dict[str, Any]) -> str:
    """Return the sets of a project as a table."""
    if not result["sets"]:
        return "No sets yet. Train one with sae-desktop sets train."
    rows = [
        (one["name"], one["error"], "–", "–", format_bytes(one["bytes"]), "")
        if "error" in one
        else (
            one["name"],
            ("skip " if one["skip"] else "") + KINDS[one["kind"]],
            layers_text(one["layers"]),
            f"{one['features']:,}",
            format_bytes(one["bytes"]),
            one["model"],
        )
        for one in result["sets"]
    ]
    heads = ("set", "kind", "layers", "features", "size", "model")
    return render.table(heads, rows, left={0, 1, 2, 5})


def shown_text(result: dict[str, Any]) -> str:
    """Return one set: its layers, what they read and write, and how they came out."""
    trained = result["training"] or {}
    figures = {one["layer"]: one for one in trained.get("figures", ())}
    rows = []
    for member in result["members"]:
        own = figures.get(member["layer"])
        told = ("–", "–", "–")
        if own is not None:
            told = (f"{own['fvu']:.3f}", f"{own['l0']:.1f}", f"{own['dead_fraction']:.1%}")
        name = f"{result['name']}.{member['name']}"
        indexed = "yes" if name in result["indexes"] else "no"
        rows.append((name, f"{member['features']:,}", *told, indexed, member["reads"]))
    heads = ("dictionary", "features", "FVU", "L0", "dead", "indexed", "reads")
    skip = "skip " if result["skip"] else ""
    model = result["model"] or "no known model"
    lines = [
        f"{result['name']}: {skip}{KINDS[result['kind']]} of {model}, "
        f"{format_bytes(result['bytes'])}",
        render.table(heads, rows, left={0, 6}),
        *(map(render.meaning, _FIGURES) if figures else ()),
    ]
    if trained.get("loss_recovered") is not None:
        lines.append(_together(trained["loss_recovered"], trained["kl"]))
    return "\n".join(lines)


def indexed_text(result: IndexSetResult, project: Path, name: str) -> str:
    """Return which indexes there are now, and what is next."""
    rows = [
        (
            one.name,
            f"{one.features:,}",
            f"{one.alive:,}",
            format_bytes(one.bytes),
            "new" if one.made else "was there",
        )
        for one in result.indexes
    ]
    heads = ("index", "features", "that fire", "size", "")
    end = f"{format_bytes(result.bytes)} in all, {elapsed_text(result.seconds)}."
    named = shlex.join([str(project), "--set", name])
    next_ = f"To trace a prompt: sae-desktop trace run {named} --prompt … --name …"
    return "\n".join([render.table(heads, rows, left={0, 4}), end, next_])

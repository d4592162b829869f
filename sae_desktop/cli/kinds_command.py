"""The command that tries a concept’s feature on every kind of instance of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sae_desktop.benchmark.kinds.config import WAYS, ConceptKindsConfig, ConceptKindsResult
from sae_desktop.cli.options import (
    DeviceOption,
    IndexOption,
    JsonOption,
    ProjectArgument,
    SeedOption,
)
from sae_desktop.cli.render import table
from sae_desktop.cli.runner import run_job_command
from sae_desktop.described import default
from sae_desktop.words.kinds_text import (
    KIND_TITLES,
    WAY_TITLES,
    area_of,
    area_text,
    found_count,
    learnt_text,
    mean_area,
    modal_text,
    of_way,
    strongest_text,
    strongest_total,
)

_NO_NAMES: list[str] = []
_NO_FOLDERS: list[Path] = []
_SHOWN = 10


def concept_kinds(
    project: ProjectArgument,
    index: IndexOption,
    concept: Annotated[
        list[str],
        typer.Option("--concept", help="A concept by name; may be repeated; default: all."),
    ] = _NO_NAMES,
    learn: Annotated[
        list[str],
        typer.Option(
            "--learn",
            help="A kind that features are chosen on: en, de, fr, es, ru, synonyms, description, "
            "symbol, code, picture; may be repeated; default: en, de and fr.",
        ),
    ] = _NO_NAMES,
    pictures: Annotated[
        list[Path],
        typer.Option(
            "--pictures",
            help="Folder of emoji drawings called by their code points, such as 1f40e.png; may be "
            "repeated; default: those shipped, for a model that reads pictures.",
        ),
    ] = _NO_FOLDERS,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Folder of your own concepts; default: those shipped."),
    ] = None,
    seed: SeedOption = default(ConceptKindsConfig, "seed"),
    device: DeviceOption = default(ConceptKindsConfig, "device"),
    as_json: JsonOption = False,
) -> None:
    """Tell whether a concept’s feature fires on its words, symbols, code and pictures alike."""
    config = ConceptKindsConfig(
        project=str(project),
        index=index,
        concepts=tuple(concept),
        folder=str(folder) if folder else "",
        learn=tuple(learn) or default(ConceptKindsConfig, "learn"),
        pictures=tuple(map(str, pictures)),
        seed=seed,
        device=device,
    )
    run_job_command(config, _text, as_json=as_json)


def _text(result: ConceptKindsResult) -> str:
    kinds = [KIND_TITLES[kind] for kind in result.kinds]
    rows = [
        (
            row.concept,
            str(row.number),
            strongest_text(row),
            *(area_text(area_of(row, k)) for k in result.kinds),
        )
        for row in of_way(result, "feature")
    ]
    ways = []
    for way in WAYS:
        found = of_way(result, way)
        means = [mean_area(found, kind) for kind in result.kinds]
        told = [f"{m:.2f}" if m is not None else "–" for m in means]
        ways.append((WAY_TITLES[way], "mean", strongest_total(found), *told))
        counts = [found_count(found, kind) for kind in result.kinds]
        ways.append(("", "at least 0.9", "", *(f"{good}/{known}" for good, known in counts)))
    lines = [
        learnt_text(result), "",
        table(("concept", "feature", "named", *kinds), rows, left={0}), "",
        table(("way", "", "named", *kinds), ways, left={0, 1}),
    ]  # fmt: skip
    if result.modality is not None:
        best = result.modality.best[:_SHOWN]
        told_of = [(str(b.feature), b.concept, f"{b.text:.2f}", f"{b.picture:.2f}") for b in best]
        lines += ["", modal_text(result.modality), "",
                  table(("feature", "concept", "text", "pictures"), told_of, left={1})]  # fmt: skip
    return "\n".join([*lines, *result.notes])

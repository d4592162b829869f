"""The command that tells what the features of each cluster of the map share, without torch."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sae_desktop.cli.options import IndexOption, JsonOption, ProjectArgument
from sae_desktop.cli.render import table
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.features.reading.plain_data import opened_index
from sae_desktop.project import Project


def clusters(
    project: ProjectArgument,
    index: IndexOption,
    every: Annotated[
        bool, typer.Option("--all", help="List clusters whose features share nothing, too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Tell what the features of each cluster of an index’s map share more than elsewhere."""
    from sae_desktop.features.reading.clusters import regions
    from sae_desktop.words.region_words import fact_line, region_name

    def work() -> dict[str, Any]:
        with opened_index(Project.open(project), index) as (read, notes):
            dictionary = read.info.dictionary
            found = regions(read, notes.label_reader(dictionary) if notes else None)
        rows = [
            {
                "cluster": region.number,
                "features": region.features,
                "name": region_name(region, read.info),
                "shared": [fact_line(fact, read.info) for fact in region.facts],
            }
            for region in found.clusters
        ]
        shown = rows if every or as_json else [row for row in rows if row["name"]]
        return {"clusters": shown, "total": len(rows)}

    run_reading_command(work, _text, as_json=as_json)


def _text(result: dict[str, Any]) -> str:
    found, total = result["clusters"], result["total"]
    if not total:
        return "The index has no clusters: it was built without a map, or has too few features."
    rest = f"{total - len(found):,} clusters share nothing that chance would not give; see --all"
    if not found:
        return rest
    rows = [
        (str(c["cluster"]), f"{c['features']:,}", c["name"], "; ".join(c["shared"])) for c in found
    ]
    text = table(("cluster", "features", "name", "what its features share"), rows, left={2, 3})
    return f"{text}\n{rest}" if len(found) < total else text

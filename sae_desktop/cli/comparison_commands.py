"""Commands over several dictionaries: match, splitting, concepts, completeness."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sae_desktop.cli import comparison_text
from sae_desktop.cli.config_options import option
from sae_desktop.cli.options import DeviceOption, JsonOption, ProjectArgument, SeedOption, bounds
from sae_desktop.cli.runner import run_job_command, run_reading_command
from sae_desktop.comparison.concepts import (
    all_lists,
    read_concepts,
    read_list_file,
    save_concepts,
    shipped_lists,
)
from sae_desktop.comparison.config import CompletenessConfig, MatchConfig
from sae_desktop.comparison.split_node import LEAST_COSINE, SplitNode
from sae_desktop.comparison.splitting import Splitting
from sae_desktop.described import default
from sae_desktop.errors import UserError
from sae_desktop.exchange.recognise import require_kind
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.features.reading.layout import IndexInfo
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project import Project, existing
from sae_desktop.project_notes import Notes
from sae_desktop.upkeep import writing

_NONE: list[str] = []


def match(
    project: ProjectArgument,
    dictionary: Annotated[
        list[str],
        typer.Option(help="A dictionary; may be repeated. Default: all of one model and site."),
    ] = _NONE,
    nearest: Annotated[
        int,
        typer.Option(
            **bounds(MatchConfig, "nearest"),
            help="Nearest features to keep, per feature and other dictionary.",
        ),
    ] = default(MatchConfig, "nearest"),
    device: DeviceOption = default(MatchConfig, "device"),
    as_json: JsonOption = False,
) -> None:
    """Find the nearest features of other dictionaries for every feature."""
    config = MatchConfig(
        project=str(project), dictionaries=tuple(dictionary), nearest=nearest, device=device
    )
    run_job_command(config, comparison_text.matches, as_json=as_json)


def splitting(
    project: ProjectArgument,
    dictionary: Annotated[
        str, typer.Option("--dictionary", help="Dictionary the feature belongs to.")
    ],
    feature: Annotated[int, typer.Option("--feature", min=0, help="Number of the feature.")],
    least_cosine: Annotated[
        float, typer.Option(min=0, max=1, help="Smallest cosine between a feature and its parts.")
    ] = LEAST_COSINE,
    as_json: JsonOption = False,
) -> None:
    """Show what a feature splits into in larger dictionaries, with a context of each."""

    def work() -> dict[str, Any]:
        opened = Project.open(project)
        existing("dictionary", dictionary, opened.all_dictionaries())
        newest = _newest_indexes(opened)
        hashes = {name: info.dictionary_hash for name, (info, _) in newest.items()}
        found = Splitting.of_project(opened, {name: h for name, h in hashes.items() if h})
        if not found.dictionaries(dictionary):
            changed = dictionary in found.outdated
            raise UserError(
                f"The dictionary “{dictionary}” "
                + (
                    "has been trained again since it was matched."
                    if changed
                    else "has not been matched."
                ),
                next_step="Run sae-desktop match on the project.",
            )
        found.check_feature(dictionary, feature)
        pages = _Pages(opened, {name: path for name, (_, path) in newest.items()})
        tree = found.tree(dictionary, feature, least_cosine=least_cosine)
        above = found.ancestors(dictionary, feature)
        pages_above = [pages.node(node) for node in above]
        return {"part_of": pages_above, "tree": pages.tree(tree)}

    run_reading_command(work, comparison_text.splitting, as_json=as_json)


def _newest_indexes(project: Project) -> dict[str, tuple[IndexInfo, Path]]:
    """Return dictionary → its newest index."""
    paths = sorted((project.index_path(n) for n in project.indexes()), key=_modified)
    found: dict[str, tuple[IndexInfo, Path]] = {}
    for path in paths:
        info = read_info(path)
        found[info.dictionary] = (info, path)
    return found


def _modified(path: Path) -> float:
    return path.stat().st_mtime


class _Pages:
    """What indexes and notes say about features of several dictionaries."""

    def __init__(self, project: Project, indexes: dict[str, Path]) -> None:
        self._paths, self._open = indexes, dict[str, FeatureIndex]()
        self._notes_path = project.notes_path

    def node(self, node: SplitNode) -> dict[str, Any]:
        page: dict[str, Any] = {
            "dictionary": node.dictionary,
            "feature": node.feature,
            "cosine": node.cosine,
            "shared": node.shared,
            "label": self._label(node),
            "density": None,
            "context": "",
        }
        path = self._paths.get(node.dictionary)
        if path is not None:
            if node.dictionary not in self._open:
                self._open[node.dictionary] = FeatureIndex(path)
            index = self._open[node.dictionary]
            page["density"] = float(index.columns["density"][node.feature])
            contexts = index.contexts(node.feature, 8, 4)
            if contexts:
                shown = contexts[0].as_read()
                tokens = list(shown.tokens)
                tokens[shown.peak] = f"[{tokens[shown.peak]}]"
                page["context"] = "".join(tokens)
        return page

    def tree(self, node: SplitNode) -> dict[str, Any]:
        parts = [self.tree(part) for part in node.parts]
        return {**self.node(node), "parts": parts, "left_out": node.left_out}

    def _label(self, node: SplitNode) -> str:
        if not self._notes_path.is_file():
            return ""
        notes = Notes(self._notes_path)
        try:
            return notes.note(node.dictionary, node.feature).label
        finally:
            notes.close()


def concepts(
    project: ProjectArgument,
    show: Annotated[str, typer.Option("--show", help="Show the concepts of this list.")] = "",
    add: Annotated[
        Path | None,
        typer.Option(
            help="File to add as a list: one concept per line, its forms separated by bars."
        ),
    ] = None,
    name: Annotated[
        str, typer.Option(help="Name of the added list; default: the file's name.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """List the lists of concepts, show one, or add one."""

    def work() -> dict[str, Any]:
        opened = Project.open(project)
        if add is not None:
            require_kind(add, "corpus")
            called = name or add.stem
            with writing(opened):
                save_concepts(opened, called, read_list_file(add))
            return {"name": called, "concepts": _forms(opened, called)}
        if show:
            return {"name": show, "concepts": _forms(opened, show)}
        own, shipped = set(opened.concept_lists()), set(shipped_lists())
        return {
            "lists": [
                {"name": n, "concepts": len(read_concepts(opened, n)), "ships": n not in own}
                for n in all_lists(opened)
                if n in own or n in shipped
            ]
        }

    run_reading_command(work, comparison_text.concepts, as_json=as_json)


def _forms(project: Project, name: str) -> list[list[str]]:
    return [list(concept.forms) for concept in read_concepts(project, name)]


def completeness(
    project: ProjectArgument,
    concept_list: Annotated[str, typer.Option("--concepts", help="List of concepts to look for.")],
    index: Annotated[
        list[str],
        typer.Option("--index", help="An index that kept its firings; one per dictionary."),
    ],
    name: Annotated[str, typer.Option(help="Name of the table; default: the list's name.")] = "",
    least_f1: Annotated[float, option(CompletenessConfig, "least_f1")] = default(
        CompletenessConfig, "least_f1"
    ),
    least_occurrences: Annotated[int, option(CompletenessConfig, "least_occurrences")] = default(
        CompletenessConfig, "least_occurrences"
    ),
    control: Annotated[bool, option(CompletenessConfig, "control")] = default(
        CompletenessConfig, "control"
    ),
    seed: SeedOption = default(CompletenessConfig, "seed"),
    device: DeviceOption = default(CompletenessConfig, "device"),
    as_json: JsonOption = False,
) -> None:
    """Find which concepts have a feature in which dictionary, against how often they occur."""
    config = CompletenessConfig(
        project=str(project),
        name=name or concept_list,
        concepts=concept_list,
        indexes=tuple(index),
        least_f1=least_f1,
        least_occurrences=least_occurrences,
        control=control,
        seed=seed,
        device=device,
    )
    run_job_command(config, comparison_text.completeness, as_json=as_json)

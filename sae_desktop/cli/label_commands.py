"""The commands for the labels that people write: another person's merged, their history."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from sae_desktop.cli import notes_copies_commands
from sae_desktop.cli.options import IndexOption, JsonOption, ProjectArgument
from sae_desktop.cli.render import table
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.exchange.merging import KEEPS, Keep, compare, merge_changes, open_theirs_for
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.label_words import by_whom, step_sentence
from sae_desktop.project import Project, existing
from sae_desktop.project_changes import ManyChange
from sae_desktop.project_labels import label_text, system_user, whole_history
from sae_desktop.project_notes import Notes

labels_app = typer.Typer(
    help="Merge another person’s labels, show the history of a label, or put those of an earlier "
    "day back."
)
labels_app.command("copies")(notes_copies_commands.list_copies)
labels_app.command("put-back")(notes_copies_commands.put_copy_back)
_SHOWN = 40


@labels_app.command()
def merge(
    project: ProjectArgument,
    source: Annotated[
        Path,
        typer.Argument(
            help="Another project, its notes.sqlite, a package, or a table of labels; it is only "
            "read."
        ),
    ],
    index: IndexOption,
    keep: Annotated[
        Keep,
        typer.Option(
            help="Where both have a label: show mine and keep theirs beside it (both), keep mine "
            "only (mine), or show theirs and keep mine beside it (theirs)."
        ),
    ] = "both",
    feature_keep: Annotated[
        list[str] | None,
        typer.Option(
            "--for", metavar="FEATURE=KEEP", help="Keep otherwise for a feature; may be repeated."
        ),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Show what would be merged, and change nothing.")
    ] = False,
    author: Annotated[
        str, typer.Option(help="Who wrote the labels that are not signed; otherwise the file.")
    ] = "",
    name: Annotated[
        str, typer.Option("--name", help="Your name in the history; otherwise the system’s.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Merge another person's notes: nothing of yours is lost, and what contradicts is shown."""
    chosen = _chosen(feature_keep or [])

    def work() -> dict[str, Any]:
        opened = Project.open(project)
        checked = existing("index", index, opened.indexes())
        theirs = open_theirs_for(opened, checked, source.expanduser(), author)
        dictionary = FeatureIndex(opened.index_path(checked)).info.dictionary
        with closing(Notes(opened.notes_path)) as notes:
            found = compare(notes, dictionary, theirs)
            asked: dict[int, Keep] = dict.fromkeys((c.feature for c in found.conflicts), keep)
            pairs = merge_changes(
                notes, dictionary, theirs, found, who=label_text(name) or system_user(),
                keep=asked | chosen,
            )  # fmt: skip
            if not show:
                ManyChange(changes=[change for change, _ in pairs]).apply(notes)
        return {
            "new": len(found.new),
            "same": found.same,
            "changed_features": 0 if show else len(pairs),
            "conflicts": [
                {
                    "feature": one.feature,
                    "mine": msgspec.to_builtins(one.mine),
                    "theirs": msgspec.to_builtins(one.theirs),
                    "kept": (asked | chosen)[one.feature],
                }
                for one in found.conflicts
            ],
        }

    run_reading_command(work, _merged_text, as_json=as_json)


def _chosen(given: list[str]) -> dict[int, Keep]:
    chosen: dict[int, Keep] = {}
    for one in given:
        feature, _, word = one.partition("=")
        known = next((keep for keep in KEEPS if keep == word), None)
        if not feature.isdecimal() or known is None:
            raise typer.BadParameter(
                f"“{one}” is not a feature and one of {', '.join(KEEPS)}", param_hint="--for"
            )
        chosen[int(feature)] = known
    return chosen


def _merged_text(result: dict[str, Any]) -> str:
    lines = [
        f"New labels: {result['new']:,}. Already here: {result['same']:,}. Contradicting yours: "
        f"{len(result['conflicts']):,}."
    ]
    rows = [
        (
            str(one["feature"]),
            one["mine"]["text"][:_SHOWN],
            one["theirs"]["text"][:_SHOWN],
            by_whom(one["theirs"]["method"], one["theirs"]["author"]),
            one["kept"],
        )
        for one in result["conflicts"]
    ]
    if rows:
        lines.append(table(("feature", "yours", "theirs", "", "kept"), rows, left={1, 2, 3, 4}))
    lines.append(f"Features changed: {result['changed_features']:,}.")
    return "\n".join(lines)


@labels_app.command()
def history(
    project: ProjectArgument,
    index: IndexOption,
    feature: Annotated[int, typer.Argument(min=0, help="The feature.")],
    as_json: JsonOption = False,
) -> None:
    """Show who changed the labels of a feature, and when, the latest step first."""

    def work() -> dict[str, Any]:
        opened = Project.open(project)
        found = FeatureIndex(opened.index_path(existing("index", index, opened.indexes())))
        found.check_feature(feature)
        with closing(Notes(opened.notes_path)) as notes:
            dictionary = found.info.dictionary
            steps = whole_history(
                notes.history(dictionary, feature), notes.labels_of(dictionary, feature)
            )
        return {
            "feature": feature,
            "steps": [msgspec.to_builtins(s) | {"said": step_sentence(s)} for s in steps],
        }

    run_reading_command(work, _history_text, as_json=as_json)


def _history_text(result: dict[str, Any]) -> str:
    rows = [(step["at"], step["said"]) for step in result["steps"]]
    if not rows:
        return f"Nobody has written a label of feature {result['feature']} yet."
    return table(("when (UTC)", "what happened"), rows, left={0, 1})

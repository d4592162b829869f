"""What a demonstration holds, in words: where no window can show it."""

from __future__ import annotations

import shlex
from contextlib import closing
from pathlib import Path

import msgspec

from sae_desktop.demonstrations import (
    START_LIST,
    Demonstration,
    demonstration_copy,
    own_picture,
)
from sae_desktop.features.reading.columns import MODALITIES
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.language_model.files.known import lacking_known
from sae_desktop.project import Project
from sae_desktop.project_lists import FeatureLists
from sae_desktop.project_notes import Notes
from sae_desktop.words.picture_words import MODALITY_WORDS


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """A feature of the list to start with."""

    feature: int
    label: str
    fires: str
    """One of `MODALITIES`; empty: it fires on nothing of the index."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a copy of the demonstration holds."""

    project: str
    index: str
    model: str
    features: int
    fires: dict[str, int]
    """By each of `MODALITIES`, how many features fire so; empty: its model reads text alone."""
    start: list[Started]
    picture: str
    """A drawing that comes with it; empty: none does."""
    lacking: str
    """The model that has yet to be fetched; empty: it is here."""


def hold(folder: Path | None, of: Demonstration) -> Held:
    """Return what the copy of a demonstration in `folder`, or in the person's data folder, holds.

    Raises UserError when the installation lacks it or the copy cannot be written.
    """
    project = Project.open(demonstration_copy(folder, of))
    index = FeatureIndex(project.index_path(of.first_index))
    kinds = index.columns.get("modality")
    dictionary = index.info.dictionary
    with closing(Notes(project.notes_path)) as notes:
        found = FeatureLists(notes).read(dictionary, START_LIST)
        labels = {feature: note.label for feature, note in notes.all(dictionary).items()}
    listed = [] if found is None else [member.feature for member in found.members]
    return Held(
        project=str(project.path),
        index=of.first_index,
        model=index.info.model,
        features=index.features,
        fires=(
            {kind: int((kinds == code).sum()) for code, kind in enumerate(MODALITIES)}
            if kinds is not None
            else {}
        ),
        start=[
            Started(
                feature=one,
                label=labels.get(one, ""),
                fires=MODALITIES[kinds[one]] if kinds is not None and kinds[one] >= 0 else "",
            )
            for one in listed
        ],
        picture=own_picture(project, of.tried_picture),
        lacking=lacking_known(index.info.model),
    )


def held_text(held: Held) -> str:
    """Return it in lines, with the commands that do what the window would."""
    kinds = ", ".join(f"{count:,} {MODALITY_WORDS[kind]}" for kind, count in held.fires.items())
    counted = f"{held.features:,} features of the model “{held.model}”"
    lines = [f"{counted}: {kinds}." if kinds else f"{counted}.", ""]
    for one in held.start:
        fires = f", {MODALITY_WORDS[one.fires]}" if one.fires else ""
        lines.append(f"Feature {one.feature}: {one.label or 'without a label'}{fires}")
    if held.start:
        lines.append("")
        lines.append(_command("show", held, "--feature", str(held.start[0].feature)))
    if held.picture:
        lines.append(_command("probe", held, "--picture", held.picture))
    if held.lacking:
        lines.append(f"sae-desktop models get {held.lacking}  (to try texts, and to steer)")
    lines.append(f"Open it where there is a display: sae-desktop {shlex.quote(held.project)}")
    return "\n".join(lines)


def _command(name: str, held: Held, *rest: str) -> str:
    return shlex.join(["sae-desktop", name, held.project, "--index", held.index, *rest])

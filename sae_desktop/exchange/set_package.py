"""A set with the indexes and labels of its layers in one file, for another person.

`name.saepack` holds `card.json`, `README.md`, `set.json`, and for each member a package of its own,
`members/L00.saepack` …, with its index where it has one under its own name.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import msgspec

from sae_desktop.dictionary.set_info import (
    SET_FILE,
    SetInfo,
    SetOrigin,
    read_set_info,
    weights_digest,
    write_set_info,
)
from sae_desktop.errors import UserError
from sae_desktop.exchange import package
from sae_desktop.exchange.config import (
    ExportPackageConfig,
    ExportResult,
    ImportPackageConfig,
    ImportPackageResult,
    PackageCard,
)
from sae_desktop.exchange.model_card import card_text
from sae_desktop.exchange.package_notes import (
    CARD,
    README,
    SET_SCHEMA_VERSION,
    no_package,
    read_card,
    read_written,
)
from sae_desktop.exchange.places import without_place
from sae_desktop.features.reading.beside import judged_path, kinds_path, names_path, scores_path
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.file_kinds import PACKAGE_ENDING
from sae_desktop.incoming_notes import (
    IncomingNotes,
    incoming_path,
    take_incoming,
    write_incoming,
)
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.names import public_name
from sae_desktop.project import Project, checked_name
from sae_desktop.storage.archives import unpack
from sae_desktop.storage.atomic import replacing
from sae_desktop.storage.faults import explained
from sae_desktop.storage.moves import Move, leave_work, move_together, work_folder
from sae_desktop.training.origin import now_text

_MEMBERS = "members"


def export_set_package(
    project: Project, name: str, target: Path, context: JobContext
) -> ExportResult:
    """Write a set, the indexes called as its members are, and what was written about them.

    Raises UserError for another ending, and when the disk is full; the file is there whole or
    not at all.
    """
    if target.suffix != PACKAGE_ENDING:
        raise UserError(
            f"“{target.name}” is not a package.", next_step=f"End its name with {PACKAGE_ENDING}."
        )
    info = read_set_info(project.set_path(name))
    card = PackageCard(
        schema_version=SET_SCHEMA_VERSION, name=name, index="", model=public_name(info.model),
        model_revision=info.model_revision, model_origin=without_place(info.model_origin),
        site=info.members[0].reads, architecture=info.kind, features=info.features,
        width=0, layers=info.layers,
    )  # fmt: skip
    place = work_folder(project.path, "set-package")
    try:
        packed = [_packed(project, info, member, place, context) for member in info.folders]
        told = msgspec.structs.replace(info, origin=SetOrigin(kind=info.origin.kind))
        with (
            explained(target),
            replacing(target) as part,
            zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive,
        ):
            archive.writestr(CARD, msgspec.json.format(msgspec.json.encode(card)))
            archive.writestr(README, card_text(card).encode())
            archive.writestr(SET_FILE, msgspec.json.format(msgspec.json.encode(told)))
            for path in packed:
                context.check_cancelled()
                archive.write(path, f"{_MEMBERS}/{path.name}")
    finally:
        leave_work(project.path, place)
    return ExportResult(path=str(target), files=1, bytes=target.stat().st_size)


def _packed(project: Project, info: SetInfo, member: str, place: Path, context: JobContext) -> Path:
    """Write the package of one member, with its index where there is one of its name."""
    name, path = f"{info.name}.{member}", place / f"{member}{PACKAGE_ENDING}"
    index = name if name in project.indexes() else ""
    if index:
        info_of_index = read_info(project.index_path(index))
        if info_of_index.dictionary != name or info_of_index.whole_rows:
            index = ""
    config = ExportPackageConfig(
        project=str(project.path), dictionary=name, path=str(path), index=index
    )
    package.export_package(config, context)
    return path


def open_package(config: ImportPackageConfig, context: JobContext) -> ImportPackageResult:
    """Put a package into a project: a dictionary’s (`package.import_package`), or a set's.

    Raises UserError for names that are taken, and for a package that is damaged.
    """
    card = read_card(Path(config.file).expanduser())
    if card.layers:
        return _import_set(config, card, context)
    return package.import_package(config, context)


def _import_set(
    config: ImportPackageConfig, card: PackageCard, context: JobContext
) -> ImportPackageResult:
    """Put a package's set, indexes, labels and lists into a project, all or none.

    Raises UserError for names that are taken, and for a package that is damaged.
    """
    project = Project.open(config.project)
    path = Path(config.file).expanduser()
    name = checked_name(config.name or card.name)
    folder = project.set_path(name)
    if folder.exists():
        raise UserError(
            f"There is already a set “{name}”.",
            kept="It was not touched.",
            next_step="Give the package another name.",
        )
    place = work_folder(project.path, "set-package")
    labels = lists = 0
    try:
        unpack(path, place / "whole", context)
        info = read_set_info(place / "whole")
        staged = place / "set"
        staged.mkdir()
        into: list[Move] = [(staged, folder)]
        for member in info.folders:
            context.check_cancelled()
            counts, moves = _member(project, name, member, place, staged, context)
            labels, lists = labels + counts[0], lists + counts[1]
            into += moves
        _check_same(path, info, staged)
        origin = SetOrigin(kind="package", source=path.name, when=now_text())
        write_set_info(staged, msgspec.structs.replace(info, name=name, origin=origin))
        move_together(project.path, into=into)
    finally:
        leave_work(project.path, place)
    take_incoming(project)
    return ImportPackageResult(
        name=name, index="", features=info.features, labels=labels, lists=lists, card=card
    )


def _member(
    project: Project, name: str, member: str, place: Path, staged: Path, context: JobContext
) -> tuple[tuple[int, int], list[Move]]:
    """Unpack and check one member; return its labels and lists, and what is to be moved."""
    inner, own = place / "whole" / _MEMBERS / f"{member}{PACKAGE_ENDING}", place / member
    card = read_card(inner)
    unpack(inner, own, context)
    labels, lists, others = read_written(inner, own, card.features)
    package.check_whole(inner, own, card)
    whole = f"{name}.{member}"
    index = project.index_path(whole)
    if index.exists():
        raise UserError(
            f"There is already an index “{whole}”.",
            kept="It was not touched.",
            next_step="Give the package another name.",
        )
    if (own / package.INDEX).is_file():
        package.rename_dictionary(own / package.INDEX, whole)
    os.replace(own / package.DICTIONARY, staged / member)
    waiting = own / "incoming.json"
    write_incoming(
        waiting, IncomingNotes(dictionary=whole, notes=labels, lists=lists, labels=others)
    )
    moves = [
        (own / package.INDEX, index),
        (own / package.INDEX_NAMES, names_path(index)),
        (own / package.INDEX_SCORES, scores_path(index)),
        (own / package.INDEX_JUDGED, judged_path(index)),
        (own / package.INDEX_KINDS, kinds_path(index)),
        (waiting, incoming_path(project, whole)),
    ]
    return (sum(bool(note.label) for note in labels), len(lists)), moves


def _check_same(path: Path, info: SetInfo, staged: Path) -> None:
    """Raise UserError where a member is not the one that the set was made with."""
    for member in info.members:
        if weights_digest(staged / member.name) != member.digest:
            error = ValueError(f"“{member.name}” is not the one that the set was made with")
            raise no_package(path, error)

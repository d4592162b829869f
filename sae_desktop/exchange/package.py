"""A dictionary with all that belongs to it in one file, for another person. Free of torch and Qt.

`name.saepack` is a zip archive that any tool opens:

    card.json                  what it is: `PackageCard`
    README.md                  the card in words, a draft of a model card for the hub
    dictionary/                cfg.json and weights, which SAELens reads; curves and settings
    index.h5                   the index: contexts with their text, figures, logits, neighbours
    index.names                what its features are called by statistics
    index.judged               what language models say of its labels
    labels.json                labels, scores, stars, notes
    lists.json                 lists of features
"""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from sae_desktop.errors import UserError
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
    LABELS,
    LISTS,
    OTHER_LABELS,
    README,
    SCHEMA_VERSION,
    no_package,
    read_card,
    read_written,
)
from sae_desktop.exchange.places import copy_without_places, without_place
from sae_desktop.features.reading.beside import judged_path, kinds_path, names_path, scores_path
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.features.reading.judged_file import JudgedLabels, open_judged
from sae_desktop.features.reading.kinds_file import KindScores, open_kinds
from sae_desktop.features.reading.layout import IndexInfo
from sae_desktop.features.reading.names_file import open_names, read_names
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.reading.references import check_references
from sae_desktop.features.reading.scores_file import open_scores, read_scores
from sae_desktop.features.reading.unfinished import require_whole
from sae_desktop.file_kinds import PACKAGE_ENDING
from sae_desktop.incoming_notes import (
    IncomingNotes,
    incoming_path,
    take_incoming,
    write_incoming,
)
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.names import public_name
from sae_desktop.project import Project, checked_name, existing
from sae_desktop.project_lists import FeatureLists
from sae_desktop.project_notes import Notes
from sae_desktop.storage.archives import unpack
from sae_desktop.storage.atomic import replacing
from sae_desktop.storage.faults import explained
from sae_desktop.storage.hdf5_safety import check_plain
from sae_desktop.storage.moves import leave_work, move_together, work_folder
from sae_desktop.training.origin import DictionaryOrigin, now_text, write_origin
from sae_desktop.training.origin_text import origin_text, parent_text
from sae_desktop.training.run_folder import CHECKPOINT, read_summary

INDEX, INDEX_NAMES, INDEX_SCORES = "index.h5", "index.names", "index.scores"
INDEX_JUDGED, INDEX_KINDS = "index.judged", "index.kinds"
DICTIONARY = "dictionary"
_INCOMING = "incoming.json"
_FAST = 1
"""Weights and activations hardly get smaller; the text does at once."""


# ---------------------------------------------------------------- writing
def export_package(config: ExportPackageConfig, context: JobContext) -> ExportResult:
    """Write a dictionary, one of its indexes and what was written about them as one file.

    Raises UserError for an index of another dictionary, for another ending, and when the disk
    is full; the file is there whole or not at all.
    """
    project = Project.open(config.project)
    name = existing("dictionary", config.dictionary, project.all_dictionaries())
    target = Path(config.path).expanduser()
    if target.suffix != PACKAGE_ENDING:
        raise UserError(
            f"“{target.name}” is not a package.", next_step=f"End its name with {PACKAGE_ENDING}."
        )
    folder = project.dictionary_path(name)
    files = {
        f"{DICTIONARY}/{path.relative_to(folder)}": path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and CHECKPOINT not in path.parts and not path.name.startswith(".")
    }
    if config.index:
        path = project.index_path(existing("index", config.index, project.indexes()))
        info = read_info(path)
        if info.dictionary != name:
            raise UserError(
                f"The index “{config.index}” belongs to the dictionary “{info.dictionary}”, not "
                f"to “{name}”.",
                next_step="Choose an index of this dictionary, or none.",
            )
        require_whole(config.index, info)
        files[INDEX] = path
        if len(pictures := FeatureIndex(path).pictures or ()):
            context.log(
                f"The package holds small copies of the {len(pictures):,} pictures of the index."
            )
        if read_names(path, info) is not None:
            files[INDEX_NAMES] = names_path(path)
        if read_scores(path, info) is not None:
            files[INDEX_SCORES] = scores_path(path)
        if _open_judged(judged_path(path), info) is not None:
            files[INDEX_JUDGED] = judged_path(path)
        if _open_kinds(kinds_path(path), info) is not None:
            files[INDEX_KINDS] = kinds_path(path)
    summary = read_summary(folder)
    card = PackageCard(
        schema_version=SCHEMA_VERSION, name=name, index=config.index,
        model=public_name(summary.model), model_revision=summary.model_revision,
        model_origin=without_place(summary.model_origin),
        site=summary.site, architecture=summary.architecture, features=summary.features,
        width=summary.width, licence=config.licence, about=config.about,
        evaluation=summary.evaluation,
        outputs=tuple(end.site for end in summary.outputs) if len(summary.outputs) > 1 else (),
        reads_twice=summary.reads_twice, started_from=parent_text(summary.started_from),
    )  # fmt: skip
    with closing(Notes(project.notes_path)) as notes:
        labels = list(notes.all(name).values())
        others = [label for label in notes.all_labels(name) if not label.shown]
        kept = FeatureLists(notes)
        lists = [kept.read(name, title) for title, _ in kept.names(name)]
    texts = {
        CARD: msgspec.json.format(msgspec.json.encode(card)),
        README: card_text(card).encode(),
        LABELS: msgspec.json.encode(labels),
        LISTS: msgspec.json.encode(lists),
        OTHER_LABELS: msgspec.json.encode(others),
    }
    total = sum(path.stat().st_size for path in files.values())
    done = 0
    with (
        explained(target),
        replacing(target) as part,
        _scratch(target) as scratch,
        zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=_FAST) as archive,
    ):
        for inside, data in texts.items():
            archive.writestr(inside, data)
        for inside, path in files.items():
            context.check_cancelled()
            clean = path.suffix in (".json", ".h5")
            given = copy_without_places(path, scratch / path.name) if clean else path
            archive.write(given, inside)
            if clean:
                given.unlink()
            done += path.stat().st_size
            context.progress(done, total, "bytes")
    return ExportResult(path=str(target), files=1, bytes=target.stat().st_size)


@contextmanager
def _scratch(target: Path) -> Iterator[Path]:
    """Make a folder beside a package for copies of its files, and remove it.

    What a killed export left has the same name, and is removed first.
    """
    folder = target.with_name(f".{target.name}.scratch")
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# ---------------------------------------------------------------- reading
def import_package(config: ImportPackageConfig, context: JobContext) -> ImportPackageResult:
    """Put a package's dictionary, index, labels and lists into a project.

    Raises UserError for names that are taken, and for a package that is damaged or would write
    elsewhere; nothing of it is kept then.
    """
    project = Project.open(config.project)
    path = Path(config.file).expanduser()
    card = read_card(path)
    name = checked_name(config.name or card.name)
    folder, index = project.dictionary_path(name), project.index_path(name)
    for kind, there in (("dictionary", folder), ("index", index)):
        if there.exists():
            raise UserError(
                f"There is already {'an' if kind == 'index' else 'a'} {kind} “{name}”.",
                kept="It was not touched.",
                next_step="Give the package another name.",
            )
    place = work_folder(project.path, "package")
    try:
        unpack(path, place, context)
        labels, lists, others = read_written(path, place, card.features)
        check_whole(path, place, card)
        if (place / INDEX).is_file():
            rename_dictionary(place / INDEX, name)
        _write_origin(place / DICTIONARY, path)
        incoming = IncomingNotes(dictionary=name, notes=labels, lists=lists, labels=others)
        write_incoming(place / _INCOMING, incoming)
        move_together(
            project.path,
            into=[
                (place / INDEX, index),
                (place / INDEX_NAMES, names_path(index)),
                (place / INDEX_SCORES, scores_path(index)),
                (place / INDEX_JUDGED, judged_path(index)),
                (place / INDEX_KINDS, kinds_path(index)),
                (place / DICTIONARY, folder),
                (place / _INCOMING, incoming_path(project, name)),
            ],
        )
    finally:
        leave_work(project.path, place)
    take_incoming(project)
    return ImportPackageResult(
        name=name, index=name if index.exists() else "", features=card.features,
        labels=sum(bool(note.label) for note in labels), lists=len(lists), card=card,
    )  # fmt: skip


def check_whole(path: Path, place: Path, card: PackageCard) -> None:
    """Raise UserError unless what was unpacked is a dictionary, and its index."""
    from sae_desktop.dictionary import load  # with torch, which reading a card does not need

    try:
        found = read_summary(place / DICTIONARY)
        if found.features != card.features or load(place / DICTIONARY).features != found.features:
            raise ValueError("its dictionary is not the one described on its card")
        if (place / INDEX).is_file():
            check_plain(place / INDEX)
            index = FeatureIndex(place / INDEX)
            if index.features != card.features:
                raise ValueError("its index has a different number of features")
            check_references(index)
            _check_beside(place, index.info)
    except (UserError, ValueError) as error:
        raise no_package(path, error) from error


def _check_beside(place: Path, info: IndexInfo) -> None:
    """Raise ValueError for names or scores that are not of the index."""
    beside = {
        INDEX_NAMES: (open_names, "names"),
        INDEX_SCORES: (open_scores, "scores"),
        INDEX_JUDGED: (_open_judged, "judgements"),
        INDEX_KINDS: (_open_kinds, "scores of concepts"),
    }
    for name, (opened, what) in beside.items():
        path = place / name
        if path.is_file():
            check_plain(path)
            if opened(path, info) is None:
                raise ValueError(f"its {what} are damaged, or of another index")


def _open_judged(path: Path, info: IndexInfo) -> JudgedLabels | None:
    return open_judged(path, info.features, info.dictionary_hash)


def _open_kinds(path: Path, info: IndexInfo) -> KindScores | None:
    return open_kinds(path, info.features, info.dictionary_hash)


def _write_origin(folder: Path, package: Path) -> None:
    """Keep which package a dictionary came in, and where it came from before."""
    before = origin_text(read_summary(folder))
    with package.open("rb") as whole:
        digest = hashlib.file_digest(whole, "sha256").hexdigest()
    write_origin(
        folder,
        DictionaryOrigin(
            kind="package", source=package.name, sha256=digest, when=now_text(), before=before
        ),
    )


def rename_dictionary(index: Path, name: str) -> None:
    """Let an index name the dictionary as the project does."""
    import h5py

    info = msgspec.structs.replace(read_info(index), dictionary=name)
    with h5py.File(index, "r+", locking=False) as file:
        file.attrs["info"] = msgspec.json.encode(info).decode()

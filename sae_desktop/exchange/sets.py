"""The jobs that bring sets of dictionaries of other libraries, and write them for those."""

from __future__ import annotations

from pathlib import Path

from sae_desktop.dictionary import load, save
from sae_desktop.dictionary.formats.circuit_tracer_set import write_set
from sae_desktop.dictionary.formats.find import find_dictionaries as found_in
from sae_desktop.dictionary.set_info import (
    ALL,
    SetOrigin,
    describe_set,
    member_name,
    write_set_info,
)
from sae_desktop.dictionary.sets import load_set
from sae_desktop.errors import UserError
from sae_desktop.exchange.config import ExportResult, ImportDictionaryConfig
from sae_desktop.exchange.dictionaries import bring, network_here, notes_of, within
from sae_desktop.exchange.fitting_sites import save_for_saelens
from sae_desktop.exchange.found_sets import FoundSet, chosen_set, sets_in
from sae_desktop.exchange.places import without_places
from sae_desktop.exchange.set_config import ExportSetConfig, ImportSetConfig, ImportSetResult
from sae_desktop.exchange.set_package import export_set_package
from sae_desktop.exchange.sources import fetch_with_model, local_source
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.names import public_name
from sae_desktop.project import Project, checked_name, existing
from sae_desktop.storage.atomic import replacing_folder
from sae_desktop.storage.faults import folder_bytes
from sae_desktop.training.origin import DictionaryOrigin, now_text, write_origin


def import_set(config: ImportSetConfig, context: JobContext) -> ImportSetResult:
    """Read the layers of a set and save them in the project, all or none.

    Raises UserError for a name that is taken, for a source without a set or with several, for a
    layer that cannot be read or does not fit the model or the other layers, and where the model is
    neither told nor given.
    """
    project = Project.open(config.project)
    folder = project.set_path(checked_name(config.name))
    if folder.exists():
        raise UserError(
            f"There is already a set “{config.name}”.",
            kept="It was not touched.",
            next_step="Choose another name.",
        )
    if config.with_model:
        fetch_with_model(config.source, config.model, context)
    with local_source(config.source, context) as path:
        there = chosen_set(sets_in(found_in(path), path), config.which, config.source)
        found = _asked(there, config)
        context.log(f"{found.dictionaries[0].format}: layers {', '.join(map(str, found.layers))}.")
        notes: list[str] = []
        with replacing_folder(folder) as part:
            _save_members(config, found, path, part, notes, context)
            layers = None if found.kind == "cross_layer" else list(found.layers)
            origin = SetOrigin(
                kind="import", source=config.source, format=found.dictionaries[0].format,
                when=now_text(),
            )  # fmt: skip
            info = describe_set(part, layers, origin, folder.name)
            write_set_info(part, info)
    return ImportSetResult(
        name=info.name, format=origin.format, kind=info.kind, layers=info.layers,
        features=info.features, model=info.model, bytes=folder_bytes(folder),
        notes=[*found.told().notes[: found.nearest], *dict.fromkeys(notes)],
    )  # fmt: skip


def _asked(found: FoundSet, config: ImportSetConfig) -> FoundSet:
    """Return the layers of a set that are asked for. Raises UserError for one that is missing."""
    if not config.layers or found.kind == "cross_layer":
        return found
    missing = [layer for layer in config.layers if layer not in found.layers]
    if missing:
        raise UserError(
            f"The set has no layer {missing[0]}.",
            kept="Nothing was written.",
            next_step=f"Choose among its layers: {', '.join(map(str, found.layers))}.",
        )
    members = dict(zip(found.layers, found.dictionaries, strict=True))
    layers = tuple(sorted(set(config.layers)))
    return FoundSet(
        found.path, found.kind, layers, tuple(members[layer] for layer in layers), found.nearest
    )


def _save_members(
    config: ImportSetConfig,
    found: FoundSet,
    path: Path,
    part: Path,
    notes: list[str],
    context: JobContext,
) -> None:
    """Save each dictionary of a set in its folder, and add what a person should know of it."""
    model = config.model or found.dictionaries[0].model
    network = network_here(model) if model else None
    total = len(found.dictionaries)
    for number, one in enumerate(found.dictionaries):
        context.check_cancelled()
        context.progress(number, total, "dictionaries", within(one, path))
        asked = ImportDictionaryConfig(
            project=config.project, name=config.name, source=config.source, model=config.model
        )
        brought = bring(asked, one, network)
        name = ALL if found.kind == "cross_layer" else member_name(found.layers[number])
        save(brought.dictionary, part / name)
        origin = DictionaryOrigin(
            kind="import", source=config.source, which=within(one, path), format=one.format,
            when=now_text(),
        )  # fmt: skip
        write_origin(part / name, origin)
        notes += [*notes_of(one), *brought.said]
    context.progress(total, total, "dictionaries")


def export_set(config: ExportSetConfig, context: JobContext) -> ExportResult:
    """Write a set as another library reads it.

    Raises UserError for a folder that holds something, for a set that is not whole, and for what
    the library has no form for.
    """
    project = Project.open(config.project)
    name = existing("set", config.set, project.sets())
    folder = Path(config.path).expanduser()
    if config.format == "package":
        return export_set_package(project, name, folder, context)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(
            f"“{folder}” already exists and is not empty.",
            kept="It was not touched.",
            next_step="Choose a new folder.",
        )
    opened = load_set(project.set_path(name))
    total = len(opened.info.folders)
    context.progress(0, total, "dictionaries")
    with replacing_folder(folder) as part:
        if config.format == "circuit_tracer":
            write_set(opened, part, public_name(opened.info.model))
        else:
            for number, one in enumerate(opened.info.folders):
                context.check_cancelled()
                context.progress(number, total, "dictionaries", one)
                dictionary = load(opened.folder / one)
                dictionary.metadata = without_places(dictionary.metadata)
                save_for_saelens(dictionary, part / one)
    context.progress(total, total, "dictionaries")
    files = [path for path in folder.rglob("*") if path.is_file()]
    return ExportResult(path=str(folder), files=len(files), bytes=folder_bytes(folder))

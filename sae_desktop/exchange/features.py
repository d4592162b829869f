"""The jobs that bring feature data of other programs into a project, and write it for those."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np

from sae_desktop.dictionary.formats.names import model_name, site_name
from sae_desktop.errors import UserError
from sae_desktop.exchange import delphi, neuronpedia, saedashboard
from sae_desktop.exchange.by_layer import by_layer
from sae_desktop.exchange.config import (
    ExportFeaturesConfig,
    ExportResult,
    ImportFeaturesConfig,
    ImportFeaturesResult,
)
from sae_desktop.exchange.delphi_layout import modules_in
from sae_desktop.exchange.label_rows import label_rows
from sae_desktop.exchange.labels import write_labels
from sae_desktop.exchange.record_index import Origin, RecordIndex
from sae_desktop.exchange.records import FeatureRecord, records_of
from sae_desktop.exchange.report import write_report
from sae_desktop.exchange.sources import local_source
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.incoming_notes import (
    IncomingNotes,
    incoming_path,
    take_incoming,
    write_incoming,
)
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import load_reader
from sae_desktop.language_model.names import public_name
from sae_desktop.language_model.sites.site_names import parse_site
from sae_desktop.project import Project, checked_name, config_record, existing
from sae_desktop.project_lists import FeatureLists
from sae_desktop.project_notes import FeatureNote, Notes
from sae_desktop.storage.atomic import replacing_folder
from sae_desktop.storage.moves import leave_work, move_together, work_folder

_TOLD = 256
"""Features after which progress is told."""


def import_features(config: ImportFeaturesConfig, context: JobContext) -> ImportFeaturesResult:
    """Make an index of a folder of feature data, and keep its explanations as labels.

    Raises UserError for a name that is taken, for a folder without such data, and where the
    model or the site is neither told nor given.
    """
    project = Project.open(config.project)
    path = project.index_path(checked_name(config.name))
    if path.exists():
        raise UserError(
            f"There is already an index “{config.name}”.",
            kept="It was not touched.",
            next_step="Choose another name.",
        )
    with local_source(config.source, context) as folder:
        kind, told_model, told_site, records = _records(folder, config)
        model, site = config.model or model_name(told_model), config.site or told_site
        if not model or not site:
            missing = " and ".join(w for w, t in (("model", model), ("site", site)) if not t)
            raise UserError(
                f"The data in “{config.source}” do not name their {missing}.",
                kept="Nothing was written.",
                next_step=f"Enter the {missing}; a site is written like blocks.8.hook_resid_post.",
            )
        parse_site(site)
        index = RecordIndex()
        for number, record in enumerate(records):
            if number % _TOLD == 0:
                context.check_cancelled()
                context.progress(number, 0, "records")
            index.add(record)
    dictionary = config.dictionary or config.name
    origin = Origin(dictionary, model, site, config.source, config_record(config))
    labels = index.labels()
    told = [FeatureNote(feature=feature, note=note) for feature, note in index.notes()]
    place = work_folder(project.path, "features")
    try:
        index.write(place / "index.h5", origin)
        incoming = IncomingNotes(
            dictionary=dictionary, notes=told, labels=labels, over_labels=False
        )
        write_incoming(place / "incoming.json", incoming)
        context.check_cancelled()
        move_together(
            project.path,
            into=[
                (place / "index.h5", path),
                (place / "incoming.json", incoming_path(project, config.name)),
            ],
        )
    finally:
        leave_work(project.path, place)
    take_incoming(project)
    found = FeatureIndex(path)
    return ImportFeaturesResult(
        name=config.name, format=kind, model=model, site=site, features=found.features,
        with_contexts=_with_contexts(found), bytes=path.stat().st_size,
        labels=len({label.feature for label in labels}),
    )  # fmt: skip


def _with_contexts(index: FeatureIndex) -> int:
    rows = index.array("contexts/row")
    return 0 if rows is None or not rows.shape[1] else int((rows >= 0).any(axis=1).sum())


def _records(
    folder: Path, config: ImportFeaturesConfig
) -> tuple[str, str, str, Iterable[FeatureRecord]]:
    """Return the program's name, the model and the site that the data tell, and the data."""
    if folder.is_dir():
        if neuronpedia.is_batches(folder):
            model, hook = neuronpedia.names_in(folder)
            return "Neuronpedia", model, site_name(hook), neuronpedia.read_batches(folder)
        if saedashboard.batch_files(folder):
            model = saedashboard.model_in(folder)
            return "SAEDashboard", model, "", saedashboard.read_batches(folder)
        modules = modules_in(folder)
        if modules:
            site = site_name(modules[0].name)
            return "Delphi", "", site, delphi.read_latents(modules[0], _token_names(config.model))
    raise UserError(
        f"“{config.source}” holds no feature data in a known format.",
        next_step="Choose the folder with Neuronpedia's features/ and activations/, with "
        "SAEDashboard's batch-0.json, or with Delphi's cached latents.",
    )


def _token_names(model: str) -> Callable[[int], str]:
    """Return what gives a token's text, which Delphi's files leave to the model's tokenizer."""
    if not model:
        return lambda token: f"⟨{token}⟩"
    names = load_reader(model).token_bytes()
    return lambda token: (
        names[token].decode("utf-8", "replace") if 0 <= token < len(names) else f"⟨{token}⟩"
    )


# ---------------------------------------------------------------- to others
def export_features(config: ExportFeaturesConfig, context: JobContext) -> ExportResult:
    """Write features of an index for another program, or a report for people.

    Raises UserError for a folder that holds something, for a list that is not there, and where
    there is nothing to write.
    """
    project = Project.open(config.project)
    index = FeatureIndex(project.index_path(existing("index", config.index, project.indexes())))
    target = Path(config.path).expanduser()
    with closing(Notes(project.notes_path)) as notes:
        chosen = _chosen(index, notes, config)

        def told(done: int) -> None:
            if done % _TOLD == 0 or done == len(chosen):
                context.check_cancelled()
                context.progress(done, len(chosen), "features")

        if index.pictures is not None:
            _tell_of_pictures(config.format, context)
        if config.format == "labels":
            rows = label_rows(
                notes, index, chosen, every=config.every_label, automatic=config.automatic_names
            )
            write_labels(target, rows)
        elif config.format == "html":
            write_report(target, index, records_of(index, notes, chosen), told)
        else:
            _write_folder(target, config, index, notes, chosen, told)
    files = [path for path in target.rglob("*") if path.is_file()] if target.is_dir() else [target]
    return ExportResult(
        path=str(target), files=len(files), bytes=sum(path.stat().st_size for path in files)
    )


def _tell_of_pictures(form: str, context: JobContext) -> None:
    """Say what becomes of contexts that are pictures."""
    if form == "html":
        context.log("The page holds small copies of the pictures that it shows.")
    elif form != "labels":
        context.log(
            "The form has no place for pictures: each stands as one token with its name and its "
            "strongest activation."
            if form != "delphi"
            else "The form has no place for pictures: of them, it has the image tokens alone."
        )


def _write_folder(
    folder: Path, config: ExportFeaturesConfig, index: FeatureIndex, notes: Notes,
    chosen: Sequence[int], told: Callable[[int], None],
) -> None:  # fmt: skip
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(
            f"“{folder}” already exists and is not empty.",
            kept="It was not touched.",
            next_step="Choose a new folder.",
        )
    info = index.info
    names = {"model": public_name(info.model), "source": info.dictionary}
    with replacing_folder(folder) as part:
        if config.format == "delphi":
            records = records_of(index, notes, chosen)
            labels = (record.shown for record in records if record.shown is not None)
            delphi.write_latents(part, index, labels, told)
            return
        write = neuronpedia.write_batches if config.format == "neuronpedia" else (
            saedashboard.write_batches
        )  # fmt: skip
        layers, done = by_layer(info, chosen), 0
        for layer in layers:
            # Both programs know one dictionary for each layer.
            place = part / neuronpedia.layer_name(layer.site, info.dictionary)
            write(
                part if len(layers) == 1 else place,
                layer.own(records_of(index, notes, layer.chosen)),
                site=layer.site, told=partial(_after, told, done), **names,
            )  # fmt: skip
            done += len(layer.chosen)


def _after(told: Callable[[int], None], before: int, done: int) -> None:
    told(before + done)


def _chosen(index: FeatureIndex, notes: Notes, config: ExportFeaturesConfig) -> list[int]:
    features = config.features
    if config.member_of:
        content = FeatureLists(notes).read(index.info.dictionary, config.member_of)
        if content is None:
            raise UserError(
                f"There is no list “{config.member_of}”.",
                next_step="Choose an existing list.",
            )
        features = content.features
    chosen = [index.check_feature(feature) for feature in features]
    if not chosen and not config.member_of:
        chosen = list(range(index.features))
    if 0 < config.most < len(chosen):
        density = np.asarray(index.columns["density"])[chosen]
        best = np.argsort(-density, kind="stable")[: config.most]
        chosen = [chosen[i] for i in best.tolist()]
    if not chosen:
        raise UserError("There is no feature to export.", next_step="Choose some features.")
    return chosen

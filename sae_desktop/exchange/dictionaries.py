"""The jobs that bring dictionaries of other libraries into a project, and write them for those."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from sae_desktop.dictionary import Dictionary, load, save
from sae_desktop.dictionary.files import architecture_name
from sae_desktop.dictionary.formats import dictionary_learning, sparsify
from sae_desktop.dictionary.formats.find import find_dictionaries as found_in
from sae_desktop.dictionary.formats.find import only_one, read_found
from sae_desktop.dictionary.formats.folder_view import Found
from sae_desktop.errors import UserError
from sae_desktop.exchange.config import (
    DictionaryFound,
    ExportDictionaryConfig,
    ExportResult,
    FindDictionariesConfig,
    FindDictionariesResult,
    ImportDictionaryConfig,
    ImportDictionaryResult,
)
from sae_desktop.exchange.fitting_sites import SEVERAL, fitting_sites, save_for_saelens
from sae_desktop.exchange.found_sets import sets_in
from sae_desktop.exchange.places import without_places
from sae_desktop.exchange.run_page import write_run_page
from sae_desktop.exchange.sources import fetch_with_model, local_source
from sae_desktop.exchange.value_biases import with_value_biases
from sae_desktop.file_kinds import WEIGHTS_ENDINGS
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.files.find import find_model, is_hub_name
from sae_desktop.language_model.files.hub import cached_hub_models
from sae_desktop.language_model.network import empty_model, load_config
from sae_desktop.language_model.sites.resolve import check_site, site_width
from sae_desktop.language_model.sites.site_names import parse_site
from sae_desktop.project import Project, checked_name, existing
from sae_desktop.storage.atomic import replacing_folder
from sae_desktop.training.origin import DictionaryOrigin, now_text, write_origin


def find_dictionaries(
    config: FindDictionariesConfig, context: JobContext
) -> FindDictionariesResult:
    """Return the dictionaries of a source. Raises UserError where there is none."""
    with local_source(config.source, context) as path:
        found = found_in(path)
        return FindDictionariesResult(
            source=config.source,
            sets=[one.told() for one in sets_in(found, path)],
            dictionaries=[
                DictionaryFound(
                    path=within(one, path), format=one.format, architecture=one.architecture,
                    width=one.width, features=one.features, model=one.model, site=one.site,
                    site_out=one.site_out, notes=notes_of(one),
                )
                for one in found
            ],
        )  # fmt: skip


def import_dictionary(
    config: ImportDictionaryConfig, context: JobContext
) -> ImportDictionaryResult:
    """Read a dictionary and save it in the project.

    Raises UserError for a name that is taken, for what cannot be read, where model or site are
    neither told nor given, where the model is here and its site is of another width, and for
    weights of another SHA-256 than the one asked for.
    """
    if not math.isfinite(config.scale) or config.scale <= 0:
        raise UserError(
            f"Rows cannot have been multiplied by {config.scale:g}.",
            next_step="Enter a positive number; 1 changes nothing.",
        )
    project = Project.open(config.project)
    folder = project.dictionary_path(checked_name(config.name))
    if folder.exists():
        raise UserError(
            f"There is already a dictionary “{config.name}”.",
            kept="It was not touched.",
            next_step="Choose another name.",
        )
    if config.with_model:
        fetch_with_model(config.source, config.model, context)
    with local_source(config.source, context) as path:
        found = _chosen(found_in(path), config.which, path)
        digest = _digest(found.path)
        _check_digest(found.path, digest, config.sha256)
        context.log(f"{found.format}: {found.architecture}, {found.features:,} features.")
        brought = bring(config, found)
        dictionary, said = brought.dictionary, brought.said
        origin = DictionaryOrigin(
            kind="import", source=config.source, which=within(found, path), format=found.format,
            sha256=digest, when=now_text(),
        )  # fmt: skip
        context.check_cancelled()
        _save_whole(dictionary, folder, origin)
    return ImportDictionaryResult(
        name=config.name, format=found.format, architecture=architecture_name(dictionary),
        features=dictionary.features, width=dictionary.width, model=brought.model,
        site=brought.site, site_out=brought.site_out, bytes=_bytes(folder),
        notes=[*notes_of(found), *said],
    )  # fmt: skip


class Brought(NamedTuple):
    """A dictionary read from elsewhere, as it is to be saved."""

    dictionary: Dictionary
    model: str
    site: str
    site_out: str
    said: list[str]
    """What a person should know of its sites."""


def bring(config: ImportDictionaryConfig, found: Found, network: Any = None) -> Brought:
    """Read a dictionary and fit it to its model and sites.

    `network` is the model without weights, where it has been opened already. Raises UserError for
    what cannot be read, holds values that are not finite, or does not fit.
    """
    dictionary = read_found(found.read, found.path)
    _check_finite(dictionary, found.path)
    model, site = config.model or found.model, config.site or found.site
    site_out = config.site_out or found.site_out
    _require(found, model, site)
    network = network or network_here(model)
    site, site_out, said = fitting_sites(network, found, site, site_out)
    _check_width(dictionary, model, network, site)
    if config.scale != 1.0:
        dictionary = dictionary.scaled(config.scale)
    if found.lacks_value_biases:
        dictionary = with_value_biases(dictionary, found.path, model, site, site_out)
    dictionary.metadata = _metadata(config, found, model, site, site_out)
    return Brought(dictionary, model, site, site_out, said)


def notes_of(found: Found) -> list[str]:
    """Return what a person should know, and how windows began in its training."""
    bos = found.metadata.get("prepend_bos")
    if not isinstance(bos, bool):
        return list(found.notes)
    began = "with" if bos else "without"
    return [*found.notes, f"Windows began {began} BOS during training."]


def _save_whole(dictionary: Dictionary, folder: Path, origin: DictionaryOrigin) -> None:
    """Save a dictionary so that it is there whole or not at all."""
    with replacing_folder(folder) as part:
        save(dictionary, part)
        write_origin(part, origin)


def within(found: Found, path: Path) -> str:
    return "." if found.path == path else str(found.path.relative_to(_base(path)))


def _base(path: Path) -> Path:
    return path.parent if path.is_file() else path


def _chosen(found: list[Found], which: str, path: Path) -> Found:
    if not which:
        return only_one(found, path)
    chosen = next((one for one in found if within(one, path) == which), None)
    if chosen is None:
        raise UserError(
            f"“{which}” is not one of the dictionaries there.",
            next_step=f"Available: {', '.join(within(one, path) for one in found[:8])}.",
        )
    return chosen


def _require(found: Found, model: str, site: str) -> None:
    missing = [what for what, told in (("model", model), ("site", site)) if not told]
    if missing:
        raise UserError(
            f"The files of “{found.path.name}” do not name its {' and '.join(missing)}.",
            kept="Nothing was written.",
            next_step=f"Give {' and '.join(f'the {what}' for what in missing)}; a site is written "
            "like blocks.8.hook_resid_post.",
        )


def _digest(path: Path) -> str:
    """Return the SHA-256 of the file of weights; "" where it is not a single one."""
    files = [path] if path.is_file() else []
    if path.is_dir():
        files = [
            file for file in path.iterdir() if file.suffix in WEIGHTS_ENDINGS and file.is_file()
        ]
    if len(files) != 1:
        return ""
    with files[0].open("rb") as whole:
        return hashlib.file_digest(whole, "sha256").hexdigest()


def _check_digest(path: Path, found: str, wanted: str) -> None:
    """Raise UserError where a file is not the one that was meant."""
    if not wanted:
        return
    if path.is_dir():
        raise UserError(
            f"“{path}” is a dictionary of several files, which cannot be checked by a single "
            "SHA-256.",
            kept="Nothing was written.",
            next_step="Import it without a SHA-256.",
        )
    if found != wanted.strip().lower():
        raise UserError(
            f"“{path.name}” is not the expected file: its SHA-256 is {found}, not {wanted}.",
            kept="Nothing was written.",
            next_step="Download it again; if the result is the same, ask whoever published the "
            "expected SHA-256.",
        )


def _check_finite(dictionary: Dictionary, path: Path) -> None:
    for name in ("W_enc", "b_enc", "W_dec", "b_dec", "threshold"):
        tensor = getattr(dictionary, name)
        if tensor is not None and not bool(tensor.isfinite().all()):
            raise UserError(
                f"{name} of “{path}” holds values that are not finite numbers.",
                next_step="Download it again, or ask its maker.",
            )


def _check_width(dictionary: Dictionary, model: str, network: Any, site: str) -> None:
    """Raise UserError where the model is on this machine and its site has another width."""
    sites = site.split(SEVERAL)
    for name in sites:
        parse_site(name)
    if network is None:
        return
    wide = site_width(network, check_site(network, parse_site(sites[0])))
    own = dictionary.width // len(sites)
    if wide != own:
        raise UserError(
            f"The dictionary reads rows of {own} numbers; “{sites[0]}” of “{model}” has {wide}.",
            kept="Nothing was written.",
            next_step="Choose the model and site it was trained on.",
        )


def network_here(model: str) -> Any:
    """Return a model without weights; None where it is not on this machine."""
    if is_hub_name(model):
        cached = cached_hub_models().get(model)
        if cached is None:
            return None
        model = str(cached)
    try:
        files = find_model(model)
        return empty_model(files, load_config(files))
    except UserError:
        return None


def _metadata(
    config: ImportDictionaryConfig, found: Found, model: str, site: str, site_out: str
) -> dict[str, Any]:
    kept: dict[str, Any] = {
        key: value
        for key, value in found.metadata.items()
        if key not in ("sae_lens_version", "hook_name_out", "hf_hook_name", "hf_hook_name_out")
        and isinstance(value, str | int | float | bool)
    }
    kept |= {"model_name": model, "source": config.source, "source_format": found.format,
             "source_architecture": found.architecture}  # fmt: skip
    inputs, outputs = site.split(SEVERAL), site_out.split(SEVERAL)
    kept["hook_name"] = inputs[0]
    if len(inputs) > 1:
        kept |= {"input_sites": inputs, "output_sites": outputs}
    elif site_out and site_out != site:
        kept["hook_name_out"] = site_out
    if config.scale != 1.0:
        kept["input_scalar"] = config.scale
    return kept


# ---------------------------------------------------------------- to others
_WRITERS: dict[str, Callable[[Dictionary, Path], None]] = {
    "saelens": save_for_saelens,
    "sparsify": sparsify.write,
    "dictionary_learning": dictionary_learning.write,
}


def export_dictionary(config: ExportDictionaryConfig, context: JobContext) -> ExportResult:
    """Write a dictionary as another library reads it.

    Raises UserError for a folder that holds something, and for what the library has no
    architecture for.
    """
    project = Project.open(config.project)
    name = existing("dictionary", config.dictionary, project.all_dictionaries())
    folder = Path(config.path).expanduser()
    if config.format == "html":
        write_run_page(folder, project.dictionary_path(name))
        return ExportResult(path=str(folder), files=1, bytes=folder.stat().st_size)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(
            f"“{folder}” already exists and is not empty.",
            kept="It was not touched.",
            next_step="Choose a new folder.",
        )
    dictionary = load(project.dictionary_path(name))
    dictionary.metadata = without_places(dictionary.metadata)
    context.check_cancelled()
    with replacing_folder(folder) as part:
        _WRITERS[config.format](dictionary, part)
    return ExportResult(
        path=str(folder), files=sum(1 for _ in folder.iterdir()), bytes=_bytes(folder)
    )


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

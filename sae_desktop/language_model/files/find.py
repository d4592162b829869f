"""Where a model's files are, and whether they are whole, before anything is loaded."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext, SilentContext
from sae_desktop.language_model.files.claims import CONFIG_BYTES, StoredWeights, check_counts
from sae_desktop.language_model.files.gguf_header import GgufHeader, read_header
from sae_desktop.language_model.files.hub import cached_snapshot, fetch_snapshot, look_up_snapshot
from sae_desktop.language_model.files.model_cache import models_cache
from sae_desktop.language_model.files.packed import unpacked_model
from sae_desktop.language_model.names import BUILTIN, BUILTIN_PICTURES, KNOWN, shipped_models
from sae_desktop.resources import resource_path

_SAMPLES, _SAMPLE_BYTES = 64, 4096


@dataclass(frozen=True)
class ModelFiles:
    """A model on this machine: a folder, and the .gguf file in it where that is the model."""

    name: str
    folder: Path
    gguf: str | None
    stamp: str
    """Changes whenever the files of weights or the configuration do; see `identity`."""


def find_model(
    name: str, *, fetch: bool = False, ask: bool = False, context: JobContext | None = None
) -> ModelFiles:
    """Return the files of the model called `name`, checked to be whole.

    With `fetch` a hub name's files are downloaded where they are not here, which `context` is
    told of; with `ask` its small ones are. Without either the network is not touched.
    Raises UserError that names what is wrong and the way out.
    """
    if name == BUILTIN:
        return _in_folder(BUILTIN, resource_path("models/builtin"))
    if name == BUILTIN_PICTURES:
        return _in_folder(name, unpacked_model(resource_path(f"models/{name}")))
    if name in KNOWN:
        return _cached(name)
    path = Path(name).expanduser()
    if path.is_file():
        return _single_file(path.resolve())
    if path.is_dir():
        path = path.resolve()
        return _in_folder(str(path), path)
    if not is_hub_name(name):
        raise UserError(
            f"There is no model “{name}”.",
            next_step="Choose a model folder, a .gguf file, a hub name such as owner/model, "
            f"or {', '.join(f'“{known}”' for known in (*shipped_models(), *KNOWN))}.",
        )
    context = context or SilentContext()
    if not fetch:
        folder = look_up_snapshot(name, context=context) if ask else cached_snapshot(name)
        return _in_folder(name, folder, weights=_weights_in(folder))
    return _in_folder(name, fetch_snapshot(name, context=context))


def is_hub_name(name: str) -> bool:
    """Whether `name` can only be the hub's: owner/model, and nothing on this machine."""
    path = Path(name).expanduser()
    own = path.is_absolute() or name.startswith((".", "~")) or path.exists()
    return not own and name.count("/") == 1


def weights_there(files: ModelFiles) -> bool:
    """Whether a model's weights are on this machine."""
    return bool(files.gguf) or _weights_in(files.folder)


def _weights_in(folder: Path) -> bool:
    try:
        return all(path.is_file() for path in weight_files(folder))
    except UserError:
        return False


def disk_bytes(files: ModelFiles) -> int:
    """Return what a model's files take on this machine; 0 without its weights."""
    if files.gguf:
        return (files.folder / files.gguf).stat().st_size
    if not weights_there(files):
        return 0
    return sum(path.stat().st_size for path in files.folder.iterdir() if path.is_file())


def _cached(name: str) -> ModelFiles:
    folder = models_cache() / name
    if (folder / "config.json").is_file():
        return _in_folder(name, folder)
    ggufs = sorted(folder.glob("*.gguf"))
    if not ggufs:
        raise UserError(
            f"{KNOWN[name].title} is not on this machine yet.",
            next_step=f"Get it with: sae-desktop models get {name}.",
        )
    _check_gguf(ggufs[0])
    return ModelFiles(name, folder, ggufs[0].name, _stamp(ggufs[:1]))


def _single_file(path: Path) -> ModelFiles:
    if path.suffix == ".gguf":
        _check_gguf(path)
        return ModelFiles(str(path), path.parent, path.name, _stamp([path]))
    hint = (
        f"Choose the folder it is in: {path.parent}."
        if path.suffix in (".safetensors", ".json")
        else "Choose a model folder or a .gguf file."
    )
    raise UserError(f"“{path}” is not a model.", next_step=hint)


def _in_folder(name: str, folder: Path, *, weights: bool = True) -> ModelFiles:
    config = folder / "config.json"
    if not config.is_file():
        if (folder / "adapter_config.json").is_file():
            raise UserError(
                f"“{folder}” is an adapter (such as LoRA), not a whole model.",
                next_step="Merge it into its base model, save that, and choose the folder.",
            )
        ggufs = sorted(folder.glob("*.gguf"))
        way_out = (
            f"Choose the file {ggufs[0]} itself."
            if ggufs
            else "Choose a folder with config.json, the weights and the tokenizer in it."
        )
        raise UserError(f"“{folder}” is not a model: it has no config.json.", next_step=way_out)
    told = _read_config(config)
    check_counts(config, told, None)
    paths = weight_files(folder) if weights else []
    if paths:
        check_counts(config, told, stored_weights(paths))
    return ModelFiles(name, folder, None, _stamp([config, *paths]))


def _read_config(config: Path) -> object:
    try:
        size = config.stat().st_size
        if size > CONFIG_BYTES:
            raise UserError(
                f"“{config}” has {size:,} bytes: it is not the configuration of a model.",
                next_step="Copy or download the model again.",
            )
        return json.loads(config.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"“{config}” cannot be read: it is not valid JSON ({error}).",
            next_step="Copy or download the model again.",
        ) from error


def stored_weights(paths: Sequence[Path]) -> StoredWeights:
    """Return what the files of a model's weights hold, by their headers.

    Raises UserError for one that is damaged or cut short.
    """
    size = sum(path.stat().st_size for path in paths)
    if any(path.suffix == ".bin" for path in paths):
        return StoredWeights(size)
    shapes = [shape for path in paths for shape in _shapes(path)]
    return StoredWeights(size, sum(math.prod(shape) for shape in shapes), len(shapes))


def _shapes(path: Path) -> list[list[int]]:
    _checked_header(path)
    with path.open("rb") as raw:
        header = json.loads(raw.read(int.from_bytes(raw.read(8), "little")))
    return [told["shape"] for name, told in header.items() if name != "__metadata__"]


def first_revision(files: ModelFiles) -> str:
    """Return the 16 hexadecimal digits by which earlier versions told models apart.

    They are of the configuration and the weights' sizes and headers, not of the weights.
    """
    if files.gguf:
        return _hash_gguf(files.folder / files.gguf)
    digest = hashlib.sha256((files.folder / "config.json").read_bytes())
    for path in weight_files(files.folder):
        digest.update(f"{path.name} {path.stat().st_size}".encode())
        digest.update(_checked_header(path))
    return digest.hexdigest()[:16]


def _stamp(paths: Iterable[Path]) -> str:
    """Return what changes whenever files do, without reading them whole.

    Sizes and times, and some of their bytes: times can be set, and are coarse on some disks.
    """
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            told = os.fstat(file.fileno())
            digest.update(
                f"{path.name} {told.st_size} {told.st_mtime_ns} {told.st_ctime_ns} "
                f"{told.st_dev} {told.st_ino}\n".encode()
            )
            for number in range(_SAMPLES):
                file.seek(told.st_size * number // _SAMPLES)
                digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def weight_files(folder: Path) -> list[Path]:
    """Return the files of the weights that are read. Raises UserError where one is missing."""
    whole = folder / "model.safetensors"
    if whole.is_file():
        return [whole]
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        names = _indexed(index)
        for name in names:
            if not (folder / name).is_file():
                raise UserError(
                    f"The model “{folder}” is missing its weights file “{name}”.",
                    next_step="Copy or download the model again with all of its files.",
                )
        return [folder / name for name in names]
    found = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    found = [path for path in found if path.is_file()]  # a pipe would be waited for
    if not found:
        raise UserError(
            f"“{folder}” contains no weights: there is no .safetensors file in it.",
            next_step="Copy or download the model again with all of its files.",
        )
    return found


def _indexed(index: Path) -> list[str]:
    try:
        return sorted({str(name) for name in json.loads(index.read_bytes())["weight_map"].values()})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"The list of weights files “{index}” is damaged.",
            next_step="Copy or download it again.",
        ) from error


def _checked_header(path: Path) -> bytes:
    if path.suffix == ".bin":  # no header to check; transformers reads it with weights_only
        with path.open("rb") as file:
            return file.read(65536)
    try:
        with safe_open(path, "numpy") as file:
            file.keys()
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"The weights file “{path}” is damaged or cut short ({error}).",
            next_step="Copy or download it again.",
        ) from error
    with path.open("rb") as raw:
        return raw.read(8 + int.from_bytes(raw.read(8), "little"))


def _check_gguf(path: Path) -> None:
    header = read_header(path)
    check_counts(path, header.fields, stored_of(path, header))


def stored_of(path: Path, header: GgufHeader) -> StoredWeights:
    """Return what a .gguf file holds of weights."""
    return StoredWeights(path.stat().st_size, header.numbers, header.tensors)


def _hash_gguf(path: Path) -> str:
    digest = hashlib.sha256(f"{path.stat().st_size}".encode())
    with path.open("rb") as file:
        digest.update(file.read(1 << 20))
    return digest.hexdigest()[:16]

"""What a file or folder is, told by its content, or by its name where that says enough.

Drops, dialogs and jobs all ask here; the kinds are in `file_kinds`. Little is read: headers of
files, the first rows of tables, the names in folders. Free of torch and Qt.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from sae_desktop.corpus.arrow_tables import is_saved_dataset
from sae_desktop.corpus.columns import CHAT_NAMES, TEXT_NAMES
from sae_desktop.corpus.decoding import check_text, head_bytes, whole_text
from sae_desktop.corpus.names import endings, is_known
from sae_desktop.corpus.unpacking import inner_name
from sae_desktop.errors import UserError
from sae_desktop.exchange.delphi_layout import holds_explanations, modules_in
from sae_desktop.exchange.label_names import BESIDE_LABELS, LABEL_NAMES
from sae_desktop.exchange.table_names import columns_of, layout_of
from sae_desktop.file_kinds import (
    FILE_KINDS,
    ONLY_DICTIONARIES,
    PACKAGE_ENDING,
    PICTURES,
    PROJECT_FILE,
    WEIGHTS_ENDINGS,
    FileKind,
    files_of,
    way_in,
)
from sae_desktop.language_model.names import KNOWN, OWN

SHIPPED = (*OWN, *KNOWN)
"""Names of what ships, whatever lies in the working folder under them."""
_WEIGHTS_OF_DICTIONARIES = ("ae.pt", "params.npz", "params.safetensors")
_CONFIGS_OF_DICTIONARIES = ("cfg.json", "hyperparams.json")
"""With weights beside them or in a folder below."""
FILES_OF_DICTIONARIES = (*_WEIGHTS_OF_DICTIONARIES, *_CONFIGS_OF_DICTIONARIES, "*.sae.pt")
"""Names that only the repository of a dictionary has, whoever made it."""
_ENCODERS = ("W_enc", "w_enc", "W_E", "encoder.weight", "W_enc_0")
_MODEL_FILES = ("model", "pytorch_model")
_BATCH = "batch-"
_BESIDE_WEIGHTS = (".json", ".md")
"""Endings of texts that accompany weights, and make no corpus there."""
_MOST_HEADER = _MOST_OBJECT = 2**20
_IN_GRAPHS = ('"metadata"', '"prompt_tokens"')
"""What stands at the head of a graph of circuit-tracer's, whose file may be large."""
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_PICTURE_COLUMNS = {"image", "images", "picture", "img", "photo", "image_path"}
_LOOKED_AT = 2_000
"""Files of a folder that are looked at before it is given up."""
_NOTHING_KNOWN = (
    "Models are folders or .gguf files, dictionaries folders or .npz, .pt and .zip files, texts "
    "anything that is text, or tables such as .jsonl, .csv and .parquet, pictures .png, .jpg and "
    "their like, activations .npy, .safetensors or .h5."
)


@dataclass(frozen=True)
class Recognised:
    """What a path is."""

    kinds: tuple[FileKind, ...]
    """The likeliest first; more than one where it can be used as several. Empty: not understood."""
    path: Path
    """What is used of it: of a folder with a model's only .gguf file, that file."""
    reason: str = ""
    """Where it is not understood: why, a sentence."""

    @property
    def kind(self) -> FileKind | None:
        """The likeliest, or None."""
        return self.kinds[0] if self.kinds else None


def what_is(path: Path) -> Recognised:
    """Return what a file or folder is. What does not exist is told by its name alone."""
    try:
        return _folder(path) if path.is_dir() else _file(path)
    except OSError as error:
        return Recognised((), path, f"It cannot be read: {error.strerror or error}.")


def require_kind(given: str | Path, *kinds: FileKind) -> None:
    """Raise UserError where a path is known to be of no kind of these, with what takes it.

    What does not exist, or is not understood, is left to who reads it: that knows more of it.
    """
    path = Path(given).expanduser()
    if str(given) in SHIPPED or not path.exists():
        return
    found = what_is(path)
    if found.kind is not None and not set(found.kinds) & set(kinds):
        info = FILE_KINDS[found.kind]
        text = info.folder if path.is_dir() and info.folder else info.text
        raise UserError(
            f"“{path.name}” is {text}.",
            kept="Nothing was changed.",
            next_step=way_in(found.kind, found.path),
        )


def refuse_other_kinds(config: msgspec.Struct) -> None:
    """Raise UserError where a job is given a file of another kind than it takes."""
    for given, mark in files_of(config):
        require_kind(given, *mark.kinds)


def dialog_filter(kind: FileKind) -> str:
    """Return the filter of the dialog in which files of a kind are chosen."""
    ends = " ".join(f"*{ending}" for ending in endings_of(kind))
    return f"{FILE_KINDS[kind].plural} ({ends});;All files (*)"


def endings_of(kind: FileKind) -> tuple[str, ...]:
    """Return what the names of files of a kind end in, in lower case, with the dots."""
    return endings() if kind == "corpus" else FILE_KINDS[kind].endings


# ---------------------------------------------------------------- files
def _file(path: Path) -> Recognised:
    suffix = path.suffix.lower()
    if path.exists() and not path.is_file():
        return Recognised((), path, "It is not an ordinary file but a pipe or a device.")
    if suffix in PICTURES or path.name.lower().endswith(_ARCHIVES):
        return Recognised(("pictures",), path)
    if suffix in (PACKAGE_ENDING, ".zip"):
        return Recognised((_archive(path, suffix),), path)
    if suffix == ".gguf":
        return Recognised(("model",), path)
    if suffix == ".safetensors":
        return _tensors(path)
    if suffix in (".h5", ".hdf5"):
        return _hdf5(path)
    if path.stem.startswith(_MODEL_FILES) and suffix in ONLY_DICTIONARIES:
        return _part_of_model(path)
    if suffix in ONLY_DICTIONARIES:
        return Recognised(("dictionary",), path)
    if suffix in FILE_KINDS["activations"].endings:
        return Recognised(("activations",), path)
    if is_known(path.name) or _is_text(path):
        return _text(path)
    empty = path.is_file() and not path.stat().st_size
    return Recognised((), path, "It is empty." if empty else _NOTHING_KNOWN)


def _archive(path: Path, suffix: str) -> FileKind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        names = []
    if suffix == PACKAGE_ENDING or {"card.json", "dictionary/cfg.json"} <= set(names):
        return "package"
    if any(Path(name).name.startswith(_BATCH) for name in names):
        return "features"
    return "pictures" if any(name.lower().endswith(PICTURES) for name in names) else "dictionary"


def _tensors(path: Path) -> Recognised:
    if _has_encoder(path):
        return Recognised(("dictionary",), path)
    return _part_of_model(path) if path.stem.startswith(_MODEL_FILES) else Recognised(
        ("activations",), path
    )  # fmt: skip


def _part_of_model(path: Path) -> Recognised:
    return Recognised(
        (), path, "It looks like a file of a model’s weights: choose the folder it is in."
    )


def _hdf5(path: Path) -> Recognised:
    own = _kind_in(path)
    if own == "features":
        return Recognised(("index",), path)
    if own == "activations":
        return Recognised(("store",), path.parent)
    if own:
        return Recognised((), path, "It is a file of a project: open the project instead.")
    return Recognised(("activations",), path)


def _kind_in(path: Path) -> str:
    """Return of which kind of ours a file says it is; "" for any other."""
    if not path.is_file():
        return ""
    from sae_desktop.storage.hdf5 import kind_of_file  # h5py: the window opens without it

    return kind_of_file(path)


def _has_encoder(path: Path) -> bool:
    """Return whether a file of tensors has an encoder's: a matrix of activations has none."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if length < _MOST_HEADER else {}
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(header, dict) and any(name in header for name in _ENCODERS)


# ---------------------------------------------------------------- texts and tables
def _is_text(path: Path) -> bool:
    """Return whether a file holds text, whatever its name says."""
    try:
        if not path.stat().st_size:
            return False
        check_text(path, head_bytes(path))
    except (UserError, OSError):
        return False
    return True


def _text(path: Path) -> Recognised:
    suffix = Path(inner_name(path.name)).suffix
    if suffix == ".json" and path.is_file() and layout_of(path) in ("object", "line"):
        return _object(path)
    if suffix not in FILE_KINDS["labels"].endings:
        return Recognised(("corpus",), path)
    names = {name.strip().casefold() for name in columns_of(path, suffix)}
    said = {*LABEL_NAMES, *BESIDE_LABELS}
    texts = {*TEXT_NAMES, *CHAT_NAMES}
    if names & {"feature", "feature_index"} and names & said and not names & texts:
        return Recognised(("labels",), path)
    if names & _PICTURE_COLUMNS:
        return Recognised(("pictures", "corpus"), path)
    return Recognised(("corpus", "labels"), path)


def _object(path: Path) -> Recognised:
    """Tell a file that is one JSON object by its names."""
    try:
        head = head_bytes(path).decode("utf-8", "replace")
        if all(name in head for name in _IN_GRAPHS):
            return Recognised(("graph",), path)
        data = whole_text(path, _MOST_OBJECT)
        found = json.loads(data)
    except (UserError, OSError, ValueError, RecursionError):
        return Recognised(("corpus", "labels"), path)
    names = set(found) if isinstance(found, dict) else set()
    if {"variants", "sampling"} <= names and _is_preset(data):
        return Recognised(("preset",), path)
    if path.name in _CONFIGS_OF_DICTIONARIES:
        reason = "It is the configuration of a dictionary: choose the folder it is in."
        return Recognised((), path, reason)
    if names & {"model_type", "architectures"}:
        reason = "It is the configuration of a model: choose the folder it is in."
        return Recognised((), path, reason)
    if names and all(str(name).strip().isdecimal() for name in names):
        return Recognised(("labels",), path)
    return Recognised(("corpus", "labels"), path)


def _is_preset(data: str) -> bool:
    from sae_desktop.steering.presets import decode_preset  # h5py again

    try:
        decode_preset(data.encode(), "")
    except UserError as error:
        return "newer" in error.what
    return True


# ---------------------------------------------------------------- folders
def _folder(path: Path) -> Recognised:
    if (path / PROJECT_FILE).is_file():
        return Recognised(("project",), path)
    if _kind_in(path / "000.h5") == "activations":
        return Recognised(("store",), path)
    weights = _holds_weights(path)
    if weights and _names_model(path):
        return Recognised(("model",), path)
    dictionary = _dictionary_in(path)
    if dictionary:
        return dictionary
    if _is_feature_data(path):
        return Recognised(("features",), path)
    if holds_explanations(path):
        return Recognised(("labels",), path)
    if _names_model(path):
        return Recognised(("model",), path)
    packed = [p for p in path.iterdir() if p.suffix.lower() == ".gguf"]
    if len(packed) == 1:
        return Recognised(("model",), packed[0])
    if packed:
        return Recognised((), path, "The folder holds several .gguf models: choose one of them.")
    if (path / "adapter_config.json").is_file():
        return Recognised((), path, "It is an adapter (such as LoRA), not a whole model.")
    if is_saved_dataset(path) or (path / "dataset_info.json").is_file():
        return Recognised(("corpus",), path)
    config = path / "config.json"
    if config.is_file() and weights:
        return Recognised(("model",), path)
    files = _some_files(path)
    if found := _pictures_in(files):
        return Recognised(found, path)
    if _holds_texts(files) or (not weights and any(is_known(p.name) for p in files - {config})):
        return Recognised(("corpus",), path)
    if config.is_file():
        return Recognised(("model",), path)
    reason = "The folder holds neither a model nor texts nor pictures."
    if weights:
        reason = "The folder holds weights, but of neither a model nor a dictionary known here."
    return Recognised((), path, reason)


def _pictures_in(files: set[Path]) -> tuple[FileKind, ...]:
    """Return what a folder of these files is where there are pictures: words beside a picture
    are a text file of its name, other texts make it both."""
    pictures = {path.with_suffix("") for path in files if path.suffix.lower() in PICTURES}
    texts = [path for path in files if is_known(path.name) and path.with_suffix("") not in pictures]
    if not pictures or not texts:
        return ("pictures",) if pictures else ()
    return ("pictures", "corpus") if len(pictures) >= len(texts) else ("corpus", "pictures")


def _is_feature_data(folder: Path) -> bool:
    from sae_desktop.exchange import neuronpedia, saedashboard  # h5py again

    batches = neuronpedia.is_batches(folder) or saedashboard.batch_files(folder)
    return bool(batches or modules_in(folder))


def _holds_weights(folder: Path) -> bool:
    return any(p.suffix.lower() in WEIGHTS_ENDINGS and p.is_file() for p in folder.iterdir())


def _names_model(folder: Path) -> bool:
    found = _json(folder / "config.json")
    return isinstance(found, dict) and bool(found.keys() & {"model_type", "architectures"})


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes()) if path.stat().st_size < _MOST_OBJECT else None
    except (OSError, ValueError, RecursionError):
        return None


def _dictionary_in(folder: Path) -> Recognised | None:
    """Return a folder recognised as that of dictionaries, in it or below it, or None.

    One with texts that has dictionaries somewhere below can be used as both.
    """
    if _is_dictionary(folder):
        return Recognised(("dictionary",), folder)
    files = _some_files(folder)
    if not any(map(_is_dictionary, {p.parent for p in files if _marks_dictionary(p)})):
        return None
    return Recognised(("dictionary", "corpus") if _holds_texts(files) else ("dictionary",), folder)


def _marks_dictionary(path: Path) -> bool:
    return any(map(path.match, FILES_OF_DICTIONARIES)) or path.suffix.lower() == ".safetensors"


def _is_dictionary(folder: Path) -> bool:
    if any((folder / name).is_file() for name in _WEIGHTS_OF_DICTIONARIES):
        return True
    if any(folder.glob("*.sae.pt")):
        return True
    if any((folder / name).is_file() for name in _CONFIGS_OF_DICTIONARIES):
        places = [folder, *(p for p in folder.iterdir() if p.is_dir())]
        return any(_holds_weights(place) for place in places)
    return any(_has_encoder(weights) for weights in folder.glob("*.safetensors"))


def _holds_texts(files: set[Path]) -> bool:
    """Return whether there are texts but those that accompany weights."""
    return any(
        is_known(path.name) and Path(inner_name(path.name)).suffix not in _BESIDE_WEIGHTS
        for path in files
    )


def _some_files(folder: Path) -> set[Path]:
    return set(islice(_files(folder), _LOOKED_AT))


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and of those in it, but for hidden ones."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent) / name for name in sorted(names) if not name.startswith("."))

"""What a file or folder that was dropped on the window is good for. Free of Qt."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from sae_desktop.corpus.decoding import check_text, head_bytes
from sae_desktop.corpus.names import is_known, is_table
from sae_desktop.errors import UserError
from sae_desktop.exchange.config import PACKAGE_SUFFIX
from sae_desktop.exchange.delphi_layout import holds_explanations, modules_in

Kind = Literal[
    "project", "model", "corpus", "activations", "dictionary", "features", "labels", "package",
    "unknown",
]  # fmt: skip

_MATRIX = (".npy", ".safetensors", ".h5", ".hdf5")
_WEIGHTS = (".npz", ".pt", ".pth", ".bin", ".zip")
"""Files that can only be dictionaries."""
FILTERS = {
    "activations": f"Matrices ({' '.join(f'*{end}' for end in _MATRIX)});;All (*)",
    "dictionary": (
        f"Weights and archives ({' '.join(f'*{end}' for end in ('.safetensors', *_WEIGHTS))});;"
        "All (*)"
    ),
}
"""Kind → the filter of the dialog in which a file of it is chosen."""
_OF_DICTIONARIES = ("cfg.json", "ae.pt", "params.npz", "params.safetensors", "hyperparams.json")
"""Files that stand in the folder of a dictionary."""
_ENCODERS = ("W_enc", "w_enc", "W_E", "encoder.weight", "W_enc_0")
_MOST_HEADER = 2**20
_DATASET = ("dataset_info.json", "dataset_dict.json", "state.json")
"""What the `datasets` library leaves in a folder it saved."""
_LOOKED_AT = 2_000
"""Files of a folder that are looked at before it is given up."""


@dataclass(frozen=True)
class Drop:
    kind: Kind
    path: Path
    reason: str = ""
    """For an unknown one: why."""


def classify(path: Path) -> Drop:
    """Tell a project, a model, a corpus and activations apart by name and content of folders."""
    if path.is_dir():
        return _folder(path)
    suffix = path.suffix.lower()
    if suffix == ".gguf":
        return Drop("model", path)
    if suffix == PACKAGE_SUFFIX:
        return Drop("package", path)
    if suffix in _WEIGHTS or (suffix == ".safetensors" and _has_encoder(path)):
        return Drop("dictionary", path)
    if suffix in _MATRIX:
        return Drop("activations", path)
    if is_known(path.name) or _is_text(path):
        return Drop("corpus", path)
    return Drop(
        "unknown",
        path,
        "Models are folders or .gguf files, dictionaries folders or .npz, .pt and .zip files, "
        "texts anything that is text, or tables such as .jsonl, .csv and .parquet, activations "
        ".npy, .safetensors or .h5.",
    )


def _folder(path: Path) -> Drop:
    if (path / "project.toml").is_file():
        return Drop("project", path)
    if _is_dictionary(path):
        return Drop("dictionary", path)
    if (
        any((path / kind).is_dir() for kind in ("features", "activations"))
        or (path / "batch-0.json").is_file()
        or modules_in(path)
    ):
        return Drop("features", path)
    if holds_explanations(path):
        return Drop("labels", path)
    if (path / "config.json").is_file():
        return Drop("model", path)
    packed = [p for p in path.iterdir() if p.suffix.lower() == ".gguf"]
    if len(packed) == 1:
        return Drop("model", packed[0])
    if any((path / name).is_file() for name in _DATASET):
        return Drop("corpus", path)
    if any(is_known(p.name) for p in islice(_files(path), _LOOKED_AT)):
        return Drop("corpus", path)
    return Drop("unknown", path, "The folder holds neither a model nor text files.")


def _is_text(path: Path) -> bool:
    """Return whether a file holds text, whatever its name says."""
    try:
        if not path.stat().st_size:
            return False
        check_text(path, head_bytes(path))
    except (UserError, OSError):
        return False
    return True


def _is_dictionary(path: Path) -> bool:
    """Return whether a folder, or one of those in it, has the files of a dictionary."""
    places = [path, *islice((p for p in path.iterdir() if p.is_dir()), _LOOKED_AT)]
    return any((place / name).is_file() for place in places for name in _OF_DICTIONARIES) or any(
        _has_encoder(weights) for weights in path.glob("*.safetensors")
    )


def _has_encoder(path: Path) -> bool:
    """Return whether a file of tensors has an encoder's: a matrix of activations has none."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if length < _MOST_HEADER else {}
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(header, dict) and any(name in header for name in _ENCODERS)


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and of those in it, but for hidden ones."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent) / name for name in names if not name.startswith("."))


def harvest_fields(paths: Sequence[Path]) -> dict[str, str]:
    """Return what dropped files are to a harvest: "model", "corpus", or both.

    Several files are one corpus when they are all the texts of their folder. Raises UserError
    for what cannot be harvested from, and for files that are not one model and one corpus.
    """
    drops = [classify(path) for path in paths]
    for drop in drops:
        if drop.kind not in ("model", "corpus"):
            what = {
                "project": "is a project: open it from the File menu",
                "activations": "already holds activations: import it in Project",
            }.get(drop.kind, "cannot be harvested from")
            raise UserError(f"“{drop.path.name}” {what}.", next_step=drop.reason)
    models = [drop.path for drop in drops if drop.kind == "model"]
    texts = [drop.path for drop in drops if drop.kind == "corpus"]
    if len(models) > 1:
        raise UserError(
            f"{len(models)} models were dropped, but a harvest reads only one.",
            next_step="Drop one of them.",
        )
    fields = {"model": str(models[0])} if models else {}
    if texts:
        fields["corpus"] = str(_one_corpus(texts))
    return fields


def _one_corpus(paths: Sequence[Path]) -> Path:
    if len(paths) == 1:
        return paths[0]
    folder = paths[0].parent
    next_step = "Put the files into a separate folder and drop that, or drop one of them."
    if any(path.is_dir() or path.parent != folder for path in paths):
        raise UserError("These files and folders do not make up one corpus.", next_step=next_step)
    if len({is_table(path.name) for path in paths}) > 1:
        raise UserError("Texts and tables cannot be mixed in one corpus.", next_step=next_step)
    there = {path for path in folder.iterdir() if path.is_file() and is_known(path.name)}
    others = len(there - set(paths))
    if others:
        files = "1 other file" if others == 1 else f"{others} other files"
        raise UserError(
            f"The folder “{folder.name}” holds {files}, which would also be read.",
            next_step=next_step,
        )
    return folder

"""Which model it is: a digest of its weights and of the settings that change what it computes.

The same wherever the model is stored, however its files are cut, and by whatever name it is called.
Weights are read once: digests are kept by the files' places, sizes and times in the user's
cache folder.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock, Timeout

from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext, SilentContext
from sae_desktop.language_model.files.code import ModelCode, code_of
from sae_desktop.language_model.files.find import (
    ModelFiles,
    first_revision,
    weight_files,
    weights_there,
)
from sae_desktop.language_model.files.model_cache import digests_path
from sae_desktop.language_model.files.stored_tensors import check_stored
from sae_desktop.language_model.names import PREFIX
from sae_desktop.storage.atomic import write_bytes

_DIGITS = 32
_PART_DIGITS = 8
_CHUNK = 2**20
_MOST_KEPT = 500
_MOST_THREADS = 4
_LOCK_SECONDS = 5.0

# Said in config.json, without a say in what the model computes from given tokens.
_BOOKKEEPING = frozenset(
    (
        "architectures", "auto_map", "bos_token_id", "chunk_size_feed_forward", "dtype",
        "eos_token_id", "id2label", "initializer_range", "label2id", "output_attentions",
        "output_hidden_states", "problem_type", "return_dict", "task_specific_params",
        "tokenizer_class", "torch_dtype", "transformers_version", "unk_token_id", "use_cache",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Identity:
    """What tells a model from every other."""

    text: str
    """“model-”, 32 digits of the weights, and parts of the settings, and of code if it has any."""
    first: str
    """The revision that earlier versions of this program knew it by."""


class _Entry(msgspec.Struct, frozen=True):
    """What is kept of weights that were read."""

    path: str
    """The model's folder, or its .gguf file."""
    stamp: str
    weights: str
    identity: str


class _Record(msgspec.Struct, frozen=True):
    models: list[_Entry] = []


def identity_of(files: ModelFiles, context: JobContext | None = None) -> Identity:
    """Return the identity of a model whose weights are on this machine.

    They are read where they were not before, or have changed. Raises UserError for weights that
    are missing or damaged.
    """
    code = ModelCode(files.folder) if files.gguf else code_of(files.folder)
    first = first_revision(files)
    if code.needed:
        first = hashlib.sha256(f"{first} {code.digest}".encode()).hexdigest()[:16]
    kept = _entry_of(files)
    weights = kept.weights if kept else _read_weights(files, context or SilentContext())
    parts = [weights[:_DIGITS], _settings_digest(files)[:_PART_DIGITS]]
    if code.needed:
        parts.append(code.digest[:_PART_DIGITS])
    found = PREFIX + "-".join(parts)
    if kept is None or kept.identity != found:
        _keep(_Entry(_place(files), files.stamp, weights, found))
    return Identity(found, first)


def weights_part(identity: str) -> str:
    """Return the part of an identity that is of the weights alone."""
    return identity.removeprefix(PREFIX).partition("-")[0]


def places_of(identity: str) -> list[str]:
    """Return the folders and files in which this machine had the model, the last read first."""
    return [
        entry.path
        for entry in reversed(_record().models)
        if entry.identity == identity and Path(entry.path).exists()
    ]


# ---------------------------------------------------------------- settings
def _settings_digest(files: ModelFiles) -> str:
    if files.gguf:  # they are in the file, and so in its digest
        return hashlib.sha256(b"gguf").hexdigest()
    told = json.loads((files.folder / "config.json").read_bytes())
    return hashlib.sha256(settings_text(told).encode()).hexdigest()


def settings_text(config: Mapping[str, Any]) -> str:
    """Return what of a config.json changes what a model computes, always in the same words."""
    return json.dumps(_essential(config), sort_keys=True, separators=(",", ":"))


def _essential(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {
            str(key): _essential(entry)
            for key, entry in value.items()
            if entry is not None and not str(key).startswith("_") and key not in _BOOKKEEPING
        }
        return kept if "rope_type" in kept or "type" in kept else _one_rope(kept)
    return [_essential(entry) for entry in value] if isinstance(value, list) else value


def _one_rope(settings: dict[str, Any]) -> dict[str, Any]:
    """Write rotary positions in one form: versions of transformers have had two."""
    scaling = settings.get("rope_scaling")
    if "rope_theta" not in settings or "rope_parameters" in settings:
        return settings
    if scaling is not None and not isinstance(scaling, dict):
        return settings
    told = dict(scaling or {})
    kind = told.pop("type", None)
    told.setdefault("rope_type", kind or "default")
    rest = {k: v for k, v in settings.items() if k not in ("rope_theta", "rope_scaling")}
    return rest | {"rope_parameters": told | {"rope_theta": settings["rope_theta"]}}


# ---------------------------------------------------------------- weights
def _read_weights(files: ModelFiles, context: JobContext) -> str:
    """Return the digest of all weights, in an order that no cutting into files changes."""
    if files.gguf:
        return _file_digest(files.folder / files.gguf, context)
    found: dict[str, str] = {}
    for path in weight_files(files.folder):
        context.progress(0, 1, "models", f"Checking which model it is: {path.name}")
        read = _read_pickle if path.suffix == ".bin" else _read_safetensors
        found |= read(path, context)
    listed = "".join(f"{name} {told}\n" for name, told in sorted(found.items()))
    return hashlib.sha256(listed.encode()).hexdigest()


def _file_digest(path: Path, context: JobContext) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            context.check_cancelled()
            digest.update(chunk)
    return digest.hexdigest()


def _read_safetensors(path: Path, context: JobContext) -> dict[str, str]:
    """Return by name each tensor's type, shape and digest."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    header.pop("__metadata__", None)

    def digest_of(told: Mapping[str, Any]) -> str:
        context.check_cancelled()
        begin, end = told["data_offsets"]
        digest = hashlib.sha256()
        with path.open("rb") as file:
            file.seek(8 + size + begin)
            left = end - begin
            while left:
                chunk = file.read(min(_CHUNK, left))
                if not chunk:
                    raise UserError(
                        f"The weights file “{path}” is cut short.",
                        next_step="Copy or download it again.",
                    )
                digest.update(chunk)
                left -= len(chunk)
        shape = ",".join(map(str, told["shape"]))
        return f"{told['dtype']} {shape} {digest.hexdigest()}"

    with ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1)) as pool:
        return dict(zip(header, pool.map(digest_of, header.values()), strict=True))


_SAFETENSORS_NAMES = {
    "float32": "F32", "float16": "F16", "bfloat16": "BF16", "float64": "F64", "int64": "I64",
    "int32": "I32", "int16": "I16", "int8": "I8", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip


def _read_pickle(path: Path, context: JobContext) -> dict[str, str]:
    """Return the same of an older file of weights. No code of it is run."""
    import torch

    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
        for name, tensor in tensors.items():
            if isinstance(tensor, torch.Tensor):
                check_stored(str(name), tensor)
    except Exception as error:
        raise UserError(
            f"The weights file “{path}” is damaged or cut short.",
            next_step="Copy or download it again.",
        ) from error
    found = {}
    for name, tensor in tensors.items():
        context.check_cancelled()
        if not isinstance(tensor, torch.Tensor):
            continue
        kind = str(tensor.dtype).removeprefix("torch.")
        shape = ",".join(map(str, tensor.shape))
        data = tensor.contiguous().flatten().view(torch.uint8).numpy()
        digest = hashlib.sha256(data.data).hexdigest()
        found[str(name)] = f"{_SAFETENSORS_NAMES.get(kind, kind)} {shape} {digest}"
    return found


# ---------------------------------------------------------------- what is kept
def _place(files: ModelFiles) -> str:
    return str((files.folder / files.gguf if files.gguf else files.folder).resolve())


def _entry_of(files: ModelFiles) -> _Entry | None:
    place = _place(files)
    return next((e for e in _record().models if e.path == place and e.stamp == files.stamp), None)


def _record() -> _Record:
    """Return what is kept; a file that cannot be read keeps nothing."""
    try:
        return msgspec.json.decode(digests_path().read_bytes(), type=_Record)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return _Record()


def _keep(entry: _Entry) -> None:
    """Write an entry down; where that cannot be, weights are read again next time."""
    path = digests_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), timeout=_LOCK_SECONDS):
            others = [old for old in _record().models if old.path != entry.path]
            record = _Record(models=[*others, entry][-_MOST_KEPT:])
            write_bytes(path, msgspec.json.encode(record))
    except (OSError, Timeout, UserError):
        return


def identity_if_here(files: ModelFiles) -> Identity | None:
    """Return the identity of a model; None where its weights are not on this machine."""
    if not weights_there(files):
        return None
    try:
        return identity_of(files)
    except UserError:
        return None

"""Dictionaries on disk: the folder SAELens reads, `cfg.json` + `sae_weights.safetensors`.

What SAELens has no format for is kept alike: a crosscoder has one more file of the same kind,
TopK transcoders carry their k, one that reads rows twice the thresholds of its first reading, and a
cross-layer transcoder has two files per layer
(`cross_layer_files`). SAELens refuses those by their architecture's name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.dictionary.cross_layer_files import write_cross_layer
from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.earlier_imports import require_right_import
from sae_desktop.dictionary.formats import saelens
from sae_desktop.dictionary.formats.find import find_dictionaries, only_one, read_found
from sae_desktop.dictionary.formats.folder_view import read_config
from sae_desktop.dictionary.formats.saelens import CFG, CROSS_LAYER, CROSSCODER, REFINED, WEIGHTS
from sae_desktop.dictionary.formats.through_saelens import SAELensDictionary
from sae_desktop.dictionary.tensor_files import write_tensors
from sae_desktop.errors import UserError
from sae_desktop.file_kinds import WEIGHTS_ENDINGS
from sae_desktop.project import dictionary_name
from sae_desktop.storage.atomic import write_bytes

SAE_LENS_VERSION = "6.54.12"
"""The version whose format is written; without it SAELens takes its pre-6 reader."""


def save(dictionary: Dictionary, folder: Path, *, dtype: torch.dtype = torch.float32) -> None:
    """Write a dictionary; the weights first, so that a `cfg.json` always has its weights.

    What has thresholds (JumpReLU, BatchTopK, Matryoshka) becomes SAELens's `jumprelu`, TopK its
    `topk`, the rest `standard`; one trained as Gated its `gated`. What writes elsewhere than it
    reads becomes the transcoder of that kind. `dtype` is that of the weights in the file, which are
    read as float32 whatever it is. Raises UserError when the disk is full.
    """
    architecture = architecture_name(dictionary)
    told = {"sae_lens_version": SAE_LENS_VERSION, **dictionary.metadata}
    if isinstance(dictionary, SAELensDictionary):
        write_tensors(folder / WEIGHTS, dictionary.sae.state_dict(), dtype)
        _write_cfg(folder, {**dictionary.sae.cfg.to_dict(), "dtype": "float32", "metadata": told})
        return
    cfg: dict[str, Any] = {
        "architecture": architecture,
        "d_in": dictionary.width,
        "d_sae": dictionary.features,
        "dtype": str(dtype).removeprefix("torch."),
        "device": "cpu",
        "apply_b_dec_to_input": False,
        "normalize_activations": saelens.ROW_NORM_NAMES[dictionary.row_norm],
        "reshape_activations": "none",
    }
    if dictionary.k is not None:
        cfg |= {"k": dictionary.k, "rescale_acts_by_decoder_norm": False}
    if _is_transcoder(architecture) or architecture in (CROSSCODER, CROSS_LAYER):
        cfg["d_out"] = dictionary.out_width
    if dictionary.refinement is not None:
        cfg["lista_step"] = dictionary.refinement.step
        cfg["leave_one_out"] = dictionary.refinement.leave_one_out
    if dictionary.parts:
        cfg["parts"] = list(dictionary.parts)
    cfg["metadata"] = told
    if isinstance(dictionary, CrossLayerDictionary):
        write_cross_layer(dictionary, folder, dtype)
    else:
        write_tensors(folder / WEIGHTS, _tensors(dictionary, architecture), dtype)
    _write_cfg(folder, cfg)


def _write_cfg(folder: Path, cfg: dict[str, Any]) -> None:
    write_bytes(folder / CFG, msgspec.json.format(msgspec.json.encode(cfg), indent=2))


def load(source: str | Path, device: str | torch.device = "cpu") -> Dictionary:
    """Read a dictionary of any format: a folder, or one of the files of its weights.

    Decoder norms, scalars and subtracted biases are folded in, so whatever the source an
    activation means the same. Raises UserError that names the file and what is wrong with it:
    missing, damaged, of an architecture not known here, or with tensors that do not fit together;
    for a folder with several dictionaries, and for one of a project that an earlier version of
    this program imported wrongly.
    """
    path = Path(source)
    cfg = _read_cfg(path)
    if cfg is not None:
        read: Callable[[], Dictionary] = partial(saelens.read_folder, path, cfg)
    else:
        read = only_one(find_dictionaries(path), path).read
    dictionary = read_found(read, path)
    require_right_import(dictionary_name(path), dictionary)
    return dictionary.to(device)


def architecture_name(dictionary: Dictionary) -> str:
    """Return the architecture as which a dictionary is saved, by SAELens's names."""
    if isinstance(dictionary, SAELensDictionary):
        return dictionary.architecture
    if isinstance(dictionary, CrossLayerDictionary):
        return CROSS_LAYER
    if len(dictionary.parts) > 1:
        return CROSSCODER
    if dictionary.refinement is not None:
        return REFINED
    if dictionary.k is not None:
        kind = "groupmax" if dictionary.grouped else "topk"
    else:
        kind = "standard" if dictionary.threshold is None else "jumprelu"
    elsewhere = "hook_name_out" in dictionary.metadata
    if not (elsewhere or dictionary.W_skip is not None or dictionary.out_width != dictionary.width):
        gated = dictionary.metadata.get("training_architecture") == "gated"
        return "gated" if gated and kind == "jumprelu" else kind
    suffix = "transcoder" if dictionary.W_skip is None else "skip_transcoder"
    return suffix if kind == "standard" else f"{kind}_{suffix}"


def _is_transcoder(architecture: str) -> bool:
    return architecture.endswith("transcoder") and architecture != CROSS_LAYER


def _tensors(dictionary: Dictionary, architecture: str) -> dict[str, Tensor]:
    W_enc, b_enc, W_dec = dictionary.unfolded()
    tensors = {"W_enc": W_enc, "W_dec": W_dec, "b_dec": dictionary.b_dec}
    if architecture == "gated":
        assert dictionary.threshold is not None
        # A threshold on the magnitude is a gate of the same weights whose bias is lower by it.
        tensors["b_gate"] = dictionary.b_enc - dictionary.threshold.clamp_min(0)
        tensors["b_mag"] = dictionary.b_enc
        tensors["r_mag"] = torch.zeros_like(dictionary.b_enc)
        return tensors
    tensors["b_enc"] = b_enc
    if dictionary.threshold is not None:
        tensors["threshold"] = dictionary.threshold
    if dictionary.refinement is not None and dictionary.refinement.first_threshold is not None:
        tensors["first_threshold"] = dictionary.refinement.first_threshold
    if dictionary.W_skip is not None:
        tensors["W_skip"] = dictionary.W_skip.T
    return tensors


def _read_cfg(folder: Path) -> dict[str, Any] | None:
    """Return the config of a folder as `save` writes it; None for a file or another format.

    Raises UserError for a folder that holds nothing, and for a config that is not valid JSON.
    """
    cfg = read_config(folder, (CFG,))
    if saelens.is_config(cfg):
        return saelens.config_of(folder, cfg)
    if not cfg and not any(path.suffix in WEIGHTS_ENDINGS for path in [folder, *folder.rglob("*")]):
        raise UserError(
            f"“{folder}” does not contain a dictionary: there is no {CFG}.",
            next_step="Train it first, or choose the folder that contains cfg.json.",
        )
    return None

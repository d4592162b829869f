"""dictionary_learning: a state dict `ae.pt` beside `config.json`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.formats.folder_view import FolderView, Found
from sae_desktop.dictionary.formats.folding import folded
from sae_desktop.dictionary.formats.gates import gated
from sae_desktop.dictionary.formats.names import model_name, site_name
from sae_desktop.dictionary.formats.through_saelens import SAELensDictionary
from sae_desktop.dictionary.formats.weights_file import WeightsFile
from sae_desktop.errors import UserError
from sae_desktop.storage.atomic import replacing, write_bytes

NAME = "dictionary_learning"
WEIGHTS = "ae.pt"
CFG = "config.json"

_KEYS: dict[str, tuple[str, ...]] = {
    "GatedAutoEncoder": ("decoder_bias", "r_mag", "gate_bias", "mag_bias", "encoder.weight"),
    "MatryoshkaBatchTopKSAE": ("W_enc", "W_dec", "b_enc", "b_dec", "k", "group_sizes"),
    "BatchTopKSAE": ("b_dec", "k", "threshold", "encoder.weight", "encoder.bias", "decoder.weight"),
    "AutoEncoder": ("bias", "encoder.weight", "encoder.bias", "decoder.weight"),
    "AutoEncoderNew": ("encoder.weight", "encoder.bias", "decoder.weight", "decoder.bias"),
}
"""Classes by what their files hold; AutoEncoderTopK has the keys of BatchTopKSAE."""
_TOP_K = "AutoEncoderTopK"
_SAME_KEYS = {"BatchTopKSAE", _TOP_K}


def find(view: FolderView) -> list[Found]:
    """Return the dictionaries of a folder that are dictionary_learning's."""
    found = [(file, _class_of(view, file)) for file in view.weights]
    return [_found(view, file, name) for file, name in found if name]


def _class_of(view: FolderView, file: WeightsFile) -> str:
    told = str(_trainer(view).get("dict_class", ""))
    if told == "JumpReluAutoEncoder" and file.has("W_enc", "W_dec", "b_enc", "b_dec", "threshold"):
        return told
    for name, keys in _KEYS.items():
        if file.has(*keys):
            return told if name in _SAME_KEYS and told in _SAME_KEYS else name
    return ""


def _trainer(view: FolderView) -> dict[str, Any]:
    trainer = view.config(CFG).get("trainer", {})
    return trainer if isinstance(trainer, dict) else {}


def _found(view: FolderView, file: WeightsFile, name: str) -> Found:
    trainer = _trainer(view)
    if "W_enc" in file.shapes:
        width, features = file.shapes["W_enc"]
    else:
        features, width = file.shapes["encoder.weight"]
    layer = trainer.get("layer")
    site = site_name(str(trainer.get("submodule_name") or ""))
    notes = []
    if not trainer and name in _SAME_KEYS:
        notes.append(
            "There is no config.json to tell TopK from BatchTopK: read as BatchTopK, by threshold."
        )
    if not site and isinstance(layer, int):
        site = site_name(f"blocks.{layer}.hook_resid_post")
        notes.append(f"The module is not named: taken as the residual stream after layer {layer}.")
    return Found(
        format=NAME, path=file.path, architecture=name, width=width, features=features,
        read=partial(_read, file, name), model=model_name(str(trainer.get("lm_name") or "")),
        site=site, notes=tuple(notes),
    )  # fmt: skip


def _read(file: WeightsFile, name: str) -> Dictionary:
    tensors = file.tensors()
    k = int(tensors["k"]) if "k" in tensors else None
    match name:
        case "GatedAutoEncoder":
            return gated(
                tensors["encoder.weight"].T, tensors["gate_bias"], tensors["mag_bias"],
                tensors["r_mag"], tensors["decoder.weight"].T, tensors["decoder_bias"],
                subtracts_b_dec=True,
            )  # fmt: skip
        case "AutoEncoder":
            return folded(*_linear(tensors), tensors["bias"], subtracts_b_dec=True)
        case "AutoEncoderNew":
            return folded(*_linear(tensors), tensors["decoder.bias"])
        case "AutoEncoderTopK":
            return folded(*_linear(tensors), tensors["b_dec"], k=k, subtracts_b_dec=True)
        case "BatchTopKSAE":
            threshold = _everywhere(tensors["threshold"], tensors["encoder.bias"])
            return folded(
                *_linear(tensors), tensors["b_dec"], threshold=threshold, subtracts_b_dec=True
            )
        case _:
            own = (tensors[key] for key in ("W_enc", "b_enc", "W_dec", "b_dec"))
            threshold = _everywhere(tensors["threshold"], tensors["b_enc"])
            nested = name == "MatryoshkaBatchTopKSAE"
            return folded(*own, threshold=threshold, subtracts_b_dec=nested)


def _linear(tensors: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    return tensors["encoder.weight"].T, tensors["encoder.bias"], tensors["decoder.weight"].T


def _everywhere(threshold: Tensor, like: Tensor) -> Tensor:
    """Return the threshold of each feature; −1, before training has set it, is none."""
    return threshold.float().clamp_min(0).expand(like.shape).clone()


# ---------------------------------------------------------------- writing
def write(dictionary: Dictionary, folder: Path) -> None:
    """Write what dictionary_learning reads: a TopK, JumpReLU, or plain autoencoder.

    Raises UserError for what it has no class for.
    """
    if isinstance(dictionary, SAELensDictionary):
        raise UserError(
            f"dictionary_learning has no “{dictionary.architecture}”.",
            next_step="Export it for SAELens.",
        )
    own_site = dictionary.out_width == dictionary.width and dictionary.W_skip is None
    if not own_site or dictionary.parts or dictionary.row_norm != "none" or dictionary.grouped:
        raise UserError(
            "dictionary_learning has dictionaries of one site only: no transcoders, crosscoders, "
            "norms of rows or groups.",
            next_step="Export it for SAELens.",
        )
    W_enc, b_enc, W_dec = dictionary.unfolded()
    if dictionary.k is not None:
        name = _TOP_K
        tensors = {
            "k": torch.tensor(dictionary.k, dtype=torch.int),
            "threshold": torch.tensor(-1.0),
            "decoder.weight": W_dec.T,
            "encoder.weight": W_enc.T,
            "encoder.bias": b_enc + dictionary.b_dec @ W_enc,
            "b_dec": dictionary.b_dec,
        }
    elif dictionary.threshold is not None:
        name = "JumpReluAutoEncoder"
        tensors = {
            "W_enc": W_enc, "b_enc": b_enc, "W_dec": W_dec, "b_dec": dictionary.b_dec,
            "threshold": dictionary.threshold.clamp_min(0),
        }  # fmt: skip
    else:
        name = "AutoEncoder"
        tensors = {
            "bias": dictionary.b_dec,
            "encoder.weight": W_enc.T,
            "encoder.bias": b_enc + dictionary.b_dec @ W_enc,
            "decoder.weight": W_dec.T,
        }
    metadata = dictionary.metadata
    trainer = {
        "dict_class": name,
        "activation_dim": dictionary.width,
        "dict_size": dictionary.features,
        "k": dictionary.k,
        "lm_name": metadata.get("model_name", ""),
        "submodule_name": metadata.get("hook_name", ""),
    }
    config = {"trainer": trainer, "buffer": {"ctx_len": metadata.get("context_size")}}
    with replacing(folder / WEIGHTS) as part:
        torch.save({key: value.cpu().contiguous() for key, value in tensors.items()}, part)
    write_bytes(folder / CFG, msgspec.json.format(msgspec.json.encode(config), indent=2))

"""A set as circuit-tracer reads it: `config.yaml`, and a file of tensors or two for each layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from torch import Tensor

from sae_desktop.dictionary.cross_layer_files import write_cross_layer
from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.formats.circuit_tracer import NAME
from sae_desktop.dictionary.set_info import SetInfo
from sae_desktop.dictionary.sets import DictionarySet
from sae_desktop.dictionary.tensor_files import write_tensors
from sae_desktop.errors import UserError
from sae_desktop.storage.atomic import write_bytes

_CONFIG = "config.yaml"


def write_set(opened: DictionarySet, folder: Path, model: str) -> None:
    """Write the files of a set; `model` is its model's name for other people.

    Raises UserError for what circuit-tracer has no form for, and when the disk is full.
    """
    info = opened.info
    _require_layers_from_first(info)
    config: dict[str, Any] = {
        "model_name": model,
        "model_kind": "transcoder_set",
        "feature_input_hook": _hook(info.members[0].reads),
        "feature_output_hook": _hook(info.members[0].writes),
        "scan": info.name,
    }
    across = opened.cross_layer
    if across is not None:
        config["model_kind"] = "cross_layer_transcoder"
        write_cross_layer(across, folder)
    else:
        names = []
        for layer in opened.layers:
            one = opened.dictionary(layer)
            config |= _activation(one, layer)
            names.append(f"layer_{layer}.safetensors")
            write_tensors(folder / names[-1], _tensors(one))
        config["transcoders"] = names
    write_bytes(folder / _CONFIG, yaml.safe_dump(config, sort_keys=False).encode())


def _require_layers_from_first(info: SetInfo) -> None:
    if list(info.layers) != list(range(len(info.layers))):
        raise UserError(
            f"{NAME} reads sets of all layers from the first one on; “{info.name}” has the layers "
            f"{', '.join(map(str, info.layers))}.",
            kept="Nothing was written.",
            next_step="Export it for SAELens, which reads each layer by itself.",
        )


def _activation(one: Dictionary, layer: int) -> dict[str, Any]:
    if one.row_norm != "none" or one.grouped or one.rank is not None:
        raise UserError(
            f"{NAME} has no form for how layer {layer} chooses its features or normalises rows.",
            kept="Nothing was written.",
            next_step="Export it for SAELens.",
        )
    return {} if one.k is None else {"activation": "topk", "k": one.k}


def _tensors(one: Dictionary) -> dict[str, Tensor]:
    tensors = {"W_enc": one.W_enc.T, "W_dec": one.W_dec, "b_enc": one.b_enc, "b_dec": one.b_dec}
    if one.threshold is not None:
        tensors["activation_function.threshold"] = one.threshold
    if one.W_skip is not None:
        tensors["W_skip"] = one.W_skip.T
    return tensors


def _hook(site: str) -> str:
    """Return what a site is called within its layer: “mlp.hook_in”."""
    return site.split(".", 2)[2]

"""circuit-tracer: sets of transcoders, one a layer, and cross-layer transcoders."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import torch

from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.formats.folder_view import FolderView, Found
from sae_desktop.dictionary.formats.folding import folded
from sae_desktop.dictionary.formats.names import model_name, site_at
from sae_desktop.dictionary.formats.weights_file import WeightsFile
from sae_desktop.errors import UserError

NAME = "circuit-tracer"
_CONFIGS = ("config.yaml", "config.yml")
_LAYER = re.compile(r"layer_(\d+)\.safetensors$")
_CROSS = re.compile(r"W_enc_(\d+)\.safetensors$")


def find(view: FolderView) -> list[Found]:
    """Return a folder's transcoders by layer, or its cross-layer transcoder."""
    cfg = view.config(*_CONFIGS)
    crossing = [file for file in view.weights if _CROSS.search(file.path.name)]
    if crossing and cfg.get("model_kind", "cross_layer_transcoder") == "cross_layer_transcoder":
        return _cross_layer(view, cfg, crossing)
    found = []
    for file in view.weights:
        layer = _LAYER.search(file.path.name)
        if layer and file.has("W_enc", "W_dec", "b_enc", "b_dec"):
            found.append(_layer(file, cfg, int(layer[1])))
    return found


def _layer(file: WeightsFile, cfg: dict[str, Any], layer: int) -> Found:
    features, width = file.shapes["W_enc"]
    skip = "skip " if "W_skip" in file.shapes else ""
    return Found(
        format=NAME, path=file.path, architecture=f"{skip}transcoder", width=width,
        features=features, read=partial(_read_layer, file),
        model=model_name(str(cfg.get("model_name") or "")),
        site=site_at(layer, str(cfg.get("feature_input_hook") or "mlp.hook_in")),
        site_out=site_at(layer, str(cfg.get("feature_output_hook") or "hook_mlp_out")),
        notes=() if cfg else ("There is no config.yaml: the MLP's input and output are assumed.",),
    )  # fmt: skip


def _read_layer(file: WeightsFile) -> Dictionary:
    tensors = file.tensors()
    threshold = tensors.get("activation_function.threshold", tensors.get("threshold"))
    if threshold is not None:
        threshold = threshold.float().expand(tensors["b_enc"].shape).clone()
    skip = tensors.get("W_skip")
    return folded(
        tensors["W_enc"].T, tensors["b_enc"], tensors["W_dec"], tensors["b_dec"],
        threshold=threshold, W_skip=None if skip is None else skip.T,
    )  # fmt: skip


def _cross_layer(view: FolderView, cfg: dict[str, Any], files: list[WeightsFile]) -> list[Found]:
    layers = len(files)
    features, width = files[0].shapes.get(f"W_enc_{_number(files[0])}", (0, 0))
    hooks = [str(cfg.get(key) or hook) for key, hook in (
        ("feature_input_hook", "hook_resid_mid"), ("feature_output_hook", "hook_mlp_out"),
    )]  # fmt: skip
    sites = [[site_at(layer, hook) for layer in range(layers)] for hook in hooks]
    return [
        Found(
            format=NAME, path=view.path, architecture="cross_layer_transcoder",
            width=width * layers, features=features * layers,
            read=partial(_read_cross_layer, view, layers),
            model=model_name(str(cfg.get("model_name") or "")),
            site=" + ".join(sites[0]) if all(sites[0]) else "",
            site_out=" + ".join(sites[1]) if all(sites[1]) else "",
        )
    ]  # fmt: skip


def _number(file: WeightsFile) -> int:
    found = _CROSS.search(file.path.name)
    assert found is not None
    return int(found[1])


def _read_cross_layer(view: FolderView, layers: int) -> Dictionary:
    blocks, b_dec = [], []
    for i in range(layers):
        encoder, decoder = (view.with_name(f"W_{part}_{i}.safetensors") for part in ("enc", "dec"))
        if encoder is None or decoder is None:
            raise UserError(
                f"The files of layer {i} are missing in “{view.path}”.",
                next_step="Download the set again.",
            )
        tensors, written = encoder.tensors(), decoder.tensors()
        W_dec = written[f"W_dec_{i}"].float()
        threshold = tensors.get(f"threshold_{i}")
        blocks.append(
            folded(
                tensors[f"W_enc_{i}"].T, tensors[f"b_enc_{i}"], W_dec.flatten(1),
                torch.zeros(W_dec[0].numel()),
                threshold=None if threshold is None else threshold.flatten(),
            )
        )  # fmt: skip
        b_dec.append(tensors[f"b_dec_{i}"].float())
    return CrossLayerDictionary(blocks, torch.cat(b_dec))

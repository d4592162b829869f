"""circuit-tracer: sets of transcoders, one per layer, and cross-layer transcoders."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import torch
from torch import Tensor

from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.formats.fields import (
    FieldTable,
    Told,
    converted,
    honoured,
    no_effects,
    one_of,
    refused,
)
from sae_desktop.dictionary.formats.folder_view import FolderView, Found
from sae_desktop.dictionary.formats.folding import folded
from sae_desktop.dictionary.formats.names import model_name, site_at
from sae_desktop.dictionary.formats.weights_file import WeightsFile
from sae_desktop.errors import UserError

NAME = "circuit-tracer"
_CONFIGS = ("config.yaml", "config.yml")
_ACTIVATIONS = ("relu", "jump_relu", "jumprelu", "topk")
_SKIP_ACROSS = "A skip connection across layers cannot be read here."
TABLES = (
    FieldTable(
        NAME, "config.yaml",
        {
            "model_name": converted("The model’s name."),
            "model_kind": honoured(
                "Transcoders of single layers, or one across layers.",
                refuses=one_of("transcoder_set", "cross_layer_transcoder"),
            ),
            "feature_input_hook": converted("The site that is read, in each layer."),
            "feature_output_hook": converted("The site that is written, in each layer."),
            "activation": honoured(
                "relu, jump_relu or topk; with topk, negative values among the k largest count "
                "as 0.",
                refuses=one_of(*_ACTIVATIONS),
            ),
            "k": honoured("How many features of a topk dictionary fire at once."),
            **no_effects(
                "Where the files are, or how they are displayed.",
                "scan transcoders repo_id revision subfolder",
            ),
        },
    ),
    FieldTable(
        NAME, "layer_N.safetensors (tensors)",
        {
            "W_enc": converted("The encoder, transposed."),
            "W_dec": honoured("The decoder; the lengths of its rows are folded in."),
            "b_enc": honoured("Added before activation."),
            "b_dec": honoured("Added to the output; not subtracted from the input."),
            "activation_function.threshold": honoured("The threshold of a jump_relu dictionary."),
            "threshold": honoured("The threshold of a jump_relu dictionary."),
            "k": honoured("How many features of a topk dictionary fire at once."),
            "activation_function.k": honoured("How many features of a topk dictionary fire at "
                "once."),
            "log_thresholds": refused(
                "circuit-tracer does not read logarithms of thresholds either.", lambda value: True
            ),
            "W_skip": converted("The skip connection, transposed."),
        },
    ),
    FieldTable(
        NAME, "W_enc_N and W_dec_N.safetensors (tensors)",
        {
            "W_enc_N": converted("The encoder, transposed."),
            "W_dec_N": converted("The output to this layer and to each later one."),
            "b_enc_N": honoured("Added before activation."),
            "b_dec_N": honoured("Added to the output."),
            "threshold_N": honoured("The threshold of a jump_relu dictionary."),
            "W_skip_N": refused(_SKIP_ACROSS, lambda value: True),
            "W_skip": refused(_SKIP_ACROSS, lambda value: True),
        },
    ),
)  # fmt: skip
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
    topk = "topk " if _is_topk(file, cfg) else ""
    return Found(
        format=NAME, path=file.path, architecture=f"{topk}{skip}transcoder", width=width,
        features=features, read=partial(_read_layer, file, cfg),
        model=model_name(str(cfg.get("model_name") or "")),
        site=site_at(layer, str(cfg.get("feature_input_hook") or "mlp.hook_in")),
        site_out=site_at(layer, str(cfg.get("feature_output_hook") or "hook_mlp_out")),
        notes=() if cfg else ("There is no config.yaml: the MLP's input and output are assumed.",),
        told=(Told(TABLES[0], cfg), Told(TABLES[1], file.entries)),
    )  # fmt: skip


_K = ("k", "activation_function.k")


def _is_topk(file: WeightsFile, cfg: dict[str, Any]) -> bool:
    return cfg.get("activation") == "topk" or any(name in file.entries for name in _K)


def _read_layer(file: WeightsFile, cfg: dict[str, Any]) -> Dictionary:
    tensors = file.tensors()
    threshold = tensors.get("activation_function.threshold", tensors.get("threshold"))
    if threshold is not None:
        threshold = threshold.float().expand(tensors["b_enc"].shape).clone()
    skip = tensors.get("W_skip")
    return folded(
        tensors["W_enc"].T, tensors["b_enc"], tensors["W_dec"], tensors["b_dec"],
        threshold=threshold, k=_k(file, cfg, tensors) if _is_topk(file, cfg) else None,
        W_skip=None if skip is None else skip.T,
    )  # fmt: skip


def _k(file: WeightsFile, cfg: dict[str, Any], tensors: dict[str, Tensor]) -> int:
    """Return how many features fire at once. Raises UserError where it is not said, or twice."""
    stored = [int(tensors[name]) for name in _K if name in tensors]
    stored += [int(file.values[name]) for name in _K if name in file.values]
    found = {*stored, *([int(cfg["k"])] if cfg.get("k") is not None else [])}
    if len(found) != 1 or min(found) < 1:
        said = " and ".join(map(str, sorted(found))) if found else "no number"
        raise UserError(
            f"How many features of “{file.path}” fire at once (k) is not clear: there is {said}.",
            next_step="Put the right k into config.yaml in the same folder.",
        )
    return found.pop()


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
            told=(
                Told(TABLES[0], cfg),
                *(Told(TABLES[2], _by_kind(file)) for file in view.weights),
            ),
        )
    ]  # fmt: skip


def _by_kind(file: WeightsFile) -> dict[str, Any]:
    """Return what a file holds, by names without the number of its layer."""
    return {re.sub(r"_\d+$", "_N", name): value for name, value in file.entries.items()}


def _number(file: WeightsFile) -> int:
    found = _CROSS.search(file.path.name)
    assert found is not None
    return int(found[1])


def _refuse_topk(view: FolderView) -> None:
    if view.config(*_CONFIGS).get("activation") == "topk":
        raise UserError(
            f"“{view.path}” uses “topk” across layers, which cannot be read here.",
            next_step="Those with relu or jump_relu can be opened.",
        )


def _read_cross_layer(view: FolderView, layers: int) -> Dictionary:
    _refuse_topk(view)
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

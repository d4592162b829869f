"""Llama Scope and Llamascopium (OpenMOSS): rows scaled by their average length in training."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor

from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.formats.folder_view import FolderView, Found
from sae_desktop.dictionary.formats.folding import folded
from sae_desktop.dictionary.formats.names import model_name, site_name
from sae_desktop.dictionary.formats.weights_file import WeightsFile
from sae_desktop.errors import UserError

_NORM = "dataset_average_activation_norm"
_LOG_THRESHOLDS = ("activation_function.log_jumprelu_threshold", "log_jumprelu_threshold")
_LLAMA = "meta-llama/Llama-3.1-8B"
_LINEAR = ("encoder.weight", "encoder.bias", "decoder.weight", "decoder.bias")
_MATRICES = ("W_E", "b_E", "W_D", "b_D")


def find(view: FolderView) -> list[Found]:
    """Return the dictionaries of a folder that are theirs."""
    found = []
    hyperparams = view.config_above("hyperparams.json")
    cfg = view.config("config.json")
    for file in view.weights:
        if file.has(*_MATRICES):
            found.append(_found("Llamascopium", file, cfg, _read_llamascopium))
        elif file.has(*_LINEAR) and _NORM in hyperparams:
            found.append(_found("Llama Scope", file, hyperparams, _read_llama_scope, _LLAMA))
        elif file.has(*_LINEAR, _LOG_THRESHOLDS[1]):
            found.append(_found("Llama Scope", file, cfg, _read_llama_scope, _LLAMA))
    return found


def _found(name: str, file: WeightsFile, cfg: dict[str, Any], read: Any, model: str = "") -> Found:
    if "W_E" in file.shapes:
        width, features = file.shapes["W_E"]
    else:
        features, width = file.shapes["encoder.weight"]
    site_in = site_name(str(cfg.get("hook_point_in") or ""))
    site_out = site_name(str(cfg.get("hook_point_out") or ""))
    return Found(
        format=name, path=file.path, architecture=str(cfg.get("act_fn") or "jumprelu"),
        width=width, features=features, read=partial(read, file, cfg),
        model=model_name(str(cfg.get("model_name") or model)), site=site_in,
        site_out=site_out if site_out != site_in else "",
    )  # fmt: skip


def _read_llama_scope(file: WeightsFile, cfg: dict[str, Any]) -> Dictionary:
    tensors = file.tensors()
    W_enc, W_dec = tensors["encoder.weight"].T, tensors["decoder.weight"].T
    b_enc = tensors["encoder.bias"]
    scalar = _scalar(file, cfg.get(_NORM), W_enc.shape[0])
    threshold = _log_threshold(tensors)
    if threshold is None:  # one for all features, in the units of raw rows
        told = float(cfg["jump_relu_threshold"]) * scalar
        threshold = b_enc.float().new_full(b_enc.shape, told)
    found = folded(W_enc, b_enc, W_dec, tensors["decoder.bias"], threshold=threshold)
    return found.scaled(scalar)


def _read_llamascopium(file: WeightsFile, cfg: dict[str, Any]) -> Dictionary:
    activation = str(cfg.get("act_fn", "relu")).lower()
    if activation not in ("relu", "jumprelu", "topk") or cfg.get("use_glu_encoder"):
        kind = "a gated linear unit" if cfg.get("use_glu_encoder") else f"“{activation}”"
        raise UserError(
            f"“{file.path}” activates by {kind}, which cannot be opened.",
            next_step="Those of relu, jumprelu and topk can; one by batchtopk can be converted to "
            "jumprelu where it was made.",
        )
    tensors = file.tensors()
    W_enc, b_enc, W_dec, b_dec = (tensors[name] for name in _MATRICES)
    after_norms = bool(cfg.get("sparsity_include_decoder_norm", True))
    k = int(cfg.get("top_k", 50)) if activation == "topk" else None
    threshold = _log_threshold(tensors) if activation == "jumprelu" else None
    if threshold is not None and after_norms:
        threshold = threshold / W_dec.float().norm(dim=1)  # folding multiplies by them
    norm = str(cfg.get("norm_activation", "dataset-wise"))
    if norm == "batch-wise":
        raise UserError(
            f"“{file.path}” scales rows by the others of their batch: it has no fixed activations.",
            next_step="Fold the norms in where it was made (fold_activation_scale).",
        )
    found = folded(
        W_enc, b_enc, W_dec, b_dec, threshold=threshold, k=k, ranked_by_norm=after_norms,
        row_norm="constant" if norm == "token-wise" else "none",
    )  # fmt: skip
    if norm != "dataset-wise":
        return found
    norms = {
        name.removeprefix(f"{_NORM}."): float(value)
        for name, value in tensors.items()
        if name.startswith(_NORM)
    } or cfg.get(_NORM)
    hooks = [str(cfg.get(key) or "") for key in ("hook_point_in", "hook_point_out")]
    if isinstance(norms, dict) and len({norms.get(hook) for hook in hooks if hook}) > 1:
        raise UserError(
            f"“{file.path}” reads and writes rows of different lengths that were not folded in.",
            next_step="Fold the norms in where it was made (fold_activation_scale).",
        )
    told = norms.get(hooks[0], norms.get("in")) if isinstance(norms, dict) else norms
    return found.scaled(_scalar(file, told, found.width))


def _log_threshold(tensors: dict[str, Tensor]) -> Tensor | None:
    found = next((tensors[name] for name in _LOG_THRESHOLDS if name in tensors), None)
    return None if found is None else found.float().exp()


def _scalar(file: WeightsFile, norm: object, width: int) -> float:
    """Return what rows were multiplied by: √D over their average length."""
    value = norm.get("in") if isinstance(norm, dict) else norm
    if not isinstance(value, int | float) or not value > 0:
        raise UserError(
            f"How long the rows are on which “{file.path}” was trained is not said ({_NORM}).",
            next_step="Put the config it came with beside it.",
        )
    return float(width**0.5) / float(value)

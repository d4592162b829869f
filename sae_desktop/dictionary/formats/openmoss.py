"""Llama Scope and Llamascopium (OpenMOSS): rows scaled by their average length in training."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor

from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.formats.fields import (
    FieldTable,
    Told,
    converted,
    honoured,
    no_effect,
    no_effects,
    one_of,
    refused,
)
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

_NORMS = ("dataset-wise", "token-wise", "inference", "none")
_COMMON = {
    "hook_point_in": converted("The site that is read."),
    "hook_point_out": converted("The site that is written."),
    "model_name": converted("The model’s name."),
    "sparsity_include_decoder_norm": honoured(
        "Whether features are chosen by the size of their output, or by their activation alone."
    ),
    "norm_activation": honoured(
        "dataset-wise (by one number), token-wise (each row to the same length), inference or "
        "none.",
        refuses=one_of(*_NORMS),
    ),
    "use_glu_encoder": refused("Encoders that are gated linear units cannot be read here."),
    "use_decoder_bias": honoured("Without one, none is added."),
    "sae_type": honoured("sae; other kinds cannot be read here.", refuses=one_of("sae")),
    "apply_decoder_bias_to_pre_encoder": honoured("Whether the bias is subtracted from the input."),
    "skip_bos": no_effect("Which tokens were trained on."),
    **no_effects("Known from the tensors’ shapes.", "d_model d_sae expansion_factor"),
    **no_effects(
        "How it was trained, stored or computed.",
        "sae_pretrained_name_or_path strict_loading use_triton_kernel device dtype seed lp "
        "sparsity_threshold_for_triton_spmm_kernel sparsity_threshold_for_csr l1_coefficient "
        "l1_coefficient_warmup_steps jumprelu_threshold_window promote_act_fn_dtype "
        "force_unit_decoder_norm use_ghost_grads decoder_exactly_unit_norm "
        "decoder_exactly_fixed_norm decoder_bias_init_method init_decoder_norm init_encoder_norm "
        "init_encoder_with_decoder_transpose remove_gradient_parallel_to_decoder_directions "
        "tp_size ddp_size",
    ),
}
_ACTIVATIONS = ("relu", "jumprelu", "topk")
TABLES = (
    FieldTable(
        "Llama Scope", "hyperparams.json",
        {
            **_COMMON,
            "act_fn": honoured("jumprelu.", refuses=one_of("jumprelu")),
            "jump_relu_threshold": honoured("One threshold for all features."),
            _NORM: honoured(
                "Rows were multiplied by √width divided by “in”; “out” must be the same number."
            ),
            "top_k": no_effect("Used by another activation function."),
        },
    ),
    FieldTable(
        "Llama Scope", "final.safetensors (tensors)",
        {
            "encoder.weight": converted("The encoder, transposed."),
            "decoder.weight": converted("The decoder, transposed."),
            "encoder.bias": honoured("Added before the threshold."),
            "decoder.bias": honoured("Added to the output."),
            "log_jumprelu_threshold": converted("The logarithm of each feature’s threshold."),
            "activation_function.log_jumprelu_threshold": converted(
                "The logarithm of each feature’s threshold."
            ),
        },
    ),
    FieldTable(
        "Llamascopium", "config.json",
        {
            **_COMMON,
            "act_fn": honoured("relu, jumprelu or topk.", refuses=one_of(*_ACTIVATIONS)),
            "top_k": honoured("How many features of a topk dictionary fire at once."),
            "jump_relu_threshold": no_effect("The thresholds are among the tensors."),
            _NORM: honoured("Rows were multiplied by √width divided by the site’s value."),
        },
    ),
    FieldTable(
        "Llamascopium", "sae_weights.safetensors (tensors)",
        {
            "W_E": honoured("The encoder."),
            "W_D": honoured("The decoder; the lengths of its rows are folded in."),
            "b_E": honoured("Added before activation."),
            "b_D": honoured("Added to the output."),
            "log_jumprelu_threshold": converted("The logarithm of each feature’s threshold."),
            "activation_function.log_jumprelu_threshold": converted(
                "The logarithm of each feature’s threshold."
            ),
            f"{_NORM}.HOOK": honoured("Rows of that hook were multiplied by √width divided by it."),
        },
    ),
)  # fmt: skip


def find(view: FolderView) -> list[Found]:
    """Return the dictionaries of a folder that are theirs."""
    found = []
    hyperparams = view.config_above("hyperparams.json")
    cfg = view.config("config.json")
    for file in view.weights:
        if file.has(*_MATRICES[:3]):
            found.append(_found("Llamascopium", file, cfg, _read_llamascopium))
        elif file.has(*_LINEAR[:3]) and _NORM in hyperparams:
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
        told=_told(name, file, cfg),
    )  # fmt: skip


def _told(name: str, file: WeightsFile, cfg: dict[str, Any]) -> tuple[Told, ...]:
    config, tensors = (table for table in TABLES if table.format == name)
    entries = {
        f"{_NORM}.HOOK" if entry.startswith(f"{_NORM}.") else entry: value
        for entry, value in file.entries.items()
    }
    return Told(config, cfg), Told(tensors, entries)


def _read_llama_scope(file: WeightsFile, cfg: dict[str, Any]) -> Dictionary:
    tensors = file.tensors()
    W_enc, W_dec = tensors["encoder.weight"].T, tensors["decoder.weight"].T
    b_enc = tensors["encoder.bias"]
    kind = str(cfg.get("norm_activation", "dataset-wise"))
    scalar = 1.0
    if kind == "dataset-wise":
        _require_one_length(file, cfg.get(_NORM), [])
        scalar = _scalar(file, cfg.get(_NORM), W_enc.shape[0])
    threshold = _log_threshold(tensors)
    if threshold is None:  # one for all features, in the units of raw rows
        told = float(cfg["jump_relu_threshold"]) * scalar
        threshold = b_enc.float().new_full(b_enc.shape, told)
    if cfg.get("sparsity_include_decoder_norm"):
        threshold = threshold / W_dec.float().norm(dim=1)  # folding multiplies by them
    found = folded(
        W_enc, b_enc, W_dec, _b_dec(tensors, "decoder.bias", W_dec, cfg), threshold=threshold,
        subtracts_b_dec=bool(cfg.get("apply_decoder_bias_to_pre_encoder", False)),
        row_norm="constant" if kind == "token-wise" else "none",
    )  # fmt: skip
    return found if scalar == 1.0 else found.scaled(scalar)


def _read_llamascopium(file: WeightsFile, cfg: dict[str, Any]) -> Dictionary:
    activation = str(cfg.get("act_fn", "relu"))
    tensors = file.tensors()
    W_enc, b_enc, W_dec = (tensors[name] for name in _MATRICES[:3])
    b_dec = _b_dec(tensors, _MATRICES[3], W_dec, cfg)
    after_norms = bool(cfg.get("sparsity_include_decoder_norm", True))
    k = int(cfg.get("top_k", 50)) if activation == "topk" else None
    threshold = _log_threshold(tensors) if activation == "jumprelu" else None
    if threshold is not None and after_norms:
        threshold = threshold / W_dec.float().norm(dim=1)  # folding multiplies by them
    norm = str(cfg.get("norm_activation", "dataset-wise"))
    found = folded(
        W_enc, b_enc, W_dec, b_dec, threshold=threshold, k=k, ranked_by_norm=after_norms,
        subtracts_b_dec=bool(cfg.get("apply_decoder_bias_to_pre_encoder", False)),
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
    _require_one_length(file, norms, [hook for hook in hooks if hook])
    told = norms.get(hooks[0], norms.get("in")) if isinstance(norms, dict) else norms
    return found.scaled(_scalar(file, told, found.width))


def _b_dec(tensors: dict[str, Tensor], name: str, W_dec: Tensor, cfg: dict[str, Any]) -> Tensor:
    """Return the bias of what is written (D,). Raises KeyError where it should be there."""
    if cfg.get("use_decoder_bias", True):
        return tensors[name]
    return W_dec.new_zeros(W_dec.shape[1])


def _require_one_length(file: WeightsFile, norms: object, hooks: list[str]) -> None:
    """Raise UserError where rows read and rows written were scaled by different numbers."""
    if not isinstance(norms, dict):
        return
    names = hooks or ["in", "out"]
    if len({norms[name] for name in names if name in norms}) > 1:
        raise UserError(
            f"“{file.path}” reads and writes rows of different norms that were not folded in.",
            next_step="Fold the norms in with the library that made it (fold_activation_scale).",
        )


def _log_threshold(tensors: dict[str, Tensor]) -> Tensor | None:
    found = next((tensors[name] for name in _LOG_THRESHOLDS if name in tensors), None)
    return None if found is None else found.float().exp()


def _scalar(file: WeightsFile, norm: object, width: int) -> float:
    """Return what rows were multiplied by: √D over their average length."""
    value = norm.get("in") if isinstance(norm, dict) else norm
    if not isinstance(value, int | float) or not value > 0:
        raise UserError(
            f"“{file.path}” does not give the norm of the rows it was trained on ({_NORM}).",
            next_step="Put the config it came with into the same folder.",
        )
    return float(width**0.5) / float(value)

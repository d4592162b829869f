"""SAELens: `cfg.json` and `sae_weights.safetensors`, of version 6 and before, and our own kinds.

What SAELens has no format for is kept alike: a crosscoder, TopK transcoders, groups, what reads
rows twice, and a cross-layer transcoder with two files per layer (`cross_layer_files`).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sae_desktop.dictionary.cross_layer_files import read_cross_layer
from sae_desktop.dictionary.dictionary import Dictionary, RowNorm
from sae_desktop.dictionary.formats.fields import Told
from sae_desktop.dictionary.formats.folder_view import FolderView, Found
from sae_desktop.dictionary.formats.folding import folded
from sae_desktop.dictionary.formats.gates import gated
from sae_desktop.dictionary.formats.names import centred_site, model_name, site_name
from sae_desktop.dictionary.formats.saelens_fields import CONFIG, CONFIG_BEFORE, NAME, TENSORS
from sae_desktop.dictionary.formats.saelens_overrides import overridden
from sae_desktop.dictionary.formats.through_saelens import read_through_saelens
from sae_desktop.dictionary.formats.weights_file import WeightsFile, look_into
from sae_desktop.dictionary.refinement import Refinement
from sae_desktop.errors import UserError

TABLES = (CONFIG, CONFIG_BEFORE, TENSORS)
CFG = "cfg.json"
WEIGHTS = "sae_weights.safetensors"
CROSS_LAYER = "cross_layer_transcoder"
CROSSCODER = "crosscoder"
REFINED = "refined_jumprelu"

_WITH_THRESHOLD = {"jumprelu", "jumprelu_transcoder", "jumprelu_skip_transcoder", REFINED}
_GROUPED = {"groupmax", "groupmax_transcoder", "groupmax_skip_transcoder"}
_BOTH_WAYS = "abstopk"
"""Its features are chosen by their size and keep their sign."""
_WITH_K = {"topk", "topk_transcoder", "topk_skip_transcoder", _BOTH_WAYS} | _GROUPED
_WITH_SKIP = {
    "skip_transcoder", "jumprelu_skip_transcoder", "topk_skip_transcoder",
    "groupmax_skip_transcoder",
}  # fmt: skip
_PLAIN = {"standard", "gated", "transcoder"}
SUPPORTED = frozenset(_PLAIN | _WITH_THRESHOLD | _WITH_K | _WITH_SKIP | {CROSSCODER, CROSS_LAYER})
_ROW_NORMS: dict[str, RowNorm] = {
    "none": "none",
    "constant_norm_rescale": "constant",
    "layer_norm": "layer",
    # Scaled by one number in training, which is folded into the weights or lost.
    "expected_average_only_in": "none",
    "covariance_whitening": "none",  # likewise; folding it sets this to "none"
}
ROW_NORM_NAMES: dict[RowNorm, str] = {
    "none": "none", "constant": "constant_norm_rescale", "layer": "layer_norm",
}  # fmt: skip
_BEFORE_6 = {
    "hook_point": "hook_name",
    "hook_point_head_index": "hook_head_index",
    "activation_fn_str": "activation_fn",
}
"""Fields that had another name before version 6."""
_METADATA = (
    "model_name", "hook_name", "hook_head_index", "context_size", "prepend_bos", "dataset_path",
    "neuronpedia_id", "hook_name_out", "hf_hook_name", "hf_hook_name_out",
    "model_from_pretrained_kwargs",
)  # fmt: skip
"""Fields that stood beside the others before version 6."""
_IN_TRAINING_ONLY = {
    "expected_average_only_in": (
        "It was trained on rows scaled by one number, which its files do not contain: if its "
        "activations look wrong, enter that number or the mean norm of the rows."
    ),
    "covariance_whitening": (
        "It was trained on whitened rows, but its files do not contain the whitening: if its "
        "activations look wrong, fold it in with the library that made it."
    ),
}
_SIGNED = (
    "Its features have a sign. Here each becomes two: first {count:,} for their positive side, "
    "then as many for their negative side, in the same order."
)


def find(view: FolderView) -> list[Found]:
    """Return the dictionary of a folder with a `cfg.json` of SAELens's."""
    told = view.config(CFG)
    if not is_config(told):
        return []
    cfg = current({**told, **overridden(view.path)})
    if cfg["architecture"] == CROSS_LAYER:
        return [_described(view.path, cfg, told, partial(_read_cross_layer, view.path, cfg))]
    own = ("W_dec", "b_dec")
    return [
        _described(file.path, cfg, told, partial(_read_file, file, cfg, shifts=True), file)
        for file in view.weights
        if file.has(*own)
    ]


def config_of(folder: Path, told: dict[str, Any]) -> dict[str, Any]:
    """Return a folder's config in the form of version 6, as SAELens would read it.

    Raises UserError for a field that changes the mathematics and cannot be honoured.
    """
    (CONFIG if _is_current(told) else CONFIG_BEFORE).check(told, folder / CFG)
    return current({**told, **overridden(folder)})


def is_config(cfg: dict[str, Any]) -> bool:
    """Return whether a `cfg.json` is SAELens's: sparsify has one of that name, too."""
    return any(key in cfg for key in ("architecture", "d_sae", "hook_point"))


def _told(told: dict[str, Any], file: WeightsFile | None) -> tuple[Told, ...]:
    config = Told(CONFIG if _is_current(told) else CONFIG_BEFORE, told)
    return (config,) if file is None else (config, Told(TENSORS, file.entries))


def _sites(metadata: dict[str, Any]) -> tuple[str, str]:
    """Return what is read and what is written, as the model was processed in training."""
    read = site_name(str(metadata.get("hf_hook_name") or "")) or site_name(
        str(metadata.get("hook_name") or "")
    )
    written = site_name(str(metadata.get("hf_hook_name_out") or "")) or site_name(
        str(metadata.get("hook_name_out") or "")
    )
    processed = _processed(metadata)
    if processed.get("fold_ln") and read.endswith(".mlp.hook_in"):
        read = read.replace("mlp.hook_in", "ln2.hook_normalized")
    if processed.get("center_writing_weights"):
        read, written = centred_site(read), centred_site(written)
    return read, written


def _modules(metadata: dict[str, Any], *sites: str) -> tuple[tuple[str, str], ...]:
    """Return the sites that are named by a module of the model, each with its path."""
    names = [str(metadata.get(key) or "") for key in ("hook_name", "hook_name_out")]
    pairs = zip(sites, names, strict=True)
    return tuple((site, name) for site, name in pairs if site and not name.startswith("blocks."))


def _processed(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return what was done to the model’s weights before it was trained on."""
    found = metadata.get("model_from_pretrained_kwargs")
    return found if isinstance(found, dict) else {}


_FOLDED_VALUES = "fold_value_biases"
_AT_HEADS = {
    _FOLDED_VALUES: "the output of the heads was shifted by a constant of the model",
    "refactor_factored_attn_matrices": "the output of the heads has other coordinates",
}


def _is_processed_at_heads(metadata: dict[str, Any], name: str) -> bool:
    """Whether it reads or writes what heads give, of a model that was changed so in training."""
    sites = f"{metadata.get('hook_name')} {metadata.get('hook_name_out')}"
    return bool(_processed(metadata).get(name)) and "hook_z" in sites


def _refuse_processed_heads(metadata: dict[str, Any], path: Path, *, shifts: bool) -> None:
    """Raise UserError where the heads of the model were changed before it was trained on.

    `shifts`: who reads it brings the biases of values back.
    """
    for name, changed in _AT_HEADS.items():
        if not _is_processed_at_heads(metadata, name) or (shifts and name == _FOLDED_VALUES):
            continue
        ways = "Import it into a project: that puts the constant back. " * (name == _FOLDED_VALUES)
        raise UserError(
            f"“{path}” says {name}: {changed}, which cannot be honoured here.",
            kept="Nothing was written.",
            next_step=f"{ways}If the model has no value biases, such as Llama or Gemma, set "
            f"{name} to false in its cfg.json.",
        )


def _described(
    path: Path, cfg: dict[str, Any], told: dict[str, Any], read: Any,
    file: WeightsFile | None = None,
) -> Found:  # fmt: skip
    metadata = cfg["metadata"]
    site, site_out = _sites(metadata)
    features, _ = file.shapes["W_dec"] if file is not None else (int(cfg.get("d_sae", 0)), 0)
    notes = []
    scaled = _IN_TRAINING_ONLY.get(str(cfg.get("normalize_activations")))
    if scaled and not _scale(cfg):
        notes.append(scaled)
    if names := ", ".join(overridden(path)):
        notes.append(
            f"{names}: taken from SAELens’s directory of releases, as the file does not give it."
        )
    if cfg["architecture"] == _BOTH_WAYS:
        notes.append(_SIGNED.format(count=features))
        features *= 2
    return Found(
        format=NAME, path=path, architecture=str(cfg["architecture"]),
        width=int(cfg.get("d_in", 0)), features=features, read=read,
        model=model_name(str(metadata.get("model_name") or "")),
        site=site, site_out=site_out, notes=tuple(notes), metadata=metadata,
        modules=_modules(metadata, site, site_out),
        lacks_value_biases=_is_processed_at_heads(metadata, _FOLDED_VALUES),
        told=_told(told, file),
    )  # fmt: skip


def current(cfg: dict[str, Any]) -> dict[str, Any]:
    """Return a config in the form of version 6: what was flat before stands in `metadata`."""
    told = cfg.get("metadata")
    metadata = dict(told) if isinstance(told, dict) else {}
    if _is_current(cfg):
        return _defaulted({**cfg, "metadata": metadata})
    flat = {_BEFORE_6.get(key, key): value for key, value in cfg.items() if key != "metadata"}
    flat = _defaulted(flat)
    arguments = flat.get("activation_fn_kwargs") or {}
    if flat.get("activation_fn") == "topk" and arguments.get("k") is not None:
        flat |= {"architecture": "topk", "k": arguments["k"]}
    norm = flat.get("normalize_activations") or "none"
    flat["normalize_activations"] = "expected_average_only_in" if norm is True else norm
    metadata |= {key: flat[key] for key in _METADATA if flat.get(key) is not None}
    metadata.setdefault("prepend_bos", True)
    return {**flat, "metadata": metadata}


def _is_current(cfg: dict[str, Any]) -> bool:
    """Return whether a config is of version 6 or later."""
    metadata = cfg.get("metadata")
    told = metadata.get("sae_lens_version") if isinstance(metadata, dict) else None
    first = str(told or cfg.get("sae_lens_version") or "0").split(".")[0]
    return first.isdecimal() and int(first) >= 6


def _defaulted(cfg: dict[str, Any]) -> dict[str, Any]:
    """Return a config with what SAELens takes where a field is not given."""
    architecture = cfg.get("architecture", "standard")
    subtracts = not str(architecture).endswith("transcoder")
    return {"apply_b_dec_to_input": subtracts, **cfg, "architecture": architecture}


# ---------------------------------------------------------------- reading
def read_folder(folder: Path, cfg: dict[str, Any]) -> Dictionary:
    """Return the dictionary of a folder in the form `save` writes.

    Raises UserError for a missing or damaged file, KeyError and ValueError for tensors that are
    missing or do not fit together.
    """
    if cfg["architecture"] == CROSS_LAYER:
        return _read_cross_layer(folder, cfg)
    path = folder / WEIGHTS
    if not path.is_file():
        raise UserError(
            f"“{path}” is missing.", next_step="Restore it from a copy, or train again."
        )
    return _read_file(look_into(path), cfg)


def _read_cross_layer(folder: Path, cfg: dict[str, Any]) -> Dictionary:
    return read_cross_layer(folder, len(cfg["parts"]), cfg["metadata"])


def _read_file(file: WeightsFile, cfg: dict[str, Any], *, shifts: bool = False) -> Dictionary:
    own = cfg["architecture"] in SUPPORTED
    _refuse_processed_heads(cfg["metadata"], file.path.parent / CFG, shifts=shifts and own)
    if not own:
        return read_through_saelens(file.path.parent, cfg)
    _check_norm(cfg, file.path.parent / CFG)
    tensors = {name: tensor.float() for name, tensor in file.tensors().items()}
    dictionary = _from_tensors(cfg, tensors, file.path)
    dictionary.metadata = cfg["metadata"]
    return dictionary.scaled(_scale(cfg)) if _scale(cfg) else dictionary


def _scale(cfg: dict[str, Any]) -> float:
    """Return what rows were scaled by in training, where it is known; 0: it is not, or nothing."""
    scaled = cfg.get("normalize_activations") == "expected_average_only_in"
    return float(cfg.get("norm_scaling_factor") or 0) if scaled else 0.0


def _check_norm(cfg: dict[str, Any], path: Path) -> None:
    """Raise UserError for a normalisation of its inputs that is not known here."""
    if cfg.get("normalize_activations", "none") not in _ROW_NORMS:
        raise UserError(
            f"“{path}” expects inputs normalised by “{cfg['normalize_activations']}”.",
            next_step="Fold the normalisation into its weights with the library that made it.",
        )


def _from_tensors(cfg: dict[str, Any], tensors: dict[str, Tensor], path: Path) -> Dictionary:
    architecture = cfg["architecture"]
    row_norm = _ROW_NORMS[cfg.get("normalize_activations", "none")]
    subtracts = bool(cfg["apply_b_dec_to_input"])
    if subtracts and architecture.endswith("transcoder"):
        raise UserError(
            f"“{path}” is a transcoder with apply_b_dec_to_input: its output bias cannot be "
            "subtracted from its input.",
            next_step="Set it to false in its cfg.json, as SAELens requires.",
        )
    W_dec = _written(cfg, tensors, path)
    if architecture == "gated":
        return gated(
            tensors["W_enc"], tensors["b_gate"], tensors["b_mag"], tensors["r_mag"], W_dec,
            tensors["b_dec"], subtracts_b_dec=subtracts, row_norm=row_norm,
        )  # fmt: skip
    threshold = tensors["threshold"] if architecture in _WITH_THRESHOLD else None
    k = int(cfg["k"]) if architecture in _WITH_K else None
    ranked = bool(cfg.get("rescale_acts_by_decoder_norm", False))
    if architecture == CROSSCODER:
        threshold, k = tensors.get("threshold"), cfg.get("k")
    W_enc, b_enc = tensors["W_enc"], tensors["b_enc"]
    if architecture == _BOTH_WAYS:
        W_enc, b_enc = torch.cat([W_enc, -W_enc], dim=1), torch.cat([b_enc, -b_enc])
        W_dec = torch.cat([W_dec, -W_dec])
    return folded(
        W_enc, b_enc, W_dec, tensors["b_dec"], threshold=threshold, k=k,
        ranked_by_norm=ranked, grouped=architecture in _GROUPED, subtracts_b_dec=subtracts,
        W_skip=tensors["W_skip"].T if architecture in _WITH_SKIP else None,
        parts=tuple(cfg.get("parts", ())), row_norm=row_norm,
        refinement=_refinement(cfg, tensors) if architecture == REFINED else None,
    )  # fmt: skip


def _refinement(cfg: dict[str, Any], tensors: dict[str, Tensor]) -> Refinement:
    step, alone = float(cfg.get("lista_step", 0)), float(cfg.get("leave_one_out", 0))
    return Refinement(step, tensors["first_threshold"] if step else None, alone)


def _written(cfg: dict[str, Any], tensors: dict[str, Tensor], path: Path) -> Tensor:
    """Return W_dec, times the factors that old versions found in a second training."""
    factor = tensors.get("finetuning_scaling_factor", tensors.get("scaling_factor"))
    W_dec = tensors["W_dec"]
    if factor is None or torch.allclose(factor, torch.ones_like(factor)):
        return W_dec
    if not cfg.get("finetuning_scaling_factor", False):
        raise UserError(
            f"“{path}” holds a scaling factor that its config does not mention.",
            next_step="Ask who made it whether finetuning_scaling_factor belongs in its cfg.json.",
        )
    return W_dec * factor[:, None]

"""Gemma Scope, 1 and 2: `params.npz` or `params.safetensors`; folders are named by their site."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
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
)
from sae_desktop.dictionary.formats.folder_view import FolderView, Found
from sae_desktop.dictionary.formats.folding import folded
from sae_desktop.dictionary.formats.names import model_name, site_name
from sae_desktop.dictionary.formats.weights_file import WeightsFile
from sae_desktop.errors import UserError

_TENSORS = {
    "w_enc": honoured("The encoder."),
    "w_dec": honoured("The decoder; the lengths of its rows are folded in."),
    "b_enc": honoured("Added before the threshold."),
    "b_dec": honoured("Added to the output; not subtracted from the input."),
    "threshold": honoured("Activations not above it become 0."),
    "scaling_factor": honoured("A feature’s output is multiplied by it."),
}
TABLES = (
    FieldTable("Gemma Scope 1", "params.npz (arrays)", _TENSORS),
    FieldTable(
        "Gemma Scope 2", "config.json",
        {
            "architecture": honoured("jump_relu.", refuses=one_of("jump_relu")),
            "model_name": converted("The model’s name."),
            "hf_hook_point_in": converted("The site that is read; a module’s output includes its "
                "gain."),
            "hf_hook_point_out": converted("The site that is written."),
            "affine_connection": honoured("affine_skip_connection, which must be there."),
            "type": honoured(
                "sae or transcoder; one that writes to several layers cannot be read here.",
                refuses=one_of("sae", "transcoder"),
            ),
            **no_effects("Known from the tensors’ shapes.", "width"),
            "l0": no_effect("How many features fired on a token in training."),
        },
    ),
    FieldTable(
        "Gemma Scope 2", "params.safetensors (tensors)",
        {**_TENSORS, "affine_skip_connection": honoured("The skip connection.")},
    ),
)  # fmt: skip
"""Of the first, model, layer and site stand in the names of its folders."""
_LEVELS = 5
"""Parts of the path whose names may tell model, layer and site."""
_GAINLESS = "ln2.hook_normalized"
"""What the first transcoders read: the norm’s gain was folded into the MLP (arXiv 2408.05147)."""
_PLACES = (
    (r"transcoder|clt", "mlp.hook_in"),
    (r"resid_post|-res\b", "hook_resid_post"),
    (r"attn_out|-att\b", "attn.hook_z"),
    (r"mlp_out|-mlp\b", "hook_mlp_out"),
)
"""Words in the names of folders, and the hooks they mean."""
_ENDS = (
    (r"transcoder|clt", "pre_feedforward_layernorm.output"),
    (r"resid_post", "output"),
    (r"attn_out", "self_attn.o_proj.input"),
    (r"mlp_out", "post_feedforward_layernorm.output"),
)
"""The same words, and what the second's configs say there."""


def find(view: FolderView) -> list[Found]:
    """Return Gemma Scope's dictionaries: `params.npz`, or `params.safetensors` of the second."""
    found = []
    for file in view.weights:
        names = {name.lower(): name for name in file.shapes}
        said = view.config("config.json")
        cfg = said or _of_folders(view, file.path)
        second = str(cfg.get("architecture", "")) == "jump_relu"
        # Other libraries' files of these tensors have a config of their own beside.
        if {"w_enc", "w_dec", "b_enc", "b_dec", "threshold"} <= set(names) and (
            file.path.suffix == ".npz" or second
        ):
            found.append(_gemma(file, names, cfg, said))
    return found


def _of_folders(view: FolderView, path: Path) -> dict[str, Any]:
    """Return the config that the names of the second's folders stand for, where it has no file.

    {} where it is not the second. Some of its folders hold weights alone.
    """
    told = "/".join(path.parts[-_LEVELS:])
    layer = re.search(r"layer_(\d+)_width_", told)
    if path.name != "params.safetensors" or layer is None or view.config("cfg.json"):
        return {}
    repository = re.search(r"gemma-scope-2-(\w+-(?:pt|it))", path.as_posix())
    named = {"model_name": f"gemma-3-{repository[1]}"} if repository else {}
    place = next((end for word, end in _ENDS if re.search(word, told)), "")
    read = {"hf_hook_point_in": f"model.layers.{layer[1]}.{place}"} if place else {}
    affine = {"affine_connection": True} if "affine" in told else {}
    return {"architecture": "jump_relu"} | named | read | affine


def _gemma(
    file: WeightsFile, names: dict[str, str], cfg: dict[str, Any], said: dict[str, Any]
) -> Found:
    """Return what a file is; `said` is what a config beside it says, where there is one."""
    width, features = file.shapes[names["w_enc"]]
    told = "/".join(file.path.parts[-_LEVELS:])
    embedding = not cfg and bool(re.search(r"(^|/)embedding/", told))
    site, site_out = ("blocks.0.hook_resid_pre", "") if embedding else _sites(told, cfg)
    notes = (
        []
        if site
        else [("The layer and site are given by the names of the folders, which were changed.")]
    )
    if l0 := re.search(r"average_l0_(\d+)", told):
        notes.append(f"According to its folder name, {l0[1]} features fire per token on average.")
    if embedding:
        notes.append(
            "It was trained on embeddings; Gemma multiplies them by √width, as is done here."
        )
    table = TABLES[2] if cfg else TABLES[0]
    return Found(
        format="Gemma Scope 2" if cfg else "Gemma Scope", path=file.path, architecture="jumprelu",
        width=width, features=features,
        read=partial(_read_gemma, file, names, cfg, 1 / width**0.5 if embedding else 1.0),
        model=_model(told, cfg), site=site, site_out=site_out, notes=tuple(notes),
        told=(
            *((Told(TABLES[1], said),) if said else ()),
            Told(table, {name.lower(): value for name, value in file.entries.items()}),
        ),
    )  # fmt: skip


def _sites(told: str, cfg: dict[str, Any]) -> tuple[str, str]:
    """Return what is read, and what is written where that is another site; "" if it is not told."""
    layer = re.search(r"layer_(\d+)", told)
    hook = next((hook for word, hook in _PLACES if re.search(word, told)), "")
    named = site_name(str(cfg.get("hf_hook_point_in") or ""))
    if named:
        out = site_name(str(cfg.get("hf_hook_point_out") or ""))
        transcodes = hook == "mlp.hook_in" or cfg.get("type") == "transcoder"
        site = named
        site_out = (out or _written(site)) if transcodes else ""
        return site, site_out if site_out != site else ""
    if layer is None or not hook:
        return "", ""
    read = _GAINLESS if hook == "mlp.hook_in" and not cfg else hook
    site = f"blocks.{layer[1]}.{read}"
    return site, _written(site) if hook == "mlp.hook_in" else ""


def _written(site: str) -> str:
    """Return the output of the MLP whose input a site is."""
    return f"{'.'.join(site.split('.')[:2])}.hook_mlp_out"


def _model(told: str, cfg: dict[str, Any]) -> str:
    if name := cfg.get("model_name"):
        # The smallest base model has no “-pt” on the hub.
        return model_name(str(name).replace("-v3", "-3").replace("270m-pt", "270m"))
    if repository := re.search(r"gemma-scope-(2b|9b|27b)-(pt|it)", told):
        tuned = "-it" if repository[2] == "it" else ""
        return f"google/gemma-2-{repository[1]}{tuned}"
    return ""


def _read_gemma(
    file: WeightsFile, names: dict[str, str], cfg: dict[str, Any], scalar: float
) -> Dictionary:
    """Read one that was trained on rows × scalar."""
    if len(file.shapes[names["w_dec"]]) != 2:
        raise UserError(
            f"“{file.path}” writes to several layers at once, in a form that cannot be read here.",
            next_step="circuit-tracer’s sets of cross-layer transcoders can be opened.",
        )
    tensors = file.tensors()
    if cfg.get("affine_connection") and "affine_skip_connection" not in tensors:
        raise KeyError("affine_skip_connection")
    own = [tensors[names[key]] for key in ("w_enc", "b_enc", "w_dec", "b_dec")]
    skip = tensors.get("affine_skip_connection")
    found = folded(*own, threshold=tensors[names["threshold"]], W_skip=skip)
    factor = tensors.get("scaling_factor")
    found = found if factor is None else _written_scaled(found, factor.float())
    return found if scalar == 1.0 else found.scaled(scalar)


def _written_scaled(dictionary: Dictionary, factor: Tensor) -> Dictionary:
    """Return the dictionary whose features write `factor` (F,) or () times as much."""
    return folded(
        dictionary.W_enc, dictionary.b_enc, dictionary.W_dec * factor.reshape(-1, 1),
        dictionary.b_dec, threshold=dictionary.threshold, W_skip=dictionary.W_skip,
    )  # fmt: skip

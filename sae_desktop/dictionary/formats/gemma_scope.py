"""Gemma Scope, 1 and 2: `params.npz` or `params.safetensors`; folders are named by their site."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from torch import Tensor

from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.formats.folder_view import FolderView, Found
from sae_desktop.dictionary.formats.folding import folded
from sae_desktop.dictionary.formats.names import model_name, site_name
from sae_desktop.dictionary.formats.weights_file import WeightsFile

_LEVELS = 5
"""Parts of the path whose names may tell model, layer and site."""
_PLACES = (
    (r"transcoder|clt", "mlp.hook_in"),
    (r"resid_post|-res\b", "hook_resid_post"),
    (r"attn_out|-att\b", "attn.hook_z"),
    (r"mlp_out|-mlp\b", "hook_mlp_out"),
)
"""Words in the names of folders, and the hooks they mean."""


def find(view: FolderView) -> list[Found]:
    """Return Gemma Scope's dictionaries: `params.npz`, or `params.safetensors` of the second."""
    found = []
    for file in view.weights:
        names = {name.lower(): name for name in file.shapes}
        cfg = view.config("config.json")
        second = str(cfg.get("architecture", "")) == "jump_relu"
        # Other libraries' files of these tensors have a config of their own beside.
        if {"w_enc", "w_dec", "b_enc", "b_dec", "threshold"} <= set(names) and (
            file.path.suffix == ".npz" or second
        ):
            found.append(_gemma(file, names, cfg))
    return found


def _gemma(file: WeightsFile, names: dict[str, str], cfg: dict[str, Any]) -> Found:
    width, features = file.shapes[names["w_enc"]]
    told = "/".join(file.path.parts[-_LEVELS:])
    layer = re.search(r"layer_(\d+)", told)
    hook = next((hook for word, hook in _PLACES if re.search(word, told)), "")
    site, site_out = "", ""
    if layer is not None and hook:
        site = f"blocks.{layer[1]}.{hook}"
        site_out = f"blocks.{layer[1]}.hook_mlp_out" if hook == "mlp.hook_in" else ""
    elif told_hook := cfg.get("hf_hook_point_in"):
        site = site_name(str(told_hook))
    notes = (
        [] if site else ["Layer and site stand in the names of the folders, which were changed."]
    )
    if l0 := re.search(r"average_l0_(\d+)", told):
        notes.append(f"On average {l0[1]} features fire on a token, its folder says.")
    return Found(
        format="Gemma Scope 2" if cfg else "Gemma Scope", path=file.path, architecture="jumprelu",
        width=width, features=features, read=partial(_read_gemma, file, names),
        model=_model(told, cfg), site=site, site_out=site_out, notes=tuple(notes),
    )  # fmt: skip


def _model(told: str, cfg: dict[str, Any]) -> str:
    if name := cfg.get("model_name"):
        return model_name(str(name).replace("-v3", "-3"))
    if repository := re.search(r"gemma-scope-(2b|9b|27b)-(pt|it)", told):
        tuned = "-it" if repository[2] == "it" else ""
        return f"google/gemma-2-{repository[1]}{tuned}"
    return ""


def _read_gemma(file: WeightsFile, names: dict[str, str]) -> Dictionary:
    tensors = file.tensors()
    own = [tensors[names[key]] for key in ("w_enc", "b_enc", "w_dec", "b_dec")]
    skip = tensors.get("affine_skip_connection")
    found = folded(*own, threshold=tensors[names["threshold"]], W_skip=skip)
    factor = tensors.get("scaling_factor")
    return found if factor is None else _written_scaled(found, factor.float())


def _written_scaled(dictionary: Dictionary, factor: Tensor) -> Dictionary:
    """Return the dictionary whose features write `factor` (F,) or () times as much."""
    return folded(
        dictionary.W_enc, dictionary.b_enc, dictionary.W_dec * factor.reshape(-1, 1),
        dictionary.b_dec, threshold=dictionary.threshold, W_skip=dictionary.W_skip,
    )  # fmt: skip

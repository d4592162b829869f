"""sparsify (EleutherAI): `cfg.json` and `sae.safetensors`, one folder a hook point."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.formats.folder_view import FolderView, Found
from sae_desktop.dictionary.formats.folding import folded
from sae_desktop.dictionary.formats.names import site_name
from sae_desktop.dictionary.formats.weights_file import WeightsFile
from sae_desktop.dictionary.tensor_files import write_tensors
from sae_desktop.errors import UserError
from sae_desktop.storage.atomic import write_bytes

NAME = "sparsify"
WEIGHTS = "sae.safetensors"
CFG = "cfg.json"


def find(view: FolderView) -> list[Found]:
    """Return the dictionary of a folder, if it is one of sparsify's."""
    return [
        _found(view, file)
        for file in view.weights
        if file.has("encoder.weight", "encoder.bias", "W_dec", "b_dec")
    ]


def _found(view: FolderView, file: WeightsFile) -> Found:
    cfg = view.config(CFG)
    features, width = file.shapes["encoder.weight"]
    site = site_name(view.path.name)
    transcodes = bool(cfg.get("transcode", False))
    notes = () if cfg else ("There is no cfg.json: k was not found.",)
    return Found(
        format=NAME,
        path=file.path,
        architecture=str(cfg.get("activation", "topk")),
        width=width,
        features=features,
        read=partial(_read, file, cfg),
        site=site.replace("hook_mlp_out", "mlp.hook_in") if transcodes else site,
        site_out=site if transcodes else "",
        notes=notes,
    )


def _read(file: WeightsFile, cfg: dict[str, Any]) -> Dictionary:
    activation = cfg.get("activation", "topk")
    if activation not in ("topk", "groupmax"):
        raise UserError(
            f"“{file.path}” activates by “{activation}”, which cannot be opened.",
            next_step="Those of “topk” and “groupmax” can.",
        )
    k = cfg.get("k")
    if not isinstance(k, int) or k < 1:
        raise UserError(
            f"“{file.path.with_name(CFG)}” does not say how many features fire at once (k).",
            next_step="Put the cfg.json it was saved with beside it.",
        )
    tensors = file.tensors()
    skip = tensors.get("W_skip")
    return folded(
        tensors["encoder.weight"].T, tensors["encoder.bias"], tensors["W_dec"], tensors["b_dec"],
        k=k, grouped=activation == "groupmax", subtracts_b_dec=not cfg.get("transcode", False),
        W_skip=None if skip is None else skip.T,
    )  # fmt: skip


def write(dictionary: Dictionary, folder: Path) -> None:
    """Write what sparsify reads. Raises UserError for what it has no architecture for."""
    if dictionary.k is None or dictionary.row_norm != "none" or dictionary.parts:
        raise UserError(
            "sparsify has TopK dictionaries only: its k features of each token. This one has none.",
            next_step="Export it for SAELens or dictionary_learning.",
        )
    transcodes = bool(dictionary.metadata.get("hook_name_out")) or dictionary.W_skip is not None
    if dictionary.out_width != dictionary.width:
        raise UserError(
            f"sparsify writes rows as wide as those it reads; this one reads {dictionary.width} "
            f"and writes {dictionary.out_width}.",
            next_step="Export it for SAELens.",
        )
    W_enc, b_enc, W_dec = dictionary.unfolded()
    tensors = {
        "encoder.weight": W_enc.T,
        "encoder.bias": b_enc if transcodes else b_enc + dictionary.b_dec @ W_enc,
        "W_dec": W_dec,
        "b_dec": dictionary.b_dec,
    }
    if dictionary.W_skip is not None:
        tensors["W_skip"] = dictionary.W_skip.T
    cfg = {
        "activation": "groupmax" if dictionary.grouped else "topk",
        "expansion_factor": max(dictionary.features // dictionary.width, 1),
        "normalize_decoder": dictionary.rank is None,
        "num_latents": dictionary.features,
        "k": dictionary.k,
        "multi_topk": False,
        "skip_connection": dictionary.W_skip is not None,
        "transcode": transcodes,
        "d_in": dictionary.width,
    }
    write_tensors(folder / WEIGHTS, tensors)
    write_bytes(folder / CFG, msgspec.json.format(msgspec.json.encode(cfg), indent=2))

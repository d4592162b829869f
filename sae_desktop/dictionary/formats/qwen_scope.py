"""Qwen-Scope: `layer3.sae.pt`, one file per layer; the name of the parent folder gives k."""

from __future__ import annotations

import re
from functools import partial

from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.formats.fields import FieldTable, Told, converted, honoured
from sae_desktop.dictionary.formats.folder_view import FolderView, Found
from sae_desktop.dictionary.formats.folding import folded
from sae_desktop.dictionary.formats.names import model_name
from sae_desktop.dictionary.formats.weights_file import WeightsFile
from sae_desktop.errors import UserError

NAME = "Qwen-Scope"
TABLES = (
    FieldTable(
        NAME, "layerN.sae.pt (tensors)",
        {
            "W_enc": converted("The encoder, transposed."),
            "W_dec": converted("The decoder, transposed."),
            "b_enc": honoured("Added before the k largest are chosen."),
            "b_dec": honoured("Added to the output; not subtracted from the input."),
        },
    ),
)  # fmt: skip
"""The layer and k stand in the names of file and folder."""
_LEVELS = 4
"""Parts of the path whose names may tell model and k."""


def find(view: FolderView) -> list[Found]:
    """Return Qwen-Scope's: `layer3.sae.pt`; the k stands in the name of the folder above."""
    found = []
    for file in view.weights:
        layer = re.search(r"layer(\d+)\.sae\.", file.path.name)
        if layer is None or not file.has("W_enc", "W_dec", "b_enc", "b_dec"):
            continue
        told = "/".join(file.path.parts[-_LEVELS:])
        k, model = re.search(r"L0_(\d+)", told), re.search(r"SAE-Res-(.+?)-W\d+K", told)
        features, width = file.shapes["W_enc"]
        found.append(
            Found(
                format=NAME, path=file.path, architecture="topk", width=width,
                features=features, read=partial(_read_qwen, file, int(k[1]) if k else None),
                model=model_name(model[1]) if model else "",
                site=f"blocks.{layer[1]}.hook_resid_post", told=(Told(TABLES[0], file.entries),),
            )
        )  # fmt: skip
    return found


def _read_qwen(file: WeightsFile, k: int | None) -> Dictionary:
    if k is None:
        raise UserError(
            f"How many features of “{file.path}” fire at once is given by the name of its folder, "
            "“…-L0_50”, which was changed.",
            next_step="Restore the folder’s name.",
        )
    tensors = file.tensors()
    return folded(tensors["W_enc"].T, tensors["b_enc"], tensors["W_dec"].T, tensors["b_dec"], k=k)

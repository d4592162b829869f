"""What a dictionary reaches on rows of a store that no arm was trained on.

Dictionaries of other libraries are read from the folder that SAELens writes, into ours, so that
one function measures all. A threshold that was learnt in training gives another L0 on held-out
rows than the k of the run, so fits are compared at the same L0 as well: `at_threshold` lets the
strongest k·T activations of all held-out rows through, `at_top_k` the strongest k of each row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor

from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import Dictionary
from sae_desktop.training.measuring.metrics import measure_fit
from sae_desktop.training.rows.data import split_rows

BLOCK = 4096


class HeldOut(NamedTuple):
    """Rows of a store's last tenth, massive ones left out."""

    x_TD: Tensor
    """(T, D) float32, raw."""
    excluded: int
    """Massive rows of the whole store, left out of training and of these."""

    def blocks(self) -> Iterator[Tensor]:
        return iter(self.x_TD.split(BLOCK))


def held_out(store: ActivationStore) -> HeldOut:
    """Read the rows that runs on this store are measured on."""
    split = split_rows(store, store.site, exclude_massive=True)
    x = torch.from_numpy(store.gather(split.held_out, store.site)).float()
    return HeldOut(x, len(split.excluded))


class RowTopK(Dictionary):
    """A dictionary that keeps the k largest activations of each row and has no threshold."""

    k = 0

    @classmethod
    def of(cls, dictionary: Dictionary, k: int) -> RowTopK:
        d = dictionary
        made = cls(d.W_enc, d.b_enc, d.W_dec, d.b_dec)
        made.k = k
        return made

    def encode(self, x: Tensor) -> Tensor:
        activations = super().encode(x)
        kept = activations.topk(self.k, dim=-1, sorted=False)
        return torch.zeros_like(activations).scatter_(-1, kept.indices, kept.values)


def at_threshold(dictionary: Dictionary, rows: HeldOut, k: int) -> Dictionary:
    """Return the dictionary with one threshold for all features that gives an L0 of k."""
    d = dictionary
    bare = Dictionary(d.W_enc, d.b_enc, d.W_dec, d.b_dec)
    # A block's share of the strongest is near k·T; twice that is always enough.
    strongest = [
        bare.encode(block).flatten().topk(2 * k * len(block), sorted=False).values
        for block in rows.blocks()
    ]
    smallest = torch.cat(strongest).topk(k * len(rows.x_TD)).values[-1]
    threshold = torch.full_like(d.b_enc, float(smallest))
    return Dictionary(d.W_enc, d.b_enc, d.W_dec, d.b_dec, threshold)


def fit(dictionary: Dictionary, rows: HeldOut) -> dict[str, float]:
    """Measure on all held-out rows."""
    found = measure_fit(dictionary, rows.blocks())
    return {"l0": found.l0, "fvu": found.fvu, "cosine": found.cosine}


def figures(dictionary: Dictionary, rows: HeldOut, k: int | None) -> dict[str, Any]:
    """Return L0, FVU and cosine as it is and, with a k, at an L0 of k; and the dead share.

    Dead here: never active on the held-out rows, as the dictionary is.
    """
    fired = torch.zeros(dictionary.features, dtype=torch.bool)
    for block in rows.blocks():
        fired |= (dictionary.encode(block) > 0).any(dim=0)
    found: dict[str, Any] = {
        "as_it_is": fit(dictionary, rows),
        "dead_share": 1 - float(fired.double().mean()),
        "held_out_rows": len(rows.x_TD),
        "excluded_rows": rows.excluded,
    }
    if k is not None:
        found["at_threshold"] = fit(at_threshold(dictionary, rows, k), rows)
        found["at_top_k"] = fit(RowTopK.of(dictionary, k), rows)
    return found


def from_saelens(folder: Path) -> Dictionary:
    """Read an inference folder of SAELens (standard, topk, jumprelu) as a dictionary of ours."""
    cfg = json.loads((folder / "cfg.json").read_text())
    t = {
        name: value.float() for name, value in load_file(folder / "sae_weights.safetensors").items()
    }
    if cfg.get("normalize_activations", "none") != "none":
        raise ValueError("the normalisation is not folded")
    b_enc = t["b_enc"]
    if cfg.get("apply_b_dec_to_input", False):
        b_enc = b_enc - t["b_dec"] @ t["W_enc"]
    norms_F = t["W_dec"].norm(dim=1).clamp_min(1e-12)
    threshold = t["threshold"] * norms_F if "threshold" in t else None
    dictionary = Dictionary(
        t["W_enc"] * norms_F, b_enc * norms_F, t["W_dec"] / norms_F[:, None], t["b_dec"], threshold
    )
    if cfg["architecture"] == "topk":
        return RowTopK.of(dictionary, int(cfg["k"]))
    return dictionary

"""A random dictionary of every kind, on one toy model or on it and a second one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from toy_models import TEXT, toy_network, toy_tokenizer

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.sites.capture import capture_sites
from sae_desktop.language_model.sites.site_names import parse_site

RESID = ["blocks.1.hook_resid_post", "blocks.2.hook_resid_post"]
MLP_IN = [f"blocks.{layer}.mlp.hook_in" for layer in range(3)]
MLP_OUT = [f"blocks.{layer}.hook_mlp_out" for layer in range(3)]
SITES = [*RESID, *MLP_IN, *MLP_OUT]
FIRING = 0.15
"""The share of tokens on which a feature fires, about."""


@dataclass(frozen=True)
class Kind:
    reads: Sequence[tuple[int, str]]
    """(source, site)"""
    writes: Sequence[tuple[int, str]]
    skip: bool = False
    cross_layer: bool = False


KINDS = {
    "plain": Kind([(0, RESID[0])], [(0, RESID[0])]),
    "transcoder": Kind([(0, MLP_IN[1])], [(0, MLP_OUT[1])]),
    "skip transcoder": Kind([(0, MLP_IN[1])], [(0, MLP_OUT[1])], skip=True),
    "crosscoder of sites": Kind([(0, s) for s in RESID], [(0, s) for s in RESID]),
    "crosscoder of models": Kind([(m, RESID[0]) for m in (0, 1)], [(m, RESID[0]) for m in (0, 1)]),
    "cross-layer transcoder": Kind(
        [(0, s) for s in MLP_IN], [(0, s) for s in MLP_OUT], cross_layer=True
    ),
}


def save_tuned_model(folder: Path) -> Path:
    """Write a model that differs a little from the toy Llama."""
    model = toy_network()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    model.save_pretrained(folder)
    toy_tokenizer().save_pretrained(folder)
    return folder


def random_dictionary(
    kind: Kind, models: Sequence[LanguageModel], features: int, seed: int = 0
) -> Dictionary:
    """Return a dictionary whose features fire on some of the models' tokens, by a threshold."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.tensor([models[0].encode(TEXT)[:60]])
    rows = [
        capture_sites(models[source], ids, None, [parse_site(site)])[parse_site(site)][0, 1:]
        for source, site in kind.reads
    ]
    widths = [row.shape[1] for row in rows]
    metadata = _metadata(kind, models[0])
    if kind.cross_layer:
        each, layers = features // len(rows), len(rows)
        blocks = [
            _dictionary(x, sum(widths[layer:]), each, generator) for layer, x in enumerate(rows)
        ]
        for block in blocks:
            block.b_dec = torch.zeros_like(block.b_dec)
        return CrossLayerDictionary(blocks, torch.randn(layers * widths[0]), metadata)
    x = torch.cat(rows, dim=1)
    found = _dictionary(x, sum(widths), features, generator)
    found.metadata = metadata
    if len(widths) > 1:
        found.parts = tuple(widths)
    if kind.skip:
        found.W_skip = 0.1 * torch.randn(sum(widths), sum(widths), generator=generator)
    return found


def _dictionary(x: Tensor, out: int, features: int, generator: torch.Generator) -> Dictionary:
    W_enc = torch.randn(x.shape[1], features, generator=generator) / x.std()
    W_dec = torch.nn.functional.normalize(torch.randn(features, out, generator=generator), dim=1)
    pre = x @ W_enc
    threshold = 0.05 * pre.std(0)
    return Dictionary(
        W_enc, threshold - pre.quantile(1 - FIRING, dim=0), W_dec,
        torch.randn(out, generator=generator), threshold,
    )  # fmt: skip


def _metadata(kind: Kind, lm: LanguageModel) -> dict[str, object]:
    told: dict[str, object] = {
        "model_name": lm.name, "model_revision": lm.revision, "prepend_bos": True,
        "hook_name": kind.reads[0][1],
    }  # fmt: skip
    if list(kind.reads) != list(kind.writes):
        told["hook_name_out"] = kind.writes[0][1]
    if len(kind.reads) > 1:
        told |= {
            "input_sites": [site for _, site in kind.reads],
            "output_sites": [site for _, site in kind.writes],
            "sources": [source for source, _ in kind.writes],
        }
    return told

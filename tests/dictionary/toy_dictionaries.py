"""Random dictionaries of every kind that is saved."""

from __future__ import annotations

from typing import Any

import torch

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.dictionary.refinement import Refinement

D, F, OUT, LAYERS = 6, 10, 4, 3

PLAIN = {"model_name": "builtin", "hook_name": "blocks.3.hook_resid_post"}
ELSEWHERE = {"hook_name": "blocks.3.mlp.hook_in", "hook_name_out": "blocks.3.hook_mlp_out"}
SIDE_BY_SIDE = {"input_sites": ["a", "b"], "output_sites": ["a", "b"], "target": "crosscoder"}


def toy_dictionary(
    *,
    out: int = D,
    threshold: bool = False,
    k: int | None = None,
    skip: bool = False,
    parts: tuple[int, ...] = (),
    refinement: Refinement | None = None,
    metadata: dict[str, Any] | None = None,
) -> Dictionary:
    generator = torch.Generator().manual_seed(3)
    return Dictionary(
        torch.randn(D, F, generator=generator),
        torch.randn(F, generator=generator),
        torch.nn.functional.normalize(torch.randn(F, out, generator=generator)),
        torch.randn(out, generator=generator),
        torch.rand(F, generator=generator) if threshold else None,
        k=k,
        W_skip=torch.randn(D, out, generator=generator) if skip else None,
        parts=parts,
        refinement=refinement,
        metadata=dict(metadata or PLAIN),
    )


def cross_layer(threshold: bool = True) -> CrossLayerDictionary:
    blocks = []
    for layer in range(LAYERS):
        block = toy_dictionary(out=(LAYERS - layer) * D, threshold=threshold)
        block.b_dec = torch.zeros_like(block.b_dec)
        blocks.append(block)
    return CrossLayerDictionary(
        blocks, torch.arange(LAYERS * D).float(), {"target": "cross_layer_transcoder"}
    )


# Architecture as it is saved → such a dictionary.
SAELENS = {
    "standard": toy_dictionary(),
    "jumprelu": toy_dictionary(threshold=True),
    "topk": toy_dictionary(k=3),
    "gated": toy_dictionary(threshold=True, metadata=PLAIN | {"training_architecture": "gated"}),
    "transcoder": toy_dictionary(out=OUT),
    "jumprelu_transcoder": toy_dictionary(threshold=True, metadata=ELSEWHERE),
    "skip_transcoder": toy_dictionary(out=OUT, skip=True),
    "jumprelu_skip_transcoder": toy_dictionary(threshold=True, skip=True, metadata=ELSEWHERE),
}
OWN = {
    "topk_transcoder": toy_dictionary(k=3, out=OUT),
    "topk_skip_transcoder": toy_dictionary(k=3, skip=True, metadata=ELSEWHERE),
    "crosscoder": toy_dictionary(threshold=True, parts=(2, 4), metadata=SIDE_BY_SIDE),
    "cross_layer_transcoder": cross_layer(),
    "refined_jumprelu": toy_dictionary(
        threshold=True, refinement=Refinement(0.3, torch.linspace(0.1, 0.9, F), 0.5)
    ),
}

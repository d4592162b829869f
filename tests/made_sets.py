"""Random transcoders for every layer of a toy model, and cross-layer ones, in float64."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import torch
from toy_models import WIDTH, toy_network

from sae_desktop.circuits.members import Members
from sae_desktop.dictionary import Dictionary
from sae_desktop.language_model.sites.resolve import Site
from sae_desktop.language_model.sites.site_names import Hook


def exact_model(kind: str, layers: int = 2, **changes: Any) -> Any:
    """What is asked of a `LanguageModel`, around a toy model in float64."""
    network = toy_network(kind, num_hidden_layers=layers, **changes).double()
    return SimpleNamespace(
        model=network,
        name=kind,
        device=torch.device("cpu"),
        lock=threading.RLock(),
        causal=True,
        layers=layers,
        width=WIDTH,
    )


def random_members(
    *,
    layers: int = 2,
    features: int = 48,
    cross_layer: bool = False,
    skip: bool = False,
    hook: Hook = "mlp.hook_in",
    seed: int = 0,
) -> Members:
    """JumpReLU transcoders of which some third of the features fires on a toy's rows."""
    generator = torch.Generator().manual_seed(seed)

    def numbers(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    dictionaries, biases = {}, {}
    for layer in range(layers):
        width = WIDTH * (layers - layer) if cross_layer else WIDTH
        W_dec = numbers(features, width)
        biases[layer] = 0.1 * numbers(WIDTH)
        dictionaries[layer] = Dictionary(
            0.3 * numbers(WIDTH, features),
            0.1 * numbers(features) - 0.3,
            W_dec / W_dec.norm(dim=1, keepdim=True),
            torch.zeros(width, dtype=torch.float64) if cross_layer else biases[layer],
            0.1 * numbers(features).abs(),
        )
    skips = {layer: 0.1 * numbers(WIDTH, WIDTH) for layer in range(layers)} if skip else None
    reads = {layer: Site(layer, hook) for layer in range(layers)}
    return Members(dictionaries, reads, biases, skips, cross_layer=cross_layer)

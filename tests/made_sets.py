"""Random transcoders for every layer of a toy model, in float64 or as a set of a project."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import torch
from toy_models import WIDTH, toy_network

from sae_desktop.circuits.members import Members
from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.dictionary.set_info import SetInfo, SetOrigin
from sae_desktop.dictionary.sets import save_set
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.sites.resolve import Site
from sae_desktop.language_model.sites.site_names import Hook
from sae_desktop.project import Project


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


def save_random_set(
    project: Project,
    name: str,
    model: str,
    *,
    features: int = 48,
    skip: bool = True,
    cross_layer: bool = False,
    seed: int = 0,
    scale: float = 0.3,
) -> SetInfo:
    """Write random transcoders of all layers of a model, or a cross-layer one, as a set.

    With `scale` 0 of the encoders none of their features ever fires.
    """
    lm = load_model(model, "cpu")
    generator = torch.Generator().manual_seed(seed)

    def numbers(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    told = {
        "model_name": lm.name,
        "model_revision": lm.revision,
        "tokenizer_hash": lm.tokenizer_hash,
    }
    found = {}
    for layer in range(lm.layers):
        width = lm.width * (lm.layers - layer if cross_layer else 1)
        W_dec = numbers(features, width)
        found[layer] = Dictionary(
            scale * numbers(lm.width, features),
            0.1 * numbers(features).clamp(-2, 2) - 0.3,
            W_dec / W_dec.norm(dim=1, keepdim=True),
            torch.zeros(width) if cross_layer else 0.1 * numbers(width),
            0.1 * numbers(features).abs(),
            W_skip=0.1 * numbers(lm.width, lm.width) if skip and not cross_layer else None,
            metadata=told
            | {
                "hook_name": f"blocks.{layer}.mlp.hook_in",
                "hook_name_out": f"blocks.{layer}.hook_mlp_out",
            },
        )
    if not cross_layer:
        return save_set(found, project.set_path(name), SetOrigin(kind="trained"))
    sites = {
        "input_sites": [f"blocks.{layer}.mlp.hook_in" for layer in found],
        "output_sites": [f"blocks.{layer}.hook_mlp_out" for layer in found],
    }
    b_dec = 0.1 * numbers(lm.width * lm.layers)
    across = CrossLayerDictionary(list(found.values()), b_dec, told | sites)
    return save_set(across, project.set_path(name), SetOrigin(kind="trained"))

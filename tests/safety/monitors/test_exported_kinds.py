"""The script of an export computes activations as the dictionary does, of every kind there is."""

from __future__ import annotations

import types
from typing import Any

import pytest
import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.errors import UserError
from sae_desktop.resources import resource_path
from sae_desktop.safety.monitors.export import script_weights
from sae_desktop.steering.readers import Reader

WIDTH, FEATURES, ROWS = 6, 12, 40
CHOSEN = [7, 2, 11]


@pytest.fixture(scope="module")
def script() -> Any:
    """The script as a module; its model is never loaded."""
    path = resource_path("monitor_script.py.txt")
    module = types.ModuleType("exported")
    module.__file__ = str(path)
    exec(compile(path.read_text(encoding="utf-8"), path, "exec"), module.__dict__)
    return module


def tensors(seed: int, width: int = WIDTH, out: int = WIDTH) -> tuple[Tensor, ...]:
    draw = torch.Generator().manual_seed(seed)
    shapes = ((width, FEATURES), (FEATURES,), (FEATURES, out), (out,))
    return tuple(torch.randn(shape, generator=draw) for shape in shapes)


def dictionary(**settings: Any) -> Dictionary:
    return Dictionary(*tensors(0), None, **settings)


def jumping() -> Tensor:
    return torch.rand(FEATURES, generator=torch.Generator().manual_seed(5))


def cross_layer(**settings: Any) -> CrossLayerDictionary:
    """Two layers: the first writes both, the second its own."""
    blocks = []
    for layer in range(2):
        W_enc, b_enc, W_dec, _ = tensors(layer + 3, out=(2 - layer) * WIDTH)
        zero = torch.zeros((2 - layer) * WIDTH)
        blocks.append(Dictionary(W_enc, b_enc, W_dec, zero, jumping(), **settings))
    return CrossLayerDictionary(blocks, torch.zeros(2 * WIDTH))


def reader(held: Dictionary, features: list[int]) -> Reader:
    weights = torch.ones(len(features))
    return Reader((), weights, 0.0, "max", held, torch.tensor(features), torch.zeros(0))


KINDS = {
    "ReLU": dictionary(),
    "top-k": dictionary(k=3),
    "top-k by rank": dictionary(k=3, rank=torch.linspace(0.2, 3.0, FEATURES)),
    "group-wise top-k": dictionary(k=4, grouped=True),
    "row norm constant": dictionary(row_norm="constant"),
    "row norm of a layer": dictionary(row_norm="layer", k=3),
    "JumpReLU": Dictionary(*tensors(0), jumping()),
    "cross-layer transcoder": cross_layer(),
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_script__computes_the_dictionarys_activations(script: Any, kind: str) -> None:
    held = KINDS[kind]
    features = [*CHOSEN, FEATURES + 4] if isinstance(held, CrossLayerDictionary) else CHOSEN
    found = reader(held, features)
    weights, told = script_weights(found)
    alone = object.__new__(script.Monitor)
    alone.weights, alone.told = weights, told
    x = torch.randn(ROWS, held.width, generator=torch.Generator().manual_seed(9))
    wanted = held.encode(x)[:, features]
    assert (wanted > 0).any(dim=0).sum() >= len(features) - 1
    torch.testing.assert_close(alone.components(x), wanted, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.components(x), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("settings", [{"k": 3}, {"row_norm": "layer"}])
def test_layers_that_the_script_cannot_do__are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="which the script does not do"):
        script_weights(reader(cross_layer(**settings), CHOSEN))

"""A look-up in two steps written into a model by hand, with transcoders that are exact.

Every word has a dimension of its own. At a person the MLP of layer 0 writes the city and the
colour; layer 1 mixes all tokens alike; its MLP writes the country where a city and “lies” meet,
and the colour's answer where a colour and “likes” meet.
"""

from __future__ import annotations

from pathlib import Path

import torch
from planted_world import World, save_tokenizer, words_of
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.set_info import SetOrigin
from sae_desktop.dictionary.sets import save_set
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.sites.capture import capture_sites
from sae_desktop.language_model.sites.resolve import Site
from sae_desktop.project import Project

WIDTH = 64
_ANSWER = 8.0


def save_planted(folder: Path, world: World) -> None:
    """Save the model."""
    ids = words_of(world)
    save_tokenizer(folder, ids)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(ids), hidden_size=WIDTH, intermediate_size=_neurons(world),
            num_hidden_layers=2, num_attention_heads=1, num_key_value_heads=1,
            max_position_embeddings=16, bos_token_id=0, eos_token_id=None,
            tie_word_embeddings=False,
        )
    )  # fmt: skip
    one_hot = torch.eye(len(ids), WIDTH)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0 if parameter.dim() == 1 else 0.0)
        model.get_input_embeddings().weight.copy_(one_hot)
        model.lm_head.weight.copy_(one_hot)
        middle = one_hot[[ids[word] for word in _middle(world)]].sum(0)
        model.model.layers[1].self_attn.v_proj.weight.copy_(torch.diag(middle))
        model.model.layers[1].self_attn.o_proj.weight.copy_(torch.eye(WIDTH))
        first, last = (layer.mlp for layer in model.model.layers)
        for neuron, word in enumerate(_middle(world)):
            persons = _persons_of(world, ids, word)
            first.gate_proj.weight[neuron, persons] = 10 / WIDTH**0.5
            first.up_proj.weight[neuron, persons] = 0.1 / WIDTH**0.5
            first.down_proj.weight[ids[word], neuron] = 1.0
            asks, answer = _asked(world, word)
            last.gate_proj.weight[neuron, ids[word]] = 1.0
            last.up_proj.weight[neuron, ids[asks]] = 1.0
            last.down_proj.weight[ids[answer], neuron] = _ANSWER / 16
    model.eval().save_pretrained(folder)


def save_planted_set(project: Project, name: str, folder: Path, world: World) -> None:
    """Save a set whose features are the cities and colours, and what is answered to them."""
    ids = words_of(world)
    lm = load_model(str(folder), "cpu")
    middle = _middle(world)
    encoders = [torch.zeros(WIDTH, len(middle)) for _ in range(2)]
    decoders = [torch.zeros(len(middle), WIDTH) for _ in range(2)]
    biases = [torch.zeros(len(middle)) for _ in range(2)]
    for feature, word in enumerate(middle):
        persons = _persons_of(world, ids, word)
        asks, answer = _asked(world, word)
        encoders[0][persons, feature] = 1.0
        encoders[1][[ids[word], ids[asks]], feature] = 1.0
        rows = torch.tensor([[0, persons[0], ids["lives"], ids[asks]]])
        sites = [Site(layer, hook) for layer in (0, 1) for hook in ("mlp.hook_in", "hook_mlp_out")]
        seen = capture_sites(lm, rows, None, sites)
        # Of layer 1 what a city gives alone, or the word alone, is taken off.
        read = seen[sites[2]][0, 3]
        biases[1][feature] = -float(torch.maximum(read[ids[word]], read[ids[asks]])) * 1.3
        for layer, position, wrote in ((0, 1, word), (1, 3, answer)):
            pre = seen[Site(layer, "mlp.hook_in")][0, position] @ encoders[layer][:, feature]
            written = seen[Site(layer, "hook_mlp_out")][0, position, ids[wrote]]
            decoders[layer][feature, ids[wrote]] = written / (pre + biases[layer][feature])
    found = {layer: _dictionary(lm, layer, encoders, biases, decoders) for layer in (0, 1)}
    save_set(found, project.set_path(name), SetOrigin(kind="trained"))


def _dictionary(
    lm: object, layer: int, encoders: list[Tensor], biases: list[Tensor], decoders: list[Tensor]
) -> Dictionary:
    told = {
        "model_name": lm.name,  # type: ignore[attr-defined]
        "model_revision": lm.revision,  # type: ignore[attr-defined]
        "tokenizer_hash": lm.tokenizer_hash,  # type: ignore[attr-defined]
        "hook_name": f"blocks.{layer}.mlp.hook_in",
        "hook_name_out": f"blocks.{layer}.hook_mlp_out",
    }
    return Dictionary(
        encoders[layer], biases[layer], decoders[layer], torch.zeros(WIDTH),
        torch.full((len(biases[layer]),), 0.1), metadata=told,
    )  # fmt: skip


def _middle(world: World) -> list[str]:
    kinds = ("city", "colour")
    return [f"{kind}{number}" for kind in kinds for number in range(world.cities)]


def _neurons(world: World) -> int:
    return len(_middle(world))


def _persons_of(world: World, ids: dict[str, int], word: str) -> list[int]:
    """Return the tokens of those who live in a city or like a colour."""
    of = world.city if word.startswith("city") else world.colour
    number = int(word.removeprefix("city").removeprefix("colour"))
    return [ids[f"person{person}"] for person, one in enumerate(of) if one == number]


def _asked(world: World, word: str) -> tuple[str, str]:
    """Return the word that asks for what a city or a colour gives, and what that is."""
    if word.startswith("colour"):
        return "likes", word
    return "lies", f"country{world.things['lies'][int(word.removeprefix('city'))]}"

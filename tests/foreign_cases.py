"""Other people's dictionaries, as their programs write them, and what they read by plain torch."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from job_contexts import RecordingContext
from safetensors.torch import save_file
from torch import Tensor
from toy_models import TEXT, save_toy_model
from transformers import AutoModelForCausalLM

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.exchange.config import ImportDictionaryConfig
from sae_desktop.exchange.dictionaries import import_dictionary
from sae_desktop.features.building.index import build_index
from sae_desktop.features.config import IndexConfig
from sae_desktop.project import Project

D, F, K, LAYER = 32, 40, 3, 1


def weights() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(5)
    W_dec = torch.randn(F, D, generator=generator)
    return {
        "W_enc": torch.randn(D, F, generator=generator) * 0.3,
        "b_enc": torch.randn(F, generator=generator) * 0.2,
        "W_dec": W_dec / W_dec.norm(dim=1, keepdim=True),
        "b_dec": torch.randn(D, generator=generator) * 0.1,
        "threshold": torch.rand(F, generator=generator) * 0.3,
        "W_skip": torch.randn(D, D, generator=generator) * 0.1,
    }


W = weights()


def relu(x: Tensor) -> Tensor:
    return (x @ W["W_enc"].to(x) + W["b_enc"].to(x)).relu()


def largest(x: Tensor) -> Tensor:
    kept = relu(x).topk(K, dim=-1)
    return torch.zeros_like(relu(x)).scatter_(-1, kept.indices, kept.values)


def jumped(x: Tensor) -> Tensor:
    pre = x @ W["W_enc"] + W["b_enc"]
    return pre.relu() * (pre > W["threshold"])


def without_bias(x: Tensor) -> Tensor:
    return relu(x - W["b_dec"])


# ---------------------------------------------------------------- what is written for each
def gemma_scope(folder: Path) -> Path:
    inside = folder / "gemma-scope-2b-pt-transcoders/layer_1/width_16k/average_l0_9"
    inside.mkdir(parents=True)
    np.savez(
        inside / "params.npz",
        **{name: tensor.numpy() for name, tensor in W.items() if name != "W_skip"},
    )
    return inside


def saelens(folder: Path, **told: Any) -> Path:
    """As version 5 kept them."""
    folder.mkdir()
    cfg = {"architecture": "standard", "d_in": D, "d_sae": F, "dtype": "float32",
           "activation_fn_str": "relu", "normalize_activations": "none", **told}  # fmt: skip
    (folder / "cfg.json").write_text(json.dumps(cfg))
    names = ("W_enc", "b_enc", "W_dec", "b_dec")
    save_file({name: W[name] for name in names}, folder / "sae_weights.safetensors")
    return folder


def centred(folder: Path) -> Path:
    return saelens(
        folder / "sae", hook_name="blocks.1.hook_resid_pre",
        model_from_pretrained_kwargs={"center_writing_weights": True},
    )  # fmt: skip


def normed(folder: Path) -> Path:
    return saelens(folder / "sae", hook_name="blocks.1.ln2.hook_normalized")


def circuit_tracer(folder: Path, *, skip: bool = False) -> Path:
    inside = folder / "set"
    inside.mkdir()
    tensors = {name: W[name] for name in ("b_enc", "W_dec", "b_dec")}
    if skip:
        tensors["W_skip"] = W["W_skip"].T.contiguous()
    save_file(tensors | {"W_enc": W["W_enc"].T.contiguous()}, inside / "layer_1.safetensors")
    cfg = {"model_kind": "transcoder_set", "feature_input_hook": "mlp.hook_in", "k": K,
           "feature_output_hook": "hook_mlp_out", "activation": "topk"}  # fmt: skip
    (inside / "config.yaml").write_text(yaml.safe_dump(cfg))
    return inside / "layer_1.safetensors"


def circuit_tracer_skip(folder: Path) -> Path:
    return circuit_tracer(folder, skip=True)


def sparsify(folder: Path) -> Path:
    inside = folder / "layers.1"
    inside.mkdir()
    save_file(
        {"encoder.weight": W["W_enc"].T.contiguous(), "encoder.bias": W["b_enc"],
         "W_dec": W["W_dec"], "b_dec": W["b_dec"]},
        inside / "sae.safetensors",
    )  # fmt: skip
    (inside / "cfg.json").write_text(json.dumps({"k": K, "d_in": D, "transcode": True}))
    return inside


# ---------------------------------------------------------------- what the model holds, by hand
def input_of(path: str) -> Callable[[Any, Tensor], Tensor]:
    """What enters a module in a forward pass, (1, S, D)."""

    def run(model: Any, ids: Tensor) -> Tensor:
        found: list[Tensor] = []

        def before(module: Any, args: Any, kwargs: Any) -> None:
            found.append((args[0] if args else kwargs["hidden_states"]).clone())

        handle = model.get_submodule(path).register_forward_pre_hook(before, with_kwargs=True)
        with torch.no_grad():
            model(ids, use_cache=False)
        handle.remove()
        return found[0]

    return run


def rms(x: Tensor) -> Tensor:
    return x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()


def less_mean(x: Tensor) -> Tensor:
    return x - x.mean(-1, keepdim=True)


@dataclass(frozen=True)
class Case:
    model: str
    write: Callable[[Path], Path]
    module: str
    """What enters it is the stream, or what the MLP reads."""
    read: Callable[[Tensor], Tensor]
    """From that to what the dictionary reads."""
    encode: Callable[[Tensor], Tensor]
    site: str
    site_out: str = ""
    written: str = ""
    """Of a transcoder: the module whose output it writes."""


CASES = {
    "gemma scope 1 transcoder": Case(
        "gemma2", gemma_scope, "model.layers.1.pre_feedforward_layernorm", rms, jumped,
        "blocks.1.ln2.hook_normalized", "blocks.1.hook_mlp_out",
        "model.layers.1.post_feedforward_layernorm",
    ),
    "gpt-2 of centred writing weights": Case(
        "gpt2", centred, "transformer.h.1", less_mean, without_bias,
        "blocks.1.hook_resid_pre.centred",
    ),
    "saelens on a normed input": Case(
        "gemma2", normed, "model.layers.1.pre_feedforward_layernorm", rms, without_bias,
        "blocks.1.ln2.hook_normalized",
    ),
    "circuit-tracer topk": Case(
        "llama", circuit_tracer, "model.layers.1.mlp", lambda x: x, largest,
        "blocks.1.mlp.hook_in", "blocks.1.hook_mlp_out", "model.layers.1.mlp",
    ),
    "circuit-tracer topk with a skip": Case(
        "gpt2", circuit_tracer_skip, "transformer.h.1.mlp", lambda x: x, largest,
        "blocks.1.mlp.hook_in", "blocks.1.hook_mlp_out", "transformer.h.1.mlp",
    ),
    "sparsify transcoder of a layer": Case(
        "llama", sparsify, "model.layers.1", lambda x: x, largest,
        "blocks.1.hook_resid_pre", "blocks.1.hook_resid_post", "model.layers.1",
    ),
}  # fmt: skip


def toy_model(folder: Path, kind: str) -> Path:
    """A random model; the gains of a Gemma 2 are far from 1."""
    path = save_toy_model(folder / "model", kind)
    if kind == "gemma2":
        model = AutoModelForCausalLM.from_pretrained(path)
        generator = torch.Generator().manual_seed(2)
        for layer in model.model.layers:
            weight = layer.pre_feedforward_layernorm.weight
            weight.data = torch.rand(weight.shape, generator=generator) * 4 + 0.5
        model.save_pretrained(path)
    return path


def in_project(folder: Path, case: Case, model: Path) -> Project:
    """Import, harvest, index: the index is called “i”."""
    project = Project.open_or_create(folder / "p.saeproj")
    texts = folder / "texts"
    texts.mkdir()
    for start in range(0, len(TEXT) - 18, 9):  # each is shorter than a window
        (texts / f"{start}.txt").write_text(TEXT[start : start + 18], encoding="utf-8")
    context = RecordingContext()
    result = import_dictionary(
        ImportDictionaryConfig(
            project=str(project.path), name="theirs", source=str(case.write(folder)),
            model=str(model),
        ),
        context,
    )  # fmt: skip
    assert (result.site, result.site_out) == (case.site, case.site_out)
    assert not [note for note in result.notes if "not known" in note]
    harvest(
        HarvestConfig(
            project=str(project.path), name="acts", model=str(model), site=case.site,
            corpus=str(texts), tokens=400, context_size=64, batch_tokens=256,
            dtype="float32", device="cpu",
        ),
        context,
    )  # fmt: skip
    build_index(
        IndexConfig(
            project=str(project.path), dictionary="theirs", name="i", activations="acts",
            neuron_rows=0, map=False, coactivation=False, device="cpu",
        ),
        context,
    )  # fmt: skip
    return project

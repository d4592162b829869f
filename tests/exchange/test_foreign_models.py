"""Other people's dictionaries in models: what they read is computed here by hand, with torch alone.

Each is imported, its site harvested and indexed, a text probed and, where it writes what it
reads, a text steered; all is held to plain forward passes of the model with hooks of the test's
own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from job_contexts import RecordingContext
from safetensors.torch import save_file
from torch import Tensor
from toy_models import TEXT, save_toy_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.exchange.config import ImportDictionaryConfig
from sae_desktop.exchange.dictionaries import import_dictionary
from sae_desktop.features.config import IndexConfig, ProbeConfig
from sae_desktop.features.index import build_index
from sae_desktop.features.probe import probe
from sae_desktop.features.reader import FeatureIndex
from sae_desktop.project import Project
from sae_desktop.steering.config import Intervention, Sampling, SteerConfig, Variant
from sae_desktop.steering.export import export_steering
from sae_desktop.steering.export_config import ExportSteeringConfig
from sae_desktop.steering.job import steer

D, F, K, LAYER = 32, 40, 3, 1
SENTENCE = "In the beginning God created the heaven and the earth."
PROMPT = "In the beginning"
NEW_TOKENS = 8
STRENGTH = 4.0


def weights() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(5)
    W_dec = torch.randn(F, D, generator=generator)
    return {
        "W_enc": torch.randn(D, F, generator=generator) * 0.3,
        "b_enc": torch.randn(F, generator=generator) * 0.2,
        "W_dec": W_dec / W_dec.norm(dim=1, keepdim=True),
        "b_dec": torch.randn(D, generator=generator) * 0.1,
        "threshold": torch.rand(F, generator=generator) * 0.3,
    }


W = weights()


def relu(x: Tensor) -> Tensor:
    return (x @ W["W_enc"] + W["b_enc"]).relu()


def largest(x: Tensor) -> Tensor:
    kept = relu(x).topk(K, dim=-1)
    return torch.zeros(*x.shape[:-1], F).scatter_(-1, kept.indices, kept.values)


def jumped(x: Tensor) -> Tensor:
    pre = x @ W["W_enc"] + W["b_enc"]
    return pre.relu() * (pre > W["threshold"])


def without_bias(x: Tensor) -> Tensor:
    return relu(x - W["b_dec"])


# ---------------------------------------------------------------- what is written for each
def gemma_scope(folder: Path) -> Path:
    inside = folder / "gemma-scope-2b-pt-transcoders/layer_1/width_16k/average_l0_9"
    inside.mkdir(parents=True)
    np.savez(inside / "params.npz", **{name: tensor.numpy() for name, tensor in W.items()})
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


def circuit_tracer(folder: Path) -> Path:
    inside = folder / "set"
    inside.mkdir()
    tensors = {name: W[name] for name in ("b_enc", "W_dec", "b_dec")}
    save_file(tensors | {"W_enc": W["W_enc"].T.contiguous()}, inside / "layer_1.safetensors")
    cfg = {"model_kind": "transcoder_set", "feature_input_hook": "mlp.hook_in", "k": K,
           "feature_output_hook": "hook_mlp_out", "activation": "topk"}  # fmt: skip
    (inside / "config.yaml").write_text(yaml.safe_dump(cfg))
    return inside / "layer_1.safetensors"


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


CASES = {
    "gemma scope 1 transcoder": Case(
        "gemma2", gemma_scope, "model.layers.1.pre_feedforward_layernorm", rms, jumped,
        "blocks.1.ln2.hook_normalized", "blocks.1.hook_mlp_out",
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
        "blocks.1.mlp.hook_in", "blocks.1.hook_mlp_out",
    ),
    "sparsify transcoder of a layer": Case(
        "llama", sparsify, "model.layers.1", lambda x: x, largest,
        "blocks.1.hook_resid_pre", "blocks.1.hook_resid_post",
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


def by_hand(case: Case, model: Any, ids: list[int]) -> Tensor:
    """The features (T, F) of tokens after the first, which is the BOS."""
    rows = input_of(case.module)(model, torch.tensor([ids]))[0, 1:]
    return case.encode(case.read(rows.float()))


@pytest.mark.parametrize("name", CASES)
def test_foreign_dictionary__fires_as_computed_by_hand(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    path = toy_model(tmp_path, case.model)
    project = in_project(tmp_path, case, path)
    model = AutoModelForCausalLM.from_pretrained(path).eval()
    tokenizer = AutoTokenizer.from_pretrained(path)
    index = FeatureIndex(project.index_path("i"))
    assert index.info.bos_prepended
    rows = [
        by_hand(case, model, [tokenizer.bos_token_id, *index.tokens[first : first + n].tolist()])
        for first, n in zip(index.passages["first_row"], index.passages["length"], strict=True)
    ]
    acts = torch.cat(rows)
    assert 0.01 < float((acts > 0).float().mean()) < 0.7
    highest = torch.from_numpy(np.array(index.columns["max_activation"]))
    torch.testing.assert_close(highest, acts.amax(0), rtol=1e-5, atol=1e-5)
    fired = torch.from_numpy(np.array(index.columns["density"], dtype=np.float32)) * len(acts)
    assert (fired - (acts > 0).sum(0)).abs().max() <= 1  # one row may lie on a threshold
    result = probe(
        ProbeConfig(project=str(project.path), index="i", text=SENTENCE, per_token=0),
        RecordingContext(),
    )
    ids = tokenizer(SENTENCE, add_special_tokens=False).input_ids
    own = by_hand(case, model, [tokenizer.bos_token_id, *ids])
    probed = torch.zeros_like(own)
    for position, feature, activation in result.entries():
        probed[position, feature] = activation
    torch.testing.assert_close(probed, own, rtol=1e-5, atol=1e-5)


def steered_by_hand(
    case: Case, model: Any, ids: list[int], feature: int, value: float
) -> list[int]:
    """The likeliest tokens after a prompt with a feature clamped at all tokens but the BOS."""
    module = model.get_submodule(case.module)

    def push(x: Tensor) -> Tensor:
        acts = case.encode(case.read(x.float()))[..., feature]
        change = (value - acts)[..., None] * W["W_dec"][feature]
        change[:, 0] = 0
        return change

    if case.model == "gemma2":  # the norm's output, which the MLP reads, moves by the gain times it

        def after(module: Any, args: Any, output: Tensor) -> Tensor:
            return output + push(args[0]) * (1 + module.weight)

        handle = module.register_forward_hook(after)
    else:

        def before(module: Any, args: Any, kwargs: Any) -> Any:
            x = args[0] if args else kwargs["hidden_states"]
            moved = x + push(x)
            if args:
                return (moved, *args[1:]), kwargs
            return args, {**kwargs, "hidden_states": moved}

        handle = module.register_forward_pre_hook(before, with_kwargs=True)
    written = list(ids)
    with torch.no_grad():
        for _ in range(NEW_TOKENS):
            logits = model(torch.tensor([written]), use_cache=False).logits[0, -1]
            written.append(int(logits.argmax()))
    handle.remove()
    return written


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.site_out])
def test_foreign_dictionary__steers_as_computed_by_hand(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    path = toy_model(tmp_path, case.model)
    project = in_project(tmp_path, case, path)
    model = AutoModelForCausalLM.from_pretrained(path).eval()
    tokenizer = AutoTokenizer.from_pretrained(path)
    index = FeatureIndex(project.index_path("i"))
    feature = int(index.columns["max_activation"].argmax())
    value = STRENGTH * float(index.columns["max_activation"][feature])
    sampling = Sampling(max_new_tokens=NEW_TOKENS, temperature=0.0)
    variants = [
        Variant(name="plain"),
        Variant(name="steered", interventions=[Intervention(feature=feature, strength=STRENGTH)]),
    ]
    result = steer(
        SteerConfig(
            project=str(project.path), index="i", prompt=PROMPT, variants=variants, device="cpu",
            sampling=sampling,
        ),
        RecordingContext(),
    )  # fmt: skip
    prompt = [tokenizer.bos_token_id, *tokenizer(PROMPT, add_special_tokens=False).input_ids]
    own = steered_by_hand(case, model, prompt, feature, value)
    assert PROMPT + result.variants[1].text == tokenizer.decode(own[1:])
    assert result.variants[0].text != result.variants[1].text
    script = tmp_path / "steered.py"
    export_steering(
        ExportSteeringConfig(
            project=str(project.path), index="i", path=str(script), variant=variants[1],
            prompt=PROMPT, sampling=sampling, device="cpu",
        ),
        RecordingContext(),
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-I", str(script), str(path)], capture_output=True, text=True,
        check=False,
        env={"PATH": "", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith((PROMPT + result.variants[1].text).strip())

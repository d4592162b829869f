"""A dictionary trained where values have no biases is made one of the model's own heads."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from job_contexts import RecordingContext
from safetensors.torch import save_file
from torch import Tensor, nn
from toy_models import save_toy_model, toy_network, toy_tokenizer

from sae_desktop.dictionary import load
from sae_desktop.dictionary.formats.find import find_dictionaries
from sae_desktop.errors import UserError
from sae_desktop.exchange.config import ImportDictionaryConfig
from sae_desktop.exchange.dictionaries import import_dictionary
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.sites.value_biases import value_biases
from sae_desktop.project import Project

LAYER, F = 1, 24
SITE = f"blocks.{LAYER}.attn.hook_z"
IDS = torch.tensor([[5, 9, 2, 7, 11, 3, 8, 40]])


def network_of(kind: str) -> nn.Module:
    """A toy model whose biases are not 0."""
    network = toy_network(kind)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return network.eval()


def fold_values(network: nn.Module, kind: str) -> Tensor:
    """Move the biases of values into those of the output projection, and return them.

    As TransformerLens does: repeated for the heads that share them, times W_O.
    """
    config: Any = network.config
    heads = config.num_attention_heads
    with torch.no_grad():
        if kind == "gpt2":
            attention = network.transformer.h[LAYER].attn  # type: ignore[union-attr]
            width = config.hidden_size
            b_V = attention.c_attn.bias[2 * width :].clone()
            attention.c_attn.bias[2 * width :] = 0
            attention.c_proj.bias += b_V @ attention.c_proj.weight
            return b_V
        attention = network.model.layers[LAYER].self_attn  # type: ignore[union-attr]
        shared = heads // config.num_key_value_heads
        assert shared > 1
        b_V = attention.v_proj.bias.view(config.num_key_value_heads, -1)
        b_V = b_V.repeat_interleave(shared, dim=0).flatten().clone()
        attention.v_proj.bias.zero_()
        out = attention.o_proj
        out.bias = nn.Parameter(out.weight @ b_V)  # which it has none of
        return b_V


def heads_of(network: nn.Module, kind: str) -> tuple[Tensor, Tensor]:
    """Return what the heads of a layer give, (S, D), and the logits."""
    network_any: Any = network
    module = (
        network_any.transformer.h[LAYER].attn.c_proj
        if kind == "gpt2"
        else network_any.model.layers[LAYER].self_attn.o_proj
    )
    seen: list[Tensor] = []
    hook = module.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach()))
    with torch.no_grad():
        logits = network_any(IDS).logits
    hook.remove()
    return seen[0].reshape(IDS.shape[1], -1), logits


def tensors_of(width: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "W_enc": torch.randn(width, F, generator=generator),
        "W_dec": torch.randn(F, width, generator=generator),
        "b_enc": torch.randn(F, generator=generator),
        "b_dec": torch.randn(width, generator=generator),
        "threshold": torch.rand(F, generator=generator),
    }


def saelens(folder: Path, tensors: dict[str, Tensor], **changes: Any) -> Path:
    folder.mkdir()
    told = {"hook_name": SITE, "model_from_pretrained_kwargs": {"fold_value_biases": True}}
    cfg = {
        "architecture": "jumprelu", "d_in": tensors["W_enc"].shape[0], "d_sae": F,
        "dtype": "float32", "normalize_activations": "none", "apply_b_dec_to_input": True,
        "metadata": {"sae_lens_version": "6.0.0", "model_name": "toy", **told}, **changes,
    }  # fmt: skip
    (folder / "cfg.json").write_text(json.dumps(cfg))
    save_file(tensors, folder / "sae_weights.safetensors")
    return folder


def theirs(tensors: dict[str, Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """The activations, and what is written, as SAELens computes a JumpReLU dictionary."""
    pre = (x - tensors["b_dec"]) @ tensors["W_enc"] + tensors["b_enc"]
    acts = torch.relu(pre) * (pre > tensors["threshold"])
    return acts, acts @ tensors["W_dec"] + tensors["b_dec"]


def bring(tmp_path: Path, folder: Path, model: str) -> Any:
    project = Project.open_or_create(tmp_path / "p.saeproj")
    config = ImportDictionaryConfig(
        project=str(project.path), name="new", source=str(folder), model=model
    )
    import_dictionary(config, RecordingContext())
    return load(project.dictionary_path("new"))


@pytest.mark.parametrize("kind", ["gpt2", "qwen2"])
def test_dictionary_of_folded_values__is_that_of_the_models_own_heads(
    tmp_path: Path, kind: str
) -> None:
    network = network_of(kind)
    network.save_pretrained(tmp_path / "model")  # type: ignore[operator]
    toy_tokenizer().save_pretrained(tmp_path / "model")
    processed = copy.deepcopy(network)
    b_V = fold_values(processed, kind)
    own, logits = heads_of(network, kind)
    moved, same = heads_of(processed, kind)
    torch.testing.assert_close(logits, same, rtol=1e-4, atol=1e-4)
    assert float((own - moved).abs().max()) > 0.5
    lm = load_model(str(tmp_path / "model"), "cpu")
    torch.testing.assert_close(value_biases(lm, LAYER), b_V)
    tensors = tensors_of(own.shape[1])
    acts, written = theirs(tensors, moved)
    assert 0.1 < float((acts > 0).float().mean()) < 0.9
    ours = bring(tmp_path, saelens(tmp_path / "sae", tensors), str(tmp_path / "model"))
    norms = tensors["W_dec"].norm(dim=1)
    torch.testing.assert_close(ours.encode(own), acts * norms, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours.decode(ours.encode(own)), written + b_V, rtol=1e-4, atol=1e-4)


def test_model_without_biases_of_values__changes_nothing(tmp_path: Path) -> None:
    save_toy_model(tmp_path / "model", "llama")
    network: Any = load_model(str(tmp_path / "model"), "cpu").model
    own, _ = heads_of(network, "llama")
    tensors = tensors_of(own.shape[1])
    ours = bring(tmp_path, saelens(tmp_path / "sae", tensors), str(tmp_path / "model"))
    acts, _ = theirs(tensors, own)
    norms = tensors["W_dec"].norm(dim=1)
    torch.testing.assert_close(ours.encode(own), acts * norms, rtol=1e-4, atol=1e-4)


def test_attention_that_leaves_some_of_its_weight__is_refused(tmp_path: Path) -> None:
    network = network_of("gpt_oss")
    network.save_pretrained(tmp_path / "model")  # type: ignore[operator]
    toy_tokenizer().save_pretrained(tmp_path / "model")
    lm = load_model(str(tmp_path / "model"), "cpu")
    with pytest.raises(UserError, match="do not sum to one"):
        value_biases(lm, LAYER)


def test_what_cannot_be_converted__is_refused_with_the_way_out(tmp_path: Path) -> None:
    save_toy_model(tmp_path / "model", "gpt2")
    tensors = tensors_of(32)
    plain = saelens(tmp_path / "a", tensors)
    with pytest.raises(UserError, match="fold_value_biases") as missing:
        bring(tmp_path, plain, str(tmp_path / "nowhere"))
    assert missing.value.next_step
    normed = saelens(tmp_path / "b", tensors, normalize_activations="layer_norm")
    with pytest.raises(UserError, match="it normalises each row"):
        bring(tmp_path, normed, str(tmp_path / "model"))
    with pytest.raises(UserError, match="Import it into a project"):
        load(plain)
    (found,) = find_dictionaries(plain)
    assert found.lacks_value_biases

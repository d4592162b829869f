"""What a dictionary and its model take, held against a machine, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers

from sae_desktop.exchange import machine as machine_module
from sae_desktop.exchange.fits import ROOM, fit, fit_of, needs, published_model
from sae_desktop.exchange.gallery import Family, catalogue, weights_here
from sae_desktop.exchange.machine import Machine, this_machine
from sae_desktop.language_model.config import LOADING_ROOM
from sae_desktop.words.gallery_text import (
    IN_BFLOAT16,
    TOO_LARGE,
    access_text,
    download_text,
    fit_short,
    fit_text,
)

GB = 1_000_000_000
ROOMY = Machine(memory=64 * GB, disk=100 * GB)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def family(name: str, model: str = "") -> Family:
    return next(f for f in catalogue() if f.name == name and model in f.model)


def _gemma_2(width: int, layers: int, hidden: int, heads: int) -> torch.nn.Module:
    config = transformers.Gemma2Config(
        vocab_size=256000, hidden_size=width, num_hidden_layers=layers, intermediate_size=hidden,
        num_attention_heads=heads, num_key_value_heads=heads // 2, head_dim=256,
    )  # fmt: skip
    return transformers.Gemma2ForCausalLM(config)


def _gemma_3(width: int, layers: int, hidden: int) -> torch.nn.Module:
    config = transformers.Gemma3TextConfig(
        vocab_size=262144, hidden_size=width, num_hidden_layers=layers, intermediate_size=hidden,
        num_attention_heads=4, num_key_value_heads=1, head_dim=256,
    )  # fmt: skip
    return transformers.Gemma3ForCausalLM(config)


def _qwen_3(width: int, layers: int, hidden: int, heads: int) -> torch.nn.Module:
    config = transformers.Qwen3Config(
        vocab_size=151936, hidden_size=width, num_hidden_layers=layers, intermediate_size=hidden,
        num_attention_heads=heads, num_key_value_heads=8, head_dim=128, tie_word_embeddings=True,
    )  # fmt: skip
    return transformers.Qwen3ForCausalLM(config)


def _llama() -> torch.nn.Module:
    config = transformers.LlamaConfig(
        vocab_size=128256, hidden_size=4096, num_hidden_layers=32, intermediate_size=14336,
        num_attention_heads=32, num_key_value_heads=8, tie_word_embeddings=False,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config)


def _pythia() -> torch.nn.Module:
    config = transformers.GPTNeoXConfig(
        vocab_size=50304, hidden_size=512, num_hidden_layers=6, num_attention_heads=8,
        intermediate_size=2048, tie_word_embeddings=False,
    )  # fmt: skip
    return transformers.GPTNeoXForCausalLM(config)


MODELS = {
    "google/gemma-2-2b": lambda: _gemma_2(2304, 26, 9216, 8),
    "google/gemma-2-9b": lambda: _gemma_2(3584, 42, 14336, 16),
    "google/gemma-2-9b-it": lambda: _gemma_2(3584, 42, 14336, 16),
    "google/gemma-3-270m": lambda: _gemma_3(640, 18, 2048),
    "google/gemma-3-1b-pt": lambda: _gemma_3(1152, 26, 6912),
    "openai-community/gpt2": lambda: transformers.GPT2LMHeadModel(transformers.GPT2Config()),
    "EleutherAI/pythia-70m-deduped": _pythia,
    "mistralai/Mistral-7B-v0.1": lambda: transformers.MistralForCausalLM(
        transformers.MistralConfig()
    ),
    "meta-llama/Llama-3.1-8B": _llama,
    "Qwen/Qwen3-1.7B-Base": lambda: _qwen_3(2048, 28, 6144, 16),
    "Qwen/Qwen3-0.6B": lambda: _qwen_3(1024, 28, 3072, 16),
    "Qwen/Qwen3-4B": lambda: _qwen_3(2560, 36, 9728, 32),
}
"""By their shapes as they were published."""


@pytest.mark.parametrize("name", sorted({family.model for family in catalogue()}))
def test_published_model__has_the_parameters_of_its_shapes(name: str) -> None:
    model = published_model(name)
    assert model is not None
    with torch.device("meta"):
        network = MODELS[name]()
    assert model.parameters == sum(p.numel() for p in network.parameters())
    assert 1.9 <= model.bytes / model.parameters <= 4.5  # of 16 or 32 bits each


def test_needs__are_the_weights_of_both_with_room() -> None:
    own = family("GPT-2 small")
    model = published_model(own.model)
    assert model is not None
    found = needs(own, 8)
    assert found is not None
    assert found.memory == 4 * model.parameters + own.bytes + ROOM + LOADING_ROOM
    assert found.memory - found.memory_bfloat16 == 2 * model.parameters
    assert found.download == model.bytes + own.bytes
    assert found.disk == found.download + own.bytes  # once more in the project


def test_needs__leave_out_what_is_here(cache: Path) -> None:
    own = family("GPT-2 small")
    folder = cache / "models--openai-community--gpt2" / "snapshots" / "1"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    found = needs(own, 8)
    assert found is not None
    assert found.download == own.bytes
    dictionary = cache / "models--jbloom--GPT2-Small-SAEs-Reformatted" / "snapshots" / "1"
    (dictionary / "blocks.8.hook_resid_pre").mkdir(parents=True)
    (dictionary / "blocks.8.hook_resid_pre" / "sae.safetensors").write_bytes(b"weights")
    found = needs(own, 8)
    assert found is not None
    assert (found.download, found.disk) == (0, own.bytes)


def test_weights_here__are_all_of_several_files(cache: Path) -> None:
    folder = cache / "models--a--b" / "snapshots" / "1"
    folder.mkdir(parents=True)
    shards = '{"weight_map": {"x": "model-1.safetensors", "y": "model-2.safetensors"}}'
    (folder / "model.safetensors.index.json").write_text(shards)
    (folder / "model-1.safetensors").write_bytes(b"weights")
    assert not weights_here("a/b")
    (folder / "model-2.safetensors").write_bytes(b"weights")
    assert weights_here("a/b")
    assert not weights_here("a/c")


@pytest.mark.parametrize(
    ("machine", "where", "short"),
    [
        (ROOMY, "float32", "fits"),
        (Machine(memory=20 * GB, disk=100 * GB), "bfloat16", IN_BFLOAT16),
        (Machine(memory=8 * GB, disk=100 * GB, gpu=24 * GB), "gpu", "fits"),
        (Machine(memory=8 * GB, disk=100 * GB, gpu=12 * GB), "", TOO_LARGE),
        (Machine(memory=64 * GB, disk=2 * GB), "float32", TOO_LARGE),
    ],
)
def test_fit__takes_the_first_place_with_room(machine: Machine, where: str, short: str) -> None:
    found = fit_of(family("Llama Scope"), 5, machine)
    assert found is not None
    assert (found.where, fit_short(found)) == (where, short)
    assert found.fits == (short != TOO_LARGE)


def test_fit__is_exact_at_the_edge() -> None:
    needed = needs(family("GPT-2 small"), 0)
    assert needed is not None
    least = Machine(memory=needed.memory_bfloat16, disk=needed.disk)
    assert fit(needed, least).fits
    assert not fit(needed, Machine(memory=least.memory - 1, disk=least.disk)).fits
    assert not fit(needed, Machine(memory=least.memory, disk=least.disk - 1)).fits


def test_fit_text__names_needs_and_what_there_is() -> None:
    text = fit_text(fit_of(family("Llama Scope"), 5, ROOMY))
    assert text == "Fits: 34.5 GB of 64 GB of memory. Disk: 18.2 GB of 100 GB free."
    small = fit_text(fit_of(family("Gemma Scope", "2-9b"), 5, Machine(memory=16 * GB, disk=GB)))
    assert small.startswith("Too large: needs 20.3 GB of memory, this machine has 16 GB.")
    assert small.endswith("The disk is too full: needs 37.9 GB, and 1 GB are free.")
    unknown = fit_text(fit_of(family("Qwen3 transcoders", "0.6B"), 5, ROOMY))
    assert "at least" in unknown  # the dictionary's size is not known
    assert "not known" in fit_text(None)


def test_access_text__says_how_terms_are_accepted() -> None:
    assert "hf auth login" in access_text("google/gemma-2-2b", "terms")
    assert "without an account" in access_text("openai-community/gpt2", "open")
    assert "If the download is refused" in access_text("mistralai/Mistral-7B-v0.1", "unknown")


def test_download_text__says_what_is_downloaded_and_when_it_cannot_be() -> None:
    both = ["dictionary", "model"]
    found = fit_of(family("GPT-2 small"), 8, ROOMY)
    assert "699 MB in all" in download_text(both, found, "")
    assert "before you press a button" in download_text(both, found, "")
    off = download_text(both, found, "the network is off in the settings")
    assert "the network is off in the settings: they cannot be downloaded" in off
    assert "no network is needed" in download_text([], found, "HF_HUB_OFFLINE is set")


def test_this_machine__is_looked_at_without_a_network_or_a_gpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(machine_module, "_ASK_GPU", (str(tmp_path / "no-such-program"),))
    found = this_machine()
    assert found.gpu == 0
    assert found.memory > 10**8
    assert found.disk > 0
    program = tmp_path / "asks"
    program.write_text("#!/bin/sh\necho 24564\necho 81559\n")
    program.chmod(0o755)
    monkeypatch.setattr(machine_module, "_ASK_GPU", (str(program),))
    assert this_machine().gpu == 81559 * 2**20

"""Models load whole from where they lie, or are refused with the way out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from job_contexts import RecordingContext
from toy_models import LAYERS, SIZES, TEXT, WIDTH, save_toy_model, toy_config

from sae_desktop.errors import UserError
from sae_desktop.language_model.config import DescribeModelConfig
from sae_desktop.language_model.describe import describe_model
from sae_desktop.language_model.device import resolve_device
from sae_desktop.language_model.load import held_model, load_model
from sae_desktop.language_model.vocabulary import vocabulary_bytes


@pytest.fixture
def model(tmp_path: Path, toy_model_folder: Path) -> Path:
    """A copy of the toy model that may be broken."""
    return Path(shutil.copytree(toy_model_folder, tmp_path / "copy"))


def refused(path: Path | str) -> UserError:
    with pytest.raises(UserError) as caught:
        load_model(str(path))
    assert caught.value.next_step
    return caught.value


def test_model__is_held_once_in_float32(toy_model_folder: Path) -> None:
    lm = load_model(str(toy_model_folder), "cpu")
    assert load_model(str(toy_model_folder)) is lm
    assert held_model() == lm.name == str(toy_model_folder)
    assert (lm.layers, lm.width, lm.vocabulary_size) == (LAYERS, WIDTH, 320)
    assert (lm.bos_id, set(lm.eos_ids), lm.context_size) == (0, {1}, 64)
    assert {p.dtype for p in lm.model.parameters()} == {torch.float32}
    assert not any(p.requires_grad for p in lm.model.parameters())


def test_revision__changes_with_the_weights(model: Path, toy_model_folder: Path) -> None:
    first = load_model(str(toy_model_folder))
    again = load_model(str(model))
    assert again.revision == first.revision
    assert again.tokenizer_hash == first.tokenizer_hash
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"rms_norm_eps": 1e-4}))
    other = load_model(str(model))
    assert other is not again
    assert other.revision != first.revision


def test_folder_without_config__is_no_model(tmp_path: Path) -> None:
    error = refused(tmp_path)
    assert f"“{tmp_path}” is no model: it has no config.json" in error.what
    assert "config.json" in error.next_step


@pytest.mark.parametrize("keep", [5, 300, -100])
def test_truncated_weights__are_named(model: Path, keep: int) -> None:
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    error = refused(model)
    assert str(weights) in error.what
    assert "cut short" in error.what


def test_missing_parts__are_named(model: Path) -> None:
    (model / "tokenizer.json").rename(model / "elsewhere")
    assert "no tokenizer" in refused(model).what
    (model / "elsewhere").rename(model / "tokenizer.json")
    (model / "model.safetensors").unlink()
    assert "no weights" in refused(model).what
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors"}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "model-00001-of-00002.safetensors" in refused(model).what


def test_missing_tensor__is_not_made_up(model: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = model / "model.safetensors"
    tensors = load_file(weights)
    del tensors["model.layers.2.mlp.up_proj.weight"]
    save_file(tensors, weights, metadata={"format": "pt"})
    error = refused(model)
    assert "model.layers.2.mlp.up_proj.weight" in error.what


def test_unknown_or_broken_configurations__are_explained(model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    for changes, message in (
        ({"model_type": "unheard_of", "architectures": ["Unheard"]}, "cannot be opened"),
        ({"model_type": "vit", "architectures": ["ViTModel"]}, "no language model"),
    ):
        (model / "config.json").write_text(json.dumps(config | changes))
        assert message in refused(model).what
    (model / "config.json").write_text("{")
    assert "no JSON" in refused(model).what


def test_files_that_are_no_model__are_refused(tmp_path: Path, model: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGML....")
    assert "no .gguf file" in refused(tmp_path / "a.gguf").what
    assert "the folder" in refused(model / "config.json").next_step
    assert "no model" in refused(tmp_path / "nowhere").what
    assert "no model" in refused("unheard-of").what


def test_hub_name_without_a_network__says_so() -> None:
    error = refused("nobody-there/no-such-model")
    assert "not on this machine" in error.what
    assert "HF_HUB_OFFLINE" in error.what


def test_device_that_is_not_there__is_named() -> None:
    assert resolve_device("cpu").type == "cpu"
    with pytest.raises(UserError, match="is no device"):
        resolve_device("abacus")
    with pytest.raises(UserError, match="no device “cuda:77”"):
        resolve_device("cuda:77")


@pytest.mark.parametrize("model_type", ["llama", "gpt2", "gemma2", "gpt_neox"])
def test_description__needs_no_weights(tmp_path: Path, model_type: str) -> None:
    folder = save_toy_model(tmp_path / "m", model_type)
    lm = load_model(str(folder))
    said = describe_model(DescribeModelConfig(model=str(folder)), RecordingContext())
    assert (said.layers, said.width, said.vocabulary, said.context_size) == (4, 32, 320, 64)
    assert said.parameters == sum(p.numel() for p in lm.model.parameters())
    assert said.default_site == "blocks.2.hook_resid_post"
    assert said.default_site in said.sites
    assert said.cached
    assert toy_config(model_type).model_type in SIZES


def test_token_bytes__add_up_to_the_text(toy_model_folder: Path) -> None:
    lm = load_model(str(toy_model_folder))
    names = lm.token_bytes()
    assert len(names) == lm.vocabulary_size
    text = TEXT + "\x00 \t naïve 🌉"
    assert b"".join(names[i] for i in lm.encode(text)).decode() == text
    assert names[0] == b"<|bos|>"
    assert lm.bos_id not in lm.encode(text)


def test_token_bytes__of_sentencepiece_are_spaces_and_bytes() -> None:
    from tokenizers import Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    pieces = {"<unk>": 0, "<s>": 1, "▁the": 2, "<0xE2>": 3, "é": 4, "▁": 5}
    backend = Tokenizer(models.BPE(pieces, [], unk_token="<unk>", byte_fallback=True))
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback()])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", unk_token="<unk>"
    )
    found = vocabulary_bytes(tokenizer, 8)
    assert found == [b"<unk>", b"<s>", b" the", b"\xe2", "é".encode(), b" ", b"", b""]

"""Models load whole from where they lie, or are refused with the way out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from job_contexts import RecordingContext
from toy_gguf import save_toy_gguf
from toy_models import LAYERS, SIZES, TEXT, WIDTH, save_toy_model, toy_config, toy_tokenizer

from sae_desktop.errors import UserError
from sae_desktop.language_model.config import DescribeModelConfig
from sae_desktop.language_model.describe import describe_model
from sae_desktop.language_model.device import resolve_device
from sae_desktop.language_model.load import held_model, load_model
from sae_desktop.language_model.text.vocabulary import vocabulary_bytes


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


def test_tokenizer__is_the_same_after_a_padded_batch(model: Path, toy_model_folder: Path) -> None:
    used = load_model(str(model))
    used.tokenizer.pad_token = used.tokenizer.eos_token
    used.tokenizer(["a", "a b c"], padding=True)
    assert used.tokenizer_hash == load_model(str(toy_model_folder)).tokenizer_hash


def test_folder_without_config__is_no_model(tmp_path: Path) -> None:
    error = refused(tmp_path)
    assert f"“{tmp_path}” is not a model: it has no config.json" in error.what
    assert "config.json" in error.next_step


def test_adapter__is_told_from_a_model(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "owner/base"}')
    error = refused(tmp_path)
    assert "is an adapter" in error.what
    assert "Merge it" in error.next_step


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
        ({"model_type": "deit", "architectures": ["DeiTModel"]}, "not a language model"),
        ({"model_type": "vit", "architectures": ["ViTModel"]}, "reads pictures alone"),
    ):
        (model / "config.json").write_text(json.dumps(config | changes))
        assert message in refused(model).what
    (model / "config.json").write_text("{")
    assert "not valid JSON" in refused(model).what


def test_vocabulary_of_another_model__is_refused_with_both_numbers(model: Path) -> None:
    smaller = save_toy_model(model.parent / "smaller", vocab_size=300)
    error = refused(smaller)
    assert "token ids up to 319" in error.what
    assert "300 rows of embeddings" in error.what
    larger = load_model(str(save_toy_model(model.parent / "larger", vocab_size=384)))
    assert larger.vocabulary_size == 384  # rows without a token are padding
    assert larger.token_bytes()[320:] == [b""] * 64


def test_tokens_added_for_nothing__are_taken_out(model: Path) -> None:
    tokenizer = toy_tokenizer()
    tokenizer.add_tokens(["<unused>"])
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"], "pad_token": "[PAD]"})
    assert max(tokenizer.get_vocab().values()) == 322
    tokenizer.save_pretrained(model)
    lm = load_model(str(model))
    assert lm.vocabulary_size == 320
    text = "a <image> of <unused> [PAD] <|eos|>"
    ids = lm.encode(text)
    assert max(ids) < 320
    assert b"".join(lm.token_bytes()[i] for i in ids).decode() == text
    assert ids[-1] == 1
    assert lm.special_ids == {0, 1}
    assert lm.tokenizer.pad_token is None
    tokenizer.add_special_tokens({"bos_token": "<s>"})
    tokenizer.save_pretrained(model)
    assert "token ids up to 323" in refused(model).what  # what begins a text is of use


def test_tokenizer_without_bos__is_used_without(model: Path) -> None:
    path = model / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps(settings | {"bos_token": None}))
    lm = load_model(str(model))
    assert lm.bos_id is None
    assert lm.window_tokens == ((), ())
    assert lm.eos_ids == {1}
    said = describe_model(DescribeModelConfig(model=str(model)), RecordingContext())
    assert (said.bos_token, said.eos_token) == ("", "<|eos|>")


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("tokenizer.json", "{", "tokenizer of"),
        ("tokenizer.json", '{"model": {}}', "tokenizer of"),
        ("config.json", "[]", "cannot be opened"),
        ("config.json", "{}", "cannot be opened"),
        ("config.json", '{"model_type": "llama", "hidden_size": "wide"}', "cannot be opened"),
        ("model.safetensors.index.json", "{", "list of weights files"),
        ("model.safetensors.index.json", '{"weight_map": 3}', "list of weights files"),
    ],
)
def test_broken_files__are_explained(model: Path, name: str, content: str, what: str) -> None:
    if name.endswith("index.json"):
        (model / "model.safetensors").unlink()
    (model / name).write_text(content)
    assert what in refused(model).what


def test_weights_of_another_shape__are_refused(model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"intermediate_size": 96}))
    assert "cannot be opened" in refused(model).what


def test_weights_that_are_no_safetensors__are_named(model: Path) -> None:
    (model / "model.safetensors").write_bytes(b"<html>Not found</html>")
    assert "damaged or cut short" in refused(model).what


# ---------------------------------------------------------------- .gguf
def test_gguf__is_the_same_model_in_any_float(tmp_path: Path, toy_model_folder: Path) -> None:
    path = save_toy_gguf(tmp_path / "toy.gguf")
    ids = torch.tensor([[0, 5, 9, 300]])
    exact = load_model(str(toy_model_folder))
    logits, text = exact.model(ids).logits, exact.encode(TEXT)
    lm = load_model(str(path))
    assert (lm.name, lm.dtype, lm.bos_id, lm.vocabulary_size) == (str(path), "float32", 0, 320)
    assert torch.equal(lm.model(ids).logits, logits)
    assert lm.encode(TEXT) == text
    half = load_model(str(path), dtype="bfloat16")
    assert {p.dtype for p in half.model.parameters()} == {torch.bfloat16}
    torch.testing.assert_close(half.model(ids).logits.float(), logits, rtol=0.1, atol=0.5)


def test_gguf__is_described_and_not_quantised_again(tmp_path: Path) -> None:
    path = save_toy_gguf(tmp_path / "toy.gguf")
    said = describe_model(DescribeModelConfig(model=str(path)), RecordingContext())
    assert (said.layers, said.width, said.vocabulary, said.heads) == (4, 32, 320, 4)
    assert (said.key_value_heads, said.mlp_width, said.bos_token) == (2, 64, "<|bos|>")
    assert said.disk_bytes == path.stat().st_size
    with pytest.raises(UserError, match=r"\.gguf model cannot be read as 8bit"):
        load_model(str(path), dtype="8bit")


def test_truncated_gguf__is_refused(tmp_path: Path) -> None:
    path = save_toy_gguf(tmp_path / "toy.gguf")
    whole = path.read_bytes()
    for keep in (30, 3000, len(whole) - 5000):
        path.write_bytes(whole[:keep])
        assert str(path) in refused(path).what


def test_files_that_are_no_model__are_refused(tmp_path: Path, model: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGML....")
    assert "not a .gguf file" in refused(tmp_path / "a.gguf").what
    assert "the folder" in refused(model / "config.json").next_step
    assert "no model" in refused(tmp_path / "nowhere").what
    assert "no model" in refused("unheard-of").what


def test_hub_name_without_a_network__says_so() -> None:
    error = refused("nobody-there/no-such-model")
    assert "not on this machine" in error.what
    assert "models get nobody-there/no-such-model" in error.next_step


def test_device_that_is_not_there__is_named() -> None:
    assert resolve_device("cpu").type == "cpu"
    with pytest.raises(UserError, match="is not a device"):
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
    assert (said.heads, said.causal, said.experts) == (4, True, 0)
    assert said.mlp_width == (128 if model_type == "gpt2" else 64)
    assert said.key_value_heads == SIZES[model_type].get("num_key_value_heads", 4)
    assert (said.bos_token, said.eos_token, said.chat_template) == ("<|bos|>", "<|eos|>", False)
    assert (said.dtype, said.device) == ("float32", "cpu")
    assert said.memory_bytes == 4 * said.parameters
    assert said.disk_bytes == sum(path.stat().st_size for path in folder.iterdir())
    assert len(said.site_widths) == len(said.site_shapes) == len(said.sites)
    assert said.site_widths[said.sites.index(said.default_site)] == 32
    assert toy_config(model_type).model_type in SIZES


def test_description__says_experts_and_chat_template(tmp_path: Path) -> None:
    from transformers import CONFIG_MAPPING, AutoModelForCausalLM

    folder = save_toy_model(tmp_path / "m")
    config = CONFIG_MAPPING["qwen3_moe"](
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=1,
        head_dim=8, intermediate_size=64, moe_intermediate_size=24, num_experts=6,
        num_experts_per_tok=2, vocab_size=320, max_position_embeddings=64,
    )  # fmt: skip
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    said = describe_model(DescribeModelConfig(model=str(folder)), RecordingContext())
    assert (said.experts, said.mlp_width, said.key_value_heads) == (6, 24, 1)
    assert said.chat_template
    lm = load_model(str(folder))
    assert said.parameters == sum(p.numel() for p in lm.model.parameters())


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


@pytest.mark.parametrize("layers", [4097, 10**7, 10**12])
def test_absurd_number_of_layers__is_refused_before_anything_is_built(
    model: Path, monkeypatch: pytest.MonkeyPatch, layers: int
) -> None:
    def built(*args: object, **options: object) -> None:
        raise AssertionError("the configuration was handed on")

    monkeypatch.setattr("transformers.AutoConfig.from_pretrained", built)
    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", built)
    told = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(told | {"num_hidden_layers": layers}))
    error = refused(model)
    assert f"{layers:,} layers" in error.what
    assert "num_hidden_layers" in error.what
    (model / "config.json").write_text(json.dumps(told | {"text_config": {"n_layer": layers}}))
    assert "n_layer" in refused(model).what

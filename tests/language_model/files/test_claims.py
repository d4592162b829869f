"""A configuration that promises more than its weights hold is refused before it is built."""

from __future__ import annotations

import json
import re
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import psutil
import pytest
import torch
from toy_gguf import save_toy_gguf
from toy_models import save_toy_model, toy_network

from sae_desktop.errors import UserError
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.config import DescribeModelConfig
from sae_desktop.language_model.describe import describe_model
from sae_desktop.language_model.files.claims import CONFIG_BYTES
from sae_desktop.language_model.files.find import find_model, stored_weights, weight_files
from sae_desktop.language_model.files.gguf_header import read_header
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.network import empty_model, load_config


@pytest.fixture
def model(tmp_path: Path, toy_model_folder: Path) -> Path:
    """A copy of the toy model that may be broken."""
    return Path(shutil.copytree(toy_model_folder, tmp_path / "copy"))


def change(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refused(work: Callable[[], object]) -> UserError:
    """Return what is said; hardly any memory is taken for it."""
    before = psutil.Process().memory_info().rss
    with pytest.raises(UserError) as caught:
        work()
    assert psutil.Process().memory_info().rss - before < 200 << 20
    assert caught.value.next_step
    return caught.value


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"vocab_size": 10**9}, r"[\d,]+ parameters, but its weights hold [\d,]+ numbers"),
        ({"hidden_size": 10**6, "head_dim": 8}, r"[\d,]+ parameters, but"),
        ({"intermediate_size": 10**10}, r"[\d,]+ parameters, but"),
        ({"num_hidden_layers": 600}, r"600 layers, but its weights are \d+ tensors"),
        ({"num_attention_heads": 10**9}, r"1,000,000,000 heads \(num_attention_heads\)"),
        ({"num_labels": 10**9}, r"1,000,000,000 labels \(num_labels\)"),
        ({"max_position_embeddings": 10**12}, r"[\d,]+ positions \(max_position_embeddings\)"),
        ({"text_config": {"num_experts": 10**6}}, r"1,000,000 experts \(num_experts\)"),
    ],
)
def test_figures__are_held_to_the_weights(model: Path, changes: dict[str, Any], said: str) -> None:
    change(model, **changes)
    config = DescribeModelConfig(model=str(model))
    for work in (
        lambda: load_model(str(model)),
        lambda: describe_model(config, SilentContext()),
    ):
        error = refused(work)
        assert re.search(rf"config\.json” says that the model has {said}", error.what), error.what
        assert error.kept == "Nothing was loaded."


def test_weights_without_a_header__are_held_to_their_bytes(tmp_path: Path) -> None:
    network = toy_network("llama")
    network.config.save_pretrained(tmp_path)
    torch.save(network.state_dict(), tmp_path / "pytorch_model.bin")
    files = find_model(str(tmp_path))
    empty_model(files, load_config(files))
    change(tmp_path, vocab_size=10**8)
    files = find_model(str(tmp_path))
    error = refused(lambda: empty_model(files, load_config(files)))
    assert "parameters, but its weights hold" in error.what


def test_mixture_of_experts__is_held_to_its_weights(tmp_path: Path) -> None:
    save_toy_model(tmp_path, "qwen3_moe")
    change(tmp_path, num_local_experts=5000)
    files = find_model(str(tmp_path))
    error = refused(lambda: empty_model(files, load_config(files)))
    assert "parameters, but its weights hold" in error.what


def test_pattern_of_layers__is_not_written_out_a_billion_times(tmp_path: Path) -> None:
    save_toy_model(tmp_path, "gpt_neo")
    change(tmp_path, attention_types=[[["global"], 10**9]])
    assert "attention_types" in refused(lambda: find_model(str(tmp_path))).what


def test_tables_of_positions__are_held_to_the_weights(tmp_path: Path) -> None:
    """Which positions see which is a table that no file holds."""
    save_toy_model(tmp_path, "gpt_neo")
    change(tmp_path, max_position_embeddings=20_000)
    files = find_model(str(tmp_path))
    error = refused(lambda: empty_model(files, load_config(files)))
    assert "tables of" in error.what


def test_configuration_of_gigabytes__is_not_read(model: Path) -> None:
    with (model / "config.json").open("ab") as file:
        file.truncate(CONFIG_BYTES + 1)
    assert "is not the configuration of a model" in refused(lambda: find_model(str(model))).what


def test_stored_weights__count_what_the_files_hold(model: Path) -> None:
    stored = stored_weights(weight_files(model))
    network = load_model(str(model)).model
    state = network.state_dict()
    assert stored.tensors == len(state)
    assert stored.numbers == sum(tensor.numel() for tensor in state.values())
    assert stored.bytes == (model / "model.safetensors").stat().st_size


# ---------------------------------------------------------------- .gguf
def test_gguf_header__says_what_the_library_reads(tmp_path: Path) -> None:
    path = save_toy_gguf(tmp_path / "toy.gguf")
    reader = gguf.GGUFReader(path)
    header = read_header(path)
    assert header.tensors == len(reader.tensors)
    assert header.numbers == sum(int(np.prod(tensor.shape)) for tensor in reader.tensors)
    for name, value in header.fields.items():
        whole = next(n for n in reader.fields if n == name or n.partition(".")[2] == name)
        assert value == reader.fields[whole].contents()
    arrays = [n for n, one in reader.fields.items() if one.types[0] == gguf.GGUFValueType.ARRAY]
    own = [name for name in reader.fields if not name.startswith("GGUF.")]
    assert len(header.fields) == len(own) - len(arrays)


def set_number(path: Path, name: str, value: int) -> None:
    """Change a 32-bit field of a .gguf file in place."""
    data = bytearray(path.read_bytes())
    at = data.index(name.encode()) + len(name)
    assert struct.unpack_from("<I", data, at)[0] == gguf.GGUFValueType.UINT32
    struct.pack_into("<I", data, at + 4, value)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("llama.block_count", 10**9, r"1,000,000,000 layers \(block_count\)"),
        ("llama.block_count", 600, r"600 layers, but its weights are \d+ tensors"),
        ("llama.attention.head_count", 10**9, r"heads \(attention\.head_count\)"),
        ("llama.context_length", 2**31, r"positions \(context_length\)"),
        ("llama.embedding_length", 2**20, r"parameters, but its weights hold"),
        ("llama.feed_forward_length", 2**31, r"parameters, but its weights hold"),
    ],
)
def test_gguf__is_held_to_its_weights(tmp_path: Path, name: str, value: int, said: str) -> None:
    path = save_toy_gguf(tmp_path / "toy.gguf")
    set_number(path, name, value)
    error = refused(lambda: load_model(str(path)))
    assert re.search(said, error.what), error.what


def place_of(data: bytes, name: str) -> int:
    """Return where the count of an array field stands."""
    return data.index(name.encode()) + len(name) + 8


@pytest.mark.parametrize("count", [2**62, 2**40, 10**6])
def test_gguf_with_a_list_longer_than_the_file__is_refused(tmp_path: Path, count: int) -> None:
    path = save_toy_gguf(tmp_path / "toy.gguf")
    for name in ("tokenizer.ggml.tokens", "tokenizer.ggml.token_type"):
        data = bytearray(path.read_bytes())
        struct.pack_into("<Q", data, place_of(data, name), count)
        broken = tmp_path / "broken.gguf"
        broken.write_bytes(data)
        assert (
            "is not a .gguf file, or is damaged"
            in refused(lambda path=broken: find_model(str(path))).what
        )


@pytest.mark.parametrize("at", [8, 16])
def test_gguf_that_counts_more_than_it_holds__is_refused(tmp_path: Path, at: int) -> None:
    path = save_toy_gguf(tmp_path / "toy.gguf")
    data = bytearray(path.read_bytes())
    struct.pack_into("<Q", data, at, 2**60)
    path.write_bytes(data)
    assert "tensors and" in refused(lambda: find_model(str(path))).what

"""Models compute in the precision asked for, take the memory said, and are refused in time."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from job_contexts import RecordingContext
from toy_models import save_toy_model

from sae_desktop.errors import UserError
from sae_desktop.language_model import memory
from sae_desktop.language_model.config import LOADING_ROOM, DescribeModelConfig, ModelDtype
from sae_desktop.language_model.describe import describe_model
from sae_desktop.language_model.device import resolve_device
from sae_desktop.language_model.files.find import find_model
from sae_desktop.language_model.files.weights import weights_needed
from sae_desktop.language_model.load import LanguageModel, load_model, release_models
from sae_desktop.language_model.network import empty_model, load_config
from sae_desktop.language_model.quantise import resolve_dtype, rest_dtype, stored_dtype

IDS = torch.randint(3, 320, (2, 9), generator=torch.Generator().manual_seed(1))
FLOATS: list[ModelDtype] = ["float32", "bfloat16", "float16"]


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A toy whose layers are wide enough for 4 bit."""
    folder = tmp_path_factory.mktemp("wide") / "m"
    return str(save_toy_model(folder, hidden_size=128, intermediate_size=192))


def middle(lm: LanguageModel) -> torch.Tensor:
    with torch.no_grad():
        return lm.model(IDS, output_hidden_states=True).hidden_states[2].float()


def error_against(lm: LanguageModel, exact: torch.Tensor) -> float:
    return float((middle(lm) - exact).norm() / exact.norm())


def describe(model: str, **settings: Any) -> Any:
    return describe_model(DescribeModelConfig(model=model, **settings), RecordingContext())


def taken(lm: LanguageModel) -> int:
    return sum(p.numel() * p.element_size() for p in lm.model.parameters())


@pytest.mark.parametrize("dtype", FLOATS)
def test_floats__are_computed_in_and_take_what_is_said(wide: str, dtype: ModelDtype) -> None:
    exact = middle(load_model(wide))
    lm = load_model(wide, "cpu", dtype)
    assert lm.dtype == dtype
    assert {str(p.dtype) for p in lm.model.parameters()} == {f"torch.{dtype}"}
    assert describe(wide, dtype=dtype).memory_bytes == taken(lm)
    error = error_against(lm, exact)
    assert error == 0 if dtype == "float32" else 1e-5 < error < 0.03


@pytest.mark.parametrize(("dtype", "most"), [("8bit", 0.08), ("4bit", 0.6)])
def test_quantised__is_near_and_takes_what_is_said(wide: str, dtype: Any, most: float) -> None:
    pytest.importorskip("bitsandbytes")
    exact, whole = middle(load_model(wide)), taken(load_model(wide))
    lm = load_model(wide, "cpu", dtype)
    assert lm.dtype == dtype
    assert 0.001 < error_against(lm, exact) < most
    assert load_model(wide, "cpu", dtype) is lm
    said = describe(wide, dtype=dtype)
    assert said.dtype == dtype
    # The scales are kept beside the parameters.
    assert taken(lm) <= said.memory_bytes < 1.1 * taken(lm) < whole


def test_auto__is_float32_on_the_cpu_whatever_the_weights_are(tmp_path: Path) -> None:
    folder = save_toy_model(tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"dtype": "bfloat16"}))
    lm = load_model(str(folder))
    assert lm.dtype == "float32"
    assert load_model(str(folder), dtype="float32") is lm
    assert describe(str(folder)).dtype == "float32"
    half = load_model(str(folder), dtype="bfloat16")
    assert half is not lm
    again = load_model(str(folder))
    assert (again.dtype, again is lm) == ("float32", False)  # one model is held at a time


@pytest.mark.parametrize("dtype", FLOATS)
def test_stored_dtype__is_read_off_the_weights_where_the_configuration_is_silent(
    tmp_path: Path, dtype: str
) -> None:
    from safetensors.torch import load_file, save_file

    folder = save_toy_model(tmp_path / "m")
    tensors = load_file(folder / "model.safetensors")
    kind = getattr(torch, dtype)
    save_file({k: v.to(kind) for k, v in tensors.items()}, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    config.pop("dtype", None)
    (folder / "config.json").write_text(json.dumps(config))
    files = find_model(str(folder))
    assert stored_dtype(files, load_config(files)) == dtype


def test_split__loads_over_what_there_is(wide: str) -> None:
    exact = middle(load_model(wide))
    lm = load_model(wide, "split")
    assert lm.device == lm.model.get_input_embeddings().weight.device
    assert torch.equal(middle(lm).cpu(), exact)
    assert load_model(wide, "split") is lm
    said = describe(wide, device="split")
    assert said.device == "split"
    assert resolve_device("split") == resolve_device("auto")


def test_missing_library__is_named(wide: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "bitsandbytes" else find(name)
    )
    for ask in (lambda: load_model(wide, dtype="8bit"), lambda: describe(wide, dtype="4bit")):
        with pytest.raises(UserError, match="needs the library bitsandbytes") as caught:
            ask()
        assert "sae-desktop[quantised]" in caught.value.next_step


def test_layers_that_cannot_be_packed__are_named_before_loading(toy_model_folder: Path) -> None:
    pytest.importorskip("bitsandbytes")
    with pytest.raises(UserError, match="blocks of 64, but it has a layer of width 32"):
        load_model(str(toy_model_folder), "cpu", "4bit")


def test_no_precision__lists_those_there_are(wide: str) -> None:
    with pytest.raises(UserError, match="“int3” is not a precision") as caught:
        load_model(wide, dtype="int3")  # type: ignore[arg-type]
    assert "bfloat16" in caught.value.next_step


def test_weights_stored_quantised__are_not_read_as_something_else(
    tmp_path: Path, wide: str
) -> None:
    folder = Path(shutil.copytree(wide, tmp_path / "gptq"))
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "gptq", "bits": 4, "group_size": 128}
    (folder / "config.json").write_text(json.dumps(config))
    said = describe(str(folder))
    assert said.dtype == "gptq"
    assert said.memory_bytes == (folder / "model.safetensors").stat().st_size
    with pytest.raises(UserError, match=r"stored quantised \(gptq\)"):
        load_model(str(folder), dtype="bfloat16")
    with pytest.raises(UserError) as caught:
        load_model(str(folder))  # the library for it is not here
    assert caught.value.next_step


# ---------------------------------------------------------------- other devices, by their names
def test_auto_on_a_gpu__is_the_type_of_the_weights(tmp_path: Path) -> None:
    folder = save_toy_model(tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"dtype": "bfloat16"}))
    files = find_model(str(folder))
    for name in ("cuda:0", "mps"):
        device, settings = torch.device(name), load_config(files)
        assert resolve_dtype("auto", device, files, settings) == "bfloat16"
        assert rest_dtype(device, files, settings) == "bfloat16"
        assert resolve_dtype("float16", device, files, settings) == "float16"
    assert rest_dtype(torch.device("cpu"), files, settings) == "float32"


def test_quantised_on_mps__is_refused_with_what_there_is(wide: str) -> None:
    pytest.importorskip("bitsandbytes")
    files = find_model(wide)
    with pytest.raises(UserError, match="is not available on the device “mps”") as caught:
        resolve_dtype("4bit", torch.device("mps"), files, load_config(files))
    assert "float16" in caught.value.next_step


def test_free_memory_of_a_gpu__counts_what_torch_would_give_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gpu = torch.device("cuda", 0)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (7_000, 9_000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 1_500)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 1_000)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(memory, "free_memory", lambda: 100_000)
    assert memory.free_device_memory(gpu) == 7_500
    assert memory.free_device_memory(gpu, split=True) == 115_000
    assert memory.free_device_memory(torch.device("cpu")) == 100_000


def test_free_memory_of_mps__is_what_metal_lends_and_the_machine_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mps = torch.device("mps")
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 5_000)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 2_000)
    for free, expected in ((100_000, 3_000), (1_000, 1_000)):
        monkeypatch.setattr(memory, "free_memory", lambda free=free: free)
        assert memory.free_device_memory(mps) == expected


# ---------------------------------------------------------------- memory
def test_model_that_does_not_fit__is_refused_before_it_is_read(
    wide: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    release_models()
    free = LOADING_ROOM + 1_500_000
    monkeypatch.setattr(memory, "free_memory", lambda: free)
    monkeypatch.setattr(
        "sae_desktop.language_model.load.read_weights", lambda *a: pytest.fail("was read")
    )
    with pytest.raises(UserError) as caught:
        load_model(wide)
    error = caught.value
    assert "2.3 MB as float32" in error.what
    assert "has 302 MB free" in error.what
    for way_out in ("bfloat16", "another device", "smaller model"):
        assert way_out in error.next_step
    assert not describe(wide).fits
    assert describe(wide, dtype="bfloat16").fits
    monkeypatch.undo()
    assert load_model(wide).dtype == "float32"


def test_model_half_as_large__fits(wide: str, monkeypatch: pytest.MonkeyPatch) -> None:
    release_models()
    monkeypatch.setattr(memory, "free_memory", lambda: LOADING_ROOM + 1_500_000)
    assert load_model(wide, dtype="bfloat16").dtype == "bfloat16"


def test_free_memory__counts_what_the_held_model_gives_back(
    wide: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 1_000_000_000)
    release_models()
    assert describe(wide).free_memory_bytes == 1_000_000_000
    lm = load_model(wide)
    assert describe(wide).free_memory_bytes == 1_000_000_000 + taken(lm)


def test_needs__are_known_without_memory_for_the_weights() -> None:
    files = find_model("builtin")
    config = load_config(files)
    model = empty_model(files, config)
    assert {p.device.type for p in model.parameters()} == {"meta"}
    assert weights_needed(files, config, model, "float16", "float32") == 2 * 5_688_576

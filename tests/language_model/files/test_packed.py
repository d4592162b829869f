"""Models that ship in 8 bit: what is lost, and that the folder appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from sae_desktop import resources
from sae_desktop.errors import UserError
from sae_desktop.language_model.files import packed
from sae_desktop.language_model.files.find import find_model, stored_weights
from sae_desktop.language_model.files.packed import pack, unpacked, unpacked_model
from sae_desktop.language_model.names import shipped_models


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setattr(packed, "models_cache", lambda: folder)
    return folder


def _packed(folder: Path, seed: int = 0) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    weights = {
        "patch": draw.normal(size=(8, 3, 4, 4)).astype(np.float32),
        "matrix": draw.normal(size=(16, 8)).astype(np.float32) * np.logspace(-3, 1, 16)[:, None],
        "bias": draw.normal(size=16).astype(np.float32),
    }
    weights["matrix"][3] = 0
    folder.mkdir(exist_ok=True)
    pack(weights, folder)
    (folder / "config.json").write_text("{}")
    return weights


def test_weights_come_back_within_half_a_step_of_their_row(tmp_path: Path) -> None:
    weights = _packed(tmp_path / "small")
    found = unpacked(tmp_path / "small")
    assert found.keys() == weights.keys()
    for name in ("patch", "matrix"):
        rows = weights[name].reshape(len(weights[name]), -1)
        back = found[name].astype(np.float32).reshape(rows.shape)
        step = np.abs(rows).max(axis=1, keepdims=True) / 127
        assert (np.abs(back - rows) <= 0.5 * step + 6e-4 * np.abs(rows) + 1e-7).all()
    assert not found["matrix"][3].any()
    np.testing.assert_array_equal(found["bias"], weights["bias"].astype(np.float16))


def test_columns_have_scales_of_their_own_where_asked_for(tmp_path: Path) -> None:
    spread = np.logspace(-3, 1, 8, dtype=np.float32)
    weight = np.random.default_rng(3).normal(size=(16, 8)).astype(np.float32) * spread
    pack({"W_enc": weight}, tmp_path, by_column=("W_enc",))
    back = unpacked(tmp_path)["W_enc"].astype(np.float32)
    step = np.abs(weight).max(axis=0) / 127
    assert (np.abs(back - weight) <= 0.5 * step + 6e-4 * np.abs(weight) + 1e-7).all()


def test_what_was_packed_twice_no_longer_changes(tmp_path: Path) -> None:
    draw = np.random.default_rng(4)
    weights = {
        "W_enc": draw.normal(size=(24, 200)).astype(np.float32),
        "W_dec": draw.normal(size=(200, 24)).astype(np.float32),
        "b_enc": draw.normal(size=200).astype(np.float32),
    }
    for _ in range(2):
        pack(weights, tmp_path, by_column=("W_enc",))
        packed.unpack_in_place(tmp_path, "w.safetensors")
        assert not (tmp_path / packed.PACKED).exists()
        weights = load_file(tmp_path / "w.safetensors")
    before = (tmp_path / "w.safetensors").read_bytes()
    pack(weights, tmp_path, by_column=("W_enc",))
    packed.unpack_in_place(tmp_path, "w.safetensors")
    assert (tmp_path / "w.safetensors").read_bytes() == before


def test_the_packed_file_takes_a_byte_a_weight(tmp_path: Path) -> None:
    (tmp_path / "large").mkdir()
    pack({"matrix": np.ones((512, 512), np.float32)}, tmp_path / "large")
    size = (tmp_path / "large" / packed.PACKED).stat().st_size
    assert 512 * 512 < size < 1.02 * 512 * 512


def test_fine_weights_keep_what_is_left_where_products_all_but_cancel_a_bias(
    tmp_path: Path,
) -> None:
    draw = np.random.default_rng(0)
    hidden = 6 + draw.normal(size=(50, 32)).astype(np.float32)
    second = draw.normal(size=(32, 32)).astype(np.float32)
    wanted = (hidden - 6) @ second.T
    errors = {}
    for fine in ("", "projector"):
        pack({"projector.second": second}, tmp_path, fine)
        told = unpacked(tmp_path)["projector.second"].astype(np.float32)
        given = hidden @ told.T - 6 * second.sum(axis=1)
        errors[fine] = float(np.abs(given - wanted).mean() / np.abs(wanted).mean())
    assert errors[""] > 0.03
    assert errors["projector"] < 0.004


def test_a_model_is_unpacked_once_and_anew_when_it_changes(tmp_path: Path, cache: Path) -> None:
    small = tmp_path / "small"
    _packed(small)
    whole = unpacked_model(small)
    assert {path.name for path in whole.iterdir()} == {"config.json", "model.safetensors"}
    assert load_file(whole / "model.safetensors")["matrix"].dtype == np.float16
    before = (whole / "model.safetensors").stat().st_mtime_ns
    assert unpacked_model(small) == whole
    assert (whole / "model.safetensors").stat().st_mtime_ns == before

    _packed(small, seed=1)
    other = unpacked_model(small)
    assert other != whole
    assert [path.name for path in cache.iterdir()] == [other.name]


def test_a_model_that_ships_packed__is_found_by_its_name(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "builtin" in shipped_models()
    monkeypatch.setattr(resources, "_CANDIDATES", (tmp_path,))
    assert shipped_models() == []
    with pytest.raises(UserError, match="missing the file “models/builtin-pictures”"):
        find_model("builtin-pictures")

    folder = tmp_path / "models" / "builtin-pictures"
    folder.parent.mkdir()
    weights = _packed(folder)
    assert shipped_models() == ["builtin-pictures"]
    files = find_model("builtin-pictures")
    assert (files.name, files.folder.parent) == ("builtin-pictures", cache)
    stored = stored_weights([files.folder / "model.safetensors"])
    assert stored.numbers == sum(weight.size for weight in weights.values())


def test_a_fault_halfway_leaves_nothing(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _packed(tmp_path / "small")

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(packed, "save_file", full)
    with pytest.raises(UserError, match=r"(?i)disk|space"):
        unpacked_model(tmp_path / "small")
    assert list(cache.iterdir()) == []


def test_two_processes_that_unpack_at_once_agree(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = tmp_path / "small"
    _packed(small)
    true_save = packed.save_file

    def overtaken(weights: dict[str, np.ndarray], path: Path, **settings: object) -> None:
        true_save(weights, path, **settings)
        monkeypatch.setattr(packed, "save_file", true_save)
        unpacked_model(small)

    monkeypatch.setattr(packed, "save_file", overtaken)
    whole = unpacked_model(small)
    assert [path.name for path in cache.iterdir()] == [whole.name]
    assert (whole / "model.safetensors").is_file()

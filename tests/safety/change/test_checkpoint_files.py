"""Checkpoints in a folder: their order, and which of them are whole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from sae_desktop.errors import UserError
from sae_desktop.safety.change.checkpoint_files import incomplete, look_at
from sae_desktop.safety.change.checkpoint_order import checkpoints_in

CONFIG = {"model_type": "gpt2", "n_layer": 1, "n_embd": 4, "n_head": 1, "vocab_size": 8}


def _checkpoint(folder: Path, shards: int = 2) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    names = [f"model-{n}.safetensors" for n in range(shards)]
    for number, name in enumerate(names):
        save_file({f"t{number}": np.ones(64, np.float32)}, folder / name)
    weight_map = {f"t{number}": name for number, name in enumerate(names)}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return folder


def test_checkpoints__come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("checkpoint-1000", "checkpoint-200", "checkpoint-50", ".tmp-3", "_old"):
        (tmp_path / name).mkdir()
    (tmp_path / "notes.txt").write_text("")
    found = [path.name for path in checkpoints_in(tmp_path)]
    assert found == ["checkpoint-50", "checkpoint-200", "checkpoint-1000"]
    with pytest.raises(UserError, match="no folder"):
        checkpoints_in(tmp_path / "none")


def test_checkpoint__is_incomplete_without_a_shard_its_config_or_the_end_of_a_file(
    tmp_path: Path,
) -> None:
    whole = _checkpoint(tmp_path / "whole")
    assert incomplete(whole) == ""
    lacking = _checkpoint(tmp_path / "lacking")
    (lacking / "model-1.safetensors").unlink()
    assert "model-1.safetensors" in incomplete(lacking)
    short = _checkpoint(tmp_path / "short")
    path = short / "model-1.safetensors"
    path.write_bytes(path.read_bytes()[:-40])
    assert "cut short" in incomplete(short)
    path.write_bytes(path.read_bytes()[:20])
    assert "cut short" in incomplete(short)
    (whole / "config.json").unlink()
    assert "config.json" in incomplete(whole)


def test_look__changes_with_any_file_and_is_empty_for_what_is_gone(tmp_path: Path) -> None:
    whole = _checkpoint(tmp_path / "whole")
    before = look_at(whole)
    assert before == look_at(whole)
    (whole / "optimizer.pt").write_bytes(b"1")
    assert look_at(whole) != before
    assert look_at(tmp_path / "gone") == ()

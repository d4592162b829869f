"""The gallery command lists the catalogue, and what is on this machine beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_process import Done, sae_desktop

from sae_desktop.gui.state.settings import Settings, save


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Done]:
    """Runs the command with a hub's cache and settings of its own."""
    snapshot = tmp_path / "hub" / "models--someone--saes" / "snapshots" / "1"
    snapshot.mkdir(parents=True)
    (snapshot / "ae.pt").write_bytes(b"weights")
    folder = tmp_path / "mine.saeproj" / "dictionaries" / "small"
    folder.mkdir(parents=True)
    cfg = {"architecture": "topk", "d_in": 8, "d_sae": 16, "metadata": {"model_name": "builtin"}}
    (folder / "cfg.json").write_text(json.dumps(cfg))
    (folder / "sae_weights.safetensors").write_bytes(b"weights")
    settings = Settings()
    settings.remember_project(str(tmp_path / "mine.saeproj"))
    save(settings, tmp_path / "config" / "sae-desktop" / "settings.json")
    environment = {
        "HF_HUB_CACHE": str(tmp_path / "hub"), "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }  # fmt: skip

    def call(*arguments: str) -> Done:
        done = sae_desktop("gallery", *arguments, environment=environment)
        assert done.status == 0, done.stderr
        return done

    return call


def test_gallery__finds_by_words_and_tells_what_is_here(run: Callable[..., Done]) -> None:
    told = run("gemma-2-2b", "transcoders").stdout
    assert "Gemma Scope, transcoders" in told
    assert "On this machine" not in told
    assert "mine.saeproj" in run("small").stdout
    nothing = run("no", "such", "thing").stdout
    assert nothing.strip() == "Nothing in the catalogue matches these words."
    result = run("someone", "--json").result
    assert result["families"] == []
    assert [one["source"] for one in result["here"]] == ["someone/saes"]


def test_gallery__of_a_layer_names_what_imports_it(run: Callable[..., Done]) -> None:
    told = run("gemma-2-2b", "transcoders", "--layer", "5").stdout
    assert "google/gemma-scope-2b-pt-transcoders/layer_5/" in told
    assert "On this machine" not in told

"""The rows of every architecture are its own hidden states, bit for bit as float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from job_contexts import RecordingContext
from stored import opened
from toy_models import ENCODER_SIZES, LAYERS, SIZES, TEXT, save_toy_model

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.sites.capture import capture_sites
from sae_desktop.language_model.sites.resolve import list_sites, parse_site, site_width
from sae_desktop.project import Project

FAMILIES = [
    "gpt2", "gpt_neox", "llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3", "phi3", "olmo2",
    "falcon", "opt", "bloom", "mixtral", "qwen3_moe", "bert", "roberta", "distilbert",
]  # fmt: skip
_CONTEXT = 16


def test_families__are_among_the_toys() -> None:
    assert {*FAMILIES} <= {*SIZES, *ENCODER_SIZES, "gemma3"}


@pytest.mark.parametrize("family", FAMILIES)
def test_rows__of_every_family_are_its_own_hidden_states(family: str, tmp_path: Path) -> None:
    model = save_toy_model(tmp_path / "model", family)
    text = tmp_path / "text.txt"
    text.write_text(TEXT * 3)
    project = Project.open_or_create(tmp_path / "p.saeproj")
    lm = load_model(str(model))
    others = [s for s in list_sites(lm.model) if s.startswith("blocks.1.") and "resid" not in s]
    sites = [f"blocks.{layer}.hook_resid_post" for layer in range(LAYERS - 1)] + others

    def stored(tokens: int, name: str, dtype: str = "float32") -> Any:
        # A window a batch: the pass by which the test judges has the same shape.
        config = HarvestConfig(
            project=str(project.path), name=name, model=str(model), corpus=str(text),
            site=sites[0], sites=tuple(sites[1:]), tokens=tokens, context_size=_CONTEXT,
            batch_tokens=_CONTEXT, dtype=dtype, device="cpu",
        )  # fmt: skip
        harvest(config, RecordingContext())
        return opened(config)

    stored(60, "acts")
    store = stored(100, "acts")  # the last rows are an extension's
    assert store.segments == 2
    assert store.info.widths == [site_width(lm.model, parse_site(site)) for site in sites]
    half = {dtype: stored(100, dtype, dtype) for dtype in ("float16", "bfloat16", "int8")}
    chosen = np.random.default_rng(0).permutation(len(store.windows))[:5]
    for number in {*chosen.tolist(), len(store.windows) - 1}:
        window = store.windows[number]
        first, last = int(window["first_row"]), int(window["first_row"] + window["length"])
        ids = torch.tensor([store.window_ids(store.windows[number])])
        dropped = 0 if window["first_token"] < 0 else 1
        kept = slice(dropped, dropped + last - first)
        with torch.no_grad():
            own = lm.model(input_ids=ids, output_hidden_states=True).hidden_states
        for layer in range(LAYERS - 1):
            rows = store.read(first, last, f"blocks.{layer}.hook_resid_post")
            assert np.array_equal(rows, own[layer + 1][0, kept].numpy()), (layer, number)
        seen = capture_sites(lm, ids, None, [parse_site(site) for site in others])
        for site in others:
            assert np.array_equal(store.read(first, last, site), seen[parse_site(site)][0, kept])
    exact = store.read(0, 60)
    scale = np.abs(exact).max(axis=1, keepdims=True)
    for dtype, limit in (("float16", 2**-11), ("bfloat16", 2**-8), ("int8", 1 / 253)):
        rounded = half[dtype].read(0, 60).astype(np.float32)
        assert (np.abs(rounded - exact) <= limit * scale).all(), dtype


@pytest.mark.parametrize("family", ["llama", "opt", "bloom", "bert", "roberta"])
def test_rows__of_a_padded_batch_are_those_of_windows_alone(family: str, tmp_path: Path) -> None:
    model = save_toy_model(tmp_path / "model", family)
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.txt").write_text(TEXT[number : number + 12 + 9 * number])
    project = Project.open_or_create(tmp_path / "p.saeproj")
    rows = []
    for name, batch_tokens in (("alone", 1), ("together", 512)):
        config = HarvestConfig(
            project=str(project.path), name=name, model=str(model), corpus=str(folder),
            site="blocks.2.hook_resid_post", tokens=250, context_size=32,
            batch_tokens=batch_tokens, dtype="float32", device="cpu",
        )  # fmt: skip
        harvest(config, RecordingContext())
        store = opened(config)
        rows.append(store.read(0, store.rows))
    assert rows[0].shape == rows[1].shape
    np.testing.assert_allclose(rows[0], rows[1], rtol=2e-4, atol=2e-5)

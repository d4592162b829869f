"""Contexts tell what the model read with the chosen token, and how often a window just began."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import load
from sae_desktop.exchange.records import records_of
from sae_desktop.features.building.index import build_index
from sae_desktop.features.config import IndexConfig
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.load import load_model
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.job import train

SITE = "blocks.1.hook_resid_post"
CASES = {
    "files": {"order": "files"},
    "shuffled": {"order": "shuffled"},
    "overlapping": {"order": "shuffled", "overlap": 6},
    "overlapping files": {"order": "files", "overlap": 6},
    "without BOS": {"order": "files", "bos": "never", "keep_first": True},
}


@pytest.fixture(scope="module", params=CASES)
def indexed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, toy_model_folder: Path
) -> tuple[ActivationStore, FeatureIndex, Any, list[str]]:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("windows")
    texts = [" ".join(f"w{n * i % 23}x{i}" for i in range(14 + n)) for n in range(12)]
    path = folder / "c.jsonl"
    path.write_text("\n".join(json.dumps({"text": t, "title": t[:9]}) for t in texts))
    project = Project.open_or_create(folder / "p")
    harvest(
        HarvestConfig(
            project=str(project.path), name="acts", model=str(toy_model_folder), corpus=str(path),
            site=SITE, tokens=10**5, context_size=16, batch_tokens=64, **CASES[request.param],
        ),
        SilentContext(),
    )  # fmt: skip
    train(
        TrainConfig(
            project=str(project.path), name="d", activations="acts", architecture="topk",
            features=24, k=3, tokens=2000, batch=200, device="cpu",
        ),
        SilentContext(),
    )  # fmt: skip
    build_index(
        IndexConfig(project=str(project.path), dictionary="d", name="i", device="cpu"),
        SilentContext(),
    )
    store = ActivationStore.open(project.store_path("acts"))
    index = FeatureIndex(project.index_path("i"))
    return store, index, load(project.dictionary_path("d")), texts


def test_share_at_window_start__is_that_of_the_firings(
    indexed: tuple[ActivationStore, FeatureIndex, Any, list[str]],
) -> None:
    store, index, dictionary, _ = indexed
    with torch.no_grad():
        fires = dictionary.encode(torch.from_numpy(store.read(0, store.rows)).float()).numpy() > 0
    plain = np.zeros(store.rows, bool)
    for window in store.windows:
        repeated = "repeated" in window.dtype.names and (window["repeated"] >= 0).any()
        plain[window["first_row"]] = not repeated
    expected = fires[plain].sum(0) / np.maximum(fires.sum(0), 1)
    np.testing.assert_allclose(index.columns["window_start_share"], expected, atol=1e-6)
    assert (expected > 0).any()


def test_contexts__mark_what_was_read_with_the_chosen_token(
    indexed: tuple[ActivationStore, FeatureIndex, Any, list[str]],
) -> None:
    store, index, _, texts = indexed
    lm = load_model(store.info.model)
    special = set(store.info.prefix)
    windows = [
        "".join(index.token(t) for t in store.window_ids(window) if t not in special)
        for window in store.windows
    ]
    starts = store.windows["first_row"]
    apart = 0
    for feature in range(index.features):
        for context in index.contexts(feature, 12, 4):
            assert context.read is not None
            first, last = context.read
            assert first <= context.peak < last
            window = windows[int(np.searchsorted(starts, context.row, side="right")) - 1]
            own = context.as_read()
            shown = [t for t in own.tokens if t not in {index.token(s) for s in special}]
            assert "".join(shown) in window
            assert own.tokens[own.peak] == context.tokens[context.peak]
            before = "".join(context.tokens[:first])
            if before:
                apart += 1
                assert any(before + "".join(shown[:3]) in text for text in texts) or special
                assert first in context.starts or store.info.overlap
                if CASES and store.info.order == "shuffled":
                    assert not context.activations[:first].any()
    assert apart > 10
    assert lm.name


def test_records_for_other_programs__hold_only_what_was_read(
    indexed: tuple[ActivationStore, FeatureIndex, Any, list[str]],
) -> None:
    _, index, _, _ = indexed
    for record in records_of(index, None, range(6)):
        for context, shown in zip(
            record.contexts, index.contexts(record.feature, None, None), strict=True
        ):
            assert shown.read is not None
            assert context.tokens == shown.tokens[slice(*shown.read)]
            assert context.before == shown.tokens[: shown.read[0]]
            assert context.values[context.peak] == shown.activation

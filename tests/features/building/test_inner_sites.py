"""Dictionaries of neurons, heads and encoders are indexed, probed and steered with."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from job_contexts import RecordingContext
from toy_encoder import save_toy_bert
from toy_models import TEXT, save_toy_model

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import load
from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import open_index
from sae_desktop.features.asking.probe import probe
from sae_desktop.features.building.index import build_index
from sae_desktop.features.building.neurons import _neuron_sites
from sae_desktop.features.config import IndexConfig, ProbeConfig
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.sites.capture import capture
from sae_desktop.language_model.sites.intervene import intervention, stream_directions, unembedding
from sae_desktop.language_model.sites.resolve import parse_site, site_width
from sae_desktop.project import Project
from sae_desktop.steering.config import PLAIN, Sampling, SteerConfig, clamped
from sae_desktop.steering.job import steer
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.job import train

FEATURES = 40


def indexed(folder: Path, model: Path, site: str) -> Project:
    """Harvest, train and index a site; the index is called “i”."""
    (folder / "text.txt").write_text(TEXT * 12)
    project = Project.open_or_create(folder / "p.saeproj")
    path, context = str(project.path), RecordingContext()
    harvest(
        HarvestConfig(
            project=path, name="acts", model=str(model), corpus=str(folder / "text.txt"),
            site=site, tokens=1500, context_size=32, batch_tokens=128, device="cpu",
        ),
        context,
    )  # fmt: skip
    train(
        TrainConfig(
            project=path, name="d", activations="acts", features=FEATURES, k=4, tokens=12_000,
            batch=256, device="cpu",
        ),
        context,
    )  # fmt: skip
    build_index(IndexConfig(project=path, dictionary="d", name="i", device="cpu"), context)
    return project


def strongest(project: Project) -> int:
    index = FeatureIndex(project.index_path("i"))
    return int(index.columns["max_activation"].argmax())


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("site", ["blocks.2.mlp.hook_post", "blocks.2.attn.hook_z"])
def test_neurons_and_heads__are_read_and_changed(tmp_path: Path, family: str, site: str) -> None:
    model = save_toy_model(tmp_path / "model", family)
    project = indexed(tmp_path, model, site)
    lm, dictionary = load_model(str(model)), load(project.dictionary_path("d"))
    assert dictionary.width == site_width(lm.model, parse_site(site))
    index, feature = FeatureIndex(project.index_path("i")), strongest(project)

    found = unembedding(lm)
    assert found is not None
    W_U, gain = found
    written = stream_directions(lm, parse_site(site), dictionary.W_dec)
    assert written.shape == (FEATURES, lm.width)
    direction = written[feature]
    if family == "gpt2":  # its LayerNorm takes the mean off
        direction = direction - direction.mean()
    effects = (direction if gain is None else direction * gain) @ W_U
    told = [value for _, value in index.top_logits(feature)]
    assert told == pytest.approx(effects.topk(len(told)).values.tolist(), rel=1e-4)

    text = TEXT[:60]
    probed = probe(
        ProbeConfig(project=str(project.path), index="i", text=text, features=[feature]),
        RecordingContext(),
    )
    assert len(probed.tokens) == len(lm.encode(text))
    assert probed.features
    steered = steer(
        SteerConfig(
            project=str(project.path), index="i", prompt="In the beginning",
            variants=[PLAIN, clamped({feature: 40.0})],
            sampling=Sampling(max_new_tokens=12), device="cpu",
        ),
        RecordingContext(),
    )  # fmt: skip
    assert steered.variants[0].text != steered.variants[1].text


@pytest.mark.parametrize(
    ("hook", "branch"), [("mlp.hook_post", "hook_mlp_out"), ("attn.hook_z", "hook_attn_out")]
)
def test_stream_directions__are_what_the_branch_adds(
    tmp_path: Path, hook: str, branch: str
) -> None:
    lm = load_model(str(save_toy_model(tmp_path / "model", "gpt2")))
    place, out = parse_site(f"blocks.1.{hook}"), parse_site(f"blocks.1.{branch}")
    direction = torch.randn(site_width(lm.model, place), generator=torch.Generator().manual_seed(0))
    ids = torch.tensor([[5, 6, 7, 8]])
    before = capture(lm, ids, None, out)
    with intervention(lm, place, lambda x: x + direction):
        after = capture(lm, ids, None, out)
    added = stream_directions(lm, place, direction[None])[0]
    torch.testing.assert_close(after - before, added.expand_as(after), rtol=1e-4, atol=1e-4)


def test_encoder__is_indexed_without_logits_and_probed_as_it_was_harvested(tmp_path: Path) -> None:
    model = save_toy_bert(tmp_path / "model")
    project = indexed(tmp_path, model, "blocks.2.hook_resid_post")
    store = ActivationStore.open(project.store_path("acts"))
    opened = open_index(str(project.path), "i", "cpu")
    assert (opened.bos, opened.eos) == ([opened.lm.cls_id], [opened.lm.sep_id])
    assert FeatureIndex(project.index_path("i")).top_logits(0) == []
    ids = store.window_ids(store.windows[0])[1:-1]
    text = opened.lm.tokenizer.decode(ids)
    if opened.lm.encode(text) != ids:
        pytest.skip("the first window does not survive being decoded")
    probed = probe(
        ProbeConfig(project=str(project.path), index="i", text=text, per_token=0),
        RecordingContext(),
    )
    rows = torch.tensor(store.read(0, len(ids)).astype("f4"))
    acts = opened.dictionary.encode(rows)
    right = {(int(p), int(f)): float(acts[p, f]) for p, f in acts.nonzero().tolist()}
    told = {(position, feature): value for position, feature, value in probed.entries()}
    strong = {key for key, value in right.items() if value > 0.05 * float(acts.max())}
    assert strong <= told.keys()
    for key in strong:
        assert told[key] == pytest.approx(right[key], rel=0.02)
    with pytest.raises(UserError, match="encoder"):
        steer(
            SteerConfig(
                project=str(project.path), index="i", prompt="In the",
                variants=[PLAIN, clamped({strongest(project): 1.0})],
            ),
            RecordingContext(),
        )  # fmt: skip


def test_neurons_before_a_centred_site__are_those_before_the_site_itself(tmp_path: Path) -> None:
    lm = load_model(str(save_toy_model(tmp_path / "model", "gpt2")))
    for hook in ("hook_resid_pre", "hook_mlp_out", "hook_resid_post"):
        plain, centred = (parse_site(f"blocks.2.{name}") for name in (hook, f"{hook}.centred"))
        assert _neuron_sites(lm, centred) == _neuron_sites(lm, plain)
    assert len(_neuron_sites(lm, parse_site("blocks.2.hook_resid_post.centred"))) == 3

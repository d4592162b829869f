"""Every kind of dictionary on one toy: probed, steered, exported, mapped, matched and more."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from dictionary_kinds import KINDS, SITES, random_dictionary, save_tuned_model
from torch import Tensor
from toy_models import TEXT

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.comparison.config import MatchConfig
from sae_desktop.comparison.match import match
from sae_desktop.comparison.match_file import Match
from sae_desktop.dictionary import Dictionary, save
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.exchange.config import ExportFeaturesConfig, FeaturesFormat
from sae_desktop.exchange.features import export_features
from sae_desktop.features.asking.opened import open_index
from sae_desktop.features.asking.probe import probe
from sae_desktop.features.asking.text_set_config import FindFeaturesConfig
from sae_desktop.features.asking.text_sets import find_features
from sae_desktop.features.building.index import build_index
from sae_desktop.features.config import IndexConfig, ProbeConfig
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.labels.scoring.read_text import read_text
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.sites.capture import capture
from sae_desktop.language_model.sites.site_names import parse_site
from sae_desktop.project import Project
from sae_desktop.steering.config import PLAIN, Sampling, SteerConfig, clamped
from sae_desktop.steering.effect_config import OutputEffectConfig
from sae_desktop.steering.job import steer
from sae_desktop.steering.output_effect import output_effect

FEATURES = 24
PROMPT = "In the beginning God created"
STORES = ("ours", "tuned")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, toy_model_folder: Path) -> Project:
    folder = tmp_path_factory.mktemp("kinds")
    text = folder / "text"
    text.mkdir()
    for number in range(4):
        (text / f"{number}.txt").write_text(TEXT[number * 7 :] + TEXT[: 30 * number])
    project = Project.open_or_create(folder / "p")
    models = [toy_model_folder, save_tuned_model(folder / "toy-tuned")]
    for store, model in zip(STORES, models, strict=True):
        harvest(
            HarvestConfig(
                project=str(project.path), name=store, corpus=str(text), model=str(model),
                site=SITES[0], sites=tuple(SITES[1:]), tokens=400, context_size=32,
                batch_tokens=256, dtype="float32",
            ),
            SilentContext(),
        )  # fmt: skip
    first = load_model(str(models[0]), "cpu")
    loaded = [first, load_model(str(models[1]), "cpu", beside=[first])]
    for name, kind in KINDS.items():
        dictionary = random_dictionary(kind, loaded, FEATURES)
        told = {"activation_store": STORES[0]}
        if name.endswith("models"):
            told |= {"other_activations": [STORES[1]]}  # type: ignore[dict-item]
        dictionary.metadata = {**dictionary.metadata, **told}
        save(dictionary, project.dictionary_path(name))
        save(_turned(dictionary), project.dictionary_path(f"{name} turned"))
        build_index(
            IndexConfig(project=str(project.path), dictionary=name, name=name, device="cpu"),
            SilentContext(),
        )
    return project


def _turned(dictionary: Dictionary) -> Dictionary:
    """The same features in the opposite order; of a cross-layer transcoder within each layer."""
    if isinstance(dictionary, CrossLayerDictionary):
        blocks = [_turned(block) for block in dictionary.blocks]
        return CrossLayerDictionary(blocks, dictionary.b_dec, dictionary.metadata)
    assert dictionary.threshold is not None
    return Dictionary(
        dictionary.W_enc.flip(1), dictionary.b_enc.flip(0), dictionary.W_dec.flip(0),
        dictionary.b_dec, dictionary.threshold.flip(0), W_skip=dictionary.W_skip,
        parts=dictionary.parts, metadata=dictionary.metadata,
    )  # fmt: skip


@pytest.fixture(params=KINDS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def acts_of(project: Project, name: str) -> Callable[[str], Tensor]:
    """(S, F) on a text, each site of each model read by itself."""
    opened = open_index(str(project.path), name, "cpu")

    def found(text: str) -> Tensor:
        ids = torch.tensor([opened.bos + opened.lm.encode(text)])
        rows = [
            capture(opened.models[source], ids, None, parse_site(site))[0, len(opened.bos) :]
            for source, site in KINDS[name].reads
        ]
        return opened.dictionary.encode(torch.cat(rows, dim=1))

    return found


def test_probe__tells_what_fires(
    project: Project, name: str, acts_of: Callable[[str], Tensor]
) -> None:
    config = ProbeConfig(
        project=str(project.path), index=name, text=PROMPT, per_token=0, most_density=1.0,
        rank="attribution", device="cpu",
    )  # fmt: skip
    result = probe(config, SilentContext())
    expected = acts_of(PROMPT)
    found = torch.zeros_like(expected)
    for position, feature, activation in result.entries():
        found[position, feature] = activation
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert (expected > 0).any()
    assert any(result.attributions)


def test_text_sets__find_the_features_of_a_text(
    project: Project, name: str, acts_of: Callable[[str], Tensor]
) -> None:
    on, off = "def add(first, second):", "In the beginning"
    config = FindFeaturesConfig(
        project=str(project.path), index=name, on=[on], off=[off], count=FEATURES, device="cpu"
    )
    result = find_features(config, SilentContext())
    top = np.asarray(FeatureIndex(project.index_path(name)).columns["max_activation"])
    best = [acts_of(text).amax(0).numpy() for text in (on, off)]
    expected = np.flatnonzero((best[0] > 0.1 * top) & (best[1] <= 0.1 * top) & (top > 0))
    assert sorted(one.feature for one in result.found) == expected.tolist()


def test_steering__turns_the_text_and_tells_where(project: Project, name: str) -> None:
    path = str(project.path)
    top = np.asarray(FeatureIndex(project.index_path(name)).columns["max_activation"])
    config = SteerConfig(
        project=path, index=name, prompt=PROMPT, device="cpu",
        variants=[PLAIN, clamped({int(top.argmax()): 20.0})],
        sampling=Sampling(max_new_tokens=4),
    )  # fmt: skip
    result = steer(config, SilentContext())
    plain, steered = result.variants
    assert steered.kl is not None
    assert steered.kl > 1e-3
    assert plain.kl == pytest.approx(0.0, abs=1e-5)
    assert steered.own is not None
    written = [site for source, site in KINDS[name].writes if source == 0]
    assert result.site == ", ".join(written)
    assert result.typical_norm > 0


def test_output_effect__is_measured(project: Project, name: str) -> None:
    top = np.asarray(FeatureIndex(project.index_path(name)).columns["max_activation"])
    asked = [int(f) for f in np.argsort(-top)[:2]]
    config = OutputEffectConfig(
        project=str(project.path), index=name, features=asked, prompts=[PROMPT], strength=20.0,
        strengths=False, device="cpu",
    )  # fmt: skip
    assert output_effect(config, SilentContext()).median > 1e-5


def test_labels__read_the_text_as_the_index_did(project: Project, name: str) -> None:
    opened = open_index(str(project.path), name, "cpu")
    directions = np.zeros((1, opened.dictionary.width), np.float32)
    read = read_text(opened, 10**6, directions, 0, SilentContext())
    index = opened.index
    for feature in range(FEATURES):
        count = int(read.offsets[feature + 1] - read.offsets[feature])
        assert count == int(index.columns["firings"][feature])


@pytest.mark.parametrize("form", ["neuronpedia", "saedashboard", "delphi", "html"])
def test_export__holds_every_feature(
    project: Project, name: str, form: FeaturesFormat, tmp_path: Path
) -> None:
    target = tmp_path / ("page.html" if form == "html" else "out")
    config = ExportFeaturesConfig(
        project=str(project.path), index=name, path=str(target), format=form
    )
    result = export_features(config, SilentContext())
    assert result.bytes > 0
    if form == "html":
        kind = KINDS[name]
        named = kind.writes[-1][1] if len(kind.writes) > 1 else kind.reads[0][1]
        assert named in target.read_text(encoding="utf-8")
    if form == "neuronpedia":
        told = [
            json.loads(line)
            for path in sorted(target.rglob("features/*.jsonl.gz"))
            for line in gzip.decompress(path.read_bytes()).splitlines()
        ]
        reads = [site for _, site in KINDS[name].reads]
        homes = reads if KINDS[name].cross_layer else reads[:1]
        each = FEATURES // len(homes)
        assert [(t["hookName"], t["index"]) for t in told] == [
            (site, str(number)) for site in homes for number in range(each)
        ]


def test_map__has_a_place_for_each_feature_that_fires(project: Project, name: str) -> None:
    index = FeatureIndex(project.index_path(name))
    points = np.stack([index.columns["map_x"], index.columns["map_y"]], axis=1)
    fires = np.asarray(index.columns["density"]) > 0
    assert np.isfinite(points[fires]).all()
    assert len(np.unique(points[fires], axis=0)) > fires.sum() // 2


def test_match__finds_the_same_features_in_another_order(project: Project, name: str) -> None:
    pair = (name, f"{name} turned")
    config = MatchConfig(project=str(project.path), dictionaries=pair, device="cpu")
    made = match(config, SilentContext()).pairs[0]
    found = Match(project.match_path(made.smaller, made.larger))
    groups = 3 if KINDS[name].cross_layer else 1
    size = FEATURES // groups
    for feature in range(FEATURES):
        expected = feature // size * size + size - 1 - feature % size
        other, cosine = found.nearest(name, feature)[0]
        assert other == expected
        assert cosine == pytest.approx(1.0, abs=1e-3)

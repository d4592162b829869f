"""Indexes of what reads or writes several sites, each figure against brute force."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy_models import TEXT, save_toy_model

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.store import ActivationStore
from sae_desktop.cli import render
from sae_desktop.comparison.control_firings import ControlFirings
from sae_desktop.dictionary import Dictionary, load, save
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import open_index
from sae_desktop.features.asking.read_inputs import read_inputs
from sae_desktop.features.building.index import build_index
from sae_desktop.features.building.merge import merge_indexes
from sae_desktop.features.config import IndexConfig, MergeIndexesConfig
from sae_desktop.features.reading.comparing import compare_features
from sae_desktop.features.reading.outputs import (
    inputs_of,
    logits_at,
    neighbours_at,
    outputs_of,
)
from sae_desktop.features.reading.plain_data import feature_page
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.sites.capture import capture_sites
from sae_desktop.language_model.sites.intervene import unembedding
from sae_desktop.language_model.sites.site_names import parse_site
from sae_desktop.project import Project

D, EACH = 32, 12
STREAM = "blocks.1.hook_resid_post"
INS = tuple(f"blocks.{layer}.mlp.hook_in" for layer in range(3))
OUTS = tuple(f"blocks.{layer}.hook_mlp_out" for layer in range(3))
MODELS = {"ours": "llama", "theirs": "qwen2", "third": "mistral"}


def random_dictionary(inputs: int, outputs: int, metadata: dict[str, Any]) -> Dictionary:
    """Features that read and write several sites, with a threshold."""
    generator = torch.Generator().manual_seed(1)
    features = 4 * EACH
    return Dictionary(
        torch.randn(inputs * D, features, generator=generator) / D**0.5,
        -torch.rand(features, generator=generator),
        torch.nn.functional.normalize(torch.randn(features, outputs * D, generator=generator)),
        torch.zeros(outputs * D),
        torch.full((features,), 0.3),
        parts=(D,) * outputs if outputs > 1 else (),
        metadata={"activation_store": "ours", **metadata},
    )


def cross_layer() -> CrossLayerDictionary:
    generator = torch.Generator().manual_seed(2)
    blocks = []
    for layer in range(3):
        written = (3 - layer) * D
        W_dec = torch.nn.functional.normalize(torch.randn(EACH, written, generator=generator))
        W_enc = torch.randn(D, EACH, generator=generator) / D**0.5
        bias = -torch.rand(EACH, generator=generator)
        threshold = torch.full((EACH,), 0.2)
        blocks.append(Dictionary(W_enc, bias, W_dec, torch.zeros(written), threshold))
    told = {"hook_name": INS[0], "input_sites": list(INS), "output_sites": list(OUTS)}
    return CrossLayerDictionary(blocks, torch.zeros(3 * D), {"activation_store": "ours"} | told)


def of_sites(sites: tuple[str, ...], sources: tuple[int, ...] = ()) -> dict[str, Any]:
    found: dict[str, Any] = {
        "target": "crosscoder", "hook_name": sites[0], "input_sites": list(sites),
        "output_sites": list(sites), "sources": list(sources or [0] * len(sites)),
    }  # fmt: skip
    if any(sources):
        found["other_activations"] = ["theirs", "third"]
    return found


def transcoder() -> Dictionary:
    found = random_dictionary(1, 1, {"hook_name": INS[1], "hook_name_out": OUTS[1]})
    found.W_skip = torch.eye(D)
    return found


KINDS = {
    "crosscoder": lambda: random_dictionary(3, 3, of_sites(OUTS)),
    "models": lambda: random_dictionary(3, 3, of_sites((STREAM,) * 3, (0, 1, 2))),
    "clt": cross_layer,
    "skip": transcoder,
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The same tokens through three models, dictionaries of every kind and their indexes."""
    folder = tmp_path_factory.mktemp("several")
    text = folder / "text"
    text.mkdir()
    for number in range(6):
        (text / f"{number}.txt").write_text(TEXT[number * 5 :] + TEXT[: 40 * number])
    project = Project.open_or_create(folder / "p")
    for name, model_type in MODELS.items():
        sites = (*INS, *OUTS) if name == "ours" else ()
        harvest(
            HarvestConfig(
                project=str(project.path), name=name, corpus=str(text), site=STREAM, sites=sites,
                model=str(save_toy_model(folder / name, model_type)), tokens=600,
                context_size=32, batch_tokens=256, dtype="float32",
            ),
            SilentContext(),
        )  # fmt: skip
    for name, make in KINDS.items():
        dictionary = make()
        if name == "models":
            stores = [ActivationStore.open(project.store_path(other)) for other in MODELS]
            dictionary.metadata["other_models"] = [
                {"model_name": store.info.model, "model_revision": store.info.model_revision}
                for store in stores[1:]
            ]
        save(dictionary, project.dictionary_path(name))
        build_index(asked(project, name), SilentContext())
    return project


def asked(project: Project, dictionary: str, **changes: Any) -> IndexConfig:
    settings = {"map": False, "neuron_rows": 10**6, "device": "cpu", "name": dictionary} | changes
    return IndexConfig(project=str(project.path), dictionary=dictionary, **settings)


def rows_of(project: Project, name: str) -> torch.Tensor:
    """What a dictionary reads, read row by row by nothing but the stores."""
    sites, stores = {
        "crosscoder": (OUTS, ["ours"] * 3), "models": ((STREAM,) * 3, list(MODELS)),
        "clt": (INS, ["ours"] * 3), "skip": ((INS[1],), ["ours"]),
    }[name]  # fmt: skip
    parts = []
    for site, store in zip(sites, stores, strict=True):
        opened = ActivationStore.open(project.store_path(store))
        parts.append(torch.from_numpy(opened.read(0, opened.rows, site).astype(np.float32)))
    return torch.cat(parts, dim=1)


@pytest.mark.parametrize("name", KINDS)
def test_firings__are_those_of_the_dense_formula(project: Project, name: str) -> None:
    dictionary, index = load(project.dictionary_path(name)), FeatureIndex(project.index_path(name))
    right = dictionary.encode(rows_of(project, name)).numpy()
    assert index.info.rows == len(right)
    assert index.info.massive_rows == 0
    np.testing.assert_allclose(index.columns["density"], (right > 0).mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(index.columns["max_activation"], right.max(axis=0), rtol=1e-5)
    firings = index.firings()
    assert firings is not None
    found = np.zeros_like(right)
    for block in firings.by_feature(10):
        found[block.rows, block.features] = block.values
    np.testing.assert_allclose(found, right, atol=1e-5)
    assert (right > 0).any(axis=0).mean() > 0.8, "or nothing was compared"


@pytest.mark.parametrize("name", ["crosscoder", "models", "clt"])
def test_outputs__have_their_strength_and_neighbours(project: Project, name: str) -> None:
    dictionary, index = load(project.dictionary_path(name)), FeatureIndex(project.index_path(name))
    ends = index.info.outputs
    typical = []
    for end in ends:
        store = ActivationStore.open(project.store_path(list(MODELS)[end.source]))
        typical.append(np.median(store.norms(end.site)))
    parts = [part.numpy() for part in torch.split(dictionary.W_dec, D, dim=1)]
    norms = np.stack([np.linalg.norm(p, axis=1) / t for p, t in zip(parts, typical, strict=True)])
    right = (norms / norms.max(axis=0)).T
    np.testing.assert_allclose(index.array("parts/strength"), right, rtol=1e-5)
    together = np.concatenate([p / t for p, t in zip(parts, typical, strict=True)], axis=1)
    for directions, found in [
        (together, index.array("neighbours/cosines")),
        *((p, index.array("parts/neighbour_cosines")[:, n]) for n, p in enumerate(parts)),
    ]:
        lengths = np.linalg.norm(directions, axis=1, keepdims=True)
        writes = lengths[:, 0] > 0
        unit = directions[writes] / lengths[writes]
        cosines = unit @ unit.T
        np.fill_diagonal(cosines, -1)
        best = -np.sort(-cosines, axis=1)[:, :10]
        np.testing.assert_allclose(found[writes], best, atol=1e-5)
        assert not found[~writes].any()


def test_outputs__of_later_layers_only_have_no_neighbours_before(project: Project) -> None:
    ids = FeatureIndex(project.index_path("clt")).array("parts/neighbour_ids")
    assert (ids[EACH:, 0] == -1).all()
    assert (ids[:EACH, 0] >= 0).all()
    assert (ids[:EACH, 0] < EACH).all()


@pytest.mark.parametrize("name", ["crosscoder", "models", "clt"])
def test_logits__by_output_and_of_all_that_adds_up(project: Project, name: str) -> None:
    dictionary, index = load(project.dictionary_path(name)), FeatureIndex(project.index_path(name))
    effects = []
    for end, part in zip(index.info.outputs, torch.split(dictionary.W_dec, D, dim=1), strict=True):
        model = index.info.models[end.source]
        found = unembedding(load_model(model))
        assert found is not None
        W_U, gain = found
        effects.append(((part * gain) @ W_U).numpy())
    for number, right in enumerate(effects):
        spread = index.array("parts/logit_spread")[:, number]
        np.testing.assert_allclose(spread, right.std(axis=1), rtol=1e-4, atol=1e-6)
        top = index.array("parts/logit_top_values")[:, number]
        writes = np.abs(right).max(axis=1) > 0
        best = -np.sort(-right[writes], axis=1)[:, :10]
        np.testing.assert_allclose(top[writes], best, atol=1e-5)
        assert (index.array("parts/logit_top_ids")[~writes, number] == -1).all()
    # MLP outputs add to the stream, so all of the first model's do; another model's do not.
    whole = effects[0] if name == "models" else sum(effects)
    best = -np.sort(-whole, axis=1)[:, :10]
    np.testing.assert_allclose(index.array("logits/top_values"), best, atol=1e-5)


@pytest.mark.parametrize("name", ["crosscoder", "models"])
def test_function__is_what_is_lost_with_one_input_at_its_mean(project: Project, name: str) -> None:
    dictionary, index = load(project.dictionary_path(name)), FeatureIndex(project.index_path(name))
    x = rows_of(project, name)
    acts = dictionary.encode(x)
    found = index.array("parts/functional")
    for number in range(3):
        masked = x.clone()
        mine = slice(number * D, (number + 1) * D)
        masked[:, mine] = x[:, mine].mean(dim=0)
        lost = ((acts - dictionary.encode(masked)) / acts).clamp(0, 1).numpy()
        for feature in range(dictionary.features):
            rows = np.flatnonzero(acts[:, feature].numpy() > 0)
            picks = rows[(np.arange(min(len(rows), 64)) * (len(rows) - 1)) // max(
                min(len(rows), 64) - 1, 1)]  # fmt: skip
            right = lost[picks, feature].mean() if len(picks) else np.nan
            np.testing.assert_allclose(found[feature, number], right, atol=1e-4)


def test_function__of_a_feature_that_reads_one_input_lies_there(project: Project) -> None:
    alone = load(project.dictionary_path("crosscoder"))
    alone.W_enc[:D] = 0
    alone.W_enc[2 * D :] = 0
    save(alone, project.dictionary_path("alone"))
    build_index(asked(project, "alone"), SilentContext())
    found = FeatureIndex(project.index_path("alone")).array("parts/functional")
    assert not np.nan_to_num(found[:, [0, 2]]).any()
    assert np.nanmean(found[:, 1]) > 0.3
    shares = FeatureIndex(project.index_path("alone")).columns["input_share"]
    np.testing.assert_allclose(shares[np.nan_to_num(found[:, 1]) > 0], 1)


@pytest.mark.parametrize("name", ["crosscoder", "clt"])
def test_neurons__come_before_what_a_feature_reads(project: Project, name: str) -> None:
    dictionary, index = load(project.dictionary_path(name)), FeatureIndex(project.index_path(name))
    store = ActivationStore.open(project.store_path("ours"))
    lm = load_model(store.info.model)
    sites = [parse_site(f"blocks.{layer}.mlp.hook_post") for layer in range(3)]
    seen: list[list[np.ndarray]] = [[], [], []]
    for window in store.windows:
        ids = store.window_ids(window)
        values = capture_sites(lm, torch.tensor([ids]), None, sites)
        first = len(ids) - len(store.info.suffix) - int(window["length"])
        for layer, site in enumerate(sites):
            seen[layer].append(values[site][0, first : first + int(window["length"])].numpy())
    acts = dictionary.encode(rows_of(project, name)).numpy()
    neurons = [np.concatenate(some) for some in seen]
    for feature in np.flatnonzero(acts.std(axis=0) > 0):
        # MLP outputs come after that layer's neurons, the MLP's input before.
        before = 3 if name == "crosscoder" else feature // EACH
        told = [n for n in index.neurons(int(feature)) if n.layer >= 0]
        assert all(n.layer < before for n in told)
        r = [np.corrcoef(acts[:, feature], v)[0, 1] for n in neurons[:before] for v in n.T]
        best = np.sort(np.abs(np.nan_to_num(r)))[::-1][:3] if r else []
        np.testing.assert_allclose([abs(n.pearson) for n in told], best, atol=5e-3)


@pytest.mark.parametrize("name", ["models", "clt"])
def test_parts__merged_equal_the_whole(project: Project, name: str) -> None:
    halves = [f"{name}{half}" for half in (1, 2)]
    for number, half in enumerate(halves, start=1):
        build_index(asked(project, name, name=half, shard=f"{number}/2"), SilentContext())
    merge_indexes(
        MergeIndexesConfig(project=str(project.path), name=f"{name}all", indexes=halves),
        SilentContext(),
    )
    whole, merged = (FeatureIndex(project.index_path(n)) for n in (name, f"{name}all"))
    assert merged.info.texts == whole.info.texts
    for key, values in whole.arrays.items():
        if "neuron" not in key:
            np.testing.assert_array_equal(merged.arrays[key], values, err_msg=key)


def test_several_models__need_their_stores(project: Project) -> None:
    config = asked(project, "models", name="x", activations="theirs")
    with pytest.raises(UserError, match="needs 2 of the same tokens through the others; 0 are"):
        build_index(config, SilentContext())
    config = asked(project, "models", name="x", other_activations=("third", "theirs"))
    with pytest.raises(UserError, match=r"do not belong together"):
        build_index(config, SilentContext())
    assert "x" not in project.indexes()


def test_names__are_given_to_features_of_several_sites(project: Project, tmp_path: Path) -> None:
    for name in KINDS:
        index = FeatureIndex(project.index_path(name))
        alive = np.flatnonzero(np.asarray(index.columns["density"]) > 0)
        assert any(index.name(int(feature)) is not None for feature in alive), name


def test_compared__features_have_the_cosines_of_their_neighbours(project: Project) -> None:
    for name in ("crosscoder", "clt"):
        index, folder = FeatureIndex(project.index_path(name)), project.dictionary_path(name)
        for feature in (1, EACH + 2, 2 * EACH + 3):
            near = int(index.array("neighbours/ids")[feature, 0])
            pair = compare_features(index, folder, [feature, near]).pairs[0]
            told = index.array("neighbours/cosines")[feature, 0]
            assert pair.decoder_cosine == pytest.approx(told, abs=1e-5)
            apart = name == "clt" and feature // EACH != near // EACH
            assert (pair.encoder_cosine == 0) is apart


def test_control__of_several_sites_fires_as_often(project: Project) -> None:
    index = FeatureIndex(project.index_path("models"))
    l0 = float(index.columns["density"].sum())
    with ControlFirings(project, index, 0, "cpu", SilentContext()) as firings:
        assert firings.rows == index.info.rows
        assert firings.counts().sum() / firings.rows == pytest.approx(l0, rel=0.2)


def test_page__is_told_output_by_output(project: Project) -> None:
    index = FeatureIndex(project.index_path("models"))
    feature = int(index.columns["density"].argmax())
    told, read = outputs_of(index, feature), inputs_of(index, feature)
    assert [Path(fact.model).name for fact in told] == list(MODELS)
    assert max(fact.strength for fact in told) == 1
    share = index.columns["output_share"][feature]
    assert share == pytest.approx(1 / sum(fact.strength for fact in told), rel=1e-5)
    assert index.columns["input_share"][feature] == pytest.approx(
        max(fact.share for fact in read) / sum(fact.share for fact in read), rel=1e-5
    )
    raised, lowered = logits_at(index, feature, 1)
    assert raised[0][1] == index.array("parts/logit_top_values")[feature, 1, 0]
    assert lowered[0][1] < 0 < raised[0][1]
    assert neighbours_at(index, feature, 2)[0][0] != feature
    late = FeatureIndex(project.index_path("clt"))
    assert logits_at(late, 3 * EACH - 1, 0) == ([], [])
    assert outputs_of(late, 3 * EACH - 1)[0].strength == 0
    assert outputs_of(FeatureIndex(project.index_path("skip")), 0) == []


@pytest.mark.parametrize("name", ["crosscoder", "models", "clt"])
def test_text__read_anew_fires_as_the_index_says(project: Project, name: str) -> None:
    opened = open_index(str(project.path), name, "cpu")
    assert [lm.name for lm in opened.models] == list(opened.index.info.models)
    store = ActivationStore.open(project.store_path("ours"))
    window = store.windows[1]
    own = len(opened.bos)
    ids = torch.tensor([store.window_ids(window)])
    read = read_inputs(opened, ids, None)[0, own : own + int(window["length"])]
    first = int(window["first_row"])
    stored = rows_of(project, name)[first : first + int(window["length"])]
    torch.testing.assert_close(read, stored, atol=1e-4, rtol=1e-4)


def test_command__shows_where_a_feature_writes_and_what_drives_it(project: Project) -> None:
    index = FeatureIndex(project.index_path("models"))
    page = feature_page(index, {}, 3)
    told = [one["strength"] for one in page["outputs"]]
    assert told == pytest.approx(index.array("parts/strength")[3].tolist())
    assert [one["share"] for one in page["inputs"]] == pytest.approx(
        index.array("parts/functional")[3].tolist()
    )
    assert render.feature_page(page).count(f"{STREAM} of ") == 6


def test_index__of_features_that_are_all_dead_is_made(project: Project) -> None:
    dead = load(project.dictionary_path("crosscoder"))
    dead.b_enc -= 1e6
    save(dead, project.dictionary_path("dead"))
    assert build_index(asked(project, "dead", map=True), SilentContext()).alive == 0
    index = FeatureIndex(project.index_path("dead"))
    assert np.isnan(index.array("parts/functional")).all()
    assert inputs_of(index, 0) == []
    assert not np.asarray(index.columns["input_share"]).any()
    assert len(outputs_of(index, 0)) == 3

"""What features have to do with one another, against the plainest computation of the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from dense_firings import DenseFirings
from job_contexts import RecordingContext
from toy_index import make_toy_index
from toy_models import save_toy_model

from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import load
from sae_desktop.errors import JobCancelledError
from sae_desktop.features.building import coactivation, neighbours
from sae_desktop.features.building.coactivation import coactive_arrays
from sae_desktop.features.building.independence import language_independence
from sae_desktop.features.building.index import build_index
from sae_desktop.features.building.logits import logit_arrays
from sae_desktop.features.building.mapping import map_arrays
from sae_desktop.features.building.neighbours import nearest_directions, neighbour_arrays
from sae_desktop.features.config import IndexConfig
from sae_desktop.features.reading.layout import DOCUMENT_DTYPE
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.sites.capture import capture_sites
from sae_desktop.language_model.sites.intervene import final_norm_centres, unembedding
from sae_desktop.language_model.sites.resolve import parse_site

SITE = "blocks.1.hook_resid_post"


# ---------------------------------------------------------------- neighbours
def test_neighbours__are_the_largest_cosines_and_never_oneself() -> None:
    torch.manual_seed(0)
    W = torch.randn(50, 8)
    found = nearest_directions(W, 6)
    cosines = torch.nn.functional.cosine_similarity(W[:, None], W[None], dim=2)
    cosines.fill_diagonal_(-2)
    best = cosines.topk(6, dim=1)
    assert found.exact
    np.testing.assert_array_equal(found.ids, best.indices.numpy())
    np.testing.assert_allclose(found.cosines, best.values.numpy(), atol=1e-6)
    arrays = neighbour_arrays(found, 4)
    assert arrays["neighbours/ids"].shape == (50, 4)
    np.testing.assert_allclose(arrays["columns/nearest_cosine"], best.values[:, 0], atol=1e-6)


def test_neighbours__of_few_features_are_padded() -> None:
    found = nearest_directions(torch.eye(3), 5)
    assert (found.ids[:, 2:] == -1).all()
    assert set(found.ids[0, :2]) == {1, 2}


def test_neighbours__in_blocks_equal_those_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    W = torch.randn(40, 8)
    whole = nearest_directions(W, 5)
    monkeypatch.setattr(neighbours, "_COSINES_AT_ONCE", 7 * 40)
    np.testing.assert_array_equal(nearest_directions(W, 5).ids, whole.ids)


def test_neighbours__by_descent_are_mostly_the_true_ones_and_say_so() -> None:
    torch.manual_seed(2)
    W = torch.randn(400, 8)
    context = RecordingContext()
    found = nearest_directions(W, 5, context, exact_features=100)
    true = nearest_directions(W, 5)
    same = np.mean([len(set(a) & set(b)) / 5 for a, b in zip(found.ids, true.ids, strict=True)])
    assert not found.exact
    assert same > 0.9
    assert (found.ids != np.arange(400)[:, None]).all()
    assert any("approximate" in line for line in context.lines)


# ---------------------------------------------------------------- co-activation
def _sparse_acts(features: int = 30, rows: int = 500) -> np.ndarray:
    rng = np.random.default_rng(0)
    acts = (rng.random((features, rows)) < 0.1) * rng.gamma(2.0, 1.0, (features, rows))
    acts[1] = 2 * acts[0]
    acts[2] = 0
    return acts.astype(np.float32)


@pytest.mark.parametrize(("step", "rows"), [(256, 65_536), (7, 33)])
def test_coactivation__equals_numpys_correlations(
    monkeypatch: pytest.MonkeyPatch, step: int, rows: int
) -> None:
    monkeypatch.setattr(coactivation, "_FEATURES", step)
    monkeypatch.setattr(coactivation, "_ROWS", rows)
    acts = _sparse_acts()
    arrays = coactive_arrays(DenseFirings(acts), 5)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.nan_to_num(np.corrcoef(acts.astype(np.float64)))
    np.fill_diagonal(r, 0)
    on = acts > 0
    for feature in range(len(acts)):
        ids = arrays["coactive/ids"][feature]
        kept = ids >= 0
        expected = np.sort(r[feature][r[feature] > 0])[::-1][:5]
        np.testing.assert_allclose(arrays["coactive/pearson"][feature][kept], expected, atol=1e-5)
        np.testing.assert_allclose(r[feature, ids[kept]], expected, atol=1e-5)
        share = (on[feature] & on[ids[kept]]).sum(axis=1) / max(on[feature].sum(), 1)
        np.testing.assert_allclose(arrays["coactive/share"][feature][kept], share, atol=1e-6)
    assert arrays["coactive/ids"][0, 0] == 1
    assert (arrays["coactive/ids"][2] == -1).all()


# ---------------------------------------------------------------- logits
@pytest.mark.parametrize(("family", "centres"), [("gpt2", True), ("llama", False)])
def test_logits__are_the_models_own_change(tmp_path: Path, family: str, centres: bool) -> None:
    lm = load_model(str(save_toy_model(tmp_path / "model", family)))
    assert final_norm_centres(lm) is centres
    torch.manual_seed(0)
    W_dec = torch.nn.functional.normalize(torch.randn(6, lm.width), dim=1)
    arrays = logit_arrays(lm, len(W_dec), lambda first, last: W_dec[first:last], 5)
    found = unembedding(lm)
    assert found is not None
    W_U, gain = found
    directions = W_dec - W_dec.mean(dim=1, keepdim=True) if centres else W_dec
    effects = ((directions if gain is None else directions * gain) @ W_U).numpy()
    order = np.argsort(-effects, axis=1, kind="stable")
    np.testing.assert_allclose(
        arrays["logits/top_values"], np.take_along_axis(effects, order[:, :5], axis=1), atol=1e-5
    )
    np.testing.assert_allclose(
        arrays["logits/bottom_values"], np.sort(effects, axis=1)[:, :5], atol=1e-5
    )
    np.testing.assert_allclose(arrays["logits/median"], np.median(effects, axis=1), atol=1e-5)
    offsets, features = arrays["logits/token_offsets"], arrays["logits/token_features"]
    for token in range(W_U.shape[1]):
        listed = features[offsets[token] : offsets[token + 1]].tolist()
        assert listed == np.flatnonzero((arrays["logits/top_ids"] == token).any(axis=1)).tolist()


# ---------------------------------------------------------------- neurons
def test_neurons__are_those_of_a_dense_correlation(tmp_path: Path, toy_model_folder: Path) -> None:
    project = make_toy_index(tmp_path, toy_model_folder)
    build_index(
        IndexConfig(project=str(project.path), dictionary="d", name="n", neuron_rows=10**6),
        SilentContext(),
    )
    index = FeatureIndex(project.index_path("n"))
    assert index.info.neuron_rows > 0
    store, lm = ActivationStore.open(project.store_path("acts")), load_model(str(toy_model_folder))
    dictionary = load(project.dictionary_path("d"))
    sites = [parse_site(f"blocks.{layer}.mlp.hook_post") for layer in (0, 1)]
    own = parse_site(store.site)
    neurons, rows = [], []
    for window in store.windows:
        ids = store.window_ids(window)
        seen = capture_sites(lm, torch.tensor([ids]), None, [*sites, own])
        first = len(ids) - len(store.info.suffix) - int(window["length"])
        span = slice(first, first + int(window["length"]))
        neurons.append(torch.cat([seen[site][0, span] for site in sites], dim=1))
        rows.append(seen[own][0, span])
    values = torch.cat(neurons).numpy()
    # As the model gives them: rounded in the store, they turn a rare feature on or off.
    acts = dictionary.encode(torch.cat(rows).float()).numpy()
    width = values.shape[1] // 2
    checked = 0
    for feature in np.flatnonzero(acts.std(axis=0) > 0):
        with np.errstate(invalid="ignore", divide="ignore"):
            r = np.array([np.corrcoef(acts[:, feature], v)[0, 1] for v in values.T])
        best = np.sort(np.abs(np.nan_to_num(r)))[::-1][:3]
        told = index.neurons(int(feature))
        np.testing.assert_allclose([abs(n.pearson) for n in told], best, atol=5e-3)
        assert told[0].pearson == pytest.approx(r[told[0].layer * width + told[0].neuron], abs=5e-3)
        assert index.columns["neuron_correlation"][feature] == pytest.approx(abs(told[0].pearson))
        checked += 1
    assert checked > 20


# ---------------------------------------------------------------- map
def test_map__puts_like_directions_together_and_is_the_same_again() -> None:
    torch.manual_seed(0)
    centres = torch.randn(4, 16) * 4
    W = centres.repeat_interleave(40, dim=0) + torch.randn(160, 16) * 0.3
    alive = np.ones(160, dtype=bool)
    alive[7] = False
    threads = torch.get_num_threads()
    torch.set_num_threads(3)  # neither one nor as many as there are processors
    one, other = map_arrays(W, alive), map_arrays(W, alive)
    assert torch.get_num_threads() == 3
    torch.set_num_threads(threads)
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name])
    places = np.stack([one["columns/map_x"], one["columns/map_y"]], axis=1)
    assert np.isnan(places[7]).all()
    assert one["columns/cluster"][7] == -1
    groups = np.repeat(np.arange(4), 40)
    for group in range(4):
        own = places[(groups == group) & alive]
        others = places[(groups != group) & alive]
        middle = own.mean(axis=0)
        assert (
            np.linalg.norm(own - middle, axis=1).max()
            < np.linalg.norm(others - middle, axis=1).min()
        )
        labels = one["columns/cluster"][(groups == group) & alive]
        assert len(set(labels[labels >= 0])) >= 1


def test_map__shows_its_progress_and_is_left_at_a_cancel_between_two_epochs() -> None:
    W = torch.randn(100, 16, generator=torch.Generator().manual_seed(0))
    whole = RecordingContext()
    map_arrays(W, context=whole)
    epochs = [(done, total) for done, total, unit in whole.steps if unit == "epochs"]
    assert epochs[-1] == (500, 500)
    assert len(epochs) > 400
    cancelled = RecordingContext(cancel_after=whole.checks // 2)
    with pytest.raises(JobCancelledError):
        map_arrays(W, context=cancelled)
    assert cancelled.steps[-1][2] == "epochs"
    assert 100 < cancelled.steps[-1][0] < 400


def test_map__of_a_handful_shows_two_components_and_says_so() -> None:
    context = RecordingContext()
    arrays = map_arrays(torch.eye(5, 8), context=context)
    assert np.isfinite(arrays["columns/map_x"]).all()
    assert (arrays["columns/cluster"] == -1).all()
    assert any("principal" in line for line in context.lines)


# ---------------------------------------------------------------- languages
def _score(x_GL: np.ndarray, alike: np.ndarray | None = None) -> float:
    """Return the score of a feature with activation x in group g and language l."""
    groups, languages = x_GL.shape
    documents = np.zeros(groups * languages, dtype=DOCUMENT_DTYPE)
    for number in range(len(documents)):
        group, language = divmod(number, languages)
        documents[number] = (number, b"", f"l{language}".encode(), b"", f"g{group}".encode())
    fires = np.flatnonzero(x_GL.ravel() > 0)
    offsets = np.array([0, len(fires)])
    maxima = x_GL.ravel()[fires].astype(np.float32)
    return float(language_independence(offsets, fires, maxima, documents, alike)[0])


def test_language_independence__is_high_for_contents_and_low_for_all_else() -> None:
    rng = np.random.default_rng(0)
    topic = (rng.random(60) < 0.25) * rng.uniform(2, 4, 60)
    contents = topic[:, None] * rng.uniform(0.9, 1.1, (60, 8))
    one_language = np.zeros((60, 8))
    one_language[:, 3] = rng.uniform(2, 4, 60)
    everywhere = rng.uniform(2.9, 3.1, (60, 8))
    noise = (rng.random((60, 8)) < 0.25) * rng.uniform(2, 4, (60, 8))
    assert _score(contents) > 0.8
    assert _score(one_language) < 0.05
    assert _score(everywhere) < 0.05
    assert _score(noise) < 0.1
    assert _score(np.zeros((60, 8))) == 0.0


def test_language_independence__counts_little_evidence_less() -> None:
    few, many = np.zeros((60, 8)), np.zeros((60, 8))
    few[0] = 3.0
    many[:20] = 3.0
    assert 0 < _score(few) < 0.5 < 0.85 < _score(many)


def test_language_independence__of_groups_that_say_the_same_is_that_of_one() -> None:
    rng = np.random.default_rng(2)
    topic = (rng.random(8) < 0.5) * rng.uniform(2, 4, 8)
    x_GL = topic[:, None] * rng.uniform(0.9, 1.1, (8, 4))
    thrice = np.tile(x_GL, (3, 1))
    # One document of each group has its copies in two others; that is enough to join them.
    alike = np.arange(thrice.size)
    first = np.arange(8) * 4
    alike[32 + first] = alike[64 + first] = first
    assert _score(thrice) > _score(x_GL)
    assert _score(thrice, alike) == pytest.approx(_score(x_GL))
    # Copies that differ count as they are strongest, and no language is counted twice.
    assert _score(np.concatenate([x_GL, x_GL / 2]), alike[: 2 * x_GL.size]) == pytest.approx(
        _score(x_GL)
    )


def test_language_independence__needs_two_groups_and_two_languages() -> None:
    assert _score(np.ones((1, 5))) == 0.0
    assert _score(np.ones((5, 1))) == 0.0


def test_language_independence__is_the_intraclass_correlation_of_a_whole_table() -> None:
    """Of McGraw and Wong's mean squares, ICC(A,1), with few cells: each degree of freedom tells."""
    rng = np.random.default_rng(5)
    for groups, languages in ((4, 3), (6, 2), (3, 5)):
        x = 4 + rng.normal(0, 1, (groups, 1)) + rng.normal(0, 0.7, (1, languages))
        x = x + rng.normal(0, 0.5, (groups, languages))
        of_group = languages * x.mean(axis=1).var(ddof=1)
        of_language = groups * x.mean(axis=0).var(ddof=1)
        left = x - x.mean(axis=1, keepdims=True) - x.mean(axis=0) + x.mean()
        rest = np.square(left).sum() / ((groups - 1) * (languages - 1))
        assert of_group > rest
        assert of_language > rest
        agreement = (of_group - rest) / (
            of_group + (languages - 1) * rest + languages / groups * (of_language - rest)
        )
        contrast = (of_group - rest) / languages / x.mean() ** 2
        expected = agreement * contrast * groups / (groups + 2)
        assert _score(x**2) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("copies", [1, 3], ids=["each once", "each group three times"])
def test_language_independence__of_shuffled_documents_is_chance(copies: int) -> None:
    """Contents strewn over the groups say nothing of them, however often they occur."""
    rng = np.random.default_rng(1)
    told, kept = [], []
    for _ in range(60):
        topic = (rng.random(20) < 0.4) * rng.uniform(2, 4, 20)
        contents = np.tile(topic[:, None] * rng.uniform(0.9, 1.1, (20, 4)), (copies, 1))
        kept.append(_score(contents))
        told.append(_score(rng.permuted(contents, axis=0)))
    assert np.mean(kept) > 0.7
    # Nothing below 0 is told, so chance is a little above it.
    assert np.mean(told) < 0.05
    assert np.median(told) < 0.02

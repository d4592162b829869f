"""The index against the plainest computation of the same facts, feature by feature."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import load
from sae_desktop.dictionary.architectures import ARCHITECTURES
from sae_desktop.features.building.assemble import whole_type
from sae_desktop.features.building.figures import by_name, moments, most_of
from sae_desktop.features.building.index import build_index
from sae_desktop.features.config import REACH, IndexConfig
from sae_desktop.features.reading.firings import FiringBlock
from sae_desktop.features.reading.index_text import Names
from sae_desktop.features.reading.layout import BINS
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.text.token_text import token_text, visible_token
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.job import train

ROWS, FEATURES = 3000, 48
LANGUAGES = ("en", "de", "fr")


@pytest.fixture(scope="module")
def corpus_project(tmp_path_factory: pytest.TempPathFactory, toy_model_folder: Path) -> Project:
    """A toy model's activations on documents in three languages, in aligned groups."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("indexed")
    lines = []
    for number in range(24):
        words = [f"word{number * i % 17} und {chr(0x4E00 + i)}" for i in range(8 + number)]
        group = f"g{number // 3}" if number < 18 else ""
        document = {
            "text": " ".join(words),
            "language": LANGUAGES[number % 3],
            "source": f"s{number % 5}",
            "group": group,
        }
        lines.append(json.dumps(document))
    text = folder / "corpus.jsonl"
    text.write_text("\n".join(lines))
    project = Project.open_or_create(folder / "p")
    harvest(
        HarvestConfig(
            project=str(project.path), name="acts", model=str(toy_model_folder), corpus=str(text),
            site="blocks.1.hook_resid_post", tokens=ROWS, context_size=32, batch_tokens=128,
            order="files",
        ),
        SilentContext(),
    )  # fmt: skip
    return project


@pytest.fixture(scope="module", params=sorted(ARCHITECTURES))
def indexed(
    request: pytest.FixtureRequest, corpus_project: Project
) -> tuple[Project, FeatureIndex, np.ndarray]:
    """The project, the index of one architecture's dictionary, and activations (rows, F)."""
    name, path = str(request.param), str(corpus_project.path)
    train(
        TrainConfig(
            project=path, name=name, activations="acts", architecture=name, features=FEATURES,
            k=4, tokens=20_000, batch=512,
        ),
        SilentContext(),
    )  # fmt: skip
    build_index(
        IndexConfig(project=path, dictionary=name, name=name, context_tokens=12), SilentContext()
    )
    index = FeatureIndex(corpus_project.index_path(name))
    return corpus_project, index, dense(corpus_project, name)


def dense(project: Project, name: str) -> np.ndarray:
    """Return (rows, F) of every feature on every row, as float64."""
    store = ActivationStore.open(project.store_path("acts"))
    x = torch.from_numpy(np.array(store.read(0, store.rows))).float()
    return np.asarray(load(project.dictionary_path(name)).encode(x).double().numpy())


def test_columns__are_the_moments_of_the_activations_above_0(
    indexed: tuple[Project, FeatureIndex, np.ndarray],
) -> None:
    _, index, acts = indexed
    columns = index.columns
    assert (acts > 0).sum() > 1000
    for feature in range(FEATURES):
        on = acts[acts[:, feature] > 0, feature]
        assert columns["firings"][feature] == len(on)
        assert columns["density"][feature] == pytest.approx(len(on) / len(acts))
        if len(on) == 0:
            assert columns["max_activation"][feature] == columns["std_activation"][feature] == 0
            continue
        assert columns["max_activation"][feature] == pytest.approx(on.max(), rel=1e-5)
        assert columns["mean_activation"][feature] == pytest.approx(on.mean(), rel=1e-5)
        if np.ptp(on) < 1e-3 * on.max():
            continue
        z = (on - on.mean()) / on.std()
        assert columns["std_activation"][feature] == pytest.approx(on.std(), rel=1e-3)
        assert columns["skewness"][feature] == pytest.approx((z**3).mean(), rel=1e-3, abs=1e-3)
        assert columns["kurtosis"][feature] == pytest.approx((z**4).mean() - 3, rel=1e-3, abs=1e-3)


def test_histogram__has_50_linear_bins_to_the_maximum(
    indexed: tuple[Project, FeatureIndex, np.ndarray],
) -> None:
    _, index, acts = indexed
    for feature in range(FEATURES):
        edges, counts = index.histogram(feature)
        on = acts[acts[:, feature] > 0, feature]
        assert len(counts) == BINS
        assert counts.sum() == len(on)
        if len(on):
            # A value on an edge may fall on either side of it in float32.
            expected = np.cumsum(np.histogram(on, edges * (1 + 1e-6))[0])
            near = [int((np.abs(on - e) <= 1e-5 * on.max()).sum()) for e in edges[1:]]
            assert (np.abs(np.cumsum(counts) - expected) <= near).all()


def test_top_contexts__are_the_strongest_one_a_window(
    indexed: tuple[Project, FeatureIndex, np.ndarray],
) -> None:
    project, index, acts = indexed
    windows = ActivationStore.open(project.store_path("acts")).windows
    peaks = np.stack(
        [acts[w["first_row"] : w["first_row"] + w["length"]].max(axis=0) for w in windows]
    )
    for feature in range(FEATURES):
        expected = [p for p in sorted(peaks[:, feature], reverse=True)[:20] if p > 0]
        top = [c for c in index.contexts(feature) if c.bucket == 0]
        np.testing.assert_allclose([c.activation for c in top], expected, rtol=1e-5)
        owner = np.searchsorted(windows["first_row"], [c.row for c in top], side="right")
        assert len(set(owner)) == len(top)


def test_bucket_contexts__are_all_that_a_bucket_has_or_four_of_them(
    indexed: tuple[Project, FeatureIndex, np.ndarray],
) -> None:
    _, index, acts = indexed
    for feature in range(FEATURES):
        edges = index.bucket_edges(feature)
        for bucket in range(1, 6):
            shown = [c for c in index.contexts(feature) if c.bucket == bucket]
            assert len({c.row for c in shown}) == len(shown)
            for c in shown:
                assert edges[bucket - 1] < c.activation <= edges[bucket]
                assert c.activation == pytest.approx(acts[c.row, feature], rel=1e-5)
            low, high = edges[bucket - 1 : bucket + 1].astype(float) * (1 + 1e-6)
            there = int(((acts[:, feature] > low) & (acts[:, feature] <= high)).sum())
            assert len(shown) == min(there, 4) or abs(there - len(shown)) <= 1


def test_contexts__hold_every_firing_of_their_passage_within_reach(
    indexed: tuple[Project, FeatureIndex, np.ndarray],
) -> None:
    project, index, acts = indexed
    store = ActivationStore.open(project.store_path("acts"))
    vocabulary = load_model(store.info.model).token_bytes()
    for feature in range(0, FEATURES, 3):
        for context in index.contexts(feature, None, None):
            begin = context.row - context.peak
            rows = np.arange(begin, begin + len(context.tokens))
            expected = np.where(abs(rows - context.row) <= REACH, acts[rows, feature], 0)
            np.testing.assert_allclose(context.activations, expected, rtol=1e-3, atol=1e-4)
            assert context.tokens == [token_text(vocabulary[t]) for t in store.tokens[rows]]
            assert context.language in LANGUAGES


def test_passages__are_whole_documents_where_windows_follow_on_one_another(
    indexed: tuple[Project, FeatureIndex, np.ndarray],
) -> None:
    project, index, _ = indexed
    windows = ActivationStore.open(project.store_path("acts")).windows
    assert len(index.passages) == len(index.documents) < len(windows)
    assert index.passages["length"].sum() == index.info.rows


def test_shares__count_the_firings_by_language_source_and_token(
    indexed: tuple[Project, FeatureIndex, np.ndarray],
) -> None:
    _, index, acts = indexed
    document = np.repeat(index.passages["document"], index.passages["length"])
    language = index.documents["language"][document]
    source = index.documents["source"][document]
    assert set(index.info.languages) == set(LANGUAGES)
    for feature in range(FEATURES):
        on = acts[:, feature] > 0
        for share in index.languages(feature):
            here = language == share.name.encode()
            assert (share.firings, share.tokens) == ((on & here).sum(), here.sum())
            assert share.activation == pytest.approx(acts[here, feature].sum(), rel=1e-4)
        for share in index.sources(feature):
            here = source == share.name.encode()
            assert share.firings == (on & here).sum()
            assert share.activation == pytest.approx(acts[here, feature].sum(), rel=1e-4)
        ids, counts = np.unique(index.tokens[on], return_counts=True)
        tokens = index.firing_tokens(feature)
        found = [t.firings for t in tokens]
        assert found == sorted(counts.tolist(), reverse=True)[:10]
        if on.any():
            assert index.columns["token"][feature] == ids[counts.argmax()]
            total = acts[:, feature].sum()
            most = ids[counts.argmax()]
            on_it = acts[index.tokens == most, feature].sum()
            assert tokens[0].activation == pytest.approx(on_it, rel=1e-4)
            assert index.columns["token_activation"][feature] == pytest.approx(
                on_it / total, rel=1e-4
            )
            best = max(index.languages(feature), key=lambda share: share.activation)
            assert index.info.languages[index.columns["language"][feature]] == best.name
            assert index.columns["language_share"][feature] == pytest.approx(
                best.firings / on.sum()
            )
            assert index.columns["language_activation"][feature] == pytest.approx(
                best.activation / total, rel=1e-4
            )


def test_language__is_that_of_the_activation_not_of_weak_firings() -> None:
    # Three weak firings in the first language, one strong in the second; the third feature: none.
    block = FiringBlock(
        0, np.array([0, 4, 5, 5]), np.arange(5), np.array([0.1, 0.1, 0.1, 5.0, 2.0], np.float32)
    )
    passage = np.array([0, 0, 0, 1, 2])
    names = Names(["en", "fr"], np.array([3, 1]), np.array([0, 1, -1]))
    counts, sums = by_name(block, passage, names)
    np.testing.assert_allclose(sums, [[0.3, 5], [0, 0], [0, 0]], rtol=1e-6)
    most = most_of(counts, sums, moments(block, 10))
    assert most[""].tolist() == [1, -1, -1]
    np.testing.assert_allclose(most["_share"], [0.25, 0, 0])
    np.testing.assert_allclose(most["_activation"], [5 / 5.3, 0, 0], rtol=1e-6)


def test_aligned__holds_where_a_feature_fires_most_in_each_translation(
    indexed: tuple[Project, FeatureIndex, np.ndarray],
) -> None:
    _, index, acts = indexed
    document = np.repeat(index.passages["document"], index.passages["length"])
    assert {"g0", "g1", "g2"} <= set(index.aligned_groups)
    for feature in range(FEATURES):
        for group in index.aligned_groups:
            for firing in index.aligned(feature, group):
                here = np.where(document == firing.document, acts[:, feature], 0)
                assert firing.activation == pytest.approx(here.max(), rel=1e-5)
                assert (firing.row >= 0) == (here.max() > 0)


def test_firings__are_all_activations_by_feature_and_by_row(
    indexed: tuple[Project, FeatureIndex, np.ndarray],
) -> None:
    _, index, acts = indexed
    firings = index.firings()
    assert firings is not None
    by_feature, by_row = np.zeros(acts.shape), np.zeros(acts.shape)
    for block in firings.by_feature(7):
        by_feature[block.rows, block.features] = block.values
    for row in firings.by_row(100):
        rows = row.first + np.repeat(np.arange(len(row.offsets) - 1), np.diff(row.offsets))
        by_row[rows, row.features] = row.values
    assert np.array_equal(by_feature, by_row)
    np.testing.assert_allclose(by_feature, acts, rtol=1e-4, atol=1e-5)


def test_logits_and_neighbours__are_those_of_the_directions(
    indexed: tuple[Project, FeatureIndex, np.ndarray],
) -> None:
    project, index, _ = indexed
    dictionary = load(project.dictionary_path(index.info.dictionary))
    cosines = (dictionary.W_dec @ dictionary.W_dec.T).fill_diagonal_(-2)
    model = load_model(index.info.model).model
    effects = (dictionary.W_dec * model.model.norm.weight) @ model.lm_head.weight.T
    for feature in (0, 20, 47):
        best = cosines[feature].topk(10)
        assert [n for n, _ in index.neighbours(feature)] == best.indices.tolist()
        top = index.top_logits(feature)
        assert top[0][1] == pytest.approx(float(effects[feature].max()), rel=1e-4)
        assert index.bottom_logits(feature)[0][1] == pytest.approx(
            float(effects[feature].min()), rel=1e-4
        )


def test_token_text__shows_bytes_that_are_no_character() -> None:
    assert token_text("né".encode()) == "né"
    assert token_text(b"\xe2\x82") == "⟨0xE2⟩⟨0x82⟩"
    assert visible_token(" the") == "·the"
    assert visible_token("a\n") == "a↵"


@pytest.mark.parametrize(
    ("largest", "bytes_"), [(0, 2), (2**15 - 1, 2), (2**15, 4), (2**31 - 1, 4), (2**31, 8)]
)
def test_whole_numbers__take_as_few_bytes_as_hold_them(largest: int, bytes_: int) -> None:
    kind = whole_type(largest)
    assert kind.itemsize == bytes_
    assert np.array([-1, largest], kind).tolist() == [-1, largest]


def test_text_of_an_index__takes_two_bytes_a_token_of_a_small_vocabulary(
    indexed: tuple[Project, FeatureIndex, np.ndarray],
) -> None:
    project, index, _ = indexed
    store = ActivationStore.open(project.store_path("acts"))
    assert index.tokens.dtype == np.int16
    assert np.array_equal(index.tokens, store.tokens[: index.info.rows])
    assert index.arrays["contexts/row"].dtype.itemsize == 2

"""The index against the plainest computation of the same facts."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import load
from sae_desktop.features.config import IndexConfig
from sae_desktop.features.index import build_index
from sae_desktop.features.reader import FeatureIndex
from sae_desktop.features.selection import ActivePlaces, BucketSamples
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.token_text import token_text, visible_token
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.job import train

ROWS = 3000


@pytest.fixture(scope="module")
def indexed(
    tmp_path_factory: pytest.TempPathFactory, toy_model_folder: Path
) -> tuple[Project, FeatureIndex]:
    """A toy model's activations, a dictionary of 48 features on them, and its index."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("indexed")
    text = folder / "text"
    text.mkdir()
    for number in range(6):
        words = [f"word{number * i % 17} und {chr(0x4E00 + i)}" for i in range(120)]
        (text / f"{number}.txt").write_text(" ".join(words))
    project = Project.open_or_create(folder / "p")
    path = str(project.path)
    harvest(
        HarvestConfig(
            project=path, name="acts", model=str(toy_model_folder), corpus=str(text),
            site="blocks.1.hook_resid_post", tokens=ROWS, context_size=32, batch_tokens=128,
        ),
        SilentContext(),
    )  # fmt: skip
    train(
        TrainConfig(
            project=path, name="d", activations="acts", features=48, k=4, tokens=30_000, batch=512
        ),
        SilentContext(),
    )
    build_index(
        IndexConfig(project=path, dictionary="d", name="i", context_tokens=12), SilentContext()
    )
    return project, FeatureIndex(project.index_path("i"))


@pytest.fixture(scope="module")
def activations(indexed: tuple[Project, FeatureIndex]) -> np.ndarray:
    """(rows, F) of every feature on every row."""
    project, _ = indexed
    store = ActivationStore.open(project.store_path("acts"))
    dictionary = load(project.dictionary_path("d"))
    x = torch.from_numpy(np.array(store.read(0, store.rows))).float()
    return dictionary.encode(x).numpy()


def test_columns__are_density_maximum_and_mean(
    indexed: tuple[Project, FeatureIndex], activations: np.ndarray
) -> None:
    columns = indexed[1].columns
    on = activations > 0
    np.testing.assert_allclose(columns["density"], on.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(columns["max_activation"], activations.max(axis=0), rtol=1e-4)
    means = activations.sum(axis=0) / np.maximum(on.sum(axis=0), 1)
    np.testing.assert_allclose(columns["mean_activation"], means, rtol=1e-4)


def test_histogram__counts_every_active_row(
    indexed: tuple[Project, FeatureIndex], activations: np.ndarray
) -> None:
    for feature in range(48):
        edges, counts = indexed[1].histogram(feature)
        values = activations[:, feature]
        assert counts.sum() == (values > 0).sum()
        if counts.sum():
            assert edges[-1] == pytest.approx(values.max(), rel=1e-4)
            assert counts[-1] >= 1


def test_top_contexts__are_the_strongest_one_a_window(
    indexed: tuple[Project, FeatureIndex], activations: np.ndarray
) -> None:
    project, index = indexed
    windows = ActivationStore.open(project.store_path("acts")).windows
    for feature in range(48):
        peaks = [
            activations[w["first_row"] : w["first_row"] + w["length"], feature].max()
            for w in windows
        ]
        expected = [p for p in sorted(peaks, reverse=True)[:20] if p > 0]
        top = [c for c in index.contexts(feature) if c.bucket == 0]
        shown = [float(c.activations[c.peak]) for c in top]
        np.testing.assert_allclose(shown, expected, rtol=2e-3)


def test_contexts__show_the_text_and_the_activations_of_their_rows(
    indexed: tuple[Project, FeatureIndex], activations: np.ndarray
) -> None:
    project, index = indexed
    store = ActivationStore.open(project.store_path("acts"))
    vocabulary = load_model(store.info.model).token_bytes()
    checked = 0
    for feature in range(0, 48, 5):
        for context in index.contexts(feature):
            begin = context.row - context.peak
            rows = slice(begin, begin + len(context.tokens))
            assert context.tokens == [token_text(vocabulary[t]) for t in store.tokens[rows]]
            np.testing.assert_allclose(
                context.activations, activations[rows, feature], rtol=2e-3, atol=1e-4
            )
            assert context.activations[context.peak] > 0
            assert context.source.endswith(".txt")
            checked += 1
    assert checked > 50


def test_bucket_contexts__lie_in_their_linear_bucket(
    indexed: tuple[Project, FeatureIndex],
) -> None:
    _, index = indexed
    seen = set()
    for feature in range(48):
        top = float(index.columns["max_activation"][feature])
        for context in index.contexts(feature):
            if context.bucket:
                share = float(context.activations[context.peak]) / top
                assert (context.bucket - 1) / 5 - 2e-3 <= share <= context.bucket / 5 + 2e-3
                seen.add(index.bucket_name(context.bucket))
    assert {"40-60%", "80-100%"} <= seen  # the threshold empties the lowest


def test_logits_and_neighbours__are_those_of_the_directions(
    indexed: tuple[Project, FeatureIndex],
) -> None:
    project, index = indexed
    dictionary = load(project.dictionary_path("d"))
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


def test_bucket_samples__are_a_fair_draw_over_all_blocks() -> None:
    generator = torch.Generator().manual_seed(0)
    first_half = 0
    for _ in range(200):
        samples = BucketSamples(torch.tensor([1.0]), 1, 4, generator)
        for block in range(10):
            acts = torch.full((50, 1), 0.5)
            samples.update(ActivePlaces.of(acts), 50 * block)
        rows = samples.by_bucket().flatten()
        assert len(set(rows.tolist())) == 4
        first_half += int((rows < 250).sum())
    assert 340 < first_half < 460  # 800 draws, half of them expected


def test_token_text__shows_bytes_that_are_no_character() -> None:
    assert token_text("né".encode()) == "né"
    assert token_text(b"\xe2\x82") == "⟨0xE2⟩⟨0x82⟩"
    assert visible_token(" the") == "·the"
    assert visible_token("a\n") == "a↵"

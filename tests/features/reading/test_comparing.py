"""Features side by side, held to what numpy finds in the activations themselves."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from compared_index import FEATURES, add_compared_index, write_directions
from safetensors.numpy import load_file, save_file

from sae_desktop.errors import UserError
from sae_desktop.features.reading.comparing import (
    Comparison,
    PairFigures,
    compare_features,
    known_rows,
)
from sae_desktop.features.reading.comparing_random import random_pairs
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project import Project

LORD, CHINESE, DEF, DEAD = 0, 1, 2, 5
CHOSEN = [LORD, 9, 20, 33]


class Compared:
    """An index, the folder of its dictionary, and the activations (F, R) it was made from."""

    def __init__(self, folder: Path, *, firings: bool) -> None:
        project = Project.open_or_create(folder / "p")
        path = add_compared_index(project, firings=firings)
        self.index = FeatureIndex(path)
        self.dictionary = project.dictionary_path("dict")
        self.acts = np.load(path.with_name("activations.npy")).astype(np.float64)

    def compare(self, *features: int) -> Comparison:
        return compare_features(self.index, self.dictionary, features)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    return Compared(tmp_path_factory.mktemp("kept"), firings=True)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Compared:
    return Compared(tmp_path_factory.mktemp("bare"), firings=False)


def pairs_of(comparison: Comparison) -> dict[tuple[int, int], PairFigures]:
    return {(pair.first, pair.second): pair for pair in comparison.pairs}


# ---------------------------------------------------------------- directions
def test_cosines__are_those_of_the_directions(kept: Compared) -> None:
    weights = load_file(kept.dictionary / "sae_weights.safetensors")
    found = pairs_of(kept.compare(*CHOSEN))
    assert list(found) == list(itertools.combinations(CHOSEN, 2))
    for (a, b), pair in found.items():
        for name, told in (("W_dec", pair.decoder_cosine), ("W_enc", pair.encoder_cosine)):
            matrix = weights[name] if name == "W_dec" else weights[name].T
            x, y = matrix[a], matrix[b]
            assert told == pytest.approx(x @ y / np.linalg.norm(x) / np.linalg.norm(y), abs=1e-6)


def test_cosines__of_random_pairs_are_a_quantile_of_all_pairs_drawn(kept: Compared) -> None:
    random = kept.compare(LORD, DEF).random
    alive = np.flatnonzero((kept.acts > 0).any(axis=1))
    assert random.pairs == len(alive) * (len(alive) - 1) // 2
    W_dec = load_file(kept.dictionary / "sae_weights.safetensors")["W_dec"][alive]
    W_dec /= np.linalg.norm(W_dec, axis=1, keepdims=True)
    sizes = np.abs((W_dec @ W_dec.T)[np.triu_indices(len(alive), 1)])
    assert random.cosine == pytest.approx(np.quantile(sizes, 0.95), abs=1e-6)


def test_cosines__of_another_dictionary_of_that_name_are_not_told(
    tmp_path: Path,
) -> None:
    compared = Compared(tmp_path, firings=True)
    write_directions(compared.dictionary, seed=2)
    found = compared.compare(LORD, DEF)
    assert found.pairs[0].decoder_cosine is None
    assert found.random.cosine is None
    assert "trained again" in found.no_cosines
    assert found.pairs[0].both is not None


def test_cosines__without_a_matrix_of_directions_are_not_told(tmp_path: Path) -> None:
    compared = Compared(tmp_path, firings=False)
    save_file({"W_dec_0": np.zeros((4, 4), np.float32)}, compared.dictionary / "x.safetensors")
    (compared.dictionary / "sae_weights.safetensors").unlink()
    assert compared.compare(LORD, DEF).no_cosines


# ---------------------------------------------------------------- firings that were kept
def test_together__is_counted_over_every_token(kept: Compared) -> None:
    on = kept.acts > 0
    for (a, b), pair in pairs_of(kept.compare(*CHOSEN)).items():
        assert pair.first_firings == on[a].sum()
        assert pair.second_firings == on[b].sum()
        assert pair.both == (on[a] & on[b]).sum()
        assert pair.expected == pytest.approx(on[a].sum() * on[b].mean())
        assert pair.pearson == pytest.approx(np.corrcoef(kept.acts[a], kept.acts[b])[0, 1])


def test_alone__is_where_none_of_the_others_fires(kept: Compared) -> None:
    on = kept.acts > 0
    found = kept.compare(*CHOSEN)
    assert found.counted
    for side in found.features:
        others = on[[f for f in CHOSEN if f != side.feature]].any(axis=0)
        assert side.alone == (on[side.feature] & ~others).sum()


def test_telling_tokens__are_those_with_most_firings_alone(kept: Compared) -> None:
    on, tokens = kept.acts > 0, kept.index.tokens
    dense = [int(feature) for feature in np.argsort(-on.sum(axis=1))[:2]]
    assert (on[dense[0]] & on[dense[1]]).sum() > 20
    for side in kept.compare(*dense).features:
        other = dense[1] if side.feature == dense[0] else dense[0]
        alone = np.bincount(tokens[on[side.feature] & ~on[other]])
        assert [t.alone for t in side.tokens] == sorted(alone[alone > 0].tolist())[::-1][:8]
        for told in side.tokens:
            same = [i for i in range(len(alone)) if kept.index.token(i) == told.token]
            assert told.alone in [alone[i] for i in same]
            assert told.firings in [(on[side.feature] & (tokens == i)).sum() for i in same]


def test_together__of_a_feature_that_never_fires_is_nothing(kept: Compared) -> None:
    (pair,) = kept.compare(LORD, DEAD).pairs
    assert (pair.second_firings, pair.both, pair.pearson) == (0, 0, None)


def test_random_pairs__tell_how_often_two_fire_together(kept: Compared) -> None:
    on = kept.acts > 0
    random = kept.compare(LORD, DEF).random
    drawn = np.random.default_rng(0).permutation(np.flatnonzero(on.any(axis=1)))[:24]
    shares = [
        (on[a] & on[b]).sum() / min(on[a].sum(), on[b].sum())
        for a, b in itertools.combinations(drawn.tolist(), 2)
    ]
    assert random.firing_pairs == len(shares)
    assert random.together == pytest.approx(np.quantile(shares, 0.95))


def test_random_pairs__of_an_index_in_which_nothing_fires_are_none(kept: Compared) -> None:
    silent = kept.index
    before = silent.columns["density"]
    silent.columns["density"] = np.zeros(FEATURES, np.float32)
    try:
        assert random_pairs(silent, None, None).pairs == 0
    finally:
        silent.columns["density"] = before


# ---------------------------------------------------------------- without them
def test_listed_company__gives_what_both_fire_on(bare: Compared) -> None:
    on = bare.acts > 0
    other = bare.index.coactive(9)[0].feature
    found = bare.compare(9, other)
    (pair,) = found.pairs
    assert not found.counted
    assert pair.both == (on[9] & on[other]).sum()
    assert pair.pearson == pytest.approx(np.corrcoef(bare.acts[[9, other]])[0, 1], abs=1e-5)
    assert pair.most_pearson is None


def test_unlisted_company__has_a_bound_that_holds(bare: Compared) -> None:
    bounded = 0
    for a, b in itertools.combinations(range(6, 24), 2):
        (pair,) = bare.compare(a, b).pairs
        if pair.most_pearson is not None:
            bounded += 1
            assert pair.both is None
            assert np.corrcoef(bare.acts[[a, b]])[0, 1] <= pair.most_pearson + 1e-6
    assert bounded > 20


def test_near_contexts__count_tokens_on_which_both_are_known(bare: Compared) -> None:
    on = bare.acts > 0
    a, b = 9, 20
    (pair,) = bare.compare(a, b).pairs
    rows, fired = known_rows(bare.index, a)
    assert fired.tolist() == rows[on[a][rows]].tolist()
    both = np.intersect1d(rows, known_rows(bare.index, b)[0])
    assert pair.near is not None
    assert pair.near.tokens == len(both) > 0
    assert pair.near.first == on[a][both].sum()
    assert pair.near.second == on[b][both].sum()
    assert pair.near.both == (on[a] & on[b])[both].sum()


def test_listed_tokens__are_those_on_which_the_others_fire_less(bare: Compared) -> None:
    on, index = bare.acts > 0, bare.index
    found = 0
    for side in bare.compare(9, 20).features:
        other = 20 if side.feature == 9 else 9
        assert side.alone is None
        for told in side.tokens:
            ids = [i for i in range(index.vocabulary_size) if index.token(i) == told.token]
            here = [
                ((on[side.feature] & (index.tokens == i)).sum(), (on[other] & (index.tokens == i)))
                for i in ids
            ]
            assert any(
                told.firings == own and theirs.sum() <= (told.others or 0) < own
                for own, theirs in here
            )
            found += 1
    assert found


# ---------------------------------------------------------------- what is refused
@pytest.mark.parametrize("features", [[3], [3, 3], [0, 1, 2, 3, 4]])
def test_comparing__is_of_two_to_four_features(bare: Compared, features: list[int]) -> None:
    with pytest.raises(UserError, match="Two to 4 different features"):
        bare.compare(*features)


def test_comparing__refuses_a_number_that_is_no_feature(bare: Compared) -> None:
    with pytest.raises(UserError, match=f"no feature {FEATURES}"):
        bare.compare(1, FEATURES)


def test_comparing__needs_no_torch() -> None:
    code = (
        "import sys; import sae_desktop.cli.compare_command, sae_desktop.words.comparing_text; "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

"""Dictionaries matched, against a product of their directions; and how features split."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sae_desktop.comparison.config import MatchConfig, MatchResult
from sae_desktop.comparison.match import match, match_directions
from sae_desktop.comparison.match_file import Match
from sae_desktop.comparison.split_node import SplitNode
from sae_desktop.comparison.splitting import Splitting
from sae_desktop.dictionary import load
from sae_desktop.errors import UserError
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project


def matched(project: Project, *names: str, nearest: int = 5) -> MatchResult:
    config = MatchConfig(project=str(project.path), dictionaries=names, nearest=nearest)
    return match(config, SilentContext())


def cosines(project: Project, one: str, other: str) -> np.ndarray:
    directions = [load(project.dictionary_path(name)).W_dec.double() for name in (one, other)]
    a, b = (d / d.norm(dim=1, keepdim=True) for d in directions)
    return (a @ b.T).numpy()


def test_match__is_that_of_all_cosines(three: Project) -> None:
    result = matched(three)
    assert [(p.smaller, p.larger) for p in result.pairs] == [
        ("small", "d"), ("small", "large"), ("d", "large"),
    ]  # fmt: skip
    for pair in result.pairs:
        found = Match(three.match_path(pair.smaller, pair.larger))
        dense = cosines(three, pair.smaller, pair.larger)
        for name, table in ((pair.smaller, dense), (pair.larger, dense.T)):
            for feature, row in enumerate(table):
                near = found.nearest(name, feature)
                assert [c for _, c in near] == pytest.approx(np.sort(row)[::-1][:5], abs=1e-5)
                assert [row[i] for i, _ in near] == pytest.approx([c for _, c in near], abs=1e-5)
        best = dense.max(axis=1)
        assert pair.mean_cosine == pytest.approx(best.mean(), abs=1e-5)
        assert pair.unmatched_smaller == (best < 0.5).sum()
        assert pair.unmatched_larger == (dense.max(axis=0) < 0.5).sum()


def test_parts__put_every_feature_of_the_larger_under_its_nearest(three: Project) -> None:
    matched(three)
    found = Match(three.match_path("small", "large"))
    dense = cosines(three, "small", "large")
    seen: list[int] = []
    for feature in range(len(dense)):
        parts = found.parts(feature)
        assert [c for _, c in parts] == sorted((c for _, c in parts), reverse=True)
        assert all(dense[feature, i] >= dense[:, i].max() - 1e-6 for i, _ in parts)
        seen += [i for i, _ in parts]
    assert sorted(seen) == list(range(dense.shape[1]))


def test_match__compares_again_only_what_has_changed(three: Project) -> None:
    assert not any(p.kept for p in matched(three, "small", "d").pairs)
    again = {(p.smaller, p.larger): p.kept for p in matched(three).pairs}
    assert again == {("small", "d"): True, ("small", "large"): False, ("d", "large"): False}
    assert not any(p.kept for p in matched(three, nearest=3).pairs)
    weights = three.dictionary_path("small") / "sae_weights.safetensors"
    weights.write_bytes((three.dictionary_path("d") / "sae_weights.safetensors").read_bytes())
    cfg = three.dictionary_path("small") / "cfg.json"
    cfg.write_text((three.dictionary_path("d") / "cfg.json").read_text())
    kept = {(p.smaller, p.larger): p.kept for p in matched(three, nearest=3).pairs}
    assert kept == {("d", "small"): False, ("small", "large"): False, ("d", "large"): True}


def test_match__of_fewer_neighbours_than_asked_for_fills_with_none() -> None:
    arrays = match_directions(torch.eye(3), torch.eye(3)[:2], nearest=4)
    assert arrays["larger/ids"][2, 2:].tolist() == [-1, -1]
    assert arrays["smaller/ids"][:, 3].tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (("d",), "There is only “d” to match"),
        (("d", "d"), "There is only “d” to match"),
        (("d", "gone"), "The project has no dictionary “gone”"),
    ],
)
def test_match__of_what_is_no_pair_is_refused(
    three: Project, names: tuple[str, ...], text: str
) -> None:
    with pytest.raises(UserError, match=text):
        matched(three, *names)
    assert three.matches() == []


def test_match__of_another_model_or_width_is_refused(three: Project) -> None:
    cfg = three.dictionary_path("large") / "cfg.json"
    content = json.loads(cfg.read_text())
    content["metadata"] |= {"model_name": "another", "model_revision": f"model-{'0' * 32}-0"}
    cfg.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"“d” .* and the dictionary “large” .*weights differ"):
        matched(three, "d", "large")
    # Unasked, only those that belong together are matched.
    assert [(p.smaller, p.larger) for p in matched(three).pairs] == [("small", "d")]
    with pytest.raises(UserError, match="width 3 and 4"):
        match_directions(torch.eye(3), torch.eye(4), 1)


def test_match__cut_short_is_said_and_left_out(three: Project) -> None:
    matched(three)
    path = three.match_path("small", "d")
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(UserError, match=r"small~d\.h5"):
        Match(path)
    assert Splitting.of_project(three, {}).dictionaries("small") == ["small", "large"]
    # Matching once more mends it.
    assert [p.kept for p in matched(three).pairs] == [False, True, True]
    assert Splitting.of_project(three, {}).dictionaries("small") == ["small", "d", "large"]


def nodes(tree: SplitNode) -> list[SplitNode]:
    return [tree, *(node for part in tree.parts for node in nodes(part))]


def test_tree__goes_through_ever_larger_dictionaries(three: Project) -> None:
    matched(three)
    splitting = Splitting.of_project(three, {})
    assert splitting.dictionaries("d") == ["small", "d", "large"]
    between = {
        ("small", "d"): cosines(three, "small", "d"),
        ("d", "large"): cosines(three, "d", "large"),
    }
    owned: list[int] = []
    for feature in range(16):
        tree = splitting.tree("small", feature, least_cosine=0.0)
        assert (tree.dictionary, tree.feature, tree.cosine) == ("small", feature, 1.0)
        owned += [part.feature for part in tree.parts if not part.shared]
        for node in nodes(tree):
            for part in node.parts:
                dense = between[node.dictionary, part.dictionary]
                assert part.cosine == pytest.approx(dense[node.feature, part.feature], abs=1e-5)
                nearest = dense[:, part.feature].max()
                assert part.shared == (part.cosine < nearest - 1e-6)
                if part.shared:
                    assert len(node.parts) == 1
                    assert part.cosine == pytest.approx(dense[node.feature].max(), abs=1e-5)
                    assert not part.parts
    dense = between["small", "d"]
    assert sorted(owned) == np.flatnonzero(dense.max(axis=0) >= 0).tolist()


@given(least=st.floats(0, 1), most=st.integers(1, 4), feature=st.integers(0, 3))
def test_tree__keeps_to_its_limits(least: float, most: int, feature: int) -> None:
    tree = _splitting().tree("a", feature, least_cosine=least, most_parts=most)
    whole = _splitting().tree("a", feature, least_cosine=least, most_parts=1000)
    assert all(n.cosine >= least or n is tree for n in nodes(tree))
    assert all(len(n.parts) <= most for n in nodes(tree))
    assert len(tree.parts) + tree.left_out == len(whole.parts)


_cache: list[Splitting] = []


def _splitting() -> Splitting:
    if not _cache:
        import tempfile
        from pathlib import Path

        from sae_desktop.comparison.match_file import MatchedDictionary, MatchInfo, write_match

        torch.manual_seed(0)
        a, b = torch.randn(4, 6), torch.randn(30, 6)
        sides = [
            MatchedDictionary(name=n, hash=n, features=len(d), site="")
            for n, d in (("a", a), ("b", b))
        ]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a~b.h5"
            info = MatchInfo(smaller=sides[0], larger=sides[1], nearest=3)
            write_match(path, info, match_directions(a, b, 3))
            _cache.append(Splitting([Match(path)], {}))
    return _cache[0]


def test_ancestors__are_the_nearest_of_ever_smaller_dictionaries(three: Project) -> None:
    matched(three)
    splitting = Splitting.of_project(three, {})
    to_d, to_small = cosines(three, "d", "large"), cosines(three, "small", "d")
    for feature in range(0, 96, 7):
        small, d = splitting.ancestors("large", feature)
        assert d.cosine == pytest.approx(to_d[:, feature].max(), abs=1e-5)
        assert to_d[d.feature, feature] == pytest.approx(d.cosine, abs=1e-5)
        assert small.cosine == pytest.approx(to_small[:, d.feature].max(), abs=1e-5)
    assert splitting.ancestors("small", 3) == []
    assert splitting.ancestors("unmatched", 3) == []
    assert splitting.tree("unmatched", 3).parts == []


def test_splitting__leaves_out_a_dictionary_that_changed_or_went(three: Project) -> None:
    matched(three)
    index = FeatureIndex(three.index_path("i"))
    current = {"d": index.info.dictionary_hash}
    assert Splitting.of_project(three, current).outdated == []
    changed = Splitting.of_project(three, {"d": "another"})
    assert changed.outdated == ["d"]
    assert changed.dictionaries("small") == ["small", "large"]
    assert changed.nearest("small", 0).keys() == {"large"}
    shutil.rmtree(three.dictionary_path("large"))
    assert Splitting.of_project(three, current).dictionaries("d") == ["small", "d"]

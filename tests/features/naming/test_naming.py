"""Names say what features are known to fire on, and their scores how far to believe them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from named_text import Words, make_named_index

from sae_desktop.features.building.names import mean_interval, write_names_of
from sae_desktop.features.reading.beside import names_path
from sae_desktop.features.reading.held_out import held_out
from sae_desktop.features.reading.names_file import FeatureName
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext

RULES = [
    lambda w: w.strong(w.is_word(" who")),
    lambda w: w.strong(w.is_word(" who") & (w.after(" person") | w.seldom())),
    lambda w: w.strong(w.is_word(" he", " she", " they")),
    lambda w: w.strong(w.after(" king")),
    lambda w: w.strong(w.is_word(" the") & w.in_language("fr")),
    lambda w: w.strong(w.is_word("ing") & w.after(" walk", " talk")),
    lambda w: w.strong(w.is_word(" river") | w.after("(")),
    lambda w: w.strong(w.rng.random(len(w.ids)) < 0.02),
    lambda w: np.zeros(len(w.ids)),
    lambda w: w.strong(w.rng.random(len(w.ids)) < 0.97),
    lambda w: w.strong(w.in_language("fr")),
    lambda w: np.where(np.arange(len(w.ids)) == 17, 5.0, 0.0),
]
(WHO, AFTER, PRONOUNS, KING, FRENCH_THE, ING, SENSES, RANDOM, DEAD, EVERYWHERE, FRENCH,
 ONCE) = range(12)  # fmt: skip


def named(index: FeatureIndex, *, kept: bool = True) -> FeatureIndex:
    firings = index.firings() if kept else None
    assert (firings is not None) == kept
    write_names_of(index, firings, None, names_path(index.path), SilentContext())
    index.read_names()
    return index


@pytest.fixture(scope="module")
def from_firings(tmp_path_factory: pytest.TempPathFactory) -> FeatureIndex:
    return named(make_named_index(tmp_path_factory.mktemp("names") / "i.h5", RULES))


@pytest.fixture(scope="module")
def from_contexts(tmp_path_factory: pytest.TempPathFactory) -> FeatureIndex:
    path = tmp_path_factory.mktemp("contexts") / "i.h5"
    return named(make_named_index(path, RULES, keep=False), kept=False)


@pytest.fixture(params=["firings", "contexts"])
def index(
    request: pytest.FixtureRequest, from_firings: FeatureIndex, from_contexts: FeatureIndex
) -> FeatureIndex:
    return from_firings if request.param == "firings" else from_contexts


def name(index: FeatureIndex, feature: int) -> FeatureName:
    found = index.name(feature)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("feature", "said"),
    [
        (WHO, "“who”"),
        (PRONOUNS, "personal pronouns: “"),
        (KING, "after “king”"),
        (FRENCH_THE, "“the” · French"),
        (ING, "“…ing”"),
        (FRENCH, "French text"),
    ],
)
def test_name__says_what_the_feature_fires_on(index: FeatureIndex, feature: int, said: str) -> None:
    assert name(index, feature).short.startswith(said)


def test_name__says_what_stands_before(index: FeatureIndex) -> None:
    assert name(index, AFTER).short in ("“who”, after “person”", "“person who”")


def test_name__tells_senses_apart_with_their_shares(index: FeatureIndex) -> None:
    found = name(index, SENSES)
    shares = {sense.words: sense.share for sense in found.senses}
    assert set(shares) == {"“river”", "after “(”"}
    assert sum(shares.values()) == pytest.approx(1.0, abs=0.08)
    assert "“river”" in found.short
    assert "after “(”" in found.short


def test_dead_feature__has_no_name_and_every_other_has_one(index: FeatureIndex) -> None:
    assert index.name(DEAD) is None
    assert all(text for f, text in enumerate(index.short_names()) if f != DEAD)


@pytest.mark.parametrize("feature", [RANDOM, EVERYWHERE])
def test_feature_of_no_pattern__is_not_given_one(index: FeatureIndex, feature: int) -> None:
    found = name(index, feature)
    assert found.short.startswith("many kinds of tokens")
    assert "No fact stands out" in found.long
    assert [piece for piece in found.pieces if piece.kind != "raises"] == []
    assert not found.score > 0.6


def test_one_firing__makes_no_fact_and_no_score(index: FeatureIndex) -> None:
    found = name(index, ONCE)
    assert found.short.startswith("few firings, on “")
    assert np.isnan(found.score)


def test_scores__are_high_for_known_rules_and_chance_for_others_names(
    from_firings: FeatureIndex,
) -> None:
    index = from_firings
    assert index.names is not None
    for feature in (WHO, PRONOUNS, KING, FRENCH_THE, ING, FRENCH):
        found = name(index, feature)
        assert found.score > 0.85, found
        assert found.score_low > 0.6
        assert found.score_high <= 1.0
    assert name(index, KING).score > name(index, KING).top_token + 0.2
    shuffled = mean_interval(index.names.figures["shuffled"])
    assert shuffled is not None
    assert shuffled[0] < 0.65


def test_pieces__lead_to_contexts_in_which_they_are_found(index: FeatureIndex) -> None:
    first = name(index, WHO).pieces[0]
    assert (first.kind, first.value) in (("key", "who"), ("token", "who"))
    assert first.share == pytest.approx(1.0, abs=0.01)
    assert first.lift > 10
    assert first.rows
    chosen = index.arrays["contexts/row"][WHO]
    assert np.isin(first.rows, chosen).all()
    assert {index.token(int(index.tokens[row])) for row in first.rows} == {" who"}


def test_names__are_made_from_text_that_is_not_held_out(tmp_path: Path) -> None:
    """What a feature fires on in held-out text alone is no part of its name."""

    def rule(words: Words) -> np.ndarray:
        held = held_out(make_named_index(tmp_path / "a.h5", RULES[:1])).rows(
            np.arange(len(words.ids))
        )
        return words.strong(np.where(held, words.is_word(" cloud"), words.is_word(" tree")))

    index = named(make_named_index(tmp_path / "i.h5", [rule, *RULES[:2]]))
    found = name(index, 0)
    assert found.short == "“tree”"
    assert found.score < 0.6


def test_names__are_the_same_again(tmp_path: Path) -> None:
    made = [named(make_named_index(tmp_path / f"{n}" / "i.h5", RULES)) for n in range(2)]
    assert list(made[0].short_names()) == list(made[1].short_names())
    np.testing.assert_array_equal(made[0].columns["name_score"], made[1].columns["name_score"])

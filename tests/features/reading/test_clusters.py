"""Clusters and areas of the map are said to share what chance would not give them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sae_desktop.features.reading import clusters as clusters_module
from sae_desktop.features.reading.clusters import LEAST, Region, regions, shared_facts
from sae_desktop.features.reading.layout import TOP_BUCKET
from sae_desktop.features.reading.token_kinds import TOKEN_KINDS, kinds_of, label_words, token_key

VOCABULARY = [" the", " de", " la", "7", "ing", ".", "\n", *(f" word{n}" for n in range(193))]
SLOTS = 8


def made(features: int = 400, size: int = 20, seed: int = 0) -> Any:
    """Return an index of clusters of 20 features apiece, whose features fire on random words."""
    rng = np.random.default_rng(seed)
    cluster = np.arange(features) // size
    ids = rng.integers(7, len(VOCABULARY), (features, SLOTS))
    columns = {
        "cluster": cluster.astype(np.int32),
        "map_x": (cluster % 5 + 0.1 * rng.random(features)).astype(np.float32),
        "map_y": (cluster // 5 + 0.1 * rng.random(features)).astype(np.float32),
        "language": np.zeros(features, np.int32),
        "source": np.zeros(features, np.int32),
    }
    index = SimpleNamespace(
        columns=columns,
        features=features,
        info=SimpleNamespace(languages=["en", "fr"], sources=["web", "bible"]),
        arrays={
            "contexts/row": np.arange(features * SLOTS).reshape(features, SLOTS),
            "contexts/bucket": np.full(SLOTS, TOP_BUCKET),
            "logits/top_ids": rng.integers(7, len(VOCABULARY), (features, 10)),
        },
        tokens=ids.ravel(),
        token=lambda i: VOCABULARY[i],
    )
    index.array = index.arrays.get
    return index


def facts_of(index: Any, number: int, labels: Any = None) -> list[tuple[str, str]]:
    found = {region.number: region for region in regions(index, labels).clusters}
    return [(fact.kind, fact.value) for fact in found[number].facts]


def fire_on(index: Any, features: Any, *tokens: str) -> None:
    ids = [VOCABULARY.index(token) for token in tokens]
    for feature in features:
        index.tokens[feature * SLOTS : (feature + 1) * SLOTS] = np.resize(ids, SLOTS)


def test_random_features__share_nothing() -> None:
    found = regions(made())
    assert len(found.clusters) == 20
    assert not any(region.facts for region in (*found.clusters, *found.areas))


def test_cluster__shares_its_tokens_and_their_kind() -> None:
    index = made()
    fire_on(index, range(40, 52), " de", " la")
    assert facts_of(index, 2) == [("token", "de"), ("token", "la")]
    (fact, _) = next(r for r in regions(index).clusters if r.number == 2).facts
    assert (fact.members, fact.share) == (12, 0.6)
    assert fact.elsewhere == pytest.approx(12.5 / 401)
    assert 1.5 < fact.lift < fact.share / fact.elsewhere
    fire_on(index, range(60, 75), "7")
    assert facts_of(index, 3) == [("tokens", "numbers")]


def test_three_features__make_no_name() -> None:
    index = made(size=8)
    fire_on(index, range(40, 40 + LEAST - 1), " de")
    assert facts_of(index, 5) == []
    fire_on(index, range(40, 40 + LEAST), " de")
    assert facts_of(index, 5) == [("token", "de")]


def test_what_is_everywhere__makes_no_name() -> None:
    index = made()
    fire_on(index, range(400), " the")
    assert facts_of(index, 2) == []


def test_language_source_and_raised_tokens__are_shared() -> None:
    index = made()
    index.columns["language"][40:55] = 1
    index.columns["source"][40:58] = 1
    index.arrays["logits/top_ids"][40:52, 3] = VOCABULARY.index(" the")
    assert facts_of(index, 2) == [("language", "fr"), ("raised", "the"), ("source", "bible")]


def test_labels__come_first_and_are_compared_with_labels_alone() -> None:
    index = made()
    fire_on(index, range(40, 55), " de")
    labels = {f: f"The king of {f}" if 40 <= f < 50 else f"something{f}" for f in range(300)}
    found = facts_of(index, 2, lambda features: {f: labels[f] for f in features if f in labels})
    assert found[0] == ("label", "king")
    assert ("token", "de") in found


def test_areas__cover_the_map_and_are_named_too() -> None:
    index = made()
    fire_on(index, np.flatnonzero(index.columns["map_x"] > 3.5), "7")
    found = regions(index)
    members = [found.members(index, area) for area in found.areas]
    assert sorted(np.concatenate(members).tolist()) == list(range(400))
    assert [len(m) for m in members] == [area.features for area in found.areas]
    named = [area for area in found.areas if area.facts]
    assert {fact.value for area in named for fact in area.facts} == {"numbers"}
    assert all(area.x > 2.0 for area in named)
    assert regions(index).areas == found.areas
    cluster = found.clusters[0]
    assert found.members(index, cluster).tolist() == list(
        np.flatnonzero(index.columns["cluster"] == cluster.number)
    )


def test_random_groups__are_rarely_named() -> None:
    """The rival of every name: groups of the same sizes, drawn from the same features."""
    index = made()
    for number in range(10):  # an index in which there is something to find
        fire_on(index, range(20 * number, 20 * number + 12), f" word{number}")
    rng = np.random.default_rng(0)
    groups = [rng.choice(400, size, replace=False) for size in (8, 12, 20, 40) for _ in range(100)]
    named = sum(map(bool, shared_facts(index, groups)))
    assert named <= 0.05 * len(groups)
    assert sum(bool(region.facts) for region in regions(index).clusters) >= 10


def test_work__is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    index = made(features=4000, size=200)
    fire_on(index, range(400, 520), " de")
    monkeypatch.setattr(clusters_module, "MOST_MEMBERS", 50)
    monkeypatch.setattr(clusters_module, "MOST_COMPARED", 400)
    read: list[int] = []
    rows = index.arrays["contexts/row"]

    class Counted:
        def __getitem__(self, features: Any) -> Any:
            read.append(len(features))
            return rows[features]

    index.arrays["contexts/row"] = Counted()
    found = {region.number: region for region in regions(index).clusters}
    assert found[2].features == 200
    assert [(f.kind, f.value) for f in found[2].facts] == [("token", "de")]
    assert max(read) <= 400 + 50 * (20 + 40)


def test_index_without_a_map__has_no_regions() -> None:
    index = made()
    del index.columns["map_x"]
    assert regions(index).clusters == regions(index).areas == ()
    few = made(features=3, size=3)
    few.columns["cluster"][:] = -1
    assert regions(few).clusters == ()
    assert all(isinstance(area, Region) for area in regions(few).areas)


@pytest.mark.parametrize(
    ("token", "kinds"),
    [
        ("\n\n", ["line breaks"]),
        ("   ", ["spaces"]),
        (" 12", ["numbers"]),
        (":`", ["punctuation"]),
        (" (", ["punctuation", "brackets"]),
        (" The", ["starts of words", "capitals"]),
        ("ing", ["insides of words"]),
        ("жи", ["insides of words", "Cyrillic letters"]),
        (" é", ["starts of words", "accented letters"]),
        ("⟨0xE0⟩⟨0xA6⟩", ["parts of characters"]),
        ("人", ["insides of words", "Chinese characters"]),
    ],
)
def test_token__is_of_its_kinds(token: str, kinds: list[str]) -> None:
    assert kinds_of(token) == kinds
    assert set(kinds) <= set(TOKEN_KINDS)


def test_keys_and_label_words__leave_out_what_says_nothing() -> None:
    keys = [token_key(token) for token in (" The", "the", ",", "⟨0x9D⟩", " 12")]
    assert keys == ["the", "the", "", "", ""]
    assert label_words("Fires on the word “King” and on kings") == ["king", "kings"]

"""The completeness job on a toy project, and the frequency of even chances."""

from __future__ import annotations

import json
import shutil

import msgspec
import numpy as np
import pytest
from test_detectors import Stored

from sae_desktop.comparison.completeness import completeness, halves
from sae_desktop.comparison.completeness_table import read_table
from sae_desktop.comparison.concepts import save_concepts
from sae_desktop.comparison.config import CompletenessConfig, CompletenessResult
from sae_desktop.comparison.detectors import choose, mark, score
from sae_desktop.comparison.even_chance import even_chance
from sae_desktop.errors import UserError
from sae_desktop.features.building.index import build_index
from sae_desktop.features.config import IndexConfig
from sae_desktop.features.reading.firing_paths import firings_folder
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project

INDEXES = ("large-index", "small-index", "i")
WORDS = "🌉\n人人\nfirst\nsecond\nheaven\nbeginning | xyz\nreturn\nxyzzy\n"


def table(project: Project, **changes: object) -> CompletenessResult:
    settings: dict[str, object] = {
        "name": "t", "concepts": "words", "indexes": INDEXES, "least_occurrences": 3,
    }  # fmt: skip
    config = CompletenessConfig(project=str(project.path), **(settings | changes))  # type: ignore[arg-type]
    return completeness(config, SilentContext())


@pytest.fixture
def words(three: Project) -> Project:
    save_concepts(three, "words", WORDS)
    return three


def test_completeness__tells_what_each_dictionary_has(words: Project) -> None:
    result = table(words, least_f1=0.2)
    assert read_table(words, "t") == result
    assert [d.dictionary for d in result.dictionaries] == ["small", "d", "large"]
    index = FeatureIndex(words.index_path("i"))
    text = b"".join(index.token_bytes(int(t)) or b"" for t in index.tokens).decode(errors="ignore")
    rows = {row.concept: row for row in result.rows}
    assert abs(rows["heaven"].occurrences - text.count("heaven")) <= 8  # cut at passages' ends
    assert [row.occurrences for row in result.rows] == sorted(
        (row.occurrences for row in result.rows), reverse=True
    )
    assert rows["xyzzy"].occurrences == 0
    assert not rows["xyzzy"].judged
    assert rows["xyzzy"].detectors == [None] * 3
    for row in result.rows:
        assert row.frequency == row.occurrences / result.tokens
        assert len(row.control) == 3
        for detector, dictionary in zip(row.detectors, result.dictionaries, strict=True):
            if detector is not None:
                assert 0 <= detector.feature < dictionary.features
                assert 0 <= detector.f1 <= 1
    judged = [row for row in result.rows if row.judged]
    assert len(judged) == result.judged
    for place, dictionary in enumerate(result.dictionaries):
        f1 = [d.f1 if (d := row.detectors[place]) else 0 for row in judged]
        assert dictionary.found == sum(value >= result.least_f1 for value in f1)
        control = sum(row.control[place] >= result.least_f1 for row in judged)
        assert dictionary.control_found == control
    assert not (words.path / "completeness" / ".control").exists()
    # More features know more of it.
    totals = [d.found for d in result.dictionaries]
    assert totals[-1] >= totals[0]
    assert totals[-1] > 0


def test_completeness__without_a_control_asks_no_store(words: Project) -> None:
    shutil.rmtree(words.store_path("acts"))
    result = table(words, control=False)
    assert all(d.control_found is None for d in result.dictionaries)
    assert all(row.control == [] for row in result.rows)
    with pytest.raises(UserError, match=r"The store “acts”.*is gone"):
        table(words)


def test_completeness__of_another_text_is_refused(words: Project) -> None:
    config = IndexConfig(
        project=str(words.path), dictionary="d", name="part", rows=700, map=False, neuron_rows=0
    )
    build_index(config, SilentContext())
    with pytest.raises(UserError, match="“i” and “part” are of different texts"):
        table(words, indexes=("i", "part"))


def test_completeness__without_firings_is_refused(words: Project) -> None:
    shutil.rmtree(firings_folder(words.index_path("i")))
    with pytest.raises(UserError, match="The index “i” did not keep its firings"):
        table(words)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"concepts": "gone"}, "no list of concepts “gone”"),
        ({"indexes": ()}, "No index was given"),
        ({"indexes": ("gone",)}, "The project has no index “gone”"),
        ({"least_occurrences": 10_000}, "occurs 10000 times in both"),
        ({"least_f1": 1.0}, "A least F1 of 1"),
        ({"name": "a/b"}, "is not a valid name"),
    ],
)
def test_completeness__of_bad_input_is_refused(
    words: Project, changes: dict[str, object], text: str
) -> None:
    with pytest.raises(UserError, match=text):
        table(words, **changes)
    assert words.completeness_tables() == []


def test_table__that_is_damaged_is_said(words: Project) -> None:
    (words.path / "completeness").mkdir()
    words.completeness_path("t").write_text('{"name": ')
    with pytest.raises(UserError, match="table “t” cannot be read"):
        read_table(words, "t")


def test_even_chance__is_where_half_are_found() -> None:
    rng = np.random.default_rng(0)
    frequency = np.exp(rng.uniform(-14, -4, 400))
    found = rng.random(400) < 1 / (1 + np.exp(-2 * (np.log(frequency) + 9)))
    curve = even_chance(frequency, found)
    assert curve is not None
    assert np.log(curve.frequency) == pytest.approx(-9, abs=0.3)
    assert curve.low < curve.frequency < curve.high
    assert even_chance(frequency, found) == curve


def test_even_chance__of_a_clean_cut_lies_between() -> None:
    frequency = np.array([1e-6, 2e-6, 4e-6, 1e-4, 2e-4, 4e-4])
    curve = even_chance(frequency, frequency > 1e-5)
    assert curve is not None
    assert 4e-6 < curve.frequency < 1e-4


@pytest.mark.parametrize(
    "found",
    [[True] * 6, [False] * 6, [True, True, True, False, False, False]],
    ids=["all", "none", "the rare ones"],
)
def test_even_chance__is_none_where_there_is_none(found: list[bool]) -> None:
    assert even_chance(np.array([1, 2, 3, 4, 5, 6]) * 1e-5, np.array(found)) is None
    assert even_chance(np.array([1e-5, 1e-4]), np.array([False, True])) is None


def test_even_chance__of_few_concepts_has_a_wide_interval_and_of_fewer_an_open_one() -> None:
    frequency = np.exp(np.linspace(-14, -4, 12))
    found = np.array([0, 0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 1], bool)
    wide = even_chance(frequency, found)
    assert wide is not None
    many = even_chance(np.repeat(frequency, 20), np.repeat(found, 20))
    assert many is not None
    assert many.low is not None
    assert many.high is not None
    assert wide.low is None or wide.low < many.low
    assert wide.high is None or wide.high > many.high
    few = even_chance(frequency[[0, 4, 5, 6, 11]], np.array([0, 1, 0, 0, 1], bool))
    assert few is not None
    assert few.low is None or few.high is None


def test_even_chance__interval_is_all_that_a_likelihood_ratio_does_not_reject() -> None:
    from scipy.optimize import minimize_scalar

    rng = np.random.default_rng(2)
    logs = rng.uniform(-14, -4, 150)
    found = rng.random(150) < 1 / (1 + np.exp(-1.5 * (logs + 9)))
    curve = even_chance(np.exp(logs), found)
    assert curve is not None
    assert curve.low is not None
    assert curve.high is not None

    def deviance(crossing: float) -> float:
        def at(slope: float) -> float:
            odds = slope * (logs - crossing)
            return float(2 * np.logaddexp(0, np.where(found, -odds, odds)).sum())

        return float(minimize_scalar(at, bounds=(0, 20), method="bounded").fun)

    ends = [deviance(float(np.log(end))) for end in (curve.low, curve.high)]
    assert ends[0] == pytest.approx(ends[1], abs=0.02)
    # 3.84 of the χ² distribution, or what lists drawn from the curve ask for.
    assert 3.8 < ends[0] - deviance(float(np.log(curve.frequency))) < 4.8


def test_table__says_the_level_of_its_intervals_and_older_ones_keep_theirs(words: Project) -> None:
    new = table(words, control=False).dictionaries[0]
    assert new.even_chance_level == 0.95
    told = msgspec.structs.replace(new, alive=10, even_chance=0.1, even_chance_low=0.05)
    assert msgspec.structs.replace(told, even_chance_high=0.2).product_text() == (
        "1.00 (95% interval 0.50 to 2.00)"
    )
    assert msgspec.structs.replace(told, even_chance_high=None).product_text() == (
        "1.00 (95% interval 0.50 or more)"
    )
    path = words.completeness_path("t")
    content = json.loads(path.read_bytes())
    for found in content["dictionaries"]:
        del found["even_chance_level"]
    for row in content["rows"]:
        for detector in row["detectors"]:
            for field in ("feature_f1", "other", "other_f1") if detector else ():
                del detector[field]
    path.write_text(json.dumps(content))
    old = read_table(words, "t")
    assert old.dictionaries[0].even_chance_level == 0.9
    shown = [d.features_text() for row in old.rows for d in row.detectors if d is not None]
    assert all("(" not in text for text in shown)


def test_completeness__shows_both_features_whose_mean_is_scored(words: Project) -> None:
    result = table(words)
    detectors = [d for row in result.rows for d in row.detectors if d is not None]
    two = [d for d in detectors if d.other is not None]
    assert two
    for d in detectors:
        assert d.feature_f1 is not None
        if d.other_f1 is not None:
            assert d.f1 == pytest.approx((d.feature_f1 + d.other_f1) / 2)
            assert d.feature_f1 >= d.other_f1
            assert d.other != d.feature
    d = two[0]
    assert d.features_text() == (
        f"#{d.feature} ({d.feature_f1:.2f}), #{d.other} ({d.other_f1:.2f})"
    )


def test_halves__are_every_other_document_and_hold_those_alike_together() -> None:
    rng = np.random.default_rng(0)
    texts = [rng.integers(0, 900, 60) for _ in range(6)]
    number = np.repeat(np.arange(6), 60)
    assert halves(np.concatenate(texts), number, 6).tolist() == [0, 1, 0, 1, 0, 1]
    near = texts[0].copy()
    near[30] = 901
    again = [texts[0], near, texts[2], texts[2], texts[4], texts[5]]
    assert halves(np.concatenate(again), number, 6).tolist() == [0, 0, 1, 1, 0, 1]


def test_completeness__of_documents_that_are_all_alike_is_refused(
    words: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_half(tokens: np.ndarray, document: np.ndarray, documents: int) -> np.ndarray:
        return np.zeros(documents, np.int8)

    monkeypatch.setattr("sae_desktop.comparison.completeness.halves", one_half)
    with pytest.raises(UserError, match="all equal or nearly equal, so none can be held out"):
        table(words, indexes=("i",))


def _chance_f1(copies: int, kept_together: bool, seed: int) -> float:
    """Return the mean held-out F1 of the best of random features, for random concepts.

    Each document occurs so often; features and concepts are drawn for its content.
    """
    rng = np.random.default_rng(seed)
    contents, length, features, concepts = 24, 30, 120, 12
    words = rng.integers(0, 2000, (contents, length))
    fires = rng.random((features, contents, length)) < 0.03
    of_row = np.where(
        rng.random((contents, length)) < 0.05, rng.integers(concepts, size=words.shape), -1
    )
    order = rng.permutation(np.repeat(np.arange(contents), copies))
    tokens, concept = words[order].ravel(), of_row[order].ravel()
    document = np.repeat(np.arange(len(order)), length)
    half = np.arange(len(order)) % 2
    if kept_together:
        half = halves(tokens, document, len(order))
    places = np.flatnonzero(concept >= 0)
    occurrence = np.full(len(tokens), -1, np.int32)
    occurrence[places] = np.arange(len(places))
    marks = mark(occurrence, concept[places], half[document], concepts)
    stored = Stored(fires[:, order].reshape(features, -1).astype(np.float32))
    choice = choose(stored.by_feature(features), marks)
    return float(score(stored, marks, choice, SilentContext()).f1.mean())  # type: ignore[arg-type]


def test_held_out_f1__of_random_features_is_chance_however_often_documents_occur() -> None:
    once = [_chance_f1(1, True, seed) for seed in range(12)]
    thrice = [_chance_f1(3, True, seed) for seed in range(12)]
    parted = [_chance_f1(3, False, seed) for seed in range(12)]
    error = (np.var(once, ddof=1) / 12 + np.var(thrice, ddof=1) / 12) ** 0.5
    assert abs(np.mean(thrice) - np.mean(once)) < 3 * error
    assert np.mean(once) < 0.1
    # What every other document gave: chosen and scored on copies of the same.
    assert np.mean(parted) > np.mean(once) + 5 * error

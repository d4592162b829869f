"""The completeness job on a toy project, and the frequency of even chances."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from sae_desktop.comparison.completeness import completeness
from sae_desktop.comparison.completeness_table import read_table
from sae_desktop.comparison.concepts import save_concepts
from sae_desktop.comparison.config import CompletenessConfig, CompletenessResult
from sae_desktop.comparison.even_chance import even_chance
from sae_desktop.errors import UserError
from sae_desktop.features.config import IndexConfig
from sae_desktop.features.firing_paths import firings_folder
from sae_desktop.features.index import build_index
from sae_desktop.features.reader import FeatureIndex
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
    result = table(words)
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
    with pytest.raises(UserError, match="The index “i” has no firings"):
        table(words)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"concepts": "gone"}, "no list of concepts “gone”"),
        ({"indexes": ()}, "No index was given"),
        ({"indexes": ("gone",)}, "The project has no index “gone”"),
        ({"least_occurrences": 10_000}, "occurs 10000 times in both"),
        ({"least_f1": 1.0}, "A least F1 of 1"),
        ({"name": "a/b"}, "cannot be a name"),
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

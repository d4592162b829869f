"""Labels, stars, notes, lists and filters in the project's file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from sae_desktop.errors import UserError
from sae_desktop.project_lists import FeatureList, FeatureLists, ListMember, SavedFilters
from sae_desktop.project_notes import FeatureNote, Notes

_FIRST_SCHEMA = """
CREATE TABLE feature_notes (
    dictionary TEXT NOT NULL, feature INTEGER NOT NULL, label TEXT NOT NULL DEFAULT '',
    starred INTEGER NOT NULL DEFAULT 0, note TEXT NOT NULL DEFAULT '',
    changed TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (dictionary, feature)
);
CREATE VIRTUAL TABLE feature_search USING fts5(
    label, note, content='feature_notes', tokenize='unicode61'
);
INSERT INTO feature_notes(dictionary, feature, label, starred, note, changed) VALUES
    ('a', 7, 'Golden Gate Bridge', 1, 'seen', '2025-01-02 03:04:05'),
    ('b', 7, 'code', 0, '', '2025-01-02 03:04:05');
PRAGMA user_version = 1;
"""


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path / "notes.sqlite")


def test_first_schema__is_carried_over(tmp_path: Path) -> None:
    path = tmp_path / "notes.sqlite"
    with sqlite3.connect(path) as database:
        database.executescript(_FIRST_SCHEMA)
    database.close()
    notes = Notes(path)
    assert notes.note("a", 7) == FeatureNote(
        feature=7,
        label="Golden Gate Bridge",
        starred=True,
        note="seen",
        made="2025-01-02 03:04:05",
    )
    assert notes.search("a", "gold bri").tolist() == [7]
    assert notes.search("a", "code").tolist() == []
    assert notes.search("b", "code").tolist() == [7]
    kept = notes.database.execute("SELECT DISTINCT changed FROM notes").fetchall()
    assert kept == [("2025-01-02 03:04:05",)]
    notes.save("a", FeatureNote(feature=7, label="bridge"))
    assert notes.search("a", "gold").tolist() == []
    notes.close()
    assert Notes(path).note("b", 7).label == "code"


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("well-known", [1]),
        ("don't kn", [2]),
        ("foo,b", [3]),
        ("label:foo", []),
        ("naive C++", [4]),
        ("nai\u0308ve", [4]),
        ("東京", [5]),
        ("\u19b0\u19b1", []),
        ("well\x00known", [1]),
        ("half \ud800", []),
        ('- * ( "', []),
    ],
)
def test_search__takes_any_text(notes: Notes, asked: str, found: list[int]) -> None:
    labels = ["well-known cities", "don't know", "foo,bar", "naïve C++ code", "東京の駅"]
    notes.set_labels("a", enumerate(labels, 1))
    assert notes.search("a", asked).tolist() == found


@pytest.mark.parametrize("name", ["plain", "what? 100% #1"])
def test_read_only_folder__of_any_name_is_read(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    notes = Notes(folder / "notes.sqlite")
    notes.save("a", FeatureNote(feature=7, label="kept"))
    notes.close()
    folder.chmod(0o555)
    try:
        notes = Notes(folder / "notes.sqlite")
        assert notes.read_only
        assert notes.search("a", "kept").tolist() == [7]
        notes.close()
    finally:
        folder.chmod(0o755)


def test_first_schema__in_a_read_only_folder_is_read(tmp_path: Path) -> None:
    path = tmp_path / "notes.sqlite"
    with sqlite3.connect(path) as database:
        database.executescript(_FIRST_SCHEMA)
    database.close()
    before = path.read_bytes()
    tmp_path.chmod(0o555)
    try:
        notes = Notes(path)
        assert notes.read_only
        assert notes.note("a", 7).label == "Golden Gate Bridge"
        assert notes.starred("a").tolist() == [7]
    finally:
        tmp_path.chmod(0o755)
    assert path.read_bytes() == before


def test_features__are_told_apart_up_to_the_largest_number(notes: Notes) -> None:
    largest = 2**32 - 1
    notes.save("a", FeatureNote(feature=largest, label="last", score=0.25))
    notes.save("b", FeatureNote(feature=0, label="first"))
    assert [(n.feature, n.label, n.score) for n in notes.all("a").values()] == [
        (largest, "last", 0.25)
    ]
    assert list(notes.all("a")) == [largest]
    assert list(notes.all("b")) == [0]
    features, scores = notes.scores("a")
    assert (features.tolist(), scores.tolist()) == ([largest], [0.25])
    assert notes.all("never seen") == {}


def test_many_labels__are_written_sorted_and_searched(notes: Notes) -> None:
    notes.set_stars("a", [3], True)
    notes.set_labels("a", ((f, f"label {(f * 7) % 1000:03} of Thing") for f in range(1000)))
    assert notes.note("a", 3).starred
    order = [notes.note("a", int(f)).label for f in notes.by_label("a")]
    assert len(order) == 1000
    assert order == sorted(order)
    assert notes.search("a", "thin 04").tolist() == sorted(
        f for f in range(1000) if f"{(f * 7) % 1000:03}".startswith("04")
    )
    assert notes.search("a", 'quote " and * NEAR(').tolist() == []
    assert notes.count_labels("a") == 1000


def test_lists__keep_their_order_remarks_and_names(notes: Notes) -> None:
    lists = FeatureLists(notes)
    members = [ListMember(feature=9, annotation="first"), ListMember(feature=2)]
    lists.write("a", "mine", FeatureList(name="mine", annotation="about", members=members))
    lists.write("b", "mine", FeatureList(name="mine"))
    assert lists.read("a", "mine") == FeatureList(name="mine", annotation="about", members=members)
    assert lists.names("a") == [("mine", 2)]
    lists.write("a", "mine", FeatureList(name="ours", members=members[::-1]))
    assert lists.read("a", "mine") is None
    assert lists.read("a", "ours").features == [2, 9]  # type: ignore[union-attr]
    with pytest.raises(UserError, match="needs a name"):
        lists.write("a", "ours", FeatureList(name=" "))
    lists.write("a", "other", FeatureList(name="other"))
    with pytest.raises(UserError, match="“other” already"):
        lists.write("a", "ours", FeatureList(name="other"))
    lists.write("a", "ours", None)
    assert lists.names("a") == [("other", 0)]
    assert lists.names("b") == [("mine", 0)]
    left = notes.database.execute("SELECT count(*) FROM list_members").fetchone()
    assert left == (0,)


def test_filters__are_kept_by_name(notes: Notes) -> None:
    filters = SavedFilters(notes)
    filters.write("rare", '{"alive_only": true}')
    filters.write("dense", "{}")
    filters.write("rare", '{"dead_only": true}')
    assert filters.all() == {"dense": "{}", "rare": '{"dead_only": true}'}
    filters.write("dense", None)
    assert list(filters.all()) == ["rare"]


def test_search__is_asked_once_until_somebody_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "notes.sqlite"
    notes, other = Notes(path), Notes(path)
    notes.set_labels("d", [(3, "whale song"), (5, "bird song")])
    asked: list[str] = []
    ask = notes._search
    monkeypatch.setattr(notes, "_search", lambda d, text: (asked.append(text), ask(d, text))[1])
    for _ in range(3):
        assert notes.search("d", "song").tolist() == [3, 5]
    assert asked == ["song"]
    assert notes.search("e", "song").tolist() == []
    with pytest.raises(ValueError, match="read-only"):
        notes.search("d", "song")[0] = 9
    notes.set_labels("d", [(7, "song")])
    assert notes.search("d", "song").tolist() == [3, 5, 7]
    other.set_labels("d", [(3, "whale")])
    assert notes.search("d", "song").tolist() == [5, 7]
    other.close()
    notes.close()

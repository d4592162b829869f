"""Several labels a feature: one is shown, a person's is never written over, none is lost."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from sae_desktop.demonstrations import demonstration_copy
from sae_desktop.project import Project
from sae_desktop.project_labels import (
    AGREED,
    IMPORTED,
    MODEL,
    MOST_CHARACTERS,
    PERSON,
    REJECTED,
    GivenScore,
    Label,
    label_text,
)
from sae_desktop.project_notes import FeatureNote, Notes

_SECOND_SCHEMA = """
CREATE TABLE dictionaries (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE notes (
    key INTEGER PRIMARY KEY, label TEXT NOT NULL DEFAULT '', score REAL,
    starred INTEGER NOT NULL DEFAULT 0, note TEXT NOT NULL DEFAULT '',
    changed TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE VIRTUAL TABLE note_search USING fts5(
    label, note, content='notes', content_rowid='key', tokenize='unicode61',
    prefix='1 2 3', detail=none, columnsize=0
);
CREATE TRIGGER note_added AFTER INSERT ON notes BEGIN
    INSERT INTO note_search(rowid, label, note) VALUES (new.key, new.label, new.note);
END;
INSERT INTO dictionaries VALUES (1, 'a');
INSERT INTO notes VALUES ((1 << 32) | 7, 'bridges', 0.5, 1, 'seen', '2025-01-02 03:04:05');
PRAGMA user_version = 2;
"""


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path / "notes.sqlite")


def by_model(feature: int, text: str, score: float | None = None, **rest: object) -> Label:
    told = {"method": MODEL, "author": "a model", "measure": "detection AUROC", **rest}
    return Label(feature=feature, text=text, score=score, **told)  # type: ignore[arg-type]


def texts(notes: Notes, feature: int = 1) -> list[str]:
    return [label.text for label in notes.labels_of("a", feature)]


@pytest.mark.parametrize("read_only", [False, True])
def test_second_schema__is_carried_over(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "notes.sqlite"
    with sqlite3.connect(path) as database:
        database.executescript(_SECOND_SCHEMA)
    database.close()
    before = path.read_bytes()
    tmp_path.chmod(0o555 if read_only else 0o755)
    try:
        notes = Notes(path)
        assert notes.read_only == read_only
        (label,) = notes.labels_of("a", 7)
        assert (label.text, label.score, label.state, label.method) == (
            "bridges", 0.5, AGREED, PERSON,
        )  # fmt: skip
        assert label.made == "2025-01-02 03:04:05"
        assert notes.search("a", "brid").tolist() == [7]
        assert notes.starred("a").tolist() == [7]
        assert notes.note("a", 7).note == "seen"
        notes.close()
    finally:
        tmp_path.chmod(0o755)
    if read_only:
        assert path.read_bytes() == before
    else:
        again = Notes(path)
        assert again.add_labels("a", [by_model(7, "a bridge")]) == 1
        assert again.note("a", 7).label == "bridges"


def test_second_schema__opened_by_two_at_once_is_carried_over_once(tmp_path: Path) -> None:
    path = tmp_path / "notes.sqlite"
    with sqlite3.connect(path) as database:
        database.executescript(_SECOND_SCHEMA)
    first, second = Notes(path), Notes(path)
    second.save("a", FeatureNote(feature=1, label="second"))
    assert first.note("a", 1).label == "second"


def test_demonstration__as_an_earlier_release_wrote_it_opens_with_its_labels(
    tmp_path: Path,
) -> None:
    path = Project.open(demonstration_copy(tmp_path)).notes_path
    with sqlite3.connect(path) as database:
        (name,), *_ = database.execute("SELECT name FROM dictionaries").fetchall()
        written = {k & (2**32 - 1): text for k, text in database.execute(
            "SELECT key, label FROM notes WHERE label != ''"
        )}  # fmt: skip
    database.close()
    notes = Notes(path)
    assert written
    assert {feature: note.label for feature, note in notes.all(name).items()} == written
    assert {label.method for label in notes.all_labels(name)} == {PERSON}


def test_new_label__is_shown_where_a_person_has_none(notes: Notes) -> None:
    notes.save("a", FeatureNote(feature=2, label="mine", starred=True, note="kept"))
    evidence = '{"contexts": [1, 2]}'
    new = [by_model(1, " kings\n of France ", 0.8, evidence=evidence), by_model(2, "theirs", 0.99)]
    assert notes.add_labels("a", new) == 2
    shown = notes.note("a", 1)
    assert (shown.label, shown.score, shown.method, shown.author) == (
        "kings of France", 0.8, MODEL, "a model",
    )  # fmt: skip
    assert notes.labels_of("a", 1)[0].evidence == evidence
    assert notes.note("a", 2).label == "mine"
    assert texts(notes, 2) == ["mine", "theirs"]
    assert notes.search("a", "kings").tolist() == [1]
    assert notes.shown_by("a", PERSON).tolist() == [2]
    assert notes.shown_by("a", MODEL).tolist() == [1]
    assert notes.labelled_by("a", MODEL).tolist() == [1, 2]
    assert (notes.note("a", 2).note, notes.note("a", 2).starred) == ("kept", True)


def test_better_scored_label__stays_and_an_unscored_one_makes_room(notes: Notes) -> None:
    notes.add_labels("a", [by_model(1, "good", 0.9), by_model(1, "bad", 0.6)])
    assert texts(notes) == ["good", "bad"]
    notes.add_labels("a", [by_model(1, "best", 0.95), by_model(1, "silent")])
    assert texts(notes) == ["best", "good", "bad", "silent"]
    notes.add_labels("a", [by_model(2, "first"), by_model(2, "second")])
    assert texts(notes, 2) == ["second", "first"]
    notes.add_labels("a", [Label(feature=1, text="a person's", author="Anna")])
    assert notes.note("a", 1).label == "a person's"
    assert len(texts(notes)) == 5


@pytest.mark.parametrize("kept", [{"state": AGREED}, {"chosen": True}])
def test_agreed_or_chosen_label__is_not_replaced(notes: Notes, kept: dict[str, object]) -> None:
    notes.save("a", FeatureNote(feature=1, label="kept", method=MODEL, number=9, **kept))  # type: ignore[arg-type]
    notes.add_labels("a", [by_model(1, "new", 0.99), Label(feature=1, text="by Anna")])
    assert texts(notes) == ["kept", "new", "by Anna"]


def test_same_label_again__takes_the_new_score_and_keeps_the_choice(notes: Notes) -> None:
    notes.add_labels("a", [by_model(1, "kings", 0.6)])
    shown = notes.labels_of("a", 1)[0]
    notes.save("a", notes.note("a", 1).showing(shown, chosen=True))
    assert notes.add_labels("a", [by_model(1, "Kings", 0.7)]) == 0
    (label,) = notes.labels_of("a", 1)
    assert (label.score, label.number, notes.note("a", 1).chosen) == (0.7, shown.number, True)
    assert notes.add_labels("a", [by_model(1, "kings", author="another")]) == 1


def test_rejected_label__is_not_proposed_again_by_the_same_method(notes: Notes) -> None:
    notes.add_labels("a", [by_model(1, "no", state=REJECTED)])
    assert notes.note("a", 1).label == ""
    assert notes.add_labels("a", [by_model(1, "NO", author="another")]) == 0
    assert notes.add_labels("a", [by_model(1, "no", method=IMPORTED)]) == 1
    assert notes.note("a", 1).label == "no"


def test_label_that_another_replaces__is_kept_beside_it_with_its_evidence(notes: Notes) -> None:
    notes.add_labels("a", [by_model(1, "kings", 0.8, evidence="[1]")])
    model = notes.note("a", 1)
    notes.change("a", model.showing(Label(feature=1, text="royals", author="Anna")), ["label"])
    assert texts(notes) == ["royals", "kings"]
    aside = notes.labels_of("a", 1)[1]
    assert (aside.evidence, aside.score, aside.number) == ("[1]", 0.8, model.number)
    notes.change("a", notes.note("a", 1).showing(aside, chosen=True), ["label"])
    shown, other = notes.labels_of("a", 1)
    assert (shown.text, shown.evidence, shown.score) == ("kings", "[1]", 0.8)
    assert (other.text, other.author, other.number) == ("royals", "Anna", 0)
    left = notes.database.execute("SELECT count(*) FROM labels").fetchone()
    assert left == (1,)


def test_star_saved_from_an_older_view__leaves_the_label_of_a_job(notes: Notes) -> None:
    seen = notes.note("a", 1)
    notes.add_labels("a", [by_model(1, "kings", 0.8)])
    notes.change("a", FeatureNote(feature=1, starred=not seen.starred), ["star"])
    assert (notes.note("a", 1).label, notes.note("a", 1).starred) == ("kings", True)


def test_history__tells_who_changed_what(notes: Notes) -> None:
    notes.save("a", FeatureNote(feature=1, label="one", author="Anna"))
    notes.change("a", FeatureNote(feature=1, label="two", author="Anna"), ["label"], who="Ben")
    notes.change("a", FeatureNote(feature=1), ["label"], who="Ben")
    told = [(step.who, step.what, step.text, step.author) for step in notes.history("a", 1)]
    assert told == [("Ben", "removed", "two", "Anna"), ("Ben", "edited", "one", "Anna")]
    assert notes.history("a", 2) == []


def test_scores__go_to_the_label_that_was_scored(notes: Notes) -> None:
    notes.save("a", FeatureNote(feature=1, label="mine"))
    notes.add_labels("a", [by_model(1, "theirs")])
    theirs = notes.labels_of("a", 1)[1]
    found = GivenScore(feature=1, number=0, text="mine", score=0.7, score_low=0.6, score_high=0.8)
    other = GivenScore(feature=1, number=theirs.number, text="theirs", score=0.9, measure="m")
    stale = GivenScore(feature=1, number=0, text="an earlier text", score=0.1)
    notes.score_labels("a", [found, other, stale])
    shown = notes.note("a", 1)
    assert (shown.score, shown.score_low, shown.score_high) == (0.7, 0.6, 0.8)
    assert notes.labels_of("a", 1)[1].score == 0.9
    assert notes.scores("a")[0].tolist() == [1]
    notes.score_labels("a", [GivenScore(feature=5, number=0, text="", score=0.5)])
    assert notes.note("a", 5).score is None


def test_tags_and_ratings__are_kept_and_counted(notes: Notes) -> None:
    notes.save("a", FeatureNote(feature=1, label="x", rating=4, tags=("law", "Français")))
    notes.save("a", FeatureNote(feature=2, tags=("law",)))
    notes.save("b", FeatureNote(feature=3, tags=("law",)))
    assert notes.note("a", 1).tags == ("Français", "law")
    assert notes.tags("a") == [("Français", 1), ("law", 2)]
    assert notes.tagged("a", "LAW").tolist() == [1, 2]
    assert notes.search("a", "law").tolist() == [1, 2]
    assert notes.search("a", "x").tolist() == [1]
    assert [part.tolist() for part in notes.ratings("a")] == [[1], [4]]
    notes.change("a", FeatureNote(feature=1), ["tags"])
    assert notes.tags("a") == [("law", 1)]
    assert notes.note("a", 1).label == "x"


def test_huge_or_controlling_label__is_kept_as_one_line_of_bounded_length(notes: Notes) -> None:
    huge = "kings " * 2_000_000
    notes.add_labels("a", [by_model(1, huge), by_model(2, "a\x00b\x1b[31m\u202ec\r\nd \ud800")])
    assert len(notes.note("a", 1).label) == MOST_CHARACTERS
    assert notes.note("a", 1).label.endswith("…")
    assert notes.note("a", 2).label == "a b [31m\u202ec d ?"
    assert label_text("plain") == "plain"
    injected = "'); DROP TABLE notes; --"
    notes.add_labels("a'; DROP TABLE labels", [by_model(1, injected)])
    assert notes.note("a'; DROP TABLE labels", 1).label == injected
    assert notes.add_labels("a", [by_model(3, " \n ")]) == 0


def test_columns_of_wrong_types__are_read_as_nothing(notes: Notes) -> None:
    notes.add_labels("a", [by_model(1, "one", 0.5), by_model(1, "two", 0.4)])
    for name in ("method", "author", "made", "score", "score_low", "measure", "evidence", "state"):
        for table in ("notes", "labels"):
            notes.database.execute(f"UPDATE {table} SET {name} = ?", (b"\x00\xff",))
    notes.database.execute("UPDATE notes SET number = 'x', rating = 77, chosen = 'yes', note = 5.5")
    notes.database.execute("UPDATE labels SET text = ?, rating = 'y'", (b"two",))
    notes.database.execute("INSERT INTO tags SELECT key, x'00ff' FROM notes")
    notes.database.execute(
        "INSERT INTO label_history SELECT key, 1, 2, 3, 'x', x'00ff', 5, 6 FROM notes"
    )
    shown, other = notes.labels_of("a", 1)
    assert shown == Label(feature=1, text="one", state=AGREED, shown=True)
    assert (other.text, other.rating, other.score) == ("", 0, None)
    assert notes.note("a", 1).rating == 0
    assert [label.text for label in notes.all_labels("a")] == ["one", ""]
    assert notes.history("a", 1)[0].text == ""
    assert [tag for tag, _ in notes.tags("a")] == [""]
    assert notes.ratings("a")[1].tolist() == [0]


def test_questions_of_many_labels__are_answered_from_indexes(notes: Notes) -> None:
    def plan(query: str) -> str:
        return str(notes.database.execute(f"EXPLAIN QUERY PLAN {query}").fetchall())

    heard: list[str] = []
    notes.add_labels("a", [by_model(1, "one"), by_model(1, "two")])
    notes.database.set_trace_callback(heard.append)
    notes.labels_of("a", 1)
    notes.note("a", 1)
    notes.history("a", 1)
    notes.tagged("a", "law")
    notes.shown_by("a", MODEL)
    notes.authors("a", MODEL)
    notes.ratings("a")
    notes.add_labels("a", [by_model(1, "three")])
    notes.database.set_trace_callback(None)
    asked = [query for query in heard if query.lstrip().startswith(("SELECT", "UPDATE", "DELETE"))]
    assert len(asked) > 6
    assert [query for query in asked if "SCAN notes" in plan(query)] == []
    assert [query for query in asked if "SCAN labels" in plan(query)] == []

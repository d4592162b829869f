"""Features written to CSV and Parquet."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sample_index import write_sample_index

from sae_desktop.errors import UserError
from sae_desktop.features.reading import export
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project_notes import FeatureNote, Notes


@pytest.fixture
def index(tmp_path: Path) -> FeatureIndex:
    return FeatureIndex(write_sample_index(tmp_path / "main.h5"))


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    kept = Notes(tmp_path / "notes.sqlite")
    kept.save("dict", FeatureNote(feature=3, label='=HYPERLINK("x")', starred=True, score=0.75))
    kept.save("dict", FeatureNote(feature=0, label="Lord", note="two\nlines"))
    return kept


def test_both_kinds__hold_every_column_in_the_order_asked_for(
    index: FeatureIndex, notes: Notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_STEP", 2)
    wanted = np.array([3, 0, 5, 60, 7])
    done: list[int] = []
    export.export_features(tmp_path / "a.csv", index, wanted, notes, done.append)
    export.export_features(tmp_path / "a.parquet", index, wanted, notes)
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    table = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert done == [2, 4, 5]
    assert [int(row["feature"]) for row in rows] == [r["feature"] for r in table] == wanted.tolist()
    for row, same, feature in zip(rows, table, wanted.tolist(), strict=True):
        for name, values in index.columns.items():
            if values.dtype.kind == "f":
                assert float(row[name]) == pytest.approx(float(values[feature]), rel=1e-6)
                assert same[name] == pytest.approx(float(values[feature]))
        assert same["raises"] == [token for token, _ in index.top_logits(feature)]
        assert same["nearest"] == index.neighbours(feature)[0][0]
    assert table[1]["language"] == "en"
    assert table[2]["language"] == ""  # feature 5 is dead
    assert table[1]["note"] == rows[1]["note"] == "two\nlines"
    assert table[0]["starred"] is True
    assert table[0]["score"] == 0.75


def test_csv__holds_no_formula(index: FeatureIndex, notes: Notes, tmp_path: Path) -> None:
    export.export_features(tmp_path / "a.csv", index, np.array([3]), notes)
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    assert row["label"] == '\'=HYPERLINK("x")'


def test_nothing_and_unknown_kinds__are_refused_and_leave_no_file(
    index: FeatureIndex, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="no feature to export"):
        export.export_features(tmp_path / "a.csv", index, np.empty(0, np.int64))
    with pytest.raises(UserError, match=r"neither a \.csv nor a \.parquet"):
        export.export_features(tmp_path / "a.xlsx", index, np.array([1]))
    assert not list(tmp_path.glob("a.*"))

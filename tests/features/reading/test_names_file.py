"""The names beside an index come back as they were written, and never beside another index."""

from __future__ import annotations

import zlib
from pathlib import Path

import h5py
import msgspec
import numpy as np
import pytest
from made_names import write_made_names
from sample_index import write_sample_index

from sae_desktop.features.reading.beside import names_path
from sae_desktop.features.reading.names_file import read_names
from sae_desktop.features.reading.reader import FeatureIndex

FEATURES = 150


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_sample_index(tmp_path / "i.h5", features=FEATURES)


def test_names__come_back_with_the_rows_of_their_contexts(path: Path) -> None:
    write_made_names(path)
    index = FeatureIndex(path)
    for feature in (0, 63, 64, FEATURES - 1):
        name = index.name(feature)
        assert name is not None
        assert (name.short, name.long) == (f"name of {feature}", f"A sentence about {name.short}.")
        rows = index.arrays["contexts/row"][feature]
        assert name.pieces[0].rows == tuple(int(r) for r in rows[:2] if r >= 0)
        assert [sense.share for sense in name.senses] == [0.75, 0.25]
        assert name.score == pytest.approx(float(index.columns["name_score"][feature]))
        assert name.score_low < name.score < name.score_high
    assert list(index.short_names()) == [f"name of {f}" for f in range(FEATURES)]
    assert index.short_names()[-1] == index.short_names()[FEATURES - 1]
    assert index.name(FEATURES) is None


def test_feature_without_a_name__has_none(path: Path) -> None:
    write_made_names(path, ["", "größer", *[""] * (FEATURES - 2)])
    index = FeatureIndex(path)
    assert index.name(0) is None
    assert np.isnan(index.columns["name_score"][0])
    assert index.short_names()[:2] == ["", "größer"]
    with pytest.raises(IndexError):
        index.short_names()[FEATURES]


def test_index_without_names__says_so(path: Path) -> None:
    index = FeatureIndex(path)
    assert index.name(0) is None
    assert len(index.short_names()) == 0
    assert "name_score" not in index.columns
    write_made_names(path)
    index.read_names()
    assert index.name(0) is not None
    assert "name_score" in index.columns


@pytest.mark.parametrize("change", ["hash", "text", "features"])
def test_names_of_another_index__are_passed_over(path: Path, change: str) -> None:
    write_made_names(path)
    info = FeatureIndex(path).info
    text = info.texts[0]
    other = {
        "hash": msgspec.structs.replace(info, dictionary_hash="another"),
        "text": msgspec.structs.replace(
            info, texts=[msgspec.structs.replace(text, first_row=text.first_row + 1)]
        ),
        "features": msgspec.structs.replace(info, features=info.features + 1),
    }[change]
    assert read_names(path, info) is not None
    assert read_names(path, other) is None


@pytest.mark.parametrize("damage", ["no file", "offsets", "backwards", "missing", "short"])
def test_damaged_names__count_as_none(path: Path, damage: str) -> None:
    names = write_made_names(path)
    if damage == "no file":
        names.write_bytes(b"no file of ours")
    elif damage == "short":
        names.write_bytes(names.read_bytes()[:-200])
    else:
        with h5py.File(names, "r+") as file:
            if damage == "missing":
                del file["columns/shuffled"]
            elif damage == "offsets":
                file["short/offsets"][-1] += 5
            else:
                file["detail/offsets"][1] = 1 << 20
    assert FeatureIndex(path).name(0) is None


@pytest.mark.parametrize("data", [b"nothing", zlib.compress(b"\0" * 200), zlib.compress(b"\x91")])
def test_detail_that_cannot_be_unpacked__leaves_the_short_name(path: Path, data: bytes) -> None:
    names = write_made_names(path)
    with h5py.File(names, "r+") as file:
        first = file["detail/offsets"][:2]
        packed = np.zeros(int(first[1]), np.uint8)
        packed[: len(data)] = np.frombuffer(data, np.uint8)
        file["detail/bytes"][: int(first[1])] = packed
    index = FeatureIndex(path)
    name = index.name(0)
    assert name is not None
    assert (name.short, name.long, name.pieces) == ("name of 0", "", ())
    assert index.name(70) is not None
    assert index.name(70).long  # type: ignore[union-attr]


def test_names_file__is_called_as_its_index(path: Path) -> None:
    assert names_path(path).name == "i.names"

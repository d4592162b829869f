"""An index of another person is looked through: what leads outside of it is refused by name."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import pytest
from sample_index import write_sample_index
from shipped import demonstration

from sae_desktop.errors import UserError
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.reading.references import check_references


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample_index(tmp_path_factory.mktemp("index") / "i.h5", features=8, repeats=1)


def test_references__of_what_this_program_writes_are_right(whole: Path) -> None:
    check_references(FeatureIndex(whole))
    for path in demonstration().path.glob("features/*.h5"):
        check_references(FeatureIndex(path))


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("contexts/row", (3, 0), 10**9),
        ("contexts/row", (3, 0), -2),
        ("contexts/bucket", 0, 120),
        ("contexts/offsets", 5, 10**12),
        ("contexts/offsets", 5, 0),
        ("neighbours/ids", (0, 0), 8),
        ("coactive/ids", (0, 0), -7),
        ("vocabulary/offsets", 2, 10**9),
        ("aligned/documents", 0, 10**6),
        ("aligned/offsets", 1, -1),
    ],
)
def test_number_that_leads_outside__is_named(
    whole: Path, tmp_path: Path, name: str, place: int | tuple[int, int], value: int
) -> None:
    path = Path(shutil.copy(whole, tmp_path / "theirs.h5"))
    with h5py.File(path, "r+") as file:
        file[name][place] = value
    with pytest.raises(UserError, match=rf"“theirs\.h5” is damaged: {name}"):
        check_references(FeatureIndex(path))


@pytest.mark.parametrize(("field", "value"), [("document", 99), ("first_row", 1), ("length", 0)])
def test_passage_that_is_not_of_the_text__is_refused(
    whole: Path, tmp_path: Path, field: str, value: int
) -> None:
    path = Path(shutil.copy(whole, tmp_path / "theirs.h5"))
    with h5py.File(path, "r+") as file:
        passages = file["passages"][...]
        passages[field][0] = value
        file["passages"][...] = passages
    with pytest.raises(UserError, match="passage"):
        check_references(FeatureIndex(path))


@pytest.mark.parametrize(
    "name", ["neighbours/ids", "vocabulary/bytes", "contexts/values", "logits/bottom_ids"]
)
def test_array_that_is_missing__is_named(whole: Path, tmp_path: Path, name: str) -> None:
    path = Path(shutil.copy(whole, tmp_path / "theirs.h5"))
    with h5py.File(path, "r+") as file:
        del file[name]
    with pytest.raises(UserError, match=name):
        check_references(FeatureIndex(path))


@pytest.mark.parametrize("name", ["coactive/share", "neighbours/cosines", "languages/counts"])
def test_arrays_that_do_not_fit__are_refused(whole: Path, tmp_path: Path, name: str) -> None:
    path = Path(shutil.copy(whole, tmp_path / "theirs.h5"))
    with h5py.File(path, "r+") as file:
        cut = file[name][:, :1]
        del file[name]
        file[name] = cut
    with pytest.raises(UserError, match=name.partition("/")[0]):
        check_references(FeatureIndex(path))

"""The pictures of a store: what is written of them is read again, over files, cuts and faults."""

from __future__ import annotations

import io
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from job_contexts import RecordingContext
from picture_stores import IMAGE_TOKEN, Shown, picture_info, write_picture_store
from PIL import Image
from stored import batch_of, write_store

from sae_desktop.activations.compaction import compact
from sae_desktop.activations.config import VerifyStoreConfig
from sae_desktop.activations.layout import Capacity
from sae_desktop.activations.store import ActivationStore
from sae_desktop.activations.store_writer import SegmentWriter, segment_path
from sae_desktop.activations.verify import verify_store
from sae_desktop.errors import UserError
from sae_desktop.project import Project
from sae_desktop.training.rows.document_split import text_of_rows
from sae_desktop.training.rows.targets import check_aligned

RED, BLUE = Shown("red.png"), Shown("blue.png", (20, 30, 200), rows=1, columns=2)
FIRST = ([[5, 6], RED, [8]], [BLUE])
SECOND = ([[9]], [BLUE, [4, 4], RED])


@pytest.fixture
def store(tmp_path: Path) -> ActivationStore:
    write_picture_store(tmp_path / "s", FIRST, keep=True)
    return write_picture_store(tmp_path / "s", SECOND, segment=1)


def test_rows__say_which_token_of_which_picture_they_are(store: ActivationStore) -> None:
    pictures = store.pictures
    assert len(pictures) == 4
    expected = [-1, -1, *[0] * 6, -1, 1, 1, -1, 2, 2, -1, -1, *[3] * 6]
    assert pictures.of_rows().tolist() == expected
    tokens = [-1, -1, *range(6), -1, 0, 1, -1, 0, 1, -1, -1, *range(6)]
    assert pictures.tokens_of_rows().tolist() == tokens
    assert pictures.of_rows(7, 14).tolist() == expected[7:14]
    assert pictures.rows(0).tolist() == [2, 3, 4, 5, 6, 7]
    assert pictures.rows(3).tolist() == [16, 17, 18, 19, 20, 21]
    assert (np.asarray(store.tokens)[pictures.of_rows() >= 0] == IMAGE_TOKEN).all()


def test_picture__keeps_name_digest_layout_and_thumbnail(store: ActivationStore) -> None:
    found = [store.pictures.get(n) for n in range(4)]
    assert [one.record.name for one in found] == ["red.png", "blue.png", "blue.png", "red.png"]
    assert [one.document for one in found] == [0, 1, 3, 3]
    assert [one.kept for one in found] == [True, True, False, False]
    assert found[0].digest == found[3].digest != found[1].digest
    assert found[3].record.layout == RED.layout
    assert store.pictures.whole(0) == RED.file
    assert store.pictures.whole(3) == b""
    small = Image.open(io.BytesIO(store.pictures.thumbnail(2)))
    assert (small.format, small.size) == ("WEBP", (60, 40))
    assert np.abs(np.array(small.convert("RGB"), int)[20, 30] - BLUE.colour).max() < 12


def test_store_of_texts__has_no_datasets_of_pictures(tmp_path: Path) -> None:
    info = picture_info(pictures=False)
    write_store(tmp_path / "t", info, {info.sites[0]: np.ones((5, 8))}).close()
    store = ActivationStore.open(tmp_path / "t")
    assert len(store.pictures) == 0
    assert store.pictures.of_rows(1, 4).tolist() == [-1] * 3
    with h5py.File(segment_path(tmp_path / "t", 0)) as file:
        assert not {"picture", "picture_token", "pictures", "picture_data"} & set(file)
        assert file.attrs["schema_version"] == 4
        assert len(file["committed"]) == 6


def test_picture_store__takes_rows_of_text_alone(tmp_path: Path) -> None:
    info = picture_info()
    write_store(tmp_path / "t", info, {info.sites[0]: np.ones((5, 8))}).close()
    store = ActivationStore.open(tmp_path / "t")
    assert store.pictures.of_rows().tolist() == [-1] * 5
    assert len(store.pictures) == 0


def test_compacted_and_verified__it_is_what_it_was(tmp_path: Path, project: Project) -> None:
    folder = project.store_path("s")
    whole = write_picture_store(tmp_path / "whole", FIRST, keep=True)
    write_picture_store(folder, FIRST, keep=True)
    info = picture_info()
    room = Capacity(rows=80_000, windows=9, documents=9, pictures=9, picture_data=9_000)
    roomy = SegmentWriter.create(segment_path(folder, 1), info, room)
    for _ in range(2):
        roomy.append(batch_of(info, {info.sites[0]: np.ones((5, 8))}))
        roomy.commit()
    roomy.close()
    assert compact(segment_path(folder, 1)) > 0
    store = ActivationStore.open(folder)
    assert store.pictures.get(1) == whole.pictures.get(1)
    assert store.pictures.of_rows(11).tolist() == [-1] * 10
    config = VerifyStoreConfig(project=str(project.path), name="s")
    assert verify_store(config, RecordingContext()).damaged == []
    path = segment_path(folder, 0)
    with h5py.File(path) as file:
        at = file["picture_data"].id.get_offset() + 3
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    assert verify_store(config, RecordingContext()).damaged == ["000.h5: picture_data"]


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("tokens", 5, "its layout has 6 tokens, not 5"),
        ("rows", 900, "its rows lie outside"),
        ("data_first", 1 << 40, "its data lie outside"),
        ("thumbnail_bytes", 1 << 30, "an impossible size"),
        ("document", 77, "a document that is not there"),
        ("width", 2**30, "its size in pixels is impossible"),
    ],
)
def test_damaged_picture__is_refused_before_anything_is_made_of_it(
    tmp_path: Path, field: str, value: int, told: str
) -> None:
    write_picture_store(tmp_path / "s", FIRST)
    with h5py.File(segment_path(tmp_path / "s", 0), "r+") as file:
        entry = file["pictures"][0]
        entry[field] = value
        file["pictures"][0] = entry
    with pytest.raises(UserError, match=told):
        ActivationStore.open(tmp_path / "s").pictures.get(0)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        # As many tokens as there are rows, and a billion rows of none.
        ({"tiles": [[2, 3], [10**9, 0]]}, "parts without a token"),
        ({"tiles": [[-2, -3]]}, "parts without a token"),
        ({"tiles": [[1 << 31, 1 << 31]]}, "its layout has 4,611,686,018,427,387,904 tokens, not 6"),
        ({"loose": -6, "tiles": [[2, 3], [2, 3]]}, "parts without a token"),
        ({"cell": 0.0}, "nowhere near it"),
        ({"cell": -4.0}, "nowhere near it"),
        ({"left": 1e300}, "nowhere near it"),
        ({"width": 61}, "of another size"),
    ],
)
def test_layout__that_claims_what_there_is_not_is_refused_before_it_is_drawn(
    tmp_path: Path, changed: dict[str, object], told: str
) -> None:
    write_picture_store(tmp_path / "s", FIRST)
    cell = changed.get("cell", 20.0)
    tiles = [
        {"rows": rows, "columns": columns, "left": changed.get("left", 0.0), "top": 0.0,
         "cell_width": cell, "cell_height": 20.0}
        for rows, columns in changed.get("tiles", [[2, 3]])  # type: ignore[attr-defined]
    ]  # fmt: skip
    layout = {"width": changed.get("width", 60), "height": 40, "tiles": tiles,
              "loose": changed.get("loose", 0)}  # fmt: skip
    record = json.dumps({"name": "red.png", "layout": layout}).encode()
    with h5py.File(segment_path(tmp_path / "s", 0), "r+") as file:
        entry = file["pictures"][0]
        entry["record_bytes"], entry["thumbnail_bytes"] = len(record), 0
        file["picture_data"][: len(record)] = np.frombuffer(record, np.uint8)
        file["pictures"][0] = entry
    with pytest.raises(UserError, match=told):
        ActivationStore.open(tmp_path / "s").pictures.get(0)


@pytest.mark.parametrize("number", [-2, 2, 1 << 30])
def test_rows__of_pictures_that_are_not_there_are_refused(tmp_path: Path, number: int) -> None:
    write_picture_store(tmp_path / "s", FIRST)
    with h5py.File(segment_path(tmp_path / "s", 0), "r+") as file:
        file["picture"][3] = number
    with pytest.raises(UserError, match="a row is of a picture that is not there"):
        ActivationStore.open(tmp_path / "s").pictures.of_rows()


def test_table__with_a_picture_outside_of_the_store_is_refused(tmp_path: Path) -> None:
    write_picture_store(tmp_path / "s", FIRST)
    with h5py.File(segment_path(tmp_path / "s", 0), "r+") as file:
        entry = file["pictures"][1]
        entry["data_first"] = (1 << 63) - 1
        file["pictures"][1] = entry
    with pytest.raises(UserError, match="one of the pictures 0 to 1, its data lie outside"):
        _ = ActivationStore.open(tmp_path / "s").pictures.table


def test_row__of_a_picture_that_is_not_there_is_refused(store: ActivationStore) -> None:
    with pytest.raises(UserError, match="none with the number 4"):
        store.pictures.get(4)


def test_held_out__documents_with_one_picture_are_one_text(tmp_path: Path) -> None:
    others = [Shown(f"{n}.png", (n, 90, 40), rows=1, columns=2) for n in range(4)]
    documents = [
        [others[0], [11, 12, 13]], [others[1], [21, 22, 23]], [others[0], [31, 32, 33]],
        [others[2], [41, 42, 43]], [others[3], others[1], [51, 52, 53]],
    ]  # fmt: skip
    text_R = text_of_rows(write_picture_store(tmp_path / "s", documents), 27)
    each = [text_R[first] for first in (0, 5, 10, 15, 20)]
    assert each[0] == each[2]
    assert each[1] == each[4]
    assert len({*each}) == 3


def test_held_out__pictures_without_words_are_not_alike_for_their_tokens(tmp_path: Path) -> None:
    pictures = [[Shown(f"{n}.png", (n, 50, 60))] for n in range(3)]
    texts = [[[100 + 7 * n, 101 + 5 * n, 102 + n, 3 * n]] for n in range(6)]
    text_R = text_of_rows(write_picture_store(tmp_path / "s", [*pictures, *texts]), 42)
    assert len({*text_R[[0, 6, 12]]}) == 3


def test_stores_side_by_side__of_other_pictures_are_refused(tmp_path: Path) -> None:
    ours = write_picture_store(tmp_path / "a", [[[5], RED, [8]], [BLUE, BLUE]])
    same = write_picture_store(tmp_path / "b", [[[5], RED, [8]], [BLUE, BLUE]])
    check_aligned(ours, same)
    other = Shown("other.png", (1, 2, 3), rows=1, columns=2)
    theirs = write_picture_store(tmp_path / "c", [[[5], RED, [8]], [BLUE, other]])
    with pytest.raises(UserError, match="different pictures from row 10 on"):
        check_aligned(ours, theirs)

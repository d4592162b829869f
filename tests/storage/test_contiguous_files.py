import os
import resource
from pathlib import Path

import h5py
import numpy as np
import pytest

from sae_desktop.errors import UserError
from sae_desktop.storage.atomic import replacing, write_bytes
from sae_desktop.storage.hdf5 import (
    DatasetSpec,
    RowWriter,
    create_contiguous,
    map_dataset,
    open_checked,
)


def _create(path: Path, rows: int = 1000) -> None:
    create_contiguous(
        path, "test", 2, [DatasetSpec("a/values", (rows, 8), "<f4")], {"colour": "red"}
    )


def test_dataset__is_contiguous_and_its_room_is_reserved(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    _create(path)
    with h5py.File(path, "r") as file:
        assert file["a/values"].chunks is None
        assert file["a/values"].id.get_offset() is not None
        assert file.attrs["colour"] == "red"
    assert path.stat().st_blocks * 512 >= 1000 * 8 * 4


def test_rows__written_in_place_are_what_hdf5_and_the_map_read(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    _create(path)
    values = np.arange(80, dtype=np.float32).reshape(10, 8)
    with RowWriter(path) as writer:
        writer.write("a/values", 3, values)
        writer.sync()
    with h5py.File(path, "r") as file:
        assert np.array_equal(file["a/values"][3:13], values)
        assert np.array_equal(map_dataset(path, file["a/values"])[3:13], values)


def test_rows__that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    _create(path, rows=4)
    with RowWriter(path) as writer, pytest.raises(ValueError, match="do not fit"):
        writer.write("a/values", 2, np.zeros((3, 8), dtype=np.float32))


@pytest.mark.skipif(os.name != "posix", reason="file-size limits are POSIX")
def test_create__without_room_leaves_nothing_and_says_so(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(UserError, match="limit"):
            _create(tmp_path / "a.h5", rows=100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_open__refuses_what_is_newer_damaged_or_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    _create(path)
    with pytest.raises(UserError, match="newer SAE Desktop"):
        open_checked(path, "test", 1)
    with pytest.raises(UserError, match="kind"):
        open_checked(path, "other", 2)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="damaged"):
        open_checked(path, "test", 2)


def test_replacing__keeps_the_old_file_when_the_new_one_fails(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    write_bytes(path, b"old")

    def fail() -> None:
        with replacing(path) as part:
            part.write_bytes(b"half of the new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]

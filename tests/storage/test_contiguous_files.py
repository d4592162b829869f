import errno
import os
import resource
from pathlib import Path, PureWindowsPath

import h5py
import numpy as np
import pytest

from sae_desktop.errors import UserError
from sae_desktop.storage.atomic import replacing, write_bytes
from sae_desktop.storage.faults import explain_os_error, free_bytes
from sae_desktop.storage.hdf5 import (
    DatasetSpec,
    RowWriter,
    create_contiguous,
    open_checked,
)
from sae_desktop.storage.mapped import FLOATS, Accepted, MappedFile, extents


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
        found = extents(path, file, {"a/values": Accepted(FLOATS, ("rows", 8))})
    assert np.array_equal(MappedFile(path, found).arrays["a/values"][3:13], values)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="descriptors are listed on Linux")
def test_map__takes_one_descriptor_however_many_datasets_and_gives_it_back(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    names = [f"{letter}/values" for letter in "abcde"]
    create_contiguous(path, "test", 2, [DatasetSpec(name, (9, 2), "<f4") for name in names], {})
    with h5py.File(path, "r") as file:
        found = extents(path, file, {name: Accepted(FLOATS, (9, 2)) for name in names})
    before = len(os.listdir("/proc/self/fd"))
    mapped = MappedFile(path, found)
    kept = mapped.arrays["c/values"]
    assert len(os.listdir("/proc/self/fd")) == before + 1
    mapped.release(names)
    del mapped
    assert kept.tolist() == np.zeros((9, 2)).tolist()
    del kept
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.skipif(os.name != "posix", reason="limits of descriptors are POSIX")
def test_map__where_too_many_files_are_open_says_so_and_not_that_it_is_damaged(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.h5"
    _create(path)
    with h5py.File(path, "r") as file:
        found = extents(path, file, {"a/values": Accepted(FLOATS, ("rows", 8))})
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        with pytest.raises(UserError, match="too many files are open") as refused:
            MappedFile(path, found)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert "damaged" in refused.value.kept
    assert "ulimit" in refused.value.next_step


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


def _refuses_locks(
    monkeypatch: pytest.MonkeyPatch, number: int, what: str = "unable to lock file"
) -> None:
    """Let HDF5 say what it says where the system refuses `what`."""
    real = h5py.File

    def refusing(*arguments: object, locking: object = None, **more: object) -> h5py.File:
        if locking is False:
            return real(*arguments, locking=False, **more)
        text = f"Unable to synchronously open file ({what}, errno = {number}, error message = '')"
        raise OSError(number, text)

    monkeypatch.setattr(h5py, "File", refusing)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EACCES, errno.ENOSYS])
def test_file_system_without_locks__is_worked_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = tmp_path / "a.h5"
    _refuses_locks(monkeypatch, number)
    _create(path)
    with RowWriter(path) as writer:
        writer.write("a/values", 0, np.ones((1, 8), np.float32))
    with open_checked(path, "test", 2) as file:
        assert file["a/values"][0].tolist() == [1.0] * 8


def test_file_that_the_system_does_not_give__is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.h5"
    _create(path)
    _refuses_locks(monkeypatch, errno.EIO, "file read failed")
    with pytest.raises(UserError, match="could not be read") as caught:
        open_checked(path, "test", 2)
    assert "damaged" not in caught.value.what
    monkeypatch.undo()

    def forbidden(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(UserError, match="do not have permission") as caught:
        open_checked(path, "test", 2)
    assert "elete" not in caught.value.next_step


def test_free_space__of_a_drive_that_is_gone_ends_in_an_error() -> None:
    gone = PureWindowsPath("Z:/projects/a")

    class Gone(PureWindowsPath):
        def exists(self) -> bool:
            return False

    assert Gone(gone).parent.parent == Gone("Z:/").parent  # the root is its own parent
    with pytest.raises(FileNotFoundError, match="drive is not connected"):
        free_bytes(Gone(gone))  # type: ignore[arg-type]
    full = explain_os_error(OSError(errno.ENOSPC, "full"), Gone(gone))  # type: ignore[arg-type]
    assert full.what == "The disk is full: “a” could not be written."

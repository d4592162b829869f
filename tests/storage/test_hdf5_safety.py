"""Files of others that lead elsewhere, or are not what they say, are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from sample_index import write_sample_index

from sae_desktop.errors import UserError
from sae_desktop.storage.hdf5_safety import check_plain


def soft(file: h5py.File) -> None:
    file["x"] = h5py.SoftLink("/data")


def external(file: h5py.File) -> None:
    file["x"] = h5py.ExternalLink("/etc/passwd", "/")


def deep(file: h5py.File) -> None:
    file.create_group("a/b/c")["x"] = h5py.ExternalLink("other.h5", "/")


def elsewhere(file: h5py.File) -> None:
    file.create_dataset("x", (64,), "u1", external=[("/etc/hostname", 0, 64)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", shape=(4,))
    file.create_virtual_dataset("x", layout)


def enormous(file: h5py.File) -> None:
    file.create_dataset("x", (10**12,), "f8", chunks=(1000,), compression="gzip")


def many(file: h5py.File) -> None:
    for number in range(10_100):
        file.create_group(f"g{number}")


def attribute(file: h5py.File) -> None:
    space = h5py.h5s.create_simple((80 * 2**20,))
    h5py.h5a.create(file.id, b"x", h5py.h5t.STD_U8LE, space)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (soft, "“/x” is a link"), (external, "“/x” is a link"), (deep, "“/a/b/c/x” is a link"),
        (elsewhere, "kept in other files"), (virtual, "kept in other files"),
        (enormous, "claims 8,000,000,000,000 bytes"), (many, "over 10,000 objects"),
        (attribute, "an attribute of “/” is enormous"),
    ],
)  # fmt: skip
def test_file__that_leads_elsewhere_is_refused(
    tmp_path: Path, spoil: Callable[[h5py.File], None], said: str
) -> None:
    path = tmp_path / "theirs.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file.create_dataset("data", data=np.arange(10))
        spoil(file)
    with pytest.raises(UserError, match=said):
        check_plain(path)


def test_plain_files__pass(tmp_path: Path) -> None:
    check_plain(write_sample_index(tmp_path / "i.h5"))
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file.create_group("a")["again"] = file.create_dataset("x", data=np.zeros((100, 100)))
        file["a/up"] = file["/"]  # a circle of hard links has an end
    check_plain(tmp_path / "own.h5")
    (tmp_path / "no.h5").write_bytes(b"nothing")
    with pytest.raises(UserError, match="not an HDF5 file"):
        check_plain(tmp_path / "no.h5")

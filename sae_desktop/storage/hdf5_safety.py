"""HDF5 files from others, checked before anything in them is trusted."""

from __future__ import annotations

from pathlib import Path

import h5py

from sae_desktop.errors import UserError
from sae_desktop.storage.hdf5 import open_file

_MOST_OBJECTS = 10_000
_MOST_ATTRIBUTE = 64 * 2**20
"""Bytes; the settings kept in attributes have some kilobytes."""
_MOST_EXPANSION = 200
"""How many times the file a compressed dataset may unpack to."""


def check_plain(path: Path) -> None:
    """Raise UserError for a file that leads elsewhere, or whose contents are not in it.

    Refused are soft and external links, datasets kept in other files, virtual ones, ones that
    are larger than the file allows, attributes of enormous size, and more objects than any file
    of ours has. Nothing but the structure is read.
    """
    try:
        with open_file(path) as file:
            _Look(path, path.stat().st_size).group(file, "")
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise UserError(
            f"“{path.name}” is not an HDF5 file, or is damaged: {error}.",
            kept="Nothing was changed.",
            next_step="Get a fresh copy of it.",
        ) from error


class _Look:
    """One walk through a file; every object is looked at once."""

    def __init__(self, path: Path, size: int) -> None:
        self._path, self._size = path, size
        self._seen: set[int] = set()

    def group(self, group: h5py.Group, name: str) -> None:
        self._attributes(group, name)
        for key in group:
            inside = f"{name}/{key}"
            link = group.get(key, getlink=True)
            if not isinstance(link, h5py.HardLink):
                self._refuse(f"“{inside}” is a link that points elsewhere")
            item = group[key]
            address = int(h5py.h5o.get_info(item.id).addr)
            if address in self._seen:
                continue
            self._seen.add(address)
            if len(self._seen) > _MOST_OBJECTS:
                self._refuse(f"it has over {_MOST_OBJECTS:,} objects")
            if isinstance(item, h5py.Group):
                self.group(item, inside)
            elif isinstance(item, h5py.Dataset):
                self._dataset(item, inside)

    def _dataset(self, dataset: h5py.Dataset, name: str) -> None:
        self._attributes(dataset, name)
        if dataset.external or dataset.is_virtual:
            self._refuse(f"the data of “{name}” are kept in other files")
        offset, size = dataset.id.get_offset(), int(dataset.nbytes)
        if offset is not None and offset + size > self._size:
            self._refuse(f"“{name}” is larger than the file")
        if offset is None and size > _MOST_EXPANSION * self._size:
            self._refuse(f"“{name}” claims {size:,} bytes, but the file has {self._size:,}")

    def _attributes(self, item: h5py.Group | h5py.Dataset, name: str) -> None:
        for number in range(h5py.h5a.get_num_attrs(item.id)):
            attribute = h5py.h5a.open(item.id, index=number)
            if attribute.get_storage_size() > _MOST_ATTRIBUTE:
                self._refuse(f"an attribute of “{name or '/'}” is enormous")

    def _refuse(self, reason: str) -> None:
        raise UserError(
            f"“{self._path.name}” was refused: {reason}.",
            kept="Nothing was changed.",
            next_step="Ask its maker for a file that contains its own data.",
        )

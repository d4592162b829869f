"""What a scan has finished, kept beside its file until it is whole: a scan resumes from there.

`scans/.<name>.kept/<digest>.npz` holds one concept set on one dictionary; the digest is of all
that it depends on, so that what was found under other settings is never taken up. Free of torch
and Qt.
"""

from __future__ import annotations

import hashlib
import io
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.safety.concept_set import ConceptSet
from sae_desktop.safety.scan.config import ScanConfig, SetScan
from sae_desktop.safety.scan.kept_folder import kept_folder
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained

Array = npt.NDArray[Any]

_FREE = ("project", "name", "indexes", "sets", "device")
"""Fields of the config on which one set and one dictionary do not depend."""


class KeptSets:
    """The folder of a scan that is not whole."""

    def __init__(self, config: ScanConfig, path: Path) -> None:
        self.folder = kept_folder(path)
        fields = msgspec.to_builtins(config)
        self._settings = {name: fields[name] for name in fields if name not in _FREE}

    def key(self, found: ConceptSet, index: str, info: msgspec.Struct) -> str:
        """Return what tells one set on one dictionary from all others; `info`: of the index."""
        told = (self._settings, found.name, found.digest, index, info)
        return hashlib.blake2b(msgspec.json.encode(told), digest_size=16).hexdigest()

    def read(self, key: str, features: int) -> tuple[SetScan, Array] | None:
        """Return what was kept under a key: the scan, and the areas (F,) of all features."""
        try:
            with np.load(self.folder / f"{key}.npz", allow_pickle=False) as file:
                told = msgspec.json.decode(file["result"].tobytes(), type=SetScan)
                areas_F = file["areas"]
        except (OSError, ValueError, KeyError, RecursionError):
            return None
        return (told, areas_F) if areas_F.shape == (features,) else None

    def keep(self, key: str, scan: SetScan, areas_F: Array) -> None:
        """Write what was found. Raises UserError when the disk is full."""
        content = io.BytesIO()
        told = np.frombuffer(msgspec.json.encode(scan), np.uint8)
        np.savez(content, result=told, areas=np.asarray(areas_F, np.float32))
        with explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_bytes(self.folder / f"{key}.npz", content.getvalue())

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

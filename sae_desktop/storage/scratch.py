"""A folder of files that are needed while this process runs, and no longer.

Free of torch and Qt.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from sae_desktop.storage.own_folders import TEMPORARY_PREFIX


class ScratchFolder:
    """Made when it is first asked for; gone with this object, and at the latest with the process.

    Of a process that was killed it is left, and found by its name: see `TEMPORARY_PREFIX`.
    """

    def __init__(self) -> None:
        self._folder: TemporaryDirectory[str] | None = None

    def path(self) -> Path:
        """Return the folder. Raises OSError where none can be made."""
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix=TEMPORARY_PREFIX, ignore_cleanup_errors=True)
        return Path(self._folder.name)

    def holds(self, file: str) -> bool:
        """Whether a file is in the folder."""
        return self._folder is not None and file.startswith(self._folder.name + os.sep)

"""Tells when something in the project's folder has come, gone or changed."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QObject, QTimer, Signal

_FOLDERS = (
    "activations",
    "dictionaries",
    "features",
    "sweeps",
    "matches",
    "concepts",
    "completeness",
    "sets",
    "graphs",
    "changes",
    "scans",
    "lenses",
    "monitors",
    "hits",
)
_SETTLE_MS = 1_000
"""A folder that has just changed is still being synced: looking into it at once would wait."""


class FolderWatch(QObject):
    """Watches a project's folder and those in it."""

    settled = Signal()
    """Something has changed, and a moment has passed since."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._watcher = QFileSystemWatcher(self)
        self._watcher.directoryChanged.connect(lambda _path: self.look_soon())
        self._settle = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._settle.timeout.connect(self.settled)

    def watch(self, project: Path) -> None:
        """Watch the folders that are there now, besides those watched already."""
        folders = [project, *(project / name for name in _FOLDERS)]
        found = {str(folder) for folder in folders if folder.is_dir()}
        new = found - set(self._watcher.directories())
        if new:
            self._watcher.addPaths(sorted(new))

    def look_soon(self) -> None:
        """Have `settled` told in a moment."""
        self._settle.start()

    def looked(self) -> None:
        """Take back what is still to be told: somebody has looked."""
        self._settle.stop()

    def leave(self) -> None:
        """Watch nothing any more."""
        self._settle.stop()
        if self._watcher.directories():
            self._watcher.removePaths(self._watcher.directories())

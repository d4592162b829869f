"""The file that hits of a served model are added to, one a line. Free of torch and Qt."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

from sae_desktop.project import Project
from sae_desktop.safety.monitors.config import Hit
from sae_desktop.storage.faults import explained


class HitsLog:
    """Adds hits to a file of the project; what a killed process wrote stays readable."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._requests = 0

    @classmethod
    def new(cls, project: Project) -> HitsLog:
        """Return a log of its own for a start of the server."""
        at = datetime.datetime.now().strftime("%Y-%m-%d %H.%M.%S")
        path = project.hits_path(f"served {at}")
        with explained(path):
            path.parent.mkdir(exist_ok=True)
        return cls(path)

    def add(self, hits: Sequence[Hit]) -> None:
        """Add the hits of one request. Raises UserError for a full disk."""
        with self._lock:
            number, self._requests = self._requests, self._requests + 1
            if not hits:
                return
            at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            lines = [
                msgspec.json.encode(
                    msgspec.structs.replace(hit, document=number, source="served", at=at)
                )
                for hit in hits
            ]
            with explained(self.path), self.path.open("ab") as file:
                file.write(b"\n".join(lines) + b"\n")

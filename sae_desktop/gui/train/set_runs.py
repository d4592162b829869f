"""The layers of sets as runs: which there are, and their logs, one after the other as they grow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from sae_desktop.gui.state.session import Session
from sae_desktop.training.run_folder import RUN_LOG
from sae_desktop.training.set_config import TrainSetConfig
from sae_desktop.words.inventory import SetItem
from sae_desktop.words.run_figures import RunRow, row_of_begun, rows_of_set
from sae_desktop.words.set_words import layer_of


class SetRuns:
    """Knows the sets of the project, and the one that is being trained."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.followed = ""
        """The set that is being trained; empty: none is."""
        self._config: TrainSetConfig | None = None
        self._turn = 0
        self._followed_runs: list[str] = []

    def names(self) -> list[str]:
        """Return the sets that have curves, the one in training among them."""
        found = {item.name for item in self._session.inventory.sets if item.rows}
        if self.followed and self._followed_runs:
            found.add(self.followed)
        return sorted(found)

    def item(self, name: str) -> SetItem | None:
        return self._session.inventory.set_named(name) if name else None

    def runs(self) -> list[str]:
        """Return the runs of all sets that have curves."""
        known = [m.name for one in self._session.inventory.sets for m in one.members if m.rows]
        return [*known, *(name for name in self._followed_runs if name not in known)]

    def share(self, run: str) -> float | None:
        """Return how far a run’s layer lies from the first (0) to the last (1) of its set.

        None for what is not a layer among several.
        """
        item = self._session.inventory.set_of(run)
        names = [member.name for member in item.members] if item is not None else []
        if run in self._followed_runs:
            names = self._followed_runs
        return names.index(run) / (len(names) - 1) if run in names and len(names) > 1 else None

    def follow(self, config: TrainSetConfig) -> None:
        """Watch a set that has started."""
        self._config = config
        self.followed, self._turn, self._followed_runs = config.name, 0, []

    def rows(self, name: str, heeded: Mapping[str, Sequence[str]]) -> list[RunRow]:
        """Return the runs of a set, those that have only just begun among them."""
        item, config, running = self.item(name), self._config, name == self.followed
        rows = rows_of_set(item, running, heeded) if item is not None else []
        if not running or config is None:
            return rows
        known = {row.name for row in rows}
        for run in self._followed_runs:
            if run not in known:
                begun = row_of_begun(msgspec.structs.replace(config.train, name=run), heeded)
                rows.append(replace(begun, layer=layer_of(run)))
        return rows

    def next_run(self) -> str:
        """Return the run of the followed set whose log is to be read now; empty: none has one.

        They are read in turn: all logs of a large set at once would hold the window up.
        """
        project = self._session.project
        if project is None or not self.followed:
            return ""
        if not self._followed_runs or self._turn % len(self._followed_runs) == 0:
            logs = project.set_path(self.followed).glob(f"[!.]*/{RUN_LOG}")
            self._followed_runs = [
                f"{self.followed}.{n}" for n in sorted(p.parent.name for p in logs)
            ]
        item = self.item(self.followed)
        if len(self._followed_runs) > (len(item.members) if item is not None else 0):
            self._session.refresh()  # the inventory has yet to see them
        if not self._followed_runs:
            return ""
        self._turn += 1
        return self._followed_runs[(self._turn - 1) % len(self._followed_runs)]

    def just_begun(self) -> bool:
        """Tell, once, that the followed set has its first run."""
        return self._turn == 1

    def unfollow(self) -> None:
        """The set’s training has ended."""
        self.followed, self._followed_runs = "", []

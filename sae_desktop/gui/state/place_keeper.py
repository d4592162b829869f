"""Keeps where a person is in the open project, and brings them back there.

A panel says once how its state is taken and given:

    session.place.add(self, self._keep, self._restore)

`_keep` returns a dict of plain values (text, numbers, lists, dicts); `_restore` is given such a
dict, of this version of the program or another, and may raise: it is then as if nothing had been
kept. The dict is kept under the panel's object name. What is about one index, such as features by
their numbers, is added by itself with `of_index=True`: it is given back to that index alone.
Widgets whose values are all there is to keep are handed to `gui.parts.kept_fields` instead.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from PySide6.QtCore import QObject, QTimer

from sae_desktop.gui.state.kept_place import (
    KeptPlace,
    Part,
    about_index,
    read_place,
    write_place,
)
from sae_desktop.words.inventory import kept_or_newest, newest

if TYPE_CHECKING:
    from sae_desktop.features.reading.reader import FeatureIndex
    from sae_desktop.gui.state.history import History
    from sae_desktop.words.inventory import Inventory

_LOG = logging.getLogger(__name__)
_LOOK_MS = 700
"""How often the window is asked for what is to be kept: a crash loses no more than that."""

Keep = Callable[[], dict[str, Any]]
Restore = Callable[[dict[str, Any]], object]


class Placed(Protocol):
    """The session: what is open and selected in it."""

    workspace: str
    index: FeatureIndex | None
    feature: int | None
    store: str
    dictionary: str
    history: History
    inventory: Inventory

    @property
    def index_name(self) -> str: ...
    def has_index(self, name: str) -> bool: ...
    def open_index(self, name: str, kept: KeptPlace | None = None) -> bool: ...
    def return_to(self, workspace: str) -> None: ...


@dataclass(frozen=True)
class _Keeper:
    keep: Keep
    restore: Restore
    of_index: bool


class PlaceKeeper(QObject):
    """Asks panels for their state while a project is open, and gives it back the next time."""

    def __init__(self, session: Placed, folder: Path | None, parent: QObject) -> None:
        """Without a `folder` nothing is kept."""
        super().__init__(parent)
        self._session = session
        self._folder = folder
        self._keepers: dict[str, _Keeper] = {}
        self._project: Path | None = None
        self._kept = KeptPlace()
        """What was kept the last time: of panels that are not built yet it is the only word."""
        self._restored = False
        self._asked: tuple[Path, bytes] | None = None
        """What is to be written, or was; the disk may be behind."""
        self._on_disk: tuple[Path, bytes] | None = None
        self._turn = threading.Lock()
        self._timer = QTimer(self, interval=_LOOK_MS)
        self._timer.timeout.connect(self._look)

    def add(
        self,
        owner: QObject,
        keep: Keep,
        restore: Restore,
        *,
        part: str = "",
        of_index: bool = False,
    ) -> None:
        """Keep the state of a panel for each project; what is kept already is given back now."""
        name = f"{owner.objectName()}.{part}" if part else owner.objectName()
        if not name:
            raise ValueError("what is kept of a panel needs its object name")
        keeper = self._keepers[name] = _Keeper(keep, restore, of_index)
        owner.destroyed.connect(lambda: self._drop(name, keeper))
        if self._restored:
            self._give(name)

    # ------------------------------------------------------------------ a project comes and goes
    def enter(self, project: Path) -> None:
        """Read what is kept for a project that is being opened."""
        self._kept = KeptPlace() if self._folder is None else read_place(self._folder, project)
        self._project, self._restored = project, False

    def workspace_of(self, project: Path) -> str:
        """Return in which workspace a project was left; nothing where that is not known."""
        return "" if self._folder is None else read_place(self._folder, project).workspace

    def restore(self) -> None:
        """Bring everything back to where it was when the project was left."""
        session, kept = self._session, self._kept
        self._open()
        self._restored = True
        for name in list(self._keepers):
            self._give(name)
        session.history.restore(
            [v for v in kept.visits if not v.index or session.has_index(v.index)], kept.at
        )
        session.return_to(kept.workspace)
        if self._folder is not None:
            self._timer.start()

    def _open(self) -> None:
        """Open and select what was when the project was left, else the newest of all."""
        session, kept = self._session, self._kept
        inventory = session.inventory
        opened = session.has_index(kept.index) and session.open_index(kept.index, kept)
        if not opened and inventory.indexes:
            opened = session.open_index(newest(inventory.own_indexes or inventory.indexes))
        if not opened or kept.store:
            session.store = kept_or_newest(kept.store, inventory.stores)
        if not opened or kept.dictionary:
            known = inventory.dictionaries or inventory.all_dictionaries
            if inventory.dictionary(kept.dictionary) is not None:
                session.dictionary = kept.dictionary
            else:
                session.dictionary = kept_or_newest("", known)

    def leave(self) -> None:
        """Keep the place once more: the project is about to be closed."""
        self._timer.stop()
        self.save()
        self._project, self._restored = None, False

    def _drop(self, name: str, keeper: _Keeper) -> None:
        if self._keepers.get(name) is keeper:  # no later panel has taken its place
            del self._keepers[name]

    def _give(self, name: str) -> None:
        keeper, part = self._keepers[name], self._kept.parts.get(name)
        if part is None or (keeper.of_index and part.about != about_index(self._session.index)):
            return
        try:
            keeper.restore(part.state)
        except Exception as error:  # of another version, or damaged: as if nothing had been kept
            _LOG.warning("what was kept of “%s” does not fit: %r", name, error)

    # ------------------------------------------------------------------ keeping
    def save(self) -> None:
        """Write the place now."""
        self._ask()
        self._write(self._asked)

    def change(self, how: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Change what is kept, as where something it names has another name, and give it back."""
        if not self._restored:
            return
        kept = self._gathered()
        states = {name: how(part.state) for name, part in kept.parts.items()}
        changed = {n: Part(s, kept.parts[n].about) for n, s in states.items()
                   if s != kept.parts[n].state}  # fmt: skip
        self._kept = msgspec.structs.replace(kept, parts=kept.parts | changed)
        for name in changed.keys() & self._keepers.keys():
            self._give(name)

    def _look(self) -> None:
        before = self._asked
        self._ask()
        if self._asked != before:
            # A disk may be slow, and the window does not wait for it.
            threading.Thread(target=self._write, args=(self._asked,), daemon=True).start()

    def _ask(self) -> None:
        if self._project is not None and self._restored:
            asked = (self._project, msgspec.json.encode(self._gathered()))
            if asked != self._asked:
                self._asked = asked

    def _write(self, asked: tuple[Path, bytes] | None) -> None:
        with self._turn:
            # Whoever comes late with an older place leaves the newer one.
            if self._folder is None or asked is None or asked is not self._asked:
                return
            if asked != self._on_disk:
                write_place(self._folder, *asked)
                self._on_disk = asked

    def _gathered(self) -> KeptPlace:
        session, about = self._session, about_index(self._session.index)
        parts = dict(self._kept.parts)
        for name, keeper in list(self._keepers.items()):
            if keeper.of_index and not about:
                continue
            try:
                parts[name] = Part(keeper.keep(), about if keeper.of_index else "")
            except Exception as error:  # never a window that fails because of what it remembers
                _LOG.warning("“%s” could not be kept: %r", name, error)
        self._kept = KeptPlace(
            project=str(self._project),
            workspace=session.workspace,
            index=session.index_name,
            about=about,
            feature=session.feature,
            store=session.store,
            dictionary=session.dictionary,
            visits=session.history.visits,
            at=session.history.at,
            parts=parts,
        )
        return self._kept

"""The project's presets of steering, changed so that it can be undone. Free of widgets."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from PySide6.QtGui import QUndoCommand

from sae_desktop.errors import UserError
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project
from sae_desktop.steering.presets import Preset, delete_preset, read_preset, save_preset

Presets = Mapping[str, Preset | None]
"""Name → what is kept under it; None: nothing."""


class KeptPresets:
    """Saves, renames and deletes presets; a failure becomes a toast."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def names(self) -> list[str]:
        project = self._session.project
        return [] if project is None else project.presets()

    def save(self, preset: Preset) -> bool:
        """Keep a preset under its name, in place of one that is there."""
        return self._change({preset.name: preset}, f"save the preset “{preset.name}”")

    def rename(self, name: str, new: str) -> bool:
        """Give a preset another name. One of the new name is not replaced."""
        if new != name and new in self.names():
            self._session.show_error(
                UserError(
                    f"A preset named “{new}” already exists.", next_step="Choose another name."
                )
            )
            return False
        try:
            preset = read_preset(self._open_project(), name)
        except UserError as error:
            self._session.show_error(error)
            return False
        if new == name:
            return True
        renamed = msgspec.structs.replace(preset, name=new)
        return self._change({name: None, new: renamed}, f"rename the preset “{name}”")

    def delete(self, name: str) -> bool:
        return self._change({name: None}, f"delete the preset “{name}”")

    def _open_project(self) -> Project:
        if self._session.project is None:
            raise UserError("No project is open.", next_step="Open or create one first.")
        return self._session.project

    def _change(self, after: Presets, text: str) -> bool:
        """Do it, for the undo stack too. Return whether it was done."""
        if self._session.refusal is not None:
            self._session.show_error(self._session.refusal)
            return False
        try:
            project = self._open_project()
            there = project.presets()
            before = {n: read_preset(project, n) if n in there else None for n in after}
            _apply(project, after)
        except UserError as error:
            self._session.show_error(error)
            return False
        self._session.undo_stack.push(_ChangePresets(self._session, before, after, text))
        return True


def _apply(project: Project, wanted: Presets) -> None:
    # What is kept is written before anything is deleted.
    for preset in wanted.values():
        if preset is not None:
            save_preset(project, preset, replace=True)
    for name, kept in wanted.items():
        if kept is None and name in project.presets():
            delete_preset(project, name)


class _ChangePresets(QUndoCommand):
    def __init__(self, session: Session, before: Presets, after: Presets, text: str) -> None:
        super().__init__(text)
        self._session, self._before, self._after = session, before, after
        self._done = True

    def redo(self) -> None:
        if not self._done:
            self._put(self._after)
        self._done = False

    def undo(self) -> None:
        self._put(self._before)

    def _put(self, wanted: Presets) -> None:
        if self._session.project is None:
            return
        try:
            _apply(self._session.project, wanted)
        except UserError as error:
            self._session.show_error(error)

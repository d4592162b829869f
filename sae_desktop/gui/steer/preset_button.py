"""A button with the project's presets of steering: taken up, saved, exported."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import QFileDialog, QMenu, QPushButton

from sae_desktop.errors import UserError
from sae_desktop.exchange.recognise import dialog_filter, require_kind
from sae_desktop.gui.parts.copy_code import add_copy_actions
from sae_desktop.gui.parts.lit_drawing import decoded_thumbnail
from sae_desktop.gui.state.kept_presets import KeptPresets
from sae_desktop.gui.state.save_file import ask_file
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.preset_name import PresetNameDialog
from sae_desktop.steering.config import SteerConfig
from sae_desktop.steering.export_config import ExportSteeringConfig, ExportSteeringResult
from sae_desktop.steering.history import SteeredRun, runs
from sae_desktop.steering.kept_pictures import KeptPicture
from sae_desktop.steering.presets import (
    Preset,
    check_preset,
    decode_preset,
    preset_of,
    read_preset,
)
from sae_desktop.words.amounts import elide_middle

_FILES = "Vector (*.safetensors);;Vector for Neuronpedia (*.json);;Python script (*.py)"


_RUNS = 30
_PROMPT = 32


def run_title(run: SteeredRun) -> str:
    """Return when a run was, what it continued, and with which features."""
    acts = [a for variant in run.asked.variants for a in variant.interventions]
    features = dict.fromkeys(f"#{a.feature} {a.strength:g}" for a in acts if a.direction is None)
    pictures = [f"[{picture.name}]" for picture in run.asked.pictures]
    prompt = elide_middle(" ".join([*pictures, *run.asked.prompt.split()]), _PROMPT)
    when = run.at.astimezone().strftime("%d %b %H:%M")
    return f"{when}  {prompt}  {', '.join(features) or 'plain'}".replace("&", "&&")


class PresetButton(QPushButton):
    """Opens a menu of presets."""

    def __init__(
        self,
        session: Session,
        asked: Callable[[], SteerConfig | None],
        pictures: Callable[[bool], list[KeptPicture]],
        take: Callable[[Preset], None],
        take_run: Callable[[SteeredRun], None],
    ) -> None:
        """`asked` returns what is set now, `pictures` those before the prompt as they are kept,
        told whether with their files; the others set what a preset or an earlier run has."""
        super().__init__("Presets")
        self._session, self._asked, self._pictures = session, asked, pictures
        self._take, self._take_run = take, take_run
        self._kept = KeptPresets(session)
        self.setToolTip("Saved steering, earlier runs and export")
        menu = QMenu(self)
        menu.aboutToShow.connect(self.fill)
        self.setMenu(menu)

    def fill(self) -> None:
        """Put the project's presets in the menu."""
        menu = self.menu()
        menu.clear()
        project = self._session.project
        names = project.presets() if project is not None else []
        for name in names:
            menu.addAction(name, partial(self.open_preset, name))
        menu.addAction("Nothing yet").setEnabled(False) if not names else menu.addSeparator()
        earlier = menu.addMenu("Earlier runs")
        for run in runs(project, _RUNS) if project is not None else []:
            action = earlier.addAction(run_title(run), partial(self.open_run, run))
            small = next((one.thumbnail for one in run.asked.pictures if one.thumbnail), b"")
            action.setIcon(QIcon(QPixmap.fromImage(decoded_thumbnail(small))))
        earlier.setEnabled(not earlier.isEmpty())
        rename, delete = menu.addMenu("Rename"), menu.addMenu("Delete")
        for name in names:
            rename.addAction(name, partial(self._on_rename, name))
            delete.addAction(name, partial(self.delete, name))
        for changing in (rename, delete):
            changing.setEnabled(bool(names) and not self._session.read_only)
        menu.addSeparator()
        ready = self._asked() is not None
        menu.addAction("Save as…", self._on_save).setEnabled(ready)
        menu.addAction("From a file…", self._on_load).setEnabled(project is not None)
        menu.addAction("Export…", self._on_export).setEnabled(ready)
        for action in add_copy_actions(menu, self._session, self._asked):
            action.setEnabled(ready)

    # ------------------------------------------------------------------ taking one up
    def open_preset(self, name: str) -> None:
        """Set everything as a preset has it; one that does not fit is said."""
        project = self._session.project
        if project is not None:
            self._try(lambda: read_preset(project, name))

    def open_run(self, run: SteeredRun) -> None:
        """Show an earlier run again."""
        index = self._session.index
        if index is None:
            return
        try:
            check_preset(run.asked, index.info)
        except UserError as error:
            self._session.show_error(error)
        else:
            self._take_run(run)

    def open_file(self, path: Path) -> None:
        """Set everything as a preset's file has it."""
        self._try(lambda: _read(path))

    def _try(self, read: Callable[[], Preset]) -> None:
        index = self._session.index
        if index is None:
            return
        try:
            preset = read()
            check_preset(preset, index.info)
        except UserError as error:
            self._session.show_error(error)
            return
        except OSError as error:
            self._session.show_error(UserError(f"The file cannot be read: {error}."))
            return
        self._take(preset)

    # ------------------------------------------------------------------ keeping one
    def save_as(self, name: str, *, whole: bool = False) -> None:
        """Keep what is set now under a name, in place of a preset that is there.

        `whole`: with the files of the pictures before the prompt.
        """
        preset = self._preset(whole=whole)
        if preset is not None:
            self._save(preset, name)

    def _preset(self, *, whole: bool = False) -> Preset | None:
        """Return what is set now, without a name; None where that cannot be kept, which is said."""
        asked, index = self._asked(), self._session.index
        if asked is None or index is None:
            return None
        try:
            pictures = self._pictures(whole)
        except UserError as error:
            self._session.show_error(error)
            return None
        return preset_of(
            "", index.info, asked.prompt, asked.variants, asked.sampling, chat=asked.chat,
            pictures=pictures,
        )  # fmt: skip

    def _save(self, preset: Preset, name: str) -> None:
        replaced = name in self._kept.names()
        if self._kept.save(msgspec.structs.replace(preset, name=name)):
            how = "replaced; Undo restores the old one" if replaced else "saved"
            self._session.notify(f"The preset “{name}” was {how}.")

    def rename(self, name: str, new: str) -> None:
        """Give a preset another name."""
        self._kept.rename(name, new)

    def delete(self, name: str) -> None:
        """Take a preset away, until it is undone."""
        if self._kept.delete(name):
            self._session.notify(f"The preset “{name}” was deleted; Undo restores it.")

    def export_to(self, path: Path) -> None:
        """Write what the sliders do to a file, in the form its ending says."""
        asked = self._asked()
        if asked is None:
            return
        job = self._session.run(
            ExportSteeringConfig(
                project=asked.project, index=asked.index, path=str(path),
                variant=asked.variants[1], prompt=asked.prompt, sampling=asked.sampling,
                chat=asked.chat, pictures=asked.pictures,
            )
        )  # fmt: skip
        if job is not None:
            job.finished.connect(self._on_exported)
            job.failed.connect(self._session.show_error)

    def _on_exported(self, result: ExportSteeringResult) -> None:
        self._session.notify(f"Saved to {result.path}")

    # ------------------------------------------------------------------ dialogs
    def _on_save(self) -> None:
        preset = self._preset()  # as set when it was asked, whatever is open when a name is given
        if preset is None:
            return
        dialog: PresetNameDialog
        files = self._preset(whole=True) if preset.pictures else None

        def take(name: str) -> None:
            kept = files if files is not None and dialog.whole.isChecked() else preset
            self._save(kept, name)

        dialog = PresetNameDialog(
            self, "Save the preset", "Save", self._kept.names(), take, may_replace=True,
            pictures=[] if files is None else files.pictures,
        )  # fmt: skip
        dialog.open()

    def _on_rename(self, name: str) -> None:
        take = partial(self.rename, name)
        others = [other for other in self._kept.names() if other != name]
        PresetNameDialog(self, "Rename the preset", "Rename", others, take, name=name).open()

    def _on_load(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "A preset", "", dialog_filter("preset"))
        if name:
            self.open_file(Path(name))

    def _on_export(self) -> None:
        chosen = ask_file(self, "Export the steering", "", _FILES)
        if chosen is not None:
            self.export_to(chosen.path)


def _read(path: Path) -> Preset:
    require_kind(path, "preset")
    return decode_preset(path.read_bytes(), path.name)

"""What becomes of a setting when it is chosen: it takes effect, is saved, and told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from sae_desktop.gui.parts import motion, text_size, theme
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings
from sae_desktop.project_labels import label_text, system_user


class Preferences(QObject):
    """The settings of the window, changed in one place, whoever asks for it."""

    changed = Signal(str)
    """Id of the setting that has another value."""

    def __init__(
        self, session: Session, settings: Settings, save: Callable[[Settings], None]
    ) -> None:
        super().__init__()
        self._session, self.settings, self._save = session, settings, save
        self._effects: dict[str, Callable[[Any], object]] = {
            "theme": theme.manager().apply,
            "text_size": text_size.apply,
            "reduce_motion": motion.apply,
            "person": self._sign_with,
            "threads": self._use_threads,
            "device": self._compute_on,
            "network_off": self._tell_network,
            "keep_crashes": self._keep_crashes,
        }
        for name in ("text_size", "reduce_motion", "threads", "device", "person", "keep_crashes"):
            self._effects[name](getattr(settings, name))

    def value(self, name: str) -> Any:
        """Return what a setting is set to."""
        return getattr(self.settings, name)

    def choose(self, name: str, value: Any) -> None:
        """Set a setting; what it does, it does now or when it is next asked for."""
        if value == self.value(name):
            return
        setattr(self.settings, name, value)
        self._save(self.settings)
        if name in self._effects:
            self._effects[name](value)
        self.changed.emit(name)

    def reset(self) -> None:
        """Set every setting of the dialog back to what it was at the first start."""
        for name, value in _usual().items():
            self.choose(name, value)

    def is_reset(self) -> bool:
        """Whether every setting is what it was at the first start."""
        return all(self.value(name) == value for name, value in _usual().items())

    def projects_folder(self) -> Path:
        """Return the folder that is offered for a new project while none is open."""
        folder = Path(self.settings.projects_folder)
        return folder if self.settings.projects_folder and folder.is_dir() else Path.home()

    # ------------------------------------------------------------------ effects
    def _use_threads(self, threads: int) -> None:
        self._session.client.threads = threads

    def _sign_with(self, person: str) -> None:
        self._session.person = label_text(person) or system_user()

    def _compute_on(self, device: str) -> None:
        self._session.device = device

    def _keep_crashes(self, keep: bool) -> None:
        self._session.crashes.keeping = keep

    def _tell_network(self, off: bool) -> None:
        self._session.notify(
            "The network is off: nothing leaves this machine."
            if off
            else "The network is used only when you ask for something."
        )


def _usual() -> dict[str, Any]:
    """Return what the settings of the dialog are at the first start."""
    # Not before the first show: it is asked when the dialog is opened.
    from sae_desktop.gui.frame.settings_table import SETTINGS

    usual = Settings()
    return {info.id: getattr(usual, info.id) for info in SETTINGS if hasattr(usual, info.id)}

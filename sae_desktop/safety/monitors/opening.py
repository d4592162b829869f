"""What a monitor reads, opened: an index with its dictionary and model, or a model alone."""

from __future__ import annotations

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.language_model.load import LanguageModel, load_model
from sae_desktop.language_model.names import ModelMark
from sae_desktop.language_model.same_model import load_recorded
from sae_desktop.project import Project
from sae_desktop.safety.monitors.config import CalibrateMonitorConfig
from sae_desktop.safety.monitors.file import Monitor


def open_watched(config: CalibrateMonitorConfig) -> tuple[OpenedIndex | None, LanguageModel]:
    """Return the index that is asked for, or None, and the model."""
    if config.index:
        opened = open_index(config.project, config.index, config.device)
        return opened, opened.lm
    return None, load_model(config.model, config.device)


def open_unchanged(project: str, index: str, known_hash: str, device: str) -> OpenedIndex:
    """Return an index. Raises UserError where its dictionary is another than a monitor's."""
    opened = open_index(project, index, device)
    info = opened.index.info
    if known_hash and info.dictionary_hash and known_hash != info.dictionary_hash:
        raise UserError(
            f"The dictionary “{info.dictionary}” has been trained again since the monitor was "
            "made, so its features have changed.",
            kept="Nothing was run.",
            next_step="Calibrate a new monitor on the dictionary as it is now.",
        )
    return opened


def model_of(project: Project, monitor: Monitor, device: str) -> LanguageModel:
    """Return the model that a monitor reads. Raises UserError where it is not here."""
    if monitor.readout.index:
        hash_known = monitor.dictionary_hash
        return open_unchanged(str(project.path), monitor.readout.index, hash_known, device).lm
    mark = ModelMark(monitor.model, monitor.revision, monitor.tokenizer)
    return load_recorded(monitor.model, mark, project.path, device, "auto")

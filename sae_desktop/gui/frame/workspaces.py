"""The panels, and how each workspace is made of them.

A maker imports its panel when it is called: the window is shown before the heavy ones load.
"""

from __future__ import annotations

from collections.abc import Callable

from sae_desktop.gui.parts.workspace import Workspace
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings


def _project(session: Session, settings: Settings) -> Workspace:
    from sae_desktop.gui.project.project import ProjectPanel

    del settings
    return Workspace("project", ProjectPanel(session))


def _harvest(session: Session, settings: Settings) -> Workspace:
    from sae_desktop.gui.harvest.harvest import HarvestPanel

    del settings
    return Workspace("harvest", HarvestPanel(session))


def _train(session: Session, settings: Settings) -> Workspace:
    from sae_desktop.gui.train.training import TrainingPanel

    panel = TrainingPanel(session, settings)
    # The settings keep the whole height; the table of runs lies under the rest.
    return Workspace("train", panel, panel.docks(), tall_left=True)


def _explore(session: Session, settings: Settings) -> Workspace:
    from sae_desktop.gui.explore.explore import ExplorePanel

    panel = ExplorePanel(session, settings)
    return Workspace("explore", panel, panel.docks(), tall_left=True, places=panel.places)


def _steer(session: Session, settings: Settings) -> Workspace:
    from sae_desktop.gui.steer.steering import SteeringPanel

    del settings
    panel = SteeringPanel(session)
    return Workspace("steer", panel, panel.docks())


def _circuits(session: Session, settings: Settings) -> Workspace:
    from sae_desktop.gui.circuits.circuits import CircuitsPanel

    del settings
    panel = CircuitsPanel(session)
    return Workspace("circuits", panel, panel.docks(), places=panel.places)


def _safety(session: Session, settings: Settings) -> Workspace:
    from sae_desktop.gui.safety.safety import SafetyPanel

    del settings
    panel = SafetyPanel(session)
    return Workspace("safety", panel, panel.docks(), places=panel.places)


def _gallery(session: Session, settings: Settings) -> Workspace:
    from sae_desktop.gui.gallery.gallery import GalleryPanel

    return Workspace("gallery", GalleryPanel(session, settings))


PANELS: dict[str, Callable[[Session, Settings], Workspace]] = {
    "project": _project,
    "harvest": _harvest,
    "train": _train,
    "explore": _explore,
    "steer": _steer,
    "circuits": _circuits,
    "safety": _safety,
    "gallery": _gallery,
}

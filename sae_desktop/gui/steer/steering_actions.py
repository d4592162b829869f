"""What can be done in the Steer workspace, for menus, shortcuts and the palette."""

from __future__ import annotations

from typing import Protocol

from sae_desktop.gui.parts.actions import ActionInfo
from sae_desktop.gui.parts.workspace import bring_forward
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.last_run import LastRun
from sae_desktop.gui.steer.rack_panel import SteeringRack
from sae_desktop.gui.steer.strength_sweep import StrengthSweepPanel


class Steering(Protocol):
    """What is asked of the panel."""

    rack: SteeringRack
    last: LastRun
    sweep: StrengthSweepPanel

    @property
    def running(self) -> bool: ...
    def can_generate(self) -> bool: ...
    def generate(self) -> None: ...
    def stop(self) -> None: ...
    def can_keep(self) -> bool: ...
    def keep(self) -> None: ...


def steering_actions(session: Session, panel: Steering) -> list[ActionInfo]:
    """Return the actions of the workspace."""
    return [
        ActionInfo(
            "steer.generate",
            "Generate plain and steered",
            panel.generate,
            icon="play",
            shortcut="Ctrl+Return",
            enabled_when=panel.can_generate,
        ),
        ActionInfo(
            "steer.stop",
            "Stop generating",
            panel.stop,
            icon="stop",
            shortcut="Esc",
            enabled_when=lambda: panel.running,
        ),
        ActionInfo(
            "steer.keep",
            "Keep this steering to compare with the next one",
            panel.keep,
            icon="push-pin",
            shortcut="Ctrl+Shift+B",
            enabled_when=panel.can_keep,
        ),
        ActionInfo(
            "steer.page",
            "Save the run as an HTML page…",
            panel.last.ask_page,
            icon="export",
            enabled_when=lambda: bool(panel.last),
        ),
        ActionInfo(
            "steer.sweep",
            "Sweep over strengths",
            lambda: bring_forward(panel.sweep),
            icon="chart-line-up",
            enabled_when=lambda: session.index is not None,
        ),
        ActionInfo(
            "steer.add_feature",
            "Add a feature to the sliders",
            panel.rack.add_field.setFocus,
            icon="plus",
            shortcut="Ctrl+Shift+A",
            enabled_when=lambda: session.index is not None,
        ),
        ActionInfo(
            "steer.all_off",
            "Switch all sliders off",
            panel.rack.switch_all_off,
            icon="sliders",
            enabled_when=lambda: any(entry.on for entry in panel.rack.rack),
        ),
    ]

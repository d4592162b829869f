"""The Safety workspace: features that matter, alarms with a promise, a model that changes."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from sae_desktop.gui.parts.actions import ActionInfo
from sae_desktop.gui.parts.places import PlaceInfo, Places
from sae_desktop.gui.parts.workspace import DockInfo
from sae_desktop.gui.safety.changes_place import ChangesPlace
from sae_desktop.gui.safety.monitors_place import MonitorsPlace
from sae_desktop.gui.safety.scan_place import ScanPlace
from sae_desktop.gui.safety.sets_place import SetsPlace
from sae_desktop.gui.state.safety_request import SafetyRequest
from sae_desktop.gui.state.session import Session

_PLACES = (
    ("sets", "Show the concept sets", "list-bullets"),
    ("scan", "Scan a dictionary for concepts", "target"),
    ("monitors", "Show the monitors", "bell-ringing"),
    ("changes", "Show what changed in a model", "git-diff"),
)
"""Id, what its action is called, icon."""


class SafetyPanel(QWidget):
    """Four places, in the order of the work."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("safety")
        self.setProperty("ground", "window")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._session = session
        self.sets = SetsPlace(session)
        self.scan = ScanPlace(session)
        self.monitors = MonitorsPlace(session)
        self.changes = ChangesPlace(session)
        icons = {name: icon for name, _, icon in _PLACES}
        self.places = Places(
            [
                PlaceInfo("sets", "Concept sets", icons["sets"], self.sets,
                          "Texts that show a concept, beside texts that only look like it"),
                PlaceInfo("scan", "Scan", icons["scan"], self.scan,
                          "Which features tell a concept’s texts from their near misses"),
                PlaceInfo("monitors", "Monitors", icons["monitors"], self.monitors,
                          "Alarms with a promised rate of false ones, and what they found"),
                PlaceInfo("changes", "Changes", icons["changes"], self.changes,
                          "What changed from one checkpoint of a model to the next"),
            ],
            "What Safety shows",
        )  # fmt: skip
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.places)
        self.places.placeChanged.connect(self._on_place_changed)
        self.sets.scanAsked.connect(self._ask_scan)
        session.safetyRequested.connect(self._on_requested)
        session.monitorRequested.connect(self._on_monitor_requested)
        self.setFocusProxy(self.places)

    def docks(self) -> list[DockInfo]:
        """Return what stands beside: nothing."""
        return []

    def action_infos(self) -> list[ActionInfo]:
        """Return what can be done here, for menus, shortcuts and the palette."""
        shown = [
            ActionInfo(f"safety.{name}", text, partial(self.places.show_place, name), icon=icon)
            for name, text, icon in _PLACES
        ]
        started = [
            ActionInfo("safety.new_set", "New concept set…", self._new_set, icon="plus"),
            ActionInfo(
                "safety.start_scan", "Scan for concept sets…", self._ask_scan, icon="target"
            ),
        ]
        monitors = [
            ActionInfo(
                "safety.new_monitor", "New monitor…", self._new_monitor, icon="bell-ringing"
            ),
            ActionInfo("safety.serve", "Serve a model…", self._serve, icon="broadcast"),
        ]
        return shown + started + monitors

    def _new_monitor(self) -> None:
        self.places.show_place("monitors")
        self.monitors.begin()

    def _serve(self) -> None:
        self.places.show_place("monitors")
        self.monitors.show_server()

    def _new_set(self) -> None:
        self.places.show_place("sets")
        self.sets.make()

    def _on_requested(self, request: SafetyRequest) -> None:
        if request.what == "scan":
            self.scan.open(request.name)
        elif request.what == "concept_set":
            self.sets.show_set(request.name)
        else:
            self.scan.start((request.name,))

    def _ask_scan(self, sets: tuple[str, ...] = ()) -> None:
        self.places.show_place("scan")
        self.scan.start(sets)

    def _on_monitor_requested(self, _draft: object) -> None:
        self.places.show_place("monitors")
        self._session.show_workspace("safety")

    def _on_place_changed(self, place: str) -> None:
        if self._session.workspace.partition(".")[0] == "safety":
            self._session.enter_workspace(f"safety.{place}")

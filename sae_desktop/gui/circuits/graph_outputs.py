"""What a graph is saved as, and where one is read from: picture, page, circuit-tracer's JSON."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QInputDialog, QMenu

from sae_desktop.circuits.config import (
    ExportGraphConfig,
    ExportGraphResult,
    ImportGraphConfig,
    ImportGraphResult,
)
from sae_desktop.circuits.reading.tracer_head import named_set
from sae_desktop.errors import UserError
from sae_desktop.exchange.recognise import dialog_filter, require_kind
from sae_desktop.gui.circuits.canvas.pictures import save_picture
from sae_desktop.gui.circuits.graph_place import GraphPlace
from sae_desktop.gui.circuits.open_graph import OpenGraph
from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.plot_image import PICTURES
from sae_desktop.gui.state.asked_job import AskedJob
from sae_desktop.gui.state.save_file import ask_file
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.trash import Trash
from sae_desktop.words.trace_text import graph_name

_NO_SET = "None of these: keep the file’s names"


class GraphOutputs(QObject):
    """Asks for a file and writes the open graph to it, or reads one."""

    compareAsked = Signal()

    def __init__(self, session: Session, opened: OpenGraph, place: GraphPlace) -> None:
        super().__init__(place)
        self._session, self._opened, self._place = session, opened, place
        self._asked = AskedJob(session, self)
        self._asked.answered.connect(self._on_answered)
        self._asked.busyChanged.connect(self._on_busy)
        self._waiting: list[Path] = []
        """Files that were dropped together with the one that is read."""
        session.graphBrought.connect(self.bring)

    def add_to(self, menu: QMenu) -> None:
        """Offer all there is in a menu."""
        has_graph = []
        for icon, text, callback in (
            ("columns", "Compare with another graph", self.compareAsked.emit),
            ("image", "Save as a picture…", self.picture),
            ("globe", "Save as a page…", self.page),
            ("export", "Save as circuit-tracer’s JSON…", self.save_json),
            ("", "", None),
            ("download-simple", "Read a circuit-tracer graph…", self.read_json),
            ("", "", None),
            ("trash", "Delete the graph", self.delete),
        ):
            if callback is None:
                menu.addSeparator()
                continue
            action = menu.addAction(text)
            icons.set_icon(action, icon)
            action.triggered.connect(lambda _checked=False, callback=callback: callback())
            if callback != self.read_json:
                has_graph.append(action)

        def enable() -> None:
            for action in has_graph:
                action.setEnabled(bool(self._opened.name))

        menu.aboutToShow.connect(enable)

    def delete(self) -> None:
        """Move the open graph to the trash; that can be undone."""
        name = self._opened.name
        if name:
            self._opened.close()
            Trash(self._session).delete("graph", name)

    def save_json(self) -> None:
        """Save what is shown as circuit-tracer's JSON."""
        opened, project = self._opened, self._session.project
        path = self._ask("Save as circuit-tracer’s JSON", ".json", "JSON (*.json)")
        if path is None or project is None:
            return
        opened.save()  # the job reads pins and groups from the file
        self._asked.ask(
            ExportGraphConfig(
                project=str(project.path), graph=opened.name, path=str(path),
                nodes=opened.view.nodes, edges=opened.view.edges,
            )
        )  # fmt: skip

    def read_json(self) -> None:
        """Ask for a file of circuit-tracer's, or Neuronpedia's, and read its graph."""
        project = self._session.project
        if project is None:
            return
        chosen, _ = QFileDialog.getOpenFileName(
            self._place, "Read a circuit-tracer graph", str(Path.home()), dialog_filter("graph")
        )
        if chosen:
            self.bring(Path(chosen))

    def bring(self, path: Path) -> None:
        """Read the graph of a file, after asking of which set it is where the file leaves it open.

        Its features have contexts and pages here only where the project has their set.
        """
        project = self._session.project
        if project is None:
            return
        if self._asked.busy:
            self._waiting.append(path)
            return
        try:
            require_kind(path, "graph")
        except UserError as error:
            self._session.show_error(error)
            return
        sets, of = project.sets(), ""
        if sets and named_set(path) not in sets:
            of, given = QInputDialog.getItem(
                self._place, "Set of the graph",
                f"“{path.name}” does not name a set of this project. Its features are those of:",
                [_NO_SET, *sets], 0, False,
            )  # fmt: skip
            if not given:
                return
            of = "" if of == _NO_SET else of
        self._asked.ask(
            ImportGraphConfig(
                project=str(project.path), file=str(path), set=of,
                name=graph_name(path.stem, project.graphs()),
            )
        )  # fmt: skip

    def _on_busy(self, busy: bool) -> None:
        if not busy and self._waiting:
            waiting, self._waiting = self._waiting, []
            for path in waiting:
                self.bring(path)

    def _on_answered(self, result: object) -> None:
        if isinstance(result, ImportGraphResult):
            self._session.refresh()
            self._opened.open(result.name)
            if result.dropped_links:
                self._session.notify(
                    f"{result.dropped_links:,} links lead to no node of the file and were left out."
                )
        elif isinstance(result, ExportGraphResult):
            self._session.notify(f"“{Path(result.path).name}” was saved.")

    def picture(self) -> None:
        """Save a picture of all that is shown of the graph."""
        scene = self._place.canvas.scene
        if scene is not None:
            path = self._ask("Save as a picture", ".png", PICTURES)
            self._write(path, lambda to: save_picture(scene, self._place.canvas.font(), to))

    def page(self) -> None:
        """Save a page that needs nothing else, where the graph can be pointed at."""
        from sae_desktop.exchange.graph_page import write_graph_page

        opened, graph = self._opened, self._opened.graph
        if graph is not None:
            path = self._ask("Save as a page", ".html", "HTML page (*.html)")
            shown = (opened.shown.nodes, opened.shown.edges)
            names = opened.names.text
            self._write(
                path,
                lambda to: write_graph_page(
                    to, graph, shown, names, opened.groups(), opened.view.remark
                ),
            )

    def _ask(self, title: str, ending: str, kinds: str) -> Path | None:
        first = Path.home() / f"{self._opened.name}{ending}"
        chosen = ask_file(self._place, title, first, kinds)
        return None if chosen is None else chosen.path

    def _write(self, path: Path | None, write: Callable[[Path], object]) -> None:
        if path is None:
            return
        try:
            write(path)
        except UserError as error:
            self._session.show_error(error)
            return
        self._session.notify(f"“{path.name}” was saved.")

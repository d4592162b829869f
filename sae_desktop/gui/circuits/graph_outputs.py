"""What a graph is saved as, and where one is read from: picture, page, circuit-tracer's JSON."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from sae_desktop.errors import UserError
from sae_desktop.gui.circuits.canvas.canvas import GraphCanvas
from sae_desktop.gui.circuits.canvas.pictures import save_picture
from sae_desktop.gui.circuits.open_graph import OpenGraph
from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.plot_image import PICTURES
from sae_desktop.gui.state.session import Session


class Drawing(Protocol):
    """What is asked of the place of the graph."""

    canvas: GraphCanvas


class GraphOutputs:
    """Asks for a file and writes the open graph to it."""

    def __init__(self, session: Session, opened: OpenGraph, place: Drawing) -> None:
        self._session, self._opened, self._place = session, opened, place

    def add_to(self, menu: QMenu) -> None:
        """Offer all there is in a menu."""
        for icon, text, callback in (
            ("image", "Save as a picture…", self.picture),
            ("globe", "Save as a page…", self.page),
        ):
            action = menu.addAction(text)
            icons.set_icon(action, icon)
            action.triggered.connect(lambda _checked=False, callback=callback: callback())

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
        parent = self._place if isinstance(self._place, QWidget) else None
        first = str(Path.home() / f"{self._opened.name}{ending}")
        chosen, kind = QFileDialog.getSaveFileName(parent, title, first, kinds)
        if not chosen:
            return None
        path = Path(chosen)
        if not path.suffix:
            path = path.with_suffix(".svg" if "svg" in kind else ending)
        return path

    def _write(self, path: Path | None, write: Callable[[Path], object]) -> None:
        if path is None:
            return
        try:
            write(path)
        except UserError as error:
            self._session.show_error(error)
            return
        self._session.notify(f"“{path.name}” was saved.")

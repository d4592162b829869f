"""What Help › Manual does: the manual beside the window, made when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sae_desktop.gui.parts.actions import ActionRegistry

if TYPE_CHECKING:
    from sae_desktop.gui.frame.manual.made_pages import MadePages
    from sae_desktop.gui.frame.manual.manual_window import ManualWindow


class Frame(Protocol):
    """What the manual asks of the window."""

    registry: ActionRegistry

    def show_workspace(self, name: str) -> None: ...
    def show_term(self, term: str) -> None: ...
    def raise_(self) -> None: ...
    def activateWindow(self) -> None: ...


class ManualOpener:
    """Holds the pages and the window that shows them."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._window: ManualWindow | None = None
        self._pages: MadePages | None = None

    @property
    def pages(self) -> MadePages:
        """The pages, shared with the search over everything."""
        if self._pages is None:
            from sae_desktop.gui.frame.manual.made_pages import MadePages

            self._pages = MadePages()
        return self._pages

    @property
    def window(self) -> ManualWindow:
        if self._window is None:
            from sae_desktop.gui.frame.manual.manual_window import ManualWindow

            self._window = ManualWindow(self.pages)
            self._window.leftFor.connect(self._lead)
        return self._window

    def open(self, page: str = "", anchor: str = "") -> None:
        """Show a page at one of its headings; without one, what was shown last."""
        self.window.present(page, anchor)

    def open_about(self, place: str) -> None:
        """Show the page of a workspace, such as "explore.map", at the heading of its place."""
        name, _, inside = place.partition(".")
        anchors = [one.anchor for one in self.pages.manual.page(name).sections]
        self.open(name, inside if inside in anchors else "")

    def end(self) -> None:
        """Let go of both: the other window closes."""
        if self._pages is not None:
            self._pages.end()
        if self._window is not None:
            self._window.close()
            self._window.deleteLater()
            self._window = None

    def _lead(self, kind: str, name: str) -> None:
        """Go where a link leads that is no page: a workspace, an action or a term."""
        frame = self._frame
        if kind == "term":
            frame.show_term(name)
            return
        frame.raise_()
        frame.activateWindow()
        if kind == "window":
            frame.show_workspace(name)
        elif frame.registry.has(name):
            frame.registry.trigger(name)

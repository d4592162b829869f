"""A panel: the tokens that the shown feature fires on most often, as a list."""

from PySide6.QtWidgets import QListWidget, QWidget

from sae_desktop.api import open_project
from sae_desktop.gui.parts.plugged_panel import PanelHost


class TokensPanel:
    plugin_api = 1
    title = "Tokens as a list"
    workspace = "explore"

    def make(self, host: PanelHost) -> QWidget:
        return TokenList(host)


class TokenList(QListWidget):
    def __init__(self, host: PanelHost) -> None:
        super().__init__()
        self.setAccessibleName("Tokens the feature fires on")
        self._host = host
        host.featureChanged.connect(self._show)
        host.projectChanged.connect(self.clear)
        if host.feature is not None:
            self._show(host.feature)

    def _show(self, number: int) -> None:
        self.clear()
        if self._host.project is not None and self._host.index:
            feature = open_project(self._host.project).index(self._host.index)[number]
            for token in feature.firing_tokens:
                self.addItem(f"{token.token!r}: {token.firings:,}")

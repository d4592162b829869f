"""The manual's page of keys says what the window does."""

from __future__ import annotations

import re

from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.frame.menus import WORKSPACES
from sae_desktop.resources import resource_path


def test_page_of_keys__has_those_of_the_window_and_no_others(window: MainWindow) -> None:
    for name, _, _ in WORKSPACES:
        window.workspace(name)
    page = resource_path("manual/keys.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `(.+?)` \| (.+?) \|$", page, re.MULTILINE))
    infos = window.registry._infos.values()
    there = {(info.shortcut, info.text.rstrip("…")) for info in infos if info.shortcut}
    assert told - there == set()
    assert there - told == set()

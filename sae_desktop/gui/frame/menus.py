"""The workspaces and the menus, as data. Free of Qt."""

from __future__ import annotations

WORKSPACES = (
    ("project", "Project", "folder-open"),
    ("harvest", "Harvest", "leaf"),
    ("train", "Train", "chart-line-up"),
    ("explore", "Explore", "magnifying-glass"),
    ("steer", "Steer", "sliders-horizontal"),
    ("circuits", "Circuits", "tree-structure"),
    ("safety", "Safety", "shield-check"),
    ("gallery", "Gallery", "books"),
)
"""Id, text, icon: in the order of the work."""

MENUS: dict[str, tuple[str, ...]] = {
    "&File": (
        "project.new",
        "project.open",
        "project.open_demonstration",
        "project.open_pictures",
        "project.open_smollm2",
        "project.reveal",
        "",
        "app.quit",
    ),
    "&Edit": ("edit.undo", "edit.redo", "", "edit.plugins", "edit.settings"),
    "&View": (
        *(f"view.{name}" for name, _, _ in WORKSPACES),
        "",
        "view.search",
        "view.jobs",
        "view.console",
        "view.reset_layout",
        "view.full_screen",
        "",
        "theme.system",
        "theme.light",
        "theme.dark",
        "theme.contrast",
    ),
    "&Go": ("go.back", "go.forward"),
    "&Engine": (
        "engine.size",
        "",
        "engine.restart",
        "engine.log",
        "",
        "network.asked",
        "network.off",
    ),
    "&Help": (
        "help.first_steps",
        "help.tour",
        "help.manual",
        "help.here",
        "help.glossary",
        "help.shortcuts",
        "",
        "help.log",
        "help.crashes",
        "help.associate",
        "",
        "help.changes",
        "help.licences",
        "help.about",
    ),
}
"""Menu → ids of its actions; an empty id is a separator. What is not offered is left out."""

"""The settings a person can change: what each is called and does, as data. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass

from sae_desktop.caches.table import kept_things
from sae_desktop.gui.parts.search import score


@dataclass(frozen=True)
class SettingInfo:
    """One setting. `id` is its field in `Settings`, or the folder or deed it stands for."""

    id: str
    group: str
    title: str
    sentence: str
    """What it does, and when that takes effect where it is not at once."""
    words: str = ""
    """Further words it is found by."""
    choices: tuple[tuple[object, str], ...] = ()
    """(value, how it is called)."""


_LOOK, _START, _LABELS = "Appearance", "Start", "Labels"
_ENGINE, _FOLDERS = "Engine and network", "Folders and what is kept in them"

SETTINGS = (
    SettingInfo(
        "theme", _LOOK, "Theme",
        "Light, dark, or whichever of them the system uses; or white and bright colours on black.",
        "colours appearance night accessibility legible",
        (
            ("system", "Same as the system"), ("light", "Light"), ("dark", "Dark"),
            ("contrast", "High contrast"),
        ),
    ),
    SettingInfo(
        "text_size", _LOOK, "Text size",
        "Size of all text in the window, as a share of the system’s. It changes at once.",
        "font zoom larger smaller scale letters",
        tuple((size, f"{size}%") for size in (80, 90, 100, 110, 125, 150, 175, 200)),
    ),
    SettingInfo(
        "reduce_motion", _LOOK, "Reduce motion",
        "Nothing in the window moves by itself: no flight over the map, no blinking cursor, no "
        "bar that runs while nobody knows how long something takes.",
        "animation accessibility still vestibular blink",
    ),
    SettingInfo(
        "reopen", _START, "Open the last project",
        "Opens the project you left last when the program starts.", "resume restore startup",
    ),
    SettingInfo(
        "keep_crashes", _START, "Keep crash reports",
        "After a crash a report is kept in a folder of this machine, without names of people, "
        "folders or machines. It is never sent. Help › Crash reports shows them.",
        "crash fault bug error privacy log",
    ),
    SettingInfo(
        "person", _LABELS, "Your name",
        "Stands beside the labels you write. Without one it is your name on this machine.",
        "author person who user sign",
    ),
    SettingInfo(
        "device", _ENGINE, "Compute on",
        "Where jobs compute whose own settings leave it open. It applies to the next job.",
        "gpu cpu cuda processor device hardware",
        (("auto", "The fastest device there is"), ("cpu", "The processor only")),
    ),
    SettingInfo(
        "threads", _ENGINE, "Threads",
        "How many processor threads a job may use; fewer leave more for other programs. It "
        "applies when the engine next starts.",
        "cores cpu processor parallel speed",
    ),
    SettingInfo(
        "memory_gb", _ENGINE, "Memory",
        "How much memory a job may plan with, the model included. One that needs more works in "
        "smaller pieces where it can, and else says so before it begins. It applies to the next "
        "job.",
        "ram limit gigabytes gb",
    ),
    SettingInfo(
        "network_off", _ENGINE, "Network",
        "Whether anything may be looked up or downloaded. Nothing ever is unless you ask for it.",
        "internet offline hub download privacy",
        ((False, "Only when I ask for something"), (True, "Off")),
    ),
    SettingInfo(
        "projects_folder", _FOLDERS, "New projects",
        "Folder that is offered for a new project, unless one is open: then its own.",
        "directory path location save",
    ),
)  # fmt: skip


def settings() -> list[SettingInfo]:
    """Return the settings, and what is kept outside of projects."""
    kept = (
        SettingInfo(one.id, _FOLDERS, one.title, one.sentence, f"clear size disk {one.words}")
        for one in kept_things()
    )
    return [*SETTINGS, *kept]


def found_settings(query: str) -> list[SettingInfo]:
    """Return the settings that answer a query, in the order they are shown in."""
    return [
        info
        for info in settings()
        if score(query, info.title)
        or score(query, f"{info.group} {info.title} {info.words} {info.sentence}") > 1
    ]

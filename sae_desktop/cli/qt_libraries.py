"""System libraries that Qt needs and that a bare machine may lack, and how to get them."""

from __future__ import annotations

import ctypes
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Packages:
    """The packages that bring a library, by family of distributions."""

    debian: str
    fedora: str
    arch: str


LIBRARIES: dict[str, Packages] = {
    "libEGL.so.1": Packages("libegl1", "libglvnd-egl", "libglvnd"),
    "libGL.so.1": Packages("libgl1", "libglvnd-glx", "libglvnd"),
    "libxkbcommon.so.0": Packages("libxkbcommon0", "libxkbcommon", "libxkbcommon"),
    "libdbus-1.so.3": Packages("libdbus-1-3", "dbus-libs", "dbus"),
    "libfontconfig.so.1": Packages("libfontconfig1", "fontconfig", "fontconfig"),
    "libfreetype.so.6": Packages("libfreetype6", "freetype", "freetype2"),
    "libglib-2.0.so.0": Packages("libglib2.0-0", "glib2", "glib2"),
    "libX11.so.6": Packages("libx11-6", "libX11", "libx11"),
    "libX11-xcb.so.1": Packages("libx11-xcb1", "libX11-xcb", "libx11"),
    "libxcb.so.1": Packages("libxcb1", "libxcb", "libxcb"),
    "libxkbcommon-x11.so.0": Packages("libxkbcommon-x11-0", "libxkbcommon-x11", "libxkbcommon-x11"),
    "libxcb-cursor.so.0": Packages("libxcb-cursor0", "xcb-util-cursor", "xcb-util-cursor"),
    "libxcb-icccm.so.4": Packages("libxcb-icccm4", "xcb-util-wm", "xcb-util-wm"),
    "libxcb-image.so.0": Packages("libxcb-image0", "xcb-util-image", "xcb-util-image"),
    "libxcb-keysyms.so.1": Packages("libxcb-keysyms1", "xcb-util-keysyms", "xcb-util-keysyms"),
    "libxcb-render-util.so.0": Packages(
        "libxcb-render-util0", "xcb-util-renderutil", "xcb-util-renderutil"
    ),
    "libxcb-util.so.1": Packages("libxcb-util1", "xcb-util", "xcb-util"),
    "libxcb-randr.so.0": Packages("libxcb-randr0", "libxcb", "libxcb"),
    "libxcb-render.so.0": Packages("libxcb-render0", "libxcb", "libxcb"),
    "libxcb-shape.so.0": Packages("libxcb-shape0", "libxcb", "libxcb"),
    "libxcb-shm.so.0": Packages("libxcb-shm0", "libxcb", "libxcb"),
    "libxcb-sync.so.1": Packages("libxcb-sync1", "libxcb", "libxcb"),
    "libxcb-xfixes.so.0": Packages("libxcb-xfixes0", "libxcb", "libxcb"),
    "libxcb-xkb.so.1": Packages("libxcb-xkb1", "libxcb", "libxcb"),
}

_SONAME = re.compile(r"(lib[\w.+-]+\.so(?:\.\d+)*): cannot open shared object file")


def missing_library(message: str) -> str | None:
    """Return the library that a loader's error message says is missing."""
    found = _SONAME.search(message)
    return found[1] if found else None


def xcb_plugin_problem() -> str | None:
    """Return the loader's message if Qt's X11 plugin cannot be loaded, else None."""
    spec = importlib.util.find_spec("PySide6")
    for root in (spec.submodule_search_locations if spec else None) or []:
        plugin = Path(root) / "Qt" / "plugins" / "platforms" / "libqxcb.so"
        if plugin.exists():
            try:
                ctypes.CDLL(str(plugin))
            except OSError as error:
                return str(error)
    return None


def explain_missing(library: str, *, x11: bool) -> str:
    """Return which of Qt's libraries the system lacks and the commands that bring them.

    `library` is one known to be missing; with `x11` those of the X11 plugin are looked for too.
    """
    missing = {library}
    for name in LIBRARIES:
        if (x11 or not _only_x11(name)) and not _loads(name):
            missing.add(name)
    names = sorted(missing)
    known = [LIBRARIES[name] for name in names if name in LIBRARIES]
    lines = [f"The window cannot open: the system lacks {_listed(names)}, which Qt needs."]
    if known:
        lines += [
            "Install it with your system's package manager:",
            f"  Debian, Ubuntu: sudo apt install {_joined([p.debian for p in known])}",
            f"  Fedora:         sudo dnf install {_joined([p.fedora for p in known])}",
            f"  Arch:           sudo pacman -S {_joined([p.arch for p in known])}",
        ]
    else:
        lines.append("Install the system package that contains it.")
    lines.append(
        "Every job also runs without a window: see “sae-desktop --help”, or try "
        "“sae-desktop demo --headless”."
    )
    return "\n".join(lines)


def _only_x11(name: str) -> bool:
    return name.startswith(("libxcb", "libX11")) or name == "libxkbcommon-x11.so.0"


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _joined(packages: list[str]) -> str:
    return " ".join(sorted(set(packages)))

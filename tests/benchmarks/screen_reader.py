"""What a screen reader is told: every control of every workspace through AT-SPI, with its role.

    xvfb-run -a dbus-run-session -- python tests/benchmarks/screen_reader.py [--table]

Needs Debian's at-spi2-core, python3-gi and gir1.2-atspi-2.0. The window runs for real on the
built-in demonstration; a child with the system's Python reads the tree that the desktop's
accessibility bus gives, as a reader does, and only what is on screen. For each workspace it prints
how many controls of each role there are, and every one without a name; with `--table` each control
with its role and name. Ends in exit status 1 if one has none.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_WALKER = r"""
import json, sys
import gi
gi.require_version("Atspi", "2.0")
from gi.repository import Atspi

MOST = 400  # children of a list or table that are read: a list of features has thousands
desktop = Atspi.get_desktop(0)

def visit(node, found, depth, inside):
    try:
        role = node.get_role_name()
        states = node.get_state_set()
        if not states.contains(Atspi.StateType.SHOWING) and depth > 1:
            return
        cells = role in ("table", "list", "tree", "tree table")
        found.append({
            "role": role, "name": node.get_name() or "", "about": node.get_description() or "",
            "focus": bool(states.contains(Atspi.StateType.FOCUSABLE)), "inside": inside,
            "tabs": role != "page tab list" or any(
                one is not None and one.get_role_name() == "page tab"
                for one in map(node.get_child_at_index, range(node.get_child_count()))
            ),
        })
        name = node.get_name() or inside
        for number in range(min(node.get_child_count(), 12 if cells else MOST)):
            child = node.get_child_at_index(number)
            if child is not None:
                visit(child, found, depth + 1, name)
    except gi.repository.GLib.Error:
        return  # gone meanwhile

for line in sys.stdin:
    found = []
    for number in range(desktop.get_child_count()):
        app = desktop.get_child_at_index(number)
        if app is not None and app.get_process_id() == int(sys.argv[1]):
            visit(app, found, 0, "")
    print(json.dumps(found), flush=True)
"""

CONTROLS = (
    "push button", "button", "toggle button", "check box", "radio button", "combo box", "text",
    "entry", "spin button", "slider", "table", "list", "tree", "tree table", "page tab",
    "page tab list", "menu item", "menu", "link", "canvas", "drawing area", "progress bar",
)  # fmt: skip


def nameless(control: dict[str, object]) -> bool:
    """Whether a person who hears the window is told nothing about a control they can reach."""
    # Qt keeps a bar of tabs for docks that lie over one another, out of sight where none do.
    reached = bool(control["focus"]) and control["role"] in CONTROLS and bool(control["tabs"])
    return reached and not control["name"]


def run(*, table: bool) -> int:
    """Walk the window; print what was found; return how many controls have no name."""
    os.environ |= {"QT_LINUX_ACCESSIBILITY_ALWAYS_ON": "1", "QT_ACCESSIBILITY": "1"}
    from sae_desktop.demonstrations import demonstration_copy
    from sae_desktop.gui.frame.menus import WORKSPACES
    from sae_desktop.gui.frame.snapshots import open_for_pictures, show_settled, wait

    lacking = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            ["/usr/bin/python3", "-c", _WALKER, str(os.getpid())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as walker,
        ThreadPoolExecutor(1) as reader,
        open_for_pictures(demonstration_copy(Path(folder))) as window,
    ):  # fmt: skip
        assert walker.stdin is not None
        assert walker.stdout is not None
        for workspace, title, _ in WORKSPACES:
            show_settled(window, workspace, 1117 if workspace in ("explore", "steer") else None)
            walker.stdin.write("\n")
            walker.stdin.flush()
            answer = reader.submit(walker.stdout.readline)
            while not answer.done():  # the window must answer while it is read
                wait(0.05)
            lacking += _report(title, json.loads(answer.result()), table=table)
        walker.stdin.close()
    return lacking


def _report(title: str, found: list[dict[str, object]], *, table: bool) -> int:
    controls = [one for one in found if one["focus"] and one["role"] in CONTROLS]
    without = [one for one in controls if nameless(one)]
    roles = Counter(str(one["role"]) for one in controls)
    counted = ", ".join(f"{count} {role}" for role, count in roles.most_common())
    print(f"{title}: {len(found)} objects, {len(controls)} controls ({counted}); "
          f"{len(without)} without a name")  # fmt: skip
    for one in controls if table else without:
        print(f"    {one['role']:<14} {one['name'] or '—'!s:<60} in {one['inside']}")
    return len(without)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--table", action="store_true", help="Print each control.")
    lacking = run(table=parser.parse_args().table)
    print(f"{lacking} controls without a name")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())

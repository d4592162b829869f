"""The window tried as a person uses it first: the demonstration opened, a feature read, a prompt
steered.

    sae-desktop self-check --window

All happens in a folder that is given, on a copy of the demonstration, with settings of its own. A
line of JSON on standard output tells of each step: `step`, `seconds`, `found`; the last one, where
a step fails, is `step`, `why`.
"""

from __future__ import annotations

import json
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

from sae_desktop.demonstrations import demonstration_copy
from sae_desktop.errors import UserError
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.frame.snapshots import open_for_pictures, show_settled, wait

_DENSITY = (0.002, 0.05)
"""A feature that is neither rare nor common: it has contexts, and turns a text."""
_WAIT_S = 120.0
_SHOWN = 60
"""Characters of a text."""


def check(folder: Path, tell: Callable[[dict[str, object]], None]) -> None:
    """Take all steps and tell of each.

    Raises UserError for the first that fails.
    """
    began = time.monotonic()

    def done(step: str, found: str) -> None:
        nonlocal began
        tell({"step": step, "seconds": round(time.monotonic() - began, 2), "found": found})
        began = time.monotonic()

    errors: list[UserError] = []
    project = demonstration_copy(folder)
    with open_for_pictures(None) as window:
        session = window.session
        session.errorRaised.connect(errors.append)
        done("Open the window", f"{window.width()} × {window.height()} pixels")
        session.open_project(project, create=False)
        _until(lambda: session.index is not None, errors, "The demonstration was not opened")
        index = session.index
        assert index is not None
        done("Open the demonstration", f"an index of {index.features} features")
        feature = _chosen(index)
        show_settled(window, "explore", feature)
        if session.feature != feature or not index.contexts(feature):
            raise UserError(f"The page of feature {feature} has no contexts.")
        _refuse(errors)
        token = index.top_logits(feature)[0][0]
        done("Read a feature", f"feature {feature}, which raises “{token.strip()}” most")
        show_settled(window, "steer", feature)
        _until(lambda: bool(_texts(window)[1]), errors, "The model wrote no text")
        plain, steered = _texts(window)
        if plain == steered:
            raise UserError(f"Steering with feature {feature} changed nothing of “{plain}”.")
        done("Steer a prompt", f"“{_short(plain)}” became “{_short(steered)}”")
    done("Close the window", "the engine ended")


def _texts(window: MainWindow) -> tuple[str, str]:
    outputs = window.workspace("steer").main.outputs
    return outputs.plain.continuation, outputs.steered.continuation


def _short(text: str) -> str:
    return textwrap.shorten(text, _SHOWN, placeholder=" …")


def _chosen(index: FeatureIndex) -> int:
    density = index.columns["density"]
    usual = [i for i in range(index.features) if _DENSITY[0] <= density[i] <= _DENSITY[1]]
    return max(usual or range(index.features), key=lambda i: index.top_logits(i)[0][1])


def _until(ready: Callable[[], bool], errors: list[UserError], otherwise: str) -> None:
    deadline = time.monotonic() + _WAIT_S
    while not ready():
        _refuse(errors)
        if time.monotonic() > deadline:
            raise UserError(f"{otherwise} within {_WAIT_S:.0f} seconds.")
        wait(0.05)


def _refuse(errors: list[UserError]) -> None:
    if errors:
        raise errors[0]


def main() -> int:
    def tell(line: dict[str, object]) -> None:
        print(json.dumps(line), flush=True)

    try:
        check(Path(sys.argv[1]), tell)
    except UserError as error:
        tell({"why": str(error)})
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""The command that makes a double click on a package open it."""

from __future__ import annotations

from typing import Any

from sae_desktop.cli.options import JsonOption
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.gui.parts.file_types import associate as associate_packages


def associate(as_json: JsonOption = False) -> None:
    """Make a double click on a package (.saepack) open it in this program, for this user."""

    def work() -> dict[str, Any]:
        return {"written": associate_packages()}

    run_reading_command(work, _text, as_json=as_json)


def _text(result: dict[str, Any]) -> str:
    return "\n".join(["Packages now open with this program. Files written:", *result["written"]])

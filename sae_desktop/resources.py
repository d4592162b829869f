"""Where the files that ship with the program are."""

from __future__ import annotations

from pathlib import Path

from sae_desktop.errors import UserError

_PACKAGE = Path(__file__).resolve().parent
# An installed wheel carries resources/ inside the package; a checkout has it beside.
_CANDIDATES = (_PACKAGE / "_resources", _PACKAGE.parent / "resources")
NEEDED = (
    "NOTICE", "cards.toml", "concepts", "corpus/builtin.jsonl.xz", "demonstration.zip",
    "drawings", "gallery.json", "gallery_models.json", "icons", "instances", "manual",
    "models/builtin", "monitor_script.py.txt", "notebooks", "pages", "prompts",
    "saelens_overrides.json", "steering_script.py.txt", "style.qss",
)  # fmt: skip
"""Every file and folder that an installation must have; the rest is offered where it is there."""


def is_shipped(relative: str) -> bool:
    """Whether the installation has a file or folder."""
    return any((root / relative).exists() for root in _CANDIDATES)


def resource_path(relative: str) -> Path:
    """Return the path of a shipped file or folder, such as `models/builtin`.

    Raises UserError when the installation lacks it.
    """
    for root in _CANDIDATES:
        path = root / relative
        if path.exists():
            return path
    raise UserError(
        f"The installation is missing the file “{relative}”.",
        next_step="Reinstall SAE Desktop.",
    )

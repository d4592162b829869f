"""What became of pictures that a preset or a run was made with, in words. Free of Qt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from sae_desktop.steering.kept_pictures import Fate, KeptPicture

MARKS: dict[Fate, str] = {"there": "", "changed": "changed", "gone": "gone"}
"""Behind its name."""


def fate_sentence(kept: KeptPicture, fate: Fate) -> str:
    """Return what became of a picture and what follows from that; empty where it is there."""
    match fate:
        case "gone":
            folder = PurePath(kept.place).parent
            return (
                f"“{kept.name}” is no longer in “{folder}”: remove it and add it from where it is "
                "now, or the prompt cannot be continued."
            )
        case "changed":
            return f"“{kept.name}” has changed since it was kept: what is generated now may differ."
    return ""


def fates_text(fates: Sequence[tuple[KeptPicture, Fate]]) -> str:
    """Return what became of all pictures; empty where all are there."""
    return " ".join(filter(None, (fate_sentence(kept, fate) for kept, fate in fates)))

"""Files of drawings that are called by their code points. Free of torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sae_desktop.benchmark.kinds.instances import PICTURE, SHIPPED, Instance
from sae_desktop.errors import UserError
from sae_desktop.resources import resource_path


def shipped_drawings() -> tuple[str, ...]:
    """Return the folder of the drawings of all concepts that ship, by Google’s artists."""
    return (str(resource_path(f"{SHIPPED}/drawings")),)


def drawings(
    folders: Sequence[str], found: Sequence[Instance]
) -> tuple[dict[str, list[Path]], list[str]]:
    """Return the files of each code point, and what is said of those that are missing.

    Nothing without folders. Raises UserError where none of the drawings is there.
    """
    if not folders:
        return {}, ["Pictures were not measured: the model reads none, or there were none."]
    places = [Path(name).expanduser() for name in folders]
    wanted = list(dict.fromkeys(one.text for one in found if one.kind == PICTURE))
    files = {code: [path for place in places if (path := place / f"{code}.png").is_file()]
             for code in wanted}  # fmt: skip
    files = {code: paths for code, paths in files.items() if paths}
    if not files:
        raise UserError(
            f"None of the {len(wanted):,} drawings is in “{folders[0]}”.",
            kept="Nothing was measured.",
            next_step="Choose a folder of emoji drawings that are called by their code points, "
            "such as 1f40e.png.",
        )
    missing = [code for code in wanted if code not in files]
    if not missing:
        return files, []
    told = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
    return files, [f"{len(missing):,} of {len(wanted):,} drawings are missing: {told}."]

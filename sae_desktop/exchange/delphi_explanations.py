"""Delphi's explanations: a file for each feature, `{module}_latent{i}.txt`, a JSON string."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from sae_desktop.errors import UserError
from sae_desktop.exchange.delphi_layout import EXPLANATION_NAME, EXPLANATIONS
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained

_MOST_BYTES = 2**20


def read_explanations(folder: Path, module: str = "") -> dict[int, str]:
    """Return the explanations of a folder by feature; `module`: only those of this one.

    Raises UserError for a file that is not text, and for those of several modules, which have
    features of the same numbers.
    """
    found: dict[int, str] = {}
    modules = set()
    for path in sorted(folder.iterdir()):
        match = EXPLANATION_NAME.fullmatch(path.name)
        if match is None or (module and match[1] != module):
            continue
        modules.add(match[1])
        found[int(match[2])] = _text(path)
    if len(modules) > 1:
        raise UserError(
            f"“{folder}” holds explanations of several modules: {', '.join(sorted(modules)[:6])}.",
            kept="Nothing was changed.",
            next_step="Put those of one module into a separate folder.",
        )
    return found


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("it is not an explanation: it is over a megabyte long")
        text = path.read_text(encoding="utf-8").strip()
        told = json.loads(text) if text.startswith('"') else text
    except (OSError, ValueError) as error:
        raise UserError(
            f"“{path}” cannot be read: {error}.",
            kept="Nothing was changed.",
            next_step="Explain the feature again, or remove the file.",
        ) from error
    return str(told)


def write_explanations(folder: Path, module: str, labels: Iterable[tuple[int, str]]) -> None:
    """Write labels as explanations beside a module's latents. Raises UserError."""
    with explained(folder):
        for feature, label in labels:
            (folder / EXPLANATIONS).mkdir(parents=True, exist_ok=True)
            path = folder / EXPLANATIONS / f"{module}_latent{feature}.txt"
            write_bytes(path, json.dumps(label, ensure_ascii=False).encode())

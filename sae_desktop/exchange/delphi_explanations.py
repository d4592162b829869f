"""Delphi's explanations and scores: files `{module}_latent{i}.txt` in folders side by side.

    explanations/    a JSON string: the label
    scores/<how>/    a JSON list of examples, each with what was true and what was predicted
    scores/sae-desktop/   what this program knows of the label: who made it, its score; Delphi
                          passes it over

Of Delphi's examples the balanced accuracy is taken: the mean of the shares that are right of
firings and of silent texts. Which examples they were is left to Delphi's own files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sae_desktop.errors import UserError
from sae_desktop.exchange.delphi_layout import EXPLANATION_NAME, EXPLANATIONS, SCORES
from sae_desktop.project_labels import (
    IMPORTED,
    METHODS,
    PROPOSED,
    Label,
    label_text,
    number_of,
    text_of,
)
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained

OWN = "sae-desktop"
AUTHOR = "Delphi"
_FIRST = (OWN, "detection", "fuzz", "fuzzing")
"""The scores that are taken before others."""
_MOST_BYTES = 2**20
_MOST_SCORE_BYTES = 2**25


def read_explanations(folder: Path, module: str = "") -> list[Label]:
    """Return the explanations of a folder as labels; `module`: only those of this one.

    Their scores are taken along where they lie beside the folder. Raises UserError for a file that
    is not text, and for those of several modules, which have features of the same numbers.
    """
    found: list[Label] = []
    modules = set()
    scores = _score_folders(folder)
    for path in sorted(folder.iterdir()):
        match = EXPLANATION_NAME.fullmatch(path.name)
        if match is None or (module and match[1] != module):
            continue
        modules.add(match[1])
        text = label_text(_text(path))
        if text:
            told = {"method": IMPORTED, "author": AUTHOR} | _scored(scores, path.name)
            found.append(Label(feature=int(match[2]), text=text, **told))
    if len(modules) > 1:
        raise UserError(
            f"“{folder}” holds explanations of several modules: {', '.join(sorted(modules)[:6])}.",
            kept="Nothing was changed.",
            next_step="Put those of one module into a separate folder.",
        )
    return sorted(found, key=lambda label: label.feature)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("it is not an explanation: it is over a megabyte long")
        text = path.read_text(encoding="utf-8").strip()
        told = json.loads(text) if text.startswith('"') else text
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    return str(told)


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(
        f"“{path}” cannot be read: {error}.",
        kept="Nothing was changed.",
        next_step="Explain or score the feature again, or remove the file.",
    )


# ---------------------------------------------------------------- scores
def _score_folders(explanations: Path) -> list[Path]:
    """Return the folders of scores beside one of explanations, those taken first in front."""
    above = explanations.parent / SCORES
    if not above.is_dir():
        return []
    folders = sorted(path for path in above.iterdir() if path.is_dir())
    known = {name: place for place, name in enumerate(_FIRST)}
    return sorted(folders, key=lambda path: known.get(path.name, len(known)))


def _scored(folders: Iterable[Path], name: str) -> dict[str, Any]:
    """Return what the first file of scores tells of a label; nothing where there is none."""
    for folder in folders:
        path = folder / name
        if not path.is_file():
            continue
        try:
            if path.stat().st_size > _MOST_SCORE_BYTES:
                raise ValueError("it is far too large for scores")
            told = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise _unreadable(path, error) from error
        if folder.name == OWN and isinstance(told, dict):
            return _own(told)
        accuracy = balanced_accuracy(told)
        if accuracy is not None:
            return {"score": accuracy, "measure": f"Delphi’s {folder.name}, balanced accuracy"}
    return {}


def _own(told: dict[str, Any]) -> dict[str, Any]:
    method = text_of(told.get("method"))
    share = {name: number_of(told.get(name)) for name in ("score", "score_low", "score_high")}
    return {
        "method": method if method in METHODS else IMPORTED,
        **{name: label_text(text_of(told.get(name))) for name in ("author", "made", "measure")},
        **{name: v if v is not None and 0 <= v <= 1 else None for name, v in share.items()},
        "state": PROPOSED,
    }


def balanced_accuracy(examples: object) -> float | None:
    """Return the mean of the shares predicted right of firings and silent texts; None: neither."""
    right: dict[bool, list[bool]] = {True: [], False: []}
    for one in examples if isinstance(examples, list) else []:
        if not isinstance(one, dict):
            continue
        truth = one.get("activating", one.get("ground_truth"))
        predicted = one.get("prediction")
        if isinstance(truth, bool) and isinstance(predicted, bool | int):
            right[truth].append(bool(predicted) == truth)
    shares = [sum(found) / len(found) for found in right.values() if found]
    return sum(shares) / 2 if len(shares) == 2 else None


# ---------------------------------------------------------------- writing
def write_explanations(folder: Path, module: str, labels: Iterable[Label]) -> None:
    """Write labels as explanations beside a module's latents, with what is known of each.

    Raises UserError.
    """
    with explained(folder):
        for label in labels:
            name = f"{module}_latent{label.feature}.txt"
            for kind in (EXPLANATIONS, f"{SCORES}/{OWN}"):
                (folder / kind).mkdir(parents=True, exist_ok=True)
            text = json.dumps(label.text, ensure_ascii=False).encode("utf-8", "replace")
            write_bytes(folder / EXPLANATIONS / name, text)
            told = {
                name: getattr(label, name)
                for name in ("method", "author", "made", "score", "score_low", "score_high",
                             "measure")
            }  # fmt: skip
            own = json.dumps(told, ensure_ascii=False).encode("utf-8", "replace")
            write_bytes(folder / SCORES / OWN / name, own)

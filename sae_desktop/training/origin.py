"""Where a dictionary comes from: what it was trained on, or where it was imported from."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from sae_desktop.storage.atomic import write_bytes

if TYPE_CHECKING:
    from sae_desktop.training.run_folder import DictionarySummary

ORIGIN = "origin.json"


class DictionaryOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a dictionary that was brought into the project."""

    kind: Literal["import", "package"]
    source: str
    """A path, a repository of the hub, a release of SAELens; of a package its file's name."""
    which: str = ""
    """The dictionary within its source; empty where that is all of it."""
    format: str = ""
    sha256: str = ""
    """Of the file that was read, where it is a single one."""
    when: str = ""
    """The time in ISO 8601; empty where it is not known."""
    before: str = ""
    """Of a package: in words, where the dictionary came from before it was packed."""


def now_text() -> str:
    """Return the time as `when` keeps it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def write_origin(folder: Path, origin: DictionaryOrigin) -> None:
    """Keep in a dictionary's folder where it was brought from."""
    write_bytes(folder / ORIGIN, msgspec.json.format(msgspec.json.encode(origin)))


def origin_figure(summary: DictionarySummary) -> tuple[str, str]:
    """Return what a dictionary was made of or brought from, as (how, from what), short.

    ("", "") where that is not known.
    """
    origin = summary.origin
    if origin is not None and origin.kind == "package":
        before = f", before that {origin.before}" if origin.before else ""
        return "From package", f"{origin.source}{before}"
    if origin is not None:
        within = f"/{origin.which}" if origin.which not in ("", ".") else ""
        what = f"{_short(origin.source)}{within}"
        return "Imported from", f"{what} · {origin.format}" if origin.format else what
    if summary.train is None:
        return "", ""
    if summary.train.stream is not None:
        return "Trained on", (
            f"text of {_short(summary.train.stream.corpus)}, harvested during training"
        )
    return "Trained on", f"the store {summary.train.activations}"


def origin_text(summary: DictionarySummary) -> str:
    """Return the same as one phrase, such as “imported from …”."""
    how, what = origin_figure(summary)
    return f"{how[:1].lower()}{how[1:]} {what}".strip()


def _short(source: str) -> str:
    """Return a path's last part; any other name whole."""
    path = Path(source).expanduser()
    return path.name if path.is_absolute() else source

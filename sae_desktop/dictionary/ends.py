"""What a dictionary reads and what it writes, site by site. Free of torch.

The rows of its inputs lie side by side, and so do those of its outputs: one site for both in a
plain dictionary, one each in a transcoder, several layers or several models in a crosscoder, the
MLP input and output of every layer in a cross-layer transcoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec


class End(msgspec.Struct, frozen=True):
    """One site at which a dictionary reads or writes."""

    site: str
    """Empty: its files do not name it."""
    width: int
    source: int = 0
    """Of which model: 0 the first, 1 … the others, in the order of their stores."""
    start: int = 0
    """Its first column among those of all the sites side by side."""

    @property
    def columns(self) -> slice:
        return slice(self.start, self.start + self.width)


class HasEnds(Protocol):
    """What is asked of a `Dictionary`."""

    @property
    def metadata(self) -> dict[str, Any]: ...
    @property
    def width(self) -> int: ...
    @property
    def out_width(self) -> int: ...
    @property
    def parts(self) -> tuple[int, ...]: ...
    @property
    def transcodes(self) -> bool: ...


def inputs(dictionary: HasEnds | Mapping[str, Any], default_site: str = "") -> tuple[End, ...]:
    """Return what a dictionary, or a `cfg.json` that describes one, reads.

    `default_site` stands in where one that reads a single site does not name it. Raises ValueError
    where sites and widths do not fit together.
    """
    told = _told(dictionary)
    if _same(told):
        return outputs(dictionary, default_site)
    named = told.metadata.get("input_sites") or told.metadata.get("hook_name")
    if not named and len(told.parts) > 1:
        names: tuple[str, ...] = ("",) * len(told.parts)
    else:
        names = _names(told.metadata, "input_sites", "hook_name", default_site)
    return _ends(names, _even(told.width, len(names)), (), "reads")


def outputs(dictionary: HasEnds | Mapping[str, Any], default_site: str = "") -> tuple[End, ...]:
    """Return what a dictionary, or a `cfg.json` that describes one, writes.

    The very `inputs` for one that reconstructs what it reads. The site is empty of a transcoder
    whose files do not name it. Raises ValueError as `inputs`.
    """
    told = _told(dictionary)
    if _same(told):
        several = "output_sites" if told.metadata.get("output_sites") else "input_sites"
        names = _names(told.metadata, several, "hook_name", default_site)
    else:
        names = _names(told.metadata, "output_sites", "hook_name_out", "")
    widths = told.parts or _even(told.out_width, len(names))
    if len(names) < 2 and len(widths) > 1:
        names = ("",) * len(widths)
    return _ends(names, widths, told.metadata.get("sources") or (), "writes")


def reconstructs(dictionary: HasEnds | Mapping[str, Any]) -> bool:
    """Return whether a dictionary writes the sites it reads."""
    return _same(_told(dictionary))


def sources(ends: Sequence[End]) -> int:
    """Return of how many models the sites are."""
    return 1 + max((end.source for end in ends), default=0)


def end_words(end: End, models: Sequence[str] = ()) -> str:
    """Return what a site is called beside the others of its dictionary.

    `models` are the names of the models by source; with one or none only the site is named.
    """
    site = end.site or "unnamed site"
    if len(models) < 2:
        return site
    model = models[end.source] if end.source < len(models) else f"model {end.source + 1}"
    return f"{site} of {model}"


class _Told(msgspec.Struct, frozen=True):
    metadata: Mapping[str, Any]
    width: int
    out_width: int
    parts: tuple[int, ...]
    elsewhere: bool
    """Its weights alone show that it writes another site than it reads."""


def _told(dictionary: HasEnds | Mapping[str, Any]) -> _Told:
    if isinstance(dictionary, Mapping):
        metadata = dictionary.get("metadata") or {}
        width = int(dictionary["d_in"])
        out = int(dictionary.get("d_out") or width)
        parts = tuple(int(part) for part in dictionary.get("parts") or ())
        kind = str(dictionary.get("architecture") or "")
        return _Told(metadata, width, out, parts, "transcoder" in kind or out != width)
    return _Told(
        dictionary.metadata, dictionary.width, dictionary.out_width, tuple(dictionary.parts),
        dictionary.transcodes,
    )  # fmt: skip


def _same(told: _Told) -> bool:
    metadata = told.metadata
    read, written = metadata.get("input_sites"), metadata.get("output_sites")
    if written or (read and not metadata.get("hook_name_out")):
        return list(read or ()) == list(written or read or ())
    return not (metadata.get("hook_name_out") or told.elsewhere)


def _names(metadata: Mapping[str, Any], several: str, one: str, default: str) -> tuple[str, ...]:
    if metadata.get(several):
        return tuple(str(name) for name in metadata[several])
    return (str(metadata.get(one) or default),)


def _even(width: int, count: int) -> tuple[int, ...]:
    if width % count:
        raise ValueError(f"rows of width {width} are not those of {count} sites of equal width")
    return (width // count,) * count


def _ends(
    names: Sequence[str], widths: Sequence[int], found: Sequence[Any], does: str
) -> tuple[End, ...]:
    if len(names) != len(widths):
        raise ValueError(f"it {does} {len(widths)} sites, but names {len(names)}")
    owners = [int(source) for source in found] or [0] * len(names)
    if len(owners) != len(names):
        raise ValueError(f"it {does} {len(names)} sites of {len(owners)} models")
    ends, start = [], 0
    for name, width, owner in zip(names, widths, owners, strict=True):
        ends.append(End(name, width, owner, start))
        start += width
    return tuple(ends)

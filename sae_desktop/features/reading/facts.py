"""What an index says about a feature, piece by piece. Free of torch and Qt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from sae_desktop.pictures.places import PictureLayout

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class PictureContext:
    """A picture in which a feature fires. N tokens."""

    number: int
    """Its place among the index's pictures."""
    name: str
    place: str
    """The folder, archive or table it is from, as it was named."""
    digest: str
    """SHA-256 of its file."""
    notes: tuple[str, ...]
    """What was done to it as it was read, in words."""
    layout: PictureLayout
    activations: Array
    """(N,) float32, of every token."""
    token: int
    """The chosen one."""
    thumbnail: bytes
    """A small copy, WebP."""


@dataclass(frozen=True)
class Context:
    """A piece of text around a token on which a feature fires. T tokens."""

    slot: int
    """Its place among the feature's contexts, to draw it again with more text."""
    bucket: int
    row: int
    """The chosen token's row in the index's text."""
    activation: float
    """There, ‖W_dec‖-weighted."""
    tokens: list[str]
    activations: Array
    """(T,) float32."""
    peak: int
    """Which of the tokens was chosen."""
    source: str
    language: str
    title: str
    group: str
    """What its document has in common with its translations; empty: none."""
    starts: tuple[int, ...] = ()
    """The tokens at which a window begins; what stands before was read apart."""
    read: tuple[int, int] | None = None
    """First token and one past the last that the model read together with the chosen one; None
    where the index does not know."""
    picture: PictureContext | None = None
    """What is shown where the chosen token is of a picture; the tokens are then one, which says so
    in words."""

    def as_read(self) -> Context:
        """Return the context without the tokens that the model did not read with the chosen one."""
        if self.read is None or self.read == (0, len(self.tokens)):
            return self
        first, last = self.read
        return replace(
            self,
            tokens=self.tokens[first:last],
            activations=self.activations[first:last],
            peak=self.peak - first,
            starts=tuple(s - first for s in self.starts if first < s < last),
            read=(0, last - first),
        )


@dataclass(frozen=True)
class Share:
    """A feature's firings in one language or source."""

    name: str
    firings: int
    tokens: int
    """Rows of the text in it."""
    activation: float | None = None
    """Summed over the firings; None: not measured, in older indexes."""


@dataclass(frozen=True)
class FiredToken:
    """A token on which a feature fires."""

    token: str
    firings: int
    activation: float | None
    """Summed over the firings; None: not measured, in older indexes."""


@dataclass(frozen=True)
class Coactive:
    """A feature that tends to fire on the same tokens."""

    feature: int
    pearson: float
    """Of the two activations over all tokens."""
    share: float
    """Of the first feature's firings, those on which the other fires too."""


@dataclass(frozen=True)
class Neuron:
    """A neuron whose activation goes along with a feature's."""

    layer: int
    neuron: int
    pearson: float


@dataclass(frozen=True)
class AlignedFiring:
    """The strongest activation of a feature in one document of an aligned group."""

    document: int
    language: str
    title: str
    row: int
    """Where; −1 where the feature does not fire in the document."""
    activation: float

"""A card of the project. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass

from sae_desktop.words.source_titles import model_title


@dataclass(frozen=True)
class Card:
    kind: str
    """model, store, dictionary, sweep, set, index, lens, scan, concept set, comparison, watch"""
    name: str
    figures: tuple[tuple[str, str], ...]
    """(what, value with its unit)"""
    footer: str
    """Size and date."""
    actions: tuple[str, ...]
    """Keys of ACTIONS; the first is what Enter and the card's button do."""
    warning: str = ""
    called: str = ""
    """What a person calls it, where that is not its name."""
    tips: tuple[tuple[str, str], ...] = ()
    """(what, more about this figure), told where one points at it."""

    @property
    def title(self) -> str:
        return model_title(self.name) if self.kind == "model" else self.called or self.name

"""What the glossary tells of one term. Free of Qt."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """One term of the glossary."""

    term: str
    """As it stands on screen."""
    hover: str
    """One sentence: what it is and, of a figure, which way is good."""
    more: str
    """A few sentences beyond it, with an example."""
    where: str = ""
    """Where in the window it is met; empty: everywhere."""
    see: tuple[str, ...] = ()
    """Terms that are told near it."""
    names: tuple[str, ...] = ()
    """What else it is called on screen."""

"""How a feature of a small dictionary splits in larger ones, as a tree. Free of torch and Qt.

A feature's parts in the next larger dictionary are those whose nearest feature in the smaller
one it is, from a least cosine on (Scaling Monosemanticity, Feature Splitting); so every feature
of the larger one is a part of at most one. A feature without a part has the nearest feature of
the larger dictionary as its counterpart instead, marked as another's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sae_desktop.comparison.match_file import Match
from sae_desktop.comparison.split_node import LEAST_COSINE, MOST_PARTS, SplitNode
from sae_desktop.errors import UserError
from sae_desktop.project import Project


class Splitting:
    """The dictionaries of a project that are matched with one another."""

    def __init__(self, matches: Sequence[Match], hashes: Mapping[str, str]) -> None:
        """Take matches; those of a dictionary that has changed since are left out.

        `hashes`: dictionary → hash of its weights, where it is known.
        """
        self._matches: dict[tuple[str, str], Match] = {}
        self._sizes: dict[str, int] = {}
        self.outdated: list[str] = []
        """Dictionaries that were trained again since they were matched."""
        for found in matches:
            sides = found.info.sides
            changed = [s.name for s in sides if hashes.get(s.name, s.hash) != s.hash]
            self.outdated += [name for name in changed if name not in self.outdated]
            if not changed:
                self._matches[sides[0].name, sides[1].name] = found
                self._sizes |= {side.name: side.features for side in sides}

    @classmethod
    def of_project(cls, project: Project, hashes: Mapping[str, str]) -> Splitting:
        """Open all matches of a project; damaged ones and those of deleted dictionaries are not
        among them."""
        there = set(project.all_dictionaries())
        found = []
        for path in project.matches():
            try:
                one = Match(path)
            except UserError:
                continue
            if {side.name for side in one.info.sides} <= there:
                found.append(one)
        return cls(found, hashes)

    def dictionaries(self, beside: str) -> list[str]:
        """Return `beside` and the dictionaries matched with it, the smallest first."""
        names = {name for pair in self._matches if beside in pair for name in pair}
        return sorted(names, key=lambda name: (self._sizes[name], name))

    def check_feature(self, dictionary: str, feature: int) -> int:
        """Return `feature` if it exists. Raises UserError otherwise."""
        if not 0 <= feature < self._sizes[dictionary]:
            raise UserError(
                f"There is no feature {feature} in the dictionary “{dictionary}”.",
                next_step=f"Features are numbered 0 to {self._sizes[dictionary] - 1}.",
            )
        return feature

    def nearest(self, dictionary: str, feature: int) -> dict[str, list[tuple[int, float]]]:
        """Return for each other dictionary the nearest features with their cosines."""
        return {
            other: self._between(dictionary, other).nearest(dictionary, feature)
            for other in self.dictionaries(dictionary)
            if other != dictionary
        }

    def tree(
        self,
        dictionary: str,
        feature: int,
        *,
        least_cosine: float = LEAST_COSINE,
        most_parts: int = MOST_PARTS,
    ) -> SplitNode:
        """Return a feature with its parts, their parts and so on in ever larger dictionaries."""
        names = self.dictionaries(dictionary) or [dictionary]
        larger = names[names.index(dictionary) :]
        return self._node(larger, feature, 1.0, least_cosine, most_parts)

    def _node(
        self, names: Sequence[str], feature: int, cosine: float, least: float, most: int
    ) -> SplitNode:
        """Return the feature of the first of `names`, with its parts in the others."""
        pair = self._matches.get((names[0], names[1])) if len(names) > 1 else None
        if pair is None:
            return SplitNode(names[0], feature, cosine)
        parts = [(i, c) for i, c in pair.parts(feature) if c >= least]
        nodes = [self._node(names[1:], i, c, least, most) for i, c in parts[:most]]
        if not parts:
            # Not followed further: its own parts are another feature's.
            nearest = pair.nearest(names[0], feature)[:1]
            nodes = [SplitNode(names[1], i, c, shared=True) for i, c in nearest if c >= least]
        return SplitNode(names[0], feature, cosine, parts=nodes, left_out=max(len(parts) - most, 0))

    def ancestors(self, dictionary: str, feature: int) -> list[SplitNode]:
        """Return what the feature is a part of in ever smaller dictionaries, the smallest first.

        Each is the nearest feature of the next smaller dictionary, its cosine that with the one
        below.
        """
        names = self.dictionaries(dictionary)
        found: list[SplitNode] = []
        if dictionary not in names:
            return found
        below = (dictionary, feature)
        for name in reversed(names[: names.index(dictionary)]):
            nearest = self._between(name, below[0]).nearest(below[0], below[1])
            if not nearest:
                break
            found.insert(0, SplitNode(name, nearest[0][0], nearest[0][1]))
            below = (name, nearest[0][0])
        return found

    def _between(self, one: str, other: str) -> Match:
        return (
            self._matches[one, other]
            if (one, other) in self._matches
            else self._matches[other, one]
        )
